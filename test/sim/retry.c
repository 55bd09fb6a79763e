/*
 * Five days of retries: every wait is what outbound.retry says, give or take its
 * tenth; a sender is warned once and told once, at the right hour; nobody hears
 * anything of mail from the null sender but the admin.
 */
#include "town.h"

#include <stdio.h>

#define MINUTE (60 * NS_PER_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* For what connections, queries and disks take. */
#define SLACK (5 * NS_PER_SECOND)

static const int64_t waits[] = { 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR,
	6 * HOUR };
enum { WAITS = sizeof waits / sizeof *waits };

static void
plan(struct town_message *m, unsigned number)
{
	if (number == 0) {
		town_plan(m, WANT_NEVER);
		town_plan(m, WANT_NO_HOST);
		town_plan(m, WANT_NO_DNS);
		town_plan(m, WANT_LATER);
		m->rcpts[3].laters = 3;
		town_plan(m, WANT_DELIVERED);
	} else {
		m->is_null = true;
		town_plan(m, WANT_NEVER);
	}
}

static bool
wrong(const char *what, size_t i, int64_t ns)
{
	fprintf(stderr, "seed %ju: %s %zu: %.3f s\n", (uintmax_t)sim_seed(),
	    what, i, (double)ns / (double)NS_PER_SECOND);
	return false;
}

/* The waits between attempts; the last one ends at the expiry. */
static bool
waits_are_right(const struct town_rcpt *r, struct mono expires)
{
	if (r->attempts < WAITS + 2 || r->attempts > TOWN_ATTEMPTS)
		return wrong("attempts", r->attempts, 0);
	for (size_t i = 0; i + 1 < r->attempts; i++) {
		int64_t want = waits[i < WAITS ? i : WAITS - 1];
		int64_t is = r->attempt_at[i + 1].ns - r->attempt_at[i].ns;
		bool is_last = i + 2 == r->attempts;

		if (is > want + want / 10 + SLACK ||
		    (!is_last && is < want - want / 10))
			return wrong("wait", i, is);
	}
	expires.ns = r->attempt_at[r->attempts - 1].ns - expires.ns;
	return expires.ns >= 0 && expires.ns < SLACK ? true :
	    wrong("after expiry", r->attempts, expires.ns);
}

static bool
report_is_right(const struct town_message *m, size_t i, int64_t late)
{
	const struct town_rcpt *r = &m->rcpts[i];
	int64_t warned = r->delayed_at.ns - m->acked_at.ns;
	int64_t told = r->failed_at.ns - m->acked_at.ns;

	if (r->delayed != 1 || r->failed != 1)
		return wrong("reports", r->delayed * 100 + r->failed, 0);
	if (warned < 4 * HOUR || warned > 4 * HOUR + 6 * HOUR + 6 * HOUR / 10)
		return wrong("warned", i, warned);
	if (told < 5 * DAY - SLACK || told > 5 * DAY + late)
		return wrong("told", i, told);
	return true;
}

static bool
schedule_is_right(void)
{
	const struct town_message *a = &town_ledger->messages[0];
	const struct town_message *b = &town_ledger->messages[1];

	if (town_ledger->n != 2 || town_ledger->admin != 1)
		return wrong("messages, reports to the admin",
		    town_ledger->n * 100 + town_ledger->admin, 0);
	if (a->rcpts[3].attempts != 4 || a->rcpts[4].attempts != 1)
		return wrong("later", a->rcpts[3].attempts, 0);
	/* who shares a back-off may wait for its end */
	return waits_are_right(&a->rcpts[0], mono_add(a->acked_at, 5 * DAY)) &&
	    waits_are_right(&b->rcpts[0], mono_add(b->acked_at, DAY)) &&
	    report_is_right(a, 0, SLACK) && report_is_right(a, 1, 70 * MINUTE) &&
	    report_is_right(a, 2, 70 * MINUTE);
}

static bool
retry_run(uint64_t seed)
{
	struct town t = { .cores = 1 + (unsigned)(seed % 2), .messages = 2,
		.plan = plan, .patience = 6 * DAY / NS_PER_SECOND,
		.look_every = 600, .config =
		"outbound: { bounce_expire: 1d }\n"
		"reports: { delay_warning: 4h }\n" };

	town_begin();
	return town_life(&t) == SIM_ENDED && town_look() && town_law(&t) &&
	    schedule_is_right();
}

const struct scenario scenario_retry = { .name = "retry", .run = retry_run, .percent = 10 };
