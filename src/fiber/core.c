#include "fiber/core.h"

#include "base/must.h"
#include "fiber/inner.h"

#include <stdlib.h>

/* So many fibers run, those that were ready at first in any case, before the
 * world is looked at again. */
enum { CORE_RUNS = 64 };

/*
 * `busy' counts cores that have fibers and posts that will become one.  Nothing
 * but a fiber can start a fiber, so 0 is the end of all cores.
 */
static struct {
	unsigned n;
	struct core *cores[CORES_MOST];
	atomic_uint n_running;		/* n, while they may be kicked */
	atomic_uint busy;
} cores;

_Thread_local struct core *core_here;

struct core *
core_current(void)
{
	return core_here;
}

void
core_enter(struct core *c)
{
	must(core_here == NULL || core_here->self == NULL);
	if (c != NULL && core_here != c)
		context_init_loop(&c->loop);
	core_here = c;
}

struct world_core *
core_world(const struct core *c)
{
	return c->world;
}

unsigned
core_index(void)
{
	must(core_here != NULL);
	return core_here->index;
}

unsigned
core_count(void)
{
	return cores.n;
}

/* ---- the end ---- */

static void
cores_kick(void)
{
	unsigned n = atomic_load(&cores.n_running);

	for (unsigned i = 0; i < n; i++)
		world_core_kick(cores.cores[i]->world);
}

void
core_busy_add(void)
{
	atomic_fetch_add(&cores.busy, 1);
}

void
core_busy_sub(void)
{
	unsigned was = atomic_fetch_sub(&cores.busy, 1);

	must(was > 0);
	if (was == 1)
		cores_kick();
}

/* ---- timers ---- */

int
core_timer_set(struct core_timer *t, struct mono at)
{
	struct core *c = core_here;

	must(c != NULL && t->fire != NULL);
	heap_remove(&c->timers, &t->node);
	return heap_insert(&c->timers, &t->node, at.ns);
}

void
core_timer_cancel(struct core_timer *t)
{
	must(core_here != NULL);
	heap_remove(&core_here->timers, &t->node);
}

static void
core_fire_timers(struct core *c)
{
	struct heap_node *k;
	struct core_timer *t;

	must(c->self == NULL);
	while ((k = heap_top(&c->timers)) != NULL && k->key <= c->now.ns) {
		t = OWNER_OF(k, struct core_timer, node);
		heap_remove(&c->timers, k);
		t->fire(t);
	}
}

/* ---- posts ---- */

/*
 * Dekker's agreement with core_turn(): the sender puts the post and then looks
 * whether the core is asleep; the core says it sleeps and then looks for posts.
 * So one of them sees the other, and a busy core costs no kick.
 */
void
core_send(struct core *c, struct core_post *p)
{
	struct core_post *head = atomic_load(&c->posts);

	must(p->run != NULL);
	do
		p->next = head;
	while (!atomic_compare_exchange_weak(&c->posts, &head, p));
	if (atomic_load(&c->asleep) && atomic_exchange(&c->asleep, false))
		world_core_kick(c->world);
}

static void
core_take_posts(struct core *c)
{
	struct core_post *p, *next, *in_order = NULL;

	must(c == core_here);
	if (atomic_load_explicit(&c->posts, memory_order_relaxed) == NULL)
		return;
	for (p = atomic_exchange(&c->posts, NULL); p != NULL; p = next) {
		next = p->next;
		p->next = in_order;
		in_order = p;
	}
	for (p = in_order; p != NULL; p = next) {
		next = p->next;
		p->run(p);
	}
}

/* ---- a turn ---- */

/* What becomes ready meanwhile runs in the same turn, within reason. */
static void
core_run_ready(struct core *c)
{
	struct fiber *f, *next;
	size_t runs = 0;

	while (c->ready != NULL && runs < CORE_RUNS) {
		f = c->ready;
		c->ready = NULL;
		c->ready_tail = &c->ready;
		for (; f != NULL; f = next, runs++) {
			next = f->next;
			fiber_run(f);
		}
	}
}

bool
core_turn(struct core *c)
{
	must(core_here == c && c->self == NULL);
	atomic_store_explicit(&c->asleep, false, memory_order_relaxed);
	c->now = world_mono();
	c->wall_known = false;
	c->stats.polls++;
	core_take_posts(c);
	core_fire_timers(c);
	core_run_ready(c);
	if (atomic_load(&cores.busy) == 0)
		return false;
	if (c->ready == NULL)
		atomic_store(&c->asleep, true);
	return true;
}

struct mono
core_next(const struct core *c)
{
	struct heap_node *k;

	if (c->ready != NULL || atomic_load(&c->posts) != NULL)
		return (struct mono){ 0 };
	if (atomic_load(&cores.busy) == 0)
		return (struct mono){ 0 };
	k = heap_top(&c->timers);
	return k == NULL ? MONO_NEVER : (struct mono){ k->key };
}

/* ---- calls between cores ---- */

struct call {
	struct core_post post;
	yields void (*fn)(void *);
	void *arg;
	struct core *home;
	struct fiber *waiter;		/* NULL: core_post(), malloc'd */
	int result;
	bool is_done;
};

static void
call_arrived_home(struct core_post *p)
{
	struct call *call = OWNER_OF(p, struct call, post);

	must(!call->is_done && call->home == core_here);
	call->is_done = true;
	fiber_wake(call->waiter);
}

static void
call_answer(struct call *call, int result)
{
	must(call->waiter != NULL);
	call->result = result;
	call->post.run = call_arrived_home;
	core_send(call->home, &call->post);
}

static yields void
call_fiber(void *arg)
{
	struct call *call = arg;
	yields void (*fn)(void *) = call->fn;
	void *fn_arg = call->arg;

	if (call->waiter != NULL) {
		fn(fn_arg);
		call_answer(call, 0);
		return;
	}
	free(call);
	fn(fn_arg);
}

static void
call_arrived(struct core_post *p)
{
	struct call *call = OWNER_OF(p, struct call, post);

	if (fiber_go("core call", call_fiber, call) == 0) {
		if (call->waiter == NULL)
			core_busy_sub();	/* the fiber counts now */
	} else if (call->waiter != NULL) {
		call_answer(call, -1);
	} else {
		/* Nobody could be told that it was lost: try next turn. */
		core_send(core_here, p);
	}
}

yields int
core_call(unsigned core, yields void (*fn)(void *), void *arg)
{
	struct call call = { .post.run = call_arrived, .fn = fn, .arg = arg,
	    .home = core_here, .waiter = fiber_self() };

	must(core < cores.n && call.waiter != NULL);
	if (core == core_here->index) {
		fn(arg);
		return 0;
	}
	core_send(cores.cores[core], &call.post);
	while (!call.is_done)
		(void)fiber_park(MONO_NEVER);
	if (call.result != 0)
		err_set("core %u has no memory for a call", core);
	return call.result;
}

int
core_post(unsigned core, yields void (*fn)(void *), void *arg)
{
	struct call *call = calloc(1, sizeof *call);

	must(core < cores.n);
	if (call == NULL)
		return err_set("no memory for a post");
	call->post.run = call_arrived;
	call->fn = fn;
	call->arg = arg;
	core_busy_add();
	core_send(cores.cores[core], &call->post);
	return 0;
}

/* ---- bells ---- */

/* An exchange and no store: what who rang meanwhile has written is seen by fn. */
static void
bell_arrived(struct core_post *p)
{
	struct core_bell *b = OWNER_OF(p, struct core_bell, post);

	(void)atomic_exchange(&b->is_ringing, false);
	b->fn(b->arg);
}

void
core_bell_init(struct core_bell *b, void (*fn)(void *), void *arg)
{
	*b = (struct core_bell){ .post.run = bell_arrived, .fn = fn,
		.arg = arg };
}

void
core_ring(struct core_bell *b, unsigned core)
{
	must(b->fn != NULL && core < cores.n);
	if (!atomic_exchange(&b->is_ringing, true))
		core_send(cores.cores[core], &b->post);
}

/* ---- all cores ---- */

static void
core_close(struct core *c)
{
	must(c->self == NULL);
	fiber_discard_all(c);
	stream_buffers_clear(c);
	stack_pool_clear(&c->stacks);
	heap_clear(&c->timers);
	if (c->world != NULL)
		world_core_close(c->world);
	free(c);
}

static struct core *
core_open(unsigned index)
{
	struct core *c = aligned_alloc(64, sizeof *c);

	if (c == NULL)
		return NULL;
	*c = (struct core){ .index = index, .now = world_mono(),
	    .sweep.fire = fiber_sweep };
	c->ready_tail = &c->ready;
	list_init(&c->fibers);
	list_init(&c->parked);
	c->world = world_core_open(c);
	if (c->world != NULL)
		return c;
	core_close(c);
	return NULL;
}

static void
cores_close(void)
{
	atomic_store(&cores.n_running, 0);
	for (unsigned i = 0; i < cores.n; i++)
		core_close(cores.cores[i]);
	cores.n = 0;
}

static int
cores_open(unsigned n)
{
	atomic_store(&cores.busy, 0);
	while (cores.n < n) {
		cores.cores[cores.n] = core_open(cores.n);
		if (cores.cores[cores.n] == NULL)
			return err_set("core %u could not be made", cores.n);
		cores.n++;
	}
	return 0;
}

static int
cores_start(yields void (*start)(void *), void *arg)
{
	int rc = 0;

	for (unsigned i = 0; i < cores.n && rc == 0; i++) {
		core_enter(cores.cores[i]);
		rc = fiber_go("start", start, arg);
		core_enter(NULL);
	}
	return rc;
}

static int
cores_run(unsigned n, yields void (*start)(void *), void *arg)
{
	int rc;

	if (cores_open(n) != 0 || cores_start(start, arg) != 0)
		return -1;
	atomic_store(&cores.n_running, n);
	rc = world_cores_run(n, cores.cores);
	return rc == 0 ? 0 : err_set("cores could not be started");
}

int
core_run_all(unsigned n, yields void (*start)(void *arg), void *arg)
{
	int rc;

	must(n >= 1 && n <= CORES_MOST && cores.n == 0 && core_here == NULL);
	must_story = fiber_story;
	if (offload_open() != 0)
		return -1;
	rc = cores_run(n, start, arg);
	offload_close();
	cores_close();
	return rc;
}
