/*
 * inner.h -- what fiber.c, core.c and their nearest share.
 *
 * The promise: struct core and struct fiber are seen by fiber/ alone; what
 * lies in them is touched by the core's own thread only, save posts and asleep.
 * Not for: other folders, and not for fiber/world_*: see world.h.
 * Waiting: none.
 * Memory: a core is core_run_all()'s; a fiber lies high on its own stack.
 * Errors: none.
 * Source: DESIGN.md section 3.
 */
#ifndef NM_FIBER_INNER_H
#define NM_FIBER_INNER_H

#include "base/err.h"
#include "base/list.h"
#include "fiber/context.h"
#include "fiber/fiber.h"
#include "fiber/stack.h"
#include "fiber/world.h"

struct lane;
struct stream_buffer;

enum { FIBER_MAGIC = 0x46494252, FIBER_ENDED_MAGIC = 0x0dead0fb };

/*
 * STATE           made by            what is true
 * FIBER_READY     fiber_go, _yield   in core.ready; a wake is remembered
 * FIBER_RUNNING   fiber_run          core.self; a wake is remembered
 * FIBER_PARKED    fiber_park         in core.parked until trimmed; perhaps a
 *                                    timer is set
 * FIBER_WOKEN     fiber_wake, timer  in core.ready; further wakes are one
 * FIBER_ENDED     its return         only fiber_run() knows it
 */
enum fiber_state {
	FIBER_READY, FIBER_RUNNING, FIBER_PARKED, FIBER_WOKEN, FIBER_ENDED
};

struct fiber {
	unsigned magic;
	enum fiber_state state;
	bool has_wake;			/* a wake came while not parked */
	bool timed_out;
	struct core *core;
	const char *name;
	void (*fn)(void *);
	void *arg;
	struct fiber *next;		/* in core.ready */
	struct core_timer timer;
	struct mono parked_at;
	struct link parked;		/* in core.parked */
	struct link every;		/* in core.fibers */
	struct context context;
	struct err_trail trail;
	struct stack *stack;		/* just above us */
};

/* The only thread-local variable here; core_enter() sets it. */
extern _Thread_local struct core *core_here;

struct core {
	unsigned index;
	struct world_core *world;
	struct context loop;
	struct fiber *self;
	struct fiber *ready, **ready_tail;
	struct heap timers;
	struct list fibers;
	struct list parked;		/* with pages to give back, oldest first */
	struct core_timer sweep;
	struct mono now;		/* of this turn */
	struct wall wall;
	bool wall_known;
	struct fiber_stats stats;
	struct stack_pool stacks;
	struct stream_buffer *buffers;	/* idle ones */
	size_t n_buffers;

	/* touched by others */
	_Alignas(64) _Atomic(struct core_post *) posts;	/* newest first */
	atomic_bool asleep;
};

/* fiber.c */
void fiber_run(struct fiber *);			/* from the loop */
void fiber_sweep(struct core_timer *);		/* core.sweep's fire */
void fiber_story(void);				/* must_story */
void fiber_discard_all(struct core *);		/* that never ran */

/* core.c */
void core_busy_add(void);			/* something will keep us all */
void core_busy_sub(void);

/* net.c: the deadline may be moved by another fiber meanwhile */
yields int net_await_readable(struct net_end *, const struct mono *deadline);
yields int net_await_writable(struct net_end *, const struct mono *deadline);

/* stream.c */
void stream_buffers_clear(struct core *);

/* offload.c */
int offload_open(void);
void offload_close(void);
yields int offload_disk(int (*fn)(void *), void *arg);	/* never busy */

#endif
