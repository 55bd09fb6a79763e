/*
 * A crash before every step of a delivery by LMTP: one transaction in which some
 * have it, one has it at the second try and one never, so that his sender is
 * told; with somebody elsewhere among them.  The first address of the server is
 * dead.  SLICES seeds share a world, as in crash.c: nothing is lost, and a second
 * copy stands only where a crash came between the reply and its record.
 */
#include "town.h"

#include <stdio.h>

enum { SLICES = 40 };

static void
plan(struct town_message *m, unsigned number)
{
	(void)number;
	town_plan(m, WANT_BOX);
	town_plan(m, WANT_FULL);
	town_plan(m, WANT_BOX);
	m->rcpts[2].laters = 1;
	town_plan(m, WANT_MAILBOX);
	town_plan(m, WANT_BOX);
}

static const struct town town = { .messages = 2, .plan = plan, .tries = 9,
	.config = "outbound: { retry: [ 10s ] }\n" };

static bool
ends_well(void)
{
	return town_life(&town) == SIM_ENDED && town_look() && town_law(&town);
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
	return town_look() && town_law(&town) ? verbs : 0;
}

static bool
lmtp_run(uint64_t seed)
{
	uint64_t world = seed / SLICES, slice = seed % SLICES;
	uint64_t steps = steps_count(world);

	for (uint64_t n = 1 + slice; n <= steps; n += SLICES) {
		enum sim_crash how = n / SLICES % 2 == 0 ? SIM_KILL : SIM_POWER;

		sim_begin(world);
		town_begin();
		sim_crash_at(n, how);
		if (town_life(&town) != SIM_CRASHED)
			return false;
		sim_crash_at(0, how);
		if (ends_well())
			continue;
		fprintf(stderr, "a %s before verb %ju of the world %ju\n",
		    how == SIM_KILL ? "kill" : "power cut", (uintmax_t)n,
		    (uintmax_t)world);
		return false;
	}
	return steps > 0;
}

const struct scenario scenario_lmtp = { .name = "lmtp", .run = lmtp_run,
	.percent = 50 };
