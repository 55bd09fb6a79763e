/*
 * Another configuration on all cores.
 *
 * In two steps: what can fail is done on every core before any core adopts; and
 * what is left cannot fail, but for a core that has no memory for a fiber: it is
 * asked until it has.
 */
#include "app/node.h"

#include "app/accept.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "policy/holder.h"
#include "policy/resolver.h"

#define RETRY_NS (10 * NS_PER_MS)

struct adopting {
	struct node *node;
	struct config *config;
	int rc;
};

static yields void
config_prepare(void *arg)
{
	struct adopting *a = arg;
	struct node_core *c = &a->node->cores[core_index()];

	if (c->is_over)
		return;
	must(config_now(&c->holder) != NULL && c->deliver != NULL);
	if (accept_prepare(c) != 0 ||
	    deliver_prepare(c->deliver, a->config) != 0)
		a->rc = -1;
}

static yields void
config_adopt(void *arg)
{
	struct adopting *a = arg;
	struct node_core *c = &a->node->cores[core_index()];

	if (c->is_over)
		return;
	config_hold(&c->holder, a->config);
	deliver_adopt(c->deliver);
	accept_take(c);
}

static yields void
config_leave(void *arg)
{
	struct adopting *a = arg;
	struct node_core *c = &a->node->cores[core_index()];

	if (c->is_over)
		return;
	deliver_leave(c->deliver);
	accept_leave(c);
}

static yields void
each_core(struct adopting *a, unsigned n, yields void (*fn)(void *))
{
	for (unsigned i = 0; i < n; i++)
		while (core_call(i, fn, a) != 0)
			fiber_sleep(mono_add(clock_mono(), RETRY_NS));
}

/* How many cores are prepared, or have begun to be. */
static yields unsigned
cores_prepare(struct adopting *a)
{
	unsigned i = 0;

	while (i < a->node->setup->cores && a->rc == 0)
		a->rc |= core_call(i++, config_prepare, a);
	return i;
}

yields int
node_reload(struct node *n, struct config *config)
{
	struct adopting a = { n, config, 0 };
	unsigned asked;

	must(core_index() == 0);
	if (accept_plan(n, config) != 0) {
		config_release(config);
		return -1;
	}
	asked = cores_prepare(&a);
	if (a.rc == 0)
		a.rc = resolver_use(config);
	if (a.rc == 0)
		each_core(&a, n->setup->cores, config_adopt);
	else
		each_core(&a, asked, config_leave);
	accept_plan_end(n);
	config_release(config);
	return a.rc;
}
