/*
 * A wall that was wrong and is put right.  A message comes while the wall is
 * sixty days ahead; then it goes back and the server begins anew.  What nobody
 * takes is given up when it is as old as outbound.expire says, not sixty days
 * later; and what waits is neither given up before.  The other way round, too, and
 * where the server rested for sixty days.
 *
 * Found by scenario network; and that reports.delay_warning may be none.
 */
#include "town.h"

#include "fiber/clock.h"
#include "fiber/fiber.h"

#include <stdio.h>

#define DAY_US (86400 * US_PER_SECOND)
#define HOUR_NS (3600 * NS_PER_SECOND)

static void
plan(struct town_message *m, unsigned number)
{
	(void)number;
	town_plan(m, WANT_NEVER);
	town_plan(m, WANT_LATER);
	m->rcpts[1].laters = 2;
	town_plan(m, WANT_DELIVERED);
}

static int64_t jump_us;

/* Back, when the mail is here. */
static yields void
with(struct node *n)
{
	(void)n;
	while (town_clients_left() > 0)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
	sim_wall_jump(-jump_us);
}

static bool
clock_run(uint64_t seed)
{
	struct town t = { .messages = 2, .plan = plan, .with = with,
		.patience = 60, .config =
		"outbound: { retry: [ 10m, 1h ], expire: 5h }\n"
		"reports: { delay_warning: none }\n" };
	const struct town_rcpt *r;

	jump_us = (seed % 2 == 0 ? 60 : -60) * DAY_US;
	town_begin();
	sim_wall_jump(jump_us);
	if (town_life(&t) != SIM_ENDED)
		return false;
	t.with = NULL;
	t.patience = 86400;
	t.look_every = 60;
	if (town_life(&t) != SIM_ENDED || !town_look())
		return false;
	if (!town_law(&t))
		return false;
	r = &town_ledger->messages[0].rcpts[0];
	if (r->failed_at.ns > 4 * HOUR_NS)
		return true;
	fprintf(stderr, "given up too early\n");
	return false;
}

const struct scenario scenario_clock = { .name = "clock", .run = clock_run,
	.percent = 10 };
