/*
 * core.h -- one thread, one epoll, its fibers; and calls between cores.
 *
 * The promise: core_run_all() runs n cores until their last fiber has ended;
 * start(arg) is the first fiber on each.  core_call() runs fn(arg) as a fiber of
 * another core and wakes the caller when it has returned; calls from one core
 * to another start in order.  Nothing else crosses cores.
 * Not for: sharing memory between cores; pass values or owned pointers.
 * Waiting: core_call() yields; core_post() does not and has no answer.
 * Memory: a post is a malloc'd node freed after it ran.
 * Errors: core_call() is -1 when the other core had no memory for a fiber; fn
 * did not run.
 * Source: DESIGN.md section 3.
 */
#ifndef NM_FIBER_CORE_H
#define NM_FIBER_CORE_H

#include "fiber/fiber.h"

enum { CORES_MOST = 64 };

/* Run n cores (1..CORES_MOST): the real world gives each a thread, the
 * simulated one runs them in turn on one thread.  Returns when all fibers of
 * all cores have ended. */
int core_run_all(unsigned n, yields void (*start)(void *arg), void *arg);

unsigned core_index(void);		/* of the core we run on */
unsigned core_count(void);

yields int core_call(unsigned core, yields void (*fn)(void *), void *arg);
int core_post(unsigned core, yields void (*fn)(void *), void *arg);

#endif
