/*
 * test_life.h -- one life of a simulated machine, from one function.
 *
 * The promise: test_life(fn) runs fn(NULL) as the first fiber of one core, in a
 * life of the world that sim_begin() made.
 * Not for: the server; lives of several cores.
 * Waiting: the body may yield.
 * Memory: none.
 * Errors: how it ended; a core's failure is SIM_BROKEN.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_FIBER_TEST_LIFE_H
#define NM_FIBER_TEST_LIFE_H

#include "fiber/test_core.h"

#include "fiber/world_sim.h"

static inline void
test_life_run(void *arg)
{
	on_core(*(yields void (**)(void *))arg);
}

static inline enum sim_ending
test_life(yields void (*fn)(void *))
{
	return sim_life(test_life_run, &fn);
}

#endif
