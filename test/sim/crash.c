/*
 * A crash before every step of the world, from the first octet of a client to
 * the last outcome: two messages to a mailbox, to another server and to somebody
 * who refuses, whose sender is told.  SLICES seeds share a world; each is cut at
 * every SLICES-th of its steps, by a kill and by a power cut in turn; the next
 * life ends the work and the laws must hold.
 *
 * crash-lying has a disk that keeps nothing of what was synced: it must be
 * caught, or these tests see nothing.
 */
#include "town.h"

#include <stdio.h>

enum { SLICES = 40, LIES_MOST = 60 };

static void
plan(struct town_message *m, unsigned number)
{
	(void)number;
	town_plan(m, WANT_DELIVERED);
	town_plan(m, WANT_MAILBOX);
	town_plan(m, WANT_REFUSED);
}

/* All that a life needs: nobody is late, so whoever waits longer was forgotten. */
enum { PATIENCE_S = 60 };

static struct town town = { .messages = 2, .plan = plan, .tries = 9,
	.config = "outbound: { retry: [ 10s ] }\n" };

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
crash_once(uint64_t world, uint64_t verb, enum sim_crash how)
{
	sim_begin(world);
	town_begin();
	sim_crash_at(verb, how);
	if (town_life(&town) != SIM_CRASHED)
		return false;
	sim_crash_at(0, how);
	town.patience = PATIENCE_S;
	if (town_life(&town) == SIM_ENDED && town_look() && town_law(&town))
		return true;
	fprintf(stderr, "a %s before verb %ju of the world %ju\n",
	    how == SIM_KILL ? "kill" : "power cut", (uintmax_t)verb,
	    (uintmax_t)world);
	return false;
}

static bool
crash_run(uint64_t seed)
{
	uint64_t world = seed / SLICES, slice = seed % SLICES, steps;

	town.cores = 1 + (unsigned)(world % 3);
	town.patience = 0;
	steps = steps_count(world);
	for (uint64_t n = 1 + slice; n <= steps; n += SLICES)
		if (!crash_once(world, n, (n / SLICES) % 2 == 0 ? SIM_KILL :
		    SIM_POWER))
			return false;
	return steps > 0;
}

static bool
lying_run(uint64_t seed)
{
	struct town t = town;

	t.is_quiet = true;
	for (uint64_t i = 0; i < LIES_MOST; i++) {
		sim_begin(seed * LIES_MOST + i);
		sim_disk_lies(true);
		town_begin();
		sim_crash_at(100 + sim_chance(300), SIM_POWER);
		if (town_life(&t) != SIM_CRASHED)
			continue;
		sim_crash_at(0, SIM_POWER);
		if (town_life(&t) != SIM_ENDED || !town_look() ||
		    !town_law(&t))
			return true;
	}
	fprintf(stderr, "seed %ju: nobody noticed that nothing is synced\n",
	    (uintmax_t)seed);
	return false;
}

const struct scenario scenario_crash = { .name = "crash", .run = crash_run, .percent = 50 };
const struct scenario scenario_crash_lying = {
	.name = "crash-lying", .run = lying_run,
	.percent = 5 };
