/*
 * A warning of delay, with a crash before every step: a message that another
 * server puts off past reports.delay_warning, again and again.  Its sender is
 * warned once without a crash, and never twice with one: what was told stands in
 * the spool before it is told.
 */
#include "town.h"

#include <stdio.h>

enum { SLICES = 100, LATERS = 6 };

static void
plan(struct town_message *m, unsigned number)
{
	(void)number;
	town_plan(m, WANT_LATER);
	m->rcpts[0].laters = LATERS;
}

static const struct town town = { .messages = 1, .plan = plan, .tries = 9,
	.config = "outbound: { retry: [ 10s ] }\n"
	    "reports: { delay_warning: 25s }\n" };

static bool
warned_at_most(unsigned most, unsigned least)
{
	unsigned n = 0;

	for (size_t i = 0; i < town_ledger->n; i++) {
		n = town_ledger->messages[i].rcpts[0].delayed;
		if (n > most)
			break;
	}
	if (n >= least && n <= most)
		return true;
	fprintf(stderr, "warned %u times\n", n);
	return false;
}

/* How many steps the life without a crash takes. */
static uint64_t
steps_count(uint64_t world)
{
	uint64_t verbs;

	sim_begin(world);
	town_begin();
	if (town_life(&town) != SIM_ENDED)
		return 0;
	verbs = sim_verbs();
	return town_look() && town_law(&town) && warned_at_most(1, 1) ?
	    verbs : 0;
}

static bool
crash_once(uint64_t world, uint64_t verb, enum sim_crash how)
{
	sim_begin(world);
	town_begin();
	sim_crash_at(verb, how);
	if (town_life(&town) != SIM_CRASHED)
		return false;
	sim_crash_at(0, how);
	if (town_life(&town) == SIM_ENDED && town_look() && town_law(&town) &&
	    warned_at_most(1, 0))
		return true;
	fprintf(stderr, "a %s before verb %ju of the world %ju\n",
	    how == SIM_KILL ? "kill" : "power cut", (uintmax_t)verb,
	    (uintmax_t)world);
	return false;
}

static bool
warning_run(uint64_t seed)
{
	uint64_t world = seed / SLICES, slice = seed % SLICES;
	uint64_t steps = steps_count(world);

	for (uint64_t n = 1 + slice; n <= steps; n += SLICES)
		if (!crash_once(world, n, (n / SLICES) % 2 == 0 ? SIM_KILL :
		    SIM_POWER))
			return false;
	return steps > 0;
}

const struct scenario scenario_warning = { .name = "warning",
	.run = warning_run, .percent = 50 };
