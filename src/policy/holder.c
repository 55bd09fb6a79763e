#include "policy/holder.h"

#include "base/must.h"
#include "fiber/core.h"

#include <stdatomic.h>

void
config_release(struct config *c)
{
	unsigned before = atomic_fetch_sub(&c->refs, 1);

	must(before >= 1);
	if (before == 1)
		config_free(c);
}

struct config *
config_keep(const struct config *fixed)
{
	struct config *c = (struct config *)(uintptr_t)fixed;

	must(atomic_fetch_add(&c->refs, 1) >= 1);
	return c;
}

/* A core's first pin takes one reference, its last gives it back. */
static void
pin_add(struct config *c, unsigned core)
{
	must(core < CORES_MOST);
	if (c->pins[core].n++ == 0)
		atomic_fetch_add(&c->refs, 1);
}

static void
pin_drop(struct config *c, unsigned core)
{
	must(core < CORES_MOST && c->pins[core].n > 0);
	if (--c->pins[core].n == 0)
		config_release(c);
}

void
config_hold(struct config_holder *h, struct config *c)
{
	struct config *old = h->now;

	must(c != NULL);
	pin_add(c, h->core);
	h->now = c;
	if (old != NULL)
		pin_drop(old, h->core);
}

void
config_unhold(struct config_holder *h)
{
	if (h->now != NULL)
		pin_drop(h->now, h->core);
	h->now = NULL;
}

struct config *
config_pin(struct config_holder *h)
{
	must(h->now != NULL);
	pin_add(h->now, h->core);
	return h->now;
}

void
config_unpin(struct config_holder *h, struct config *c)
{
	pin_drop(c, h->core);
}

const struct config *
config_now(const struct config_holder *h)
{
	return h->now;
}
