/*
 * Time, cores and lanes of the simulated world.  One thread does it all: fires
 * what is due, lets a core turn, and when nobody can go on moves the clock.
 */
#include "base/list.h"
#include "fiber/world.h"
#include "fiber/world_sim_state.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>

enum { CPUS = 2, DESCRIPTORS = 1 << 20, TURN_NS = 1000, LANE_SLOTS = 64, JUMPS = 8,
	MILLION = 1000000 };

struct world_core {
	bool is_kicked, is_over;
};

struct lane_slot {
	struct sim_event event;
	struct lane *lane;
	struct job *job;		/* NULL: free */
	bool has_run;
};

struct lane {
	struct job *first, **last;	/* not yet in a slot */
	unsigned threads;
	struct lane_slot slots[LANE_SLOTS];
};

static struct heap events;
int64_t sim_cost;
bool sim_is_at_work;

/* ---- time ---- */

/* By how much its clocks have run away since they began to. */
static int64_t
drift(const struct sim_machine *m, int64_t world)
{
	int64_t d = world - m->drift_from;

	return d / MILLION * m->drift_ppm + d % MILLION * m->drift_ppm / MILLION;
}

int64_t
sim_mono_of(const struct sim_machine *m, int64_t world)
{
	return world - m->mono_off + drift(m, world);
}

int64_t
sim_world_of(const struct sim_machine *m, int64_t mono)
{
	int64_t d = mono + m->mono_off - m->drift_from;
	int64_t speed = MILLION + m->drift_ppm;
	int64_t world = m->drift_from + d / speed * MILLION +
	    d % speed * MILLION / speed;

	while (sim_mono_of(m, world) < mono)
		world++;
	return world;
}

void
sim_drift(int ppm)
{
	struct sim_machine *m = sim_meant();
	int64_t now = sim_get()->mono.ns, ahead = drift(m, now);

	must(ppm >= -MILLION / 10 && ppm <= MILLION / 10);
	m->mono_off -= ahead;
	m->wall_us += ahead / NS_PER_US;
	m->drift_from = now;
	m->drift_ppm = ppm;
}

struct mono
world_mono(void)
{
	return (struct mono){ sim_mono_of(sim_mine(), sim_get()->mono.ns) };
}

struct wall
world_wall(void)
{
	int64_t now = sim_get()->mono.ns;

	return (struct wall){ sim_mine()->wall_us +
	    (now + drift(sim_mine(), now)) / NS_PER_US };
}

void
sim_wall_jump(int64_t us)
{
	sim_meant()->wall_us += us;
}

static struct wall_jump {
	struct sim_event event;
	int64_t us;
} jumps[JUMPS];

static void
wall_jump_fire(struct sim_event *e)
{
	sim_wall_jump(OWNER_OF(e, struct wall_jump, event)->us);
}

void
sim_wall_jump_at(struct mono at, int64_t us)
{
	size_t i = 0;

	while (i < JUMPS && jumps[i].event.node.at != 0)
		i++;
	must(i < JUMPS);
	jumps[i] = (struct wall_jump){ { .fire = wall_jump_fire }, us };
	sim_event_set(&jumps[i].event,
	    (struct mono){ sim_world_of(sim_mine(), at.ns) });
}

void
sim_time_forget(void)
{
	for (size_t i = 0; i < JUMPS; i++)
		sim_event_cancel(&jumps[i].event);
}

/* ---- events ---- */

void
sim_event_set(struct sim_event *e, struct mono at)
{
	must(e->fire != NULL);
	heap_remove(&events, &e->node);
	sim_is_at_work = true;
	must(heap_insert(&events, &e->node, at.ns) == 0);
	sim_is_at_work = false;
}

void
sim_event_in(struct sim_event *e, int64_t ns)
{
	sim_event_set(e, mono_add(sim_get()->mono, ns));
}

void
sim_event_cancel(struct sim_event *e)
{
	heap_remove(&events, &e->node);
	if (events.n == 0)
		heap_clear(&events);
}

struct mono
sim_event_next(void)
{
	const struct heap_node *top = heap_top(&events);

	return top == NULL ? MONO_NEVER : (struct mono){ top->key };
}

bool
sim_event_fire(void)
{
	struct heap_node *top = heap_top(&events);
	struct sim_event *e;

	if (top == NULL || top->key > sim_get()->mono.ns)
		return false;
	e = OWNER_OF(top, struct sim_event, node);
	sim_event_cancel(e);
	e->fire(e);
	return true;
}

/* ---- cores ---- */

unsigned
world_descriptors(void)
{
	return DESCRIPTORS;
}

struct world_core *
world_core_open(struct core *c)
{
	must(c != NULL);
	return calloc(1, sizeof(struct world_core));
}

void
world_core_close(struct world_core *w)
{
	free(w);
}

void
world_core_kick(struct world_core *w)
{
	w->is_kicked = true;
}

/* When a core wants to go on, by the world's clock. */
static int64_t
core_due(struct core *c)
{
	struct mono next = core_next(c);

	return next.ns == MONO_NEVER.ns ? INT64_MAX :
	    sim_world_of(sim_mine(), next.ns);
}

static bool
core_can_turn(struct core *c)
{
	const struct world_core *w = core_world(c);

	return !w->is_over &&
	    (w->is_kicked || core_due(c) <= sim_now->mono.ns);
}

/* One of those that can turn, by the seed; NULL: none can. */
static struct core *
cores_choose(unsigned n, struct core *const cores[])
{
	unsigned can = 0, chosen;

	for (unsigned i = 0; i < n; i++)
		can += core_can_turn(cores[i]);
	if (can == 0)
		return NULL;
	chosen = can == 1 ? 0 : (unsigned)sim_chance(can);
	for (unsigned i = 0; i < n; i++)
		if (core_can_turn(cores[i]) && chosen-- == 0)
			return cores[i];
	return NULL;
}

static void
core_turn_once(struct core *c)
{
	struct world_core *w = core_world(c);
	struct sim *s = sim_now;

	if (s->turns_most > 0 && sim_mine()->turns >= s->turns_most) {
		core_tell(c);
		sim_broken("too many turns");
	}
	sim_mine()->turns++;
	w->is_kicked = false;
	core_enter(c);
	w->is_over = !core_turn(c);
	core_enter(NULL);
	s->mono.ns += TURN_NS;
}

static bool
cores_are_over(unsigned n, struct core *const cores[])
{
	for (unsigned i = 0; i < n; i++)
		if (!core_world(cores[i])->is_over)
			return false;
	return true;
}

/* Nobody can go on: to the next instant at which somebody can, here or on
 * another machine. */
static void
cores_skip(unsigned n, struct core *const cores[])
{
	struct sim *s = sim_now;
	int64_t crash = sim_mine()->crash_time.ns;
	int64_t next = sim_event_next().ns < crash ? sim_event_next().ns : crash;

	for (unsigned i = 0; i < n; i++)
		if (!core_world(cores[i])->is_over &&
		    core_due(cores[i]) < next)
			next = core_due(cores[i]);
	sim_net_watch(next);
	if (s->is_shared)
		sim_turn_pass(next);
	else if (next == INT64_MAX) {
		for (unsigned i = 0; i < n; i++)
			core_tell(cores[i]);
		sim_broken("stuck: everybody waits for ever");
	} else if (next > s->mono.ns)
		s->mono.ns = next;
	if (s->mono.ns >= sim_mine()->crash_time.ns)
		sim_crash_now();
}

int
world_cores_run(unsigned n, struct core *const cores[])
{
	struct core *c;

	(void)sim_get();
	while (!cores_are_over(n, cores)) {
		if (sim_now->is_shared && sim_others_wait() &&
		    sim_chance(8) == 0)
			sim_turn_pass(sim_now->mono.ns);
		if (sim_event_fire())
			continue;
		c = cores_choose(n, cores);
		if (c != NULL)
			core_turn_once(c);
		else
			cores_skip(n, cores);
	}
	return 0;
}

/* ---- lanes ---- */

static void lane_fire(struct sim_event *);

int
world_lane_open(const char *name, unsigned threads, struct lane **out)
{
	struct lane *l = calloc(1, sizeof *l);

	must(name != NULL && threads > 0);
	if (l == NULL)
		return -ENOMEM;
	l->last = &l->first;
	l->threads = threads < LANE_SLOTS ? threads : LANE_SLOTS;
	for (unsigned i = 0; i < l->threads; i++) {
		l->slots[i].lane = l;
		l->slots[i].event.fire = lane_fire;
	}
	*out = l;
	return 0;
}

void
world_lane_close(struct lane *l)
{
	for (unsigned i = 0; i < l->threads; i++)
		must(l->slots[i].job == NULL);
	must(l->first == NULL);
	free(l);
}

static void
lane_start(struct lane *l)
{
	for (unsigned i = 0; i < l->threads && l->first != NULL; i++) {
		struct lane_slot *slot = &l->slots[i];

		if (slot->job != NULL)
			continue;
		slot->job = l->first;
		slot->has_run = false;
		l->first = slot->job->next;
		if (l->first == NULL)
			l->last = &l->first;
		sim_event_in(&slot->event, sim_jitter(10 * NS_PER_US));
	}
}

/* Twice per job: it runs, then its end is told. */
static void
lane_fire(struct sim_event *e)
{
	struct lane_slot *slot = OWNER_OF(e, struct lane_slot, event);
	struct job *j = slot->job;

	if (!slot->has_run) {
		slot->has_run = true;
		(void)sim_step(SIM_lane, 0);
		sim_cost = sim_jitter(20 * NS_PER_US);
		job_run(j);
		sim_event_in(&slot->event, sim_cost);
		return;
	}
	slot->job = NULL;
	job_done(j);
	lane_start(slot->lane);
}

void
world_lane_submit(struct lane *l, struct job *j)
{
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
	lane_start(l);
}
