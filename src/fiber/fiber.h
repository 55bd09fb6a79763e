/*
 * fiber.h -- threads of story: straight-line code on one core.
 *
 * The promise: a fiber is a function with its own small stack.  It runs until
 * it waits; while it waits, others of its core run.  Two fibers of one core
 * never run at once and a fiber never leaves its core, so what lies between two
 * waits is a critical section: no lock is needed, or allowed, in session code.
 * Not for: work that blocks or burns milliseconds; that is offload().
 * Waiting: a function that may wait carries the word `yields' in prototype and
 * definition, and so does whoever calls it (tools/yields checks).  Waits take
 * an absolute deadline.  Pointers into shared tables do not survive a wait.
 * Memory: 64 KiB stack with a guard page, recycled; its depth is measured when
 * the fiber retires; parked for two seconds (in a crowd a quarter of one), it
 * gives dirty pages below its stack pointer back.  Frames stay under 4 KiB, no
 * VLA, no alloca.
 * Errors: fiber_go() is -1 with a trail when no stack can be had.  Waking a
 * fiber that has ended fails a must(): hold a handle only while it must live.
 * Source: DESIGN.md section 3; HOUSE.md rules 3 and 7.
 */
#ifndef NM_FIBER_FIBER_H
#define NM_FIBER_FIBER_H

#include "base/instant.h"

#define yields			/* a word for people and for tools/yields */

struct core;
struct fiber;

/* Start fn(arg) on this core; it first runs at the core's next turn.  `name'
 * is a literal. */
int fiber_go(const char *name, yields void (*fn)(void *), void *arg);

struct fiber *fiber_self(void);

/* Make a parked (or about to park) fiber of this core ready.  NULL is allowed.
 * A wake before the park is not lost: the next park returns at once. */
void fiber_wake(struct fiber *);

/* Wait for fiber_wake().  0, or -1 when the deadline came first. */
yields int fiber_park(struct mono deadline);
yields void fiber_sleep(struct mono until);
yields void fiber_yield(void);		/* let the others of this core run */

struct fiber_stats {
	uint64_t switches, polls;
	size_t fibers, peak;
	size_t stack_high;		/* deepest stack seen, bytes */
	const char *stack_high_name;
};
struct fiber_stats fiber_stats(void);	/* of this core */

#endif
