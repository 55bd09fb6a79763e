/*
 * scenario.h -- a program of scenarios, each run with many seeds.
 *
 * The promise: the program runs each scenario with the seeds 1, 2, ... (or SEED
 * alone), several at a time, and prints "ok NAME", or "not ok NAME: seed N" for
 * the first that finds a law broken and how to see it again.
 * Not for: the simulated world itself (fiber/world_sim.h).
 * Waiting: none.
 * Memory: none.
 * Errors: 1 when a scenario failed.
 * Source: test/README.md.
 */
#ifndef NM_SIM_SCENARIO_H
#define NM_SIM_SCENARIO_H

#include "fiber/world_sim.h"

struct scenario {
	const char *name;
	/* So many of a hundred seeds of a mode suffice; 0: all. */
	unsigned percent;
	/* The world of this seed has begun.  False: a law is broken, and what
	 * broke it was told on stderr. */
	bool (*run)(uint64_t seed);
};

/* Each file of scenarios defines one, and all.c lists it. */
extern const struct scenario scenario_notes, scenario_notes_unsynced;
extern const struct scenario scenario_octets;
extern const struct scenario scenario_private;
extern const struct scenario scenario_alias, scenario_clock;
extern const struct scenario scenario_scanty;
extern const struct scenario scenario_spool, scenario_spool_hasty;
extern const struct scenario scenario_crash, scenario_crash_lying;
extern const struct scenario scenario_evil;
extern const struct scenario scenario_lmtp, scenario_network;
extern const struct scenario scenario_retry, scenario_storm, scenario_walk;
extern const struct scenario scenario_warning;

#endif
