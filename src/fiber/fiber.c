/* The states of a fiber stand in inner.h. */
#include "fiber/fiber.h"

#include "base/must.h"
#include "fiber/inner.h"

#include <errno.h>
#include <stdio.h>

/* Parked as long as this, a fiber gives pages back; so many at a time.  In a
 * crowd sooner: there who says an octet each second would keep them all. */
#define SWEEP_AGE_NS (2 * NS_PER_SECOND)
#define SWEEP_CROWD_AGE_NS (250 * NS_PER_MS)
#define SWEEP_PAUSE_NS NS_PER_MS
enum { SWEEP_MOST = 64, SWEEP_CROWD = 512 };

static struct core *
fiber_core(void)
{
	struct core *c = core_here;

	must(c != NULL);
	return c;
}

struct fiber *
fiber_self(void)
{
	struct core *c = core_here;

	return c == NULL ? NULL : c->self;
}

struct fiber_stats
fiber_stats(void)
{
	return fiber_core()->stats;
}

static void
fiber_queue(struct fiber *f, enum fiber_state state)
{
	struct core *c = f->core;

	must(c == core_here);
	f->state = state;
	f->next = NULL;
	*c->ready_tail = f;
	c->ready_tail = &f->next;
}

static void
fiber_unpark(struct fiber *f)
{
	must(f->state == FIBER_PARKED);
	core_timer_cancel(&f->timer);
	list_remove(&f->parked);
	fiber_queue(f, FIBER_WOKEN);
}

static void
fiber_expire(struct core_timer *t)
{
	struct fiber *f = OWNER_OF(t, struct fiber, timer);

	must(f->magic == FIBER_MAGIC);
	f->timed_out = true;
	fiber_unpark(f);
}

void
fiber_wake(struct fiber *f)
{
	if (f == NULL)
		return;
	must(f->magic == FIBER_MAGIC);
	must(f->core == core_here);
	switch (f->state) {
	case FIBER_PARKED:
		f->timed_out = false;
		fiber_unpark(f);
		return;
	case FIBER_WOKEN:
		f->timed_out = false;	/* it has not seen the time yet */
		return;
	case FIBER_READY:
	case FIBER_RUNNING:
		f->has_wake = true;
		return;
	case FIBER_ENDED:
		break;
	}
	must(!"a fiber that ended was woken");
}

/* ---- birth and end ---- */

static void
fiber_main(void)
{
	struct core *c = core_here;
	struct fiber *f = c->self;

	must(f != NULL && f->state == FIBER_RUNNING);
	f->fn(f->arg);
	must(core_here == c && c->self == f);
	f->state = FIBER_ENDED;
	context_end(&f->context, &c->loop);
}

static struct fiber *
fiber_place(struct stack *s)
{
	uintptr_t at = (uintptr_t)s - sizeof(struct fiber);

	return (struct fiber *)(at & ~(uintptr_t)63);
}

int
fiber_go(const char *name, yields void (*fn)(void *), void *arg)
{
	struct core *c = fiber_core();
	struct stack *s = stack_take(&c->stacks);
	struct fiber *f;

	must(name != NULL && fn != NULL);
	if (s == NULL)
		return err_set("no stack for fiber %s: %m", name);
	f = fiber_place(s);
	*f = (struct fiber){ .magic = FIBER_MAGIC, .core = c, .name = name,
	    .fn = fn, .arg = arg, .stack = s, .timer.fire = fiber_expire };
	context_init(&f->context, s->bottom, (size_t)((char *)f - s->bottom),
	    fiber_main);
	list_append(&c->fibers, &f->every);
	if (c->stats.fibers++ == 0)
		core_busy_add();
	if (c->stats.fibers > c->stats.peak)
		c->stats.peak = c->stats.fibers;
	fiber_queue(f, FIBER_READY);
	return 0;
}

static void
fiber_measure(struct fiber *f)
{
	struct core *c = f->core;
	size_t deep = stack_measure(f->stack);

	if (deep > c->stats.stack_high) {
		c->stats.stack_high = deep;
		c->stats.stack_high_name = f->name;
	}
}

static void
fiber_retire(struct fiber *f)
{
	struct core *c = f->core;

	must(f->timer.node.at == 0 && !link_is_in(&f->parked));
	fiber_measure(f);
	context_clear(&f->context);
	list_remove(&f->every);
	f->magic = FIBER_ENDED_MAGIC;
	stack_give(&c->stacks, f->stack);
	must(c->stats.fibers > 0);
	if (--c->stats.fibers == 0)
		core_busy_sub();
}

void
fiber_discard_all(struct core *c)
{
	struct link *k;
	struct fiber *f;

	while ((k = list_pop(&c->fibers)) != NULL) {
		f = OWNER_OF(k, struct fiber, every);
		must(f->state == FIBER_READY);
		context_clear(&f->context);
		stack_give(&c->stacks, f->stack);
	}
}

void
fiber_run(struct fiber *f)
{
	struct core *c = f->core;

	must(f->magic == FIBER_MAGIC && c->self == NULL);
	must(f->state == FIBER_READY || f->state == FIBER_WOKEN);
	f->state = FIBER_RUNNING;
	c->self = f;
	c->stats.switches++;
	err_use(&f->trail);
	context_switch(&c->loop, &f->context);
	err_use(NULL);
	c->self = NULL;
	if (f->state == FIBER_ENDED)
		fiber_retire(f);
}

/* ---- waiting ---- */

/* Others run meanwhile, and errno is the thread's, not the fiber's. */
static yields void
fiber_leave(struct core *c, struct fiber *f)
{
	int saved = errno;

	context_switch(&f->context, &c->loop);
	must(c->self == f && f->state == FIBER_RUNNING);
	errno = saved;
}

static int64_t
sweep_age(const struct core *c)
{
	return c->stats.fibers > SWEEP_CROWD ? SWEEP_CROWD_AGE_NS :
	    SWEEP_AGE_NS;
}

static void
fiber_enlist(struct core *c, struct fiber *f)
{
	must(!link_is_in(&f->parked) && f->state == FIBER_PARKED);
	f->parked_at = c->now;
	list_append(&c->parked, &f->parked);
	/* Without memory for the timer the pages stay until the next park. */
	if (c->sweep.node.at == 0)
		(void)core_timer_set(&c->sweep,
		    mono_add(c->now, sweep_age(c)));
}

yields int
fiber_park(struct mono deadline)
{
	struct core *c = fiber_core();
	struct fiber *f = c->self;

	must(f != NULL && f->magic == FIBER_MAGIC);
	if (f->has_wake) {
		f->has_wake = false;
		return 0;
	}
	if (!mono_is_before(c->now, deadline))
		return -1;
	if (deadline.ns != MONO_NEVER.ns &&
	    core_timer_set(&f->timer, deadline) != 0)
		return err_set("no memory for a timer");
	f->timed_out = false;
	f->state = FIBER_PARKED;
	fiber_enlist(c, f);
	fiber_leave(c, f);
	return f->timed_out ? -1 : 0;
}

yields void
fiber_yield(void)
{
	struct core *c = fiber_core();
	struct fiber *f = c->self;

	must(f != NULL && f->magic == FIBER_MAGIC);
	fiber_queue(f, FIBER_READY);
	fiber_leave(c, f);
}

yields void
fiber_sleep(struct mono until)
{
	struct core *c = fiber_core();
	struct fiber *f = c->self;
	bool woken = f->has_wake;

	f->has_wake = false;
	while (mono_is_before(c->now, until)) {
		if (fiber_park(until) == 0)
			woken = true;
		else if (mono_is_before(c->now, until))
			fiber_yield();		/* no timer to be had */
	}
	f->has_wake = woken;	/* it was meant for the next park */
}

/*
 * The stack pointer of a parked fiber tells what it still needs; below lies
 * what its deepest call left.  Ten thousand idle sessions live on this.
 */
void
fiber_sweep(struct core_timer *t)
{
	struct core *c = OWNER_OF(t, struct core, sweep);
	struct mono old = mono_add(c->now, -sweep_age(c));
	struct link *k;
	struct fiber *f;
	struct mono next;

	for (int i = 0; i < SWEEP_MOST; i++) {
		if ((k = list_first(&c->parked)) == NULL)
			return;
		f = OWNER_OF(k, struct fiber, parked);
		if (mono_is_before(old, f->parked_at))
			break;
		must(f->state == FIBER_PARKED);
		list_remove(k);
		fiber_measure(f);
		stack_trim(f->stack, f->context.at);
	}
	if ((k = list_first(&c->parked)) == NULL)
		return;
	next = mono_add(OWNER_OF(k, struct fiber, parked)->parked_at,
	    sweep_age(c));
	if (mono_is_before(next, mono_add(c->now, SWEEP_PAUSE_NS)))
		next = mono_add(c->now, SWEEP_PAUSE_NS);
	(void)core_timer_set(t, next);
}

/* ---- stories ---- */

void
fiber_story(void)
{
	const struct core *c = core_here;

	if (c == NULL || c->self == NULL) {
		fprintf(stderr, "nightmail: outside fibers: %s\n", err_text());
		return;
	}
	fprintf(stderr, "nightmail: core %u, fiber \"%s\": %s\n", c->index,
	    c->self->name, c->self->trail.text);
}

void
core_tell(const struct core *c)
{
	static const char *const said[] = {
		[FIBER_READY] = "ready", [FIBER_RUNNING] = "running",
		[FIBER_PARKED] = "parked", [FIBER_WOKEN] = "woken",
		[FIBER_ENDED] = "ended",
	};
	struct link *k;
	const struct fiber *f;

	for (k = list_first(&c->fibers); k != NULL; k = list_next(&c->fibers, k)) {
		f = OWNER_OF(k, struct fiber, every);
		fprintf(stderr, "core %u: fiber \"%s\" is %s\n", c->index,
		    f->name, said[f->state]);
	}
}
