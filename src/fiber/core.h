/*
 * core.h -- one thread, one epoll, its fibers; and calls between cores.
 *
 * The promise: core_run_all() runs n cores until core_stop_all(); start(arg) is
 * the first fiber on each.  core_call() runs fn(arg) as a fiber of
 * another core and wakes the caller when it has returned; calls from one core
 * to another start in order.  Nothing else crosses cores.
 * Not for: sharing memory between cores; pass values or owned pointers.
 * Waiting: core_call() yields; core_post() does not and has no answer.
 * Memory: a post is a malloc'd node freed after it ran.
 * Errors: core_call() is -1 when the other core had no memory for a fiber; fn
 * did not run.  It works to the end while cores are stopping: outcomes still
 * find home.
 * Source: DESIGN.md section 3.
 */
#ifndef NM_FIBER_CORE_H
#define NM_FIBER_CORE_H

#include "fiber/fiber.h"

enum { CORES_MOST = 64, CORE_HOOKS = 16 };

/* Run n cores (1..CORES_MOST): the real world gives each a thread, the
 * simulated one runs them in turn on one thread.  Returns when all fibers of
 * all cores have ended after core_stop_all(), or all have ended by themselves.
 */
int core_run_all(unsigned n, yields void (*start)(void *arg), void *arg);
void core_stop_all(void);		/* any thread, async-signal-safe */
bool core_is_stopping(void);
/* Wait for core_stop_all().  0, or -1 when the deadline came first. */
yields int core_wait_stop(struct mono deadline);
unsigned core_auto(void);		/* how many cores suit this machine */

unsigned core_index(void);		/* of the core we run on */
unsigned core_count(void);

yields int core_call(unsigned core, yields void (*fn)(void *), void *arg);
int core_post(unsigned core, yields void (*fn)(void *), void *arg);

/* Run fn(arg) each time before this core looks at the world again, when its
 * ready fibers have run (output batched per turn).  fn may wake fibers but not
 * wait.  Registered for good, at start; -1 beyond CORE_HOOKS. */
int core_before_wait(void (*fn)(void *), void *arg);

#endif
