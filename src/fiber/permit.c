#include "fiber/permit.h"

#include "base/err.h"
#include "base/must.h"

struct permit_waiter {
	struct link link;
	struct fiber *fiber;
	bool is_served;
};

void
permit_init(struct permit *p, size_t most)
{
	p->most = most;
	p->out = 0;
	list_init(&p->waiters);
}

/* A permit is handed to a waiter here, so that nobody can slip in between its
 * wake and its turn. */
static void
permit_serve(struct permit *p)
{
	struct link *k;
	struct permit_waiter *w;

	while (p->out < p->most && (k = list_pop(&p->waiters)) != NULL) {
		w = OWNER_OF(k, struct permit_waiter, link);
		must(!w->is_served);
		w->is_served = true;
		p->out++;
		fiber_wake(w->fiber);
	}
}

bool
permit_try(struct permit *p)
{
	if (p->out >= p->most || !list_is_empty(&p->waiters))
		return false;
	p->out++;
	return true;
}

yields int
permit_take(struct permit *p, struct mono deadline)
{
	struct permit_waiter w = { .fiber = fiber_self() };

	must(w.fiber != NULL);
	if (permit_try(p))
		return 0;
	list_append(&p->waiters, &w.link);
	while (!w.is_served && fiber_park(deadline) == 0)
		continue;
	if (w.is_served)
		return 0;
	list_remove(&w.link);
	return err_set("no permit in time");
}

void
permit_give(struct permit *p)
{
	must(p->out > 0);
	p->out--;
	permit_serve(p);
}
