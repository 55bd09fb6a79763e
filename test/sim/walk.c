/*
 * One message of every kind through the whole server in a world without trouble:
 * the town's own proof, and the shortest way to read what the others do.
 */
#include "town.h"

static void
plan(struct town_message *m, unsigned number)
{
	switch (number % 4) {
	case 0:
		town_plan(m, WANT_DELIVERED);
		town_plan(m, WANT_MAILBOX);
		town_plan(m, WANT_REFUSED);
		town_plan(m, WANT_LATER);
		m->rcpts[3].laters = 2;
		break;
	case 1:
		town_plan(m, WANT_NOT_THIS);
		town_plan(m, WANT_NO_DOMAIN);
		m->lines = 3000;
		break;
	case 2:
		town_plan(m, WANT_DELIVERED);
		town_plan(m, WANT_DELIVERED);
		town_plan(m, WANT_NOT_THIS);
		m->is_null = true;
		break;
	default:
		town_plan(m, WANT_REFUSED);
		m->is_gone = true;
		break;
	}
}

static bool
walk_run(uint64_t seed)
{
	struct town t = { .cores = 1 + (unsigned)(seed % 3), .clients = 2,
		.messages = 4, .plan = plan, .config =
		"outbound: { retry: [ 10s, 20s ] }\n" };

	town_begin();
	return town_life(&t) == SIM_ENDED && town_look() && town_law(&t);
}

const struct scenario scenario_walk = { .name = "walk", .run = walk_run, .percent = 50 };
