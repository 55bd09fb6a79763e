/*
 * core.h -- one thread, one epoll, its fibers; and calls between cores.
 *
 * The promise: core_run_all() runs n cores until their last fiber has ended;
 * start(arg) is the first fiber on each.  core_call() runs fn(arg) as a fiber of
 * another core and wakes the caller when it has returned; calls from one core
 * to another start in order.  core_ring() cannot fail: what it needs is there
 * before, so a word that must not be lost is a bell.  Nothing else crosses cores.
 * Not for: sharing memory between cores; pass values or owned pointers.
 * Waiting: core_call() yields; core_post() and core_ring() do not and have no
 * answer.
 * Memory: a call of core_post() is malloc'd and freed before fn runs; a bell is
 * its owner's, who keeps it until the cores have ended.
 * Errors: core_call() is -1 when the other core had no memory for a fiber,
 * core_post() when there is none for the post: fn does not run.
 * Source: DESIGN.md section 3.
 */
#ifndef NM_FIBER_CORE_H
#define NM_FIBER_CORE_H

#include "fiber/fiber.h"

#include <stdatomic.h>

enum { CORES_MOST = 64 };

/* Run n cores (1..CORES_MOST): the real world gives each a thread, the
 * simulated one runs them in turn on one thread.  Returns when all fibers of
 * all cores have ended. */
int core_run_all(unsigned n, yields void (*start)(void *arg), void *arg);

unsigned core_index(void);		/* of the core we run on */
unsigned core_count(void);

yields int core_call(unsigned core, yields void (*fn)(void *), void *arg);
int core_post(unsigned core, yields void (*fn)(void *), void *arg);

/*
 * What a core is told: run(post) is called on its loop, outside its fibers;
 * posts of one thread arrive in order.  The post belongs to the sender again
 * when run() is called.
 */
struct core_post {
	struct core_post *next;
	void (*run)(struct core_post *);
};

/*
 * fn(arg) is called on the core's loop, outside its fibers, once for all rings
 * that came before: it sees what was written before any of them.
 */
struct core_bell {
	struct core_post post;
	void (*fn)(void *);
	void *arg;
	bool _Atomic is_ringing;
};
void core_bell_init(struct core_bell *, void (*fn)(void *), void *arg);
void core_ring(struct core_bell *, unsigned core);

#endif
