/*
 * Providers with limits that nobody is told, which change at random, and one
 * sender who has always more than they take: what does he get of what they would
 * take (goodput), how many of his attempts are refused, and how long after a
 * limit was lifted does he know?  (Who shuts a sender out for ten seconds when he
 * goes beyond takes that much from whoever seeks the limit: there 85 % will do.)
 *
 * Each run is of one seed; a row that misses its mark prints how to repeat it:
 *	PACE_ROW=5 PACE_SEED=77 PACE_TRACE=1 .../queue-pace_model
 */
#include "queue/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define MS NS_PER_MS

enum { LINES = 48, PER_LINE = 100, SEEDS = 2, HOURS = 8,
	REFUSED_MOST = 20, RECOVERY_MOST = 600 };

enum kind {
	BY_SPACING,			/* evenly, with a burst of two */
	BY_BUCKET,			/* a second's burst */
	BY_WINDOW,			/* so many from the clock's ... */
	BY_CONNECTIONS,
	BY_REPUTATION,			/* who is refused much, may less */
	BY_HOUR_OF_DAY,
	BY_PENALTY			/* who goes beyond is shut out a while */
};

struct scenario {
	const char *name;
	enum kind kind;
	int64_t window_ns;		/* or the penalty's */
	uint64_t least, most;		/* limit, messages an hour; or lines */
	int64_t answer_ns;		/* a message takes that, give or take */
	int64_t change_ns;		/* limits change so often, about */
	bool is_bursty;			/* the sender rests now and then */
	unsigned goodput;		/* least, in percent */
};

static const struct scenario scenarios[] = {
	{ "spacing 0.5..50/s", BY_SPACING, 0, 1800, 180000, 200 * MS,
		60 * MINUTE, false, 90 },
	{ "per second 1..100/s", BY_BUCKET, 0, 3600, 360000, 150 * MS,
		60 * MINUTE, false, 90 },
	{ "per second, slow server", BY_BUCKET, 0, 3600, 72000, 1500 * MS,
		60 * MINUTE, false, 90 },
	{ "per minute 60..3000", BY_WINDOW, MINUTE, 3600, 180000, 200 * MS,
		60 * MINUTE, false, 90 },
	{ "per hour 1,000..50,000", BY_WINDOW, HOUR, 1000, 50000, 200 * MS,
		120 * MINUTE, false, 90 },
	{ "connections 1..20", BY_CONNECTIONS, 0, 1, 20, 300 * MS,
		60 * MINUTE, false, 90 },
	{ "reputation 2..50/s", BY_REPUTATION, 0, 7200, 180000, 200 * MS,
		60 * MINUTE, false, 90 },
	{ "time of day 2..50/s", BY_HOUR_OF_DAY, 0, 7200, 180000, 200 * MS,
		120 * MINUTE, false, 90 },
	{ "shut out for 10 s", BY_PENALTY, 10 * SECOND, 7200, 180000, 200 * MS,
		90 * MINUTE, false, 85 },
	{ "sender rests often", BY_BUCKET, 0, 7200, 180000, 200 * MS,
		60 * MINUTE, true, 90 },
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

struct line {
	enum { CLOSED, OPENING, OPEN, BUSY } state;
	struct mono begun, until;
	unsigned n;
	bool is_refused;
};

struct world {
	const struct scenario *s;
	uint64_t seed;
	struct mono now;
	struct pace pace;
	/* the provider's */
	uint64_t limit;			/* an hour; or lines */
	struct mono changes_at, window_at, shut_until;
	uint64_t in_window;
	int64_t tat_ns;
	double reputation, share;	/* of the limit, for now */
	/* the sender's */
	struct line lines[LINES];
	bool is_resting;
	struct mono rests_at;
	/* figures */
	double could;			/* what the provider would have taken */
	struct mono counted_at;
	uint64_t taken, attempts, refused;
	uint32_t by_second[60];		/* taken; a ring */
	int64_t second;
	struct mono lifted_at;		/* 0: nothing is awaited */
	int64_t recovery_most;
	unsigned lifts;
};

static uint64_t
draw(struct world *w, uint64_t below)
{
	uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

static bool
traces(void)
{
	return getenv("PACE_TRACE") != NULL;
}

/* ---- the provider ---- */

/* Messages an hour that would be taken now. */
static double
capacity(const struct world *w)
{
	double lines = w->s->kind == BY_CONNECTIONS ? (double)w->limit :
	    LINES;
	double most = lines * (double)HOUR / (double)w->s->answer_ns;
	double limit = (double)w->limit * w->reputation * w->share;

	return w->s->kind == BY_CONNECTIONS || limit > most ? most : limit;
}

static void
capacity_count(struct world *w)
{
	if (!w->is_resting)
		w->could += capacity(w) *
		    (double)(w->now.ns - w->counted_at.ns) / (double)HOUR;
	w->counted_at = w->now;
}

/* Anything between least and most, as likely in each octave. */
static uint64_t
limit_draw(struct world *w)
{
	uint64_t limit = w->s->least;
	unsigned octaves = 0;

	while (limit * 2 <= w->s->most) {
		limit *= 2;
		octaves++;
	}
	limit = w->s->least << draw(w, octaves + 1);
	limit += draw(w, limit);
	return limit < w->s->most ? limit : w->s->most;
}

static void
limit_change(struct world *w)
{
	double before = capacity(w);
	uint64_t about = (uint64_t)w->s->change_ns;

	capacity_count(w);
	w->limit = limit_draw(w);
	w->changes_at = mono_add(w->now, (int64_t)(about / 2 + draw(w, about)));
	w->lifted_at = capacity(w) > 1.5 * before && !w->is_resting ?
	    w->now : (struct mono){ 0 };
	w->lifts += w->lifted_at.ns != 0;
	if (traces())
		printf("%7.1f limit %.3f/s\n", (double)w->now.ns / 1e9,
		    capacity(w) / 3600);
}

/* Full speed at night, a third of it at noon. */
static void
share_set(struct world *w)
{
	static const double by_hour[24] = { 1, 1, 1, 1, 1, .9, .8, .7, .5, .4,
		.4, .35, .33, .33, .35, .4, .4, .5, .6, .7, .8, .9, 1, 1 };
	int64_t hour = w->now.ns / (HOUR / 3) % 24;

	if (w->s->kind != BY_HOUR_OF_DAY || w->share == by_hour[hour])
		return;
	capacity_count(w);
	w->share = by_hour[hour];
}

static bool
bucket_takes(struct world *w, double burst)
{
	int64_t each = (int64_t)((double)HOUR /
	    ((double)w->limit * w->reputation * w->share));

	if (w->tat_ns < w->now.ns)
		w->tat_ns = w->now.ns;
	if ((double)(w->tat_ns - w->now.ns) > burst * (double)each)
		return false;
	w->tat_ns += each;
	return true;
}

static bool
window_takes(struct world *w)
{
	uint64_t most = w->limit / (uint64_t)(HOUR / w->s->window_ns);

	if (w->now.ns - w->window_at.ns >= w->s->window_ns) {
		w->window_at.ns = w->now.ns - w->now.ns % w->s->window_ns;
		w->in_window = 0;
	}
	return w->in_window++ < most;
}

static bool
reputation_takes(struct world *w)
{
	bool takes = bucket_takes(w, (double)w->limit / 3600);

	capacity_count(w);
	w->reputation += takes ? 0.0005 : -0.02;
	if (w->reputation > 1)
		w->reputation = 1;
	if (w->reputation < 0.1)
		w->reputation = 0.1;
	return takes;
}

static bool
penalty_takes(struct world *w)
{
	if (mono_is_before(w->now, w->shut_until))
		return false;
	if (bucket_takes(w, (double)w->limit / 3600))
		return true;
	w->shut_until = mono_add(w->now, w->s->window_ns);
	return false;
}

static bool
provider_takes(struct world *w)
{
	double second = (double)w->limit / 3600;

	switch (w->s->kind) {
	case BY_SPACING:
		return bucket_takes(w, 1);
	case BY_BUCKET:
	case BY_HOUR_OF_DAY:
		return bucket_takes(w, second);
	case BY_WINDOW:
		return window_takes(w);
	case BY_REPUTATION:
		return reputation_takes(w);
	case BY_PENALTY:
		return penalty_takes(w);
	case BY_CONNECTIONS:
		break;
	}
	return true;
}

/* ---- figures ---- */

static void
seconds_move(struct world *w)
{
	for (; w->second < w->now.ns / SECOND; w->second++)
		w->by_second[(w->second + 1) % 60] = 0;
}

/* Behind a lift: a minute that carried four fifths of what is possible. */
static void
recovery_look(struct world *w)
{
	uint64_t minute = 0;
	int64_t is = w->now.ns - w->lifted_at.ns;

	if (w->lifted_at.ns == 0)
		return;
	for (int i = 0; i < 60; i++)
		minute += w->by_second[i];
	if ((double)minute < 0.8 * capacity(w) / 60 && !w->is_resting &&
	    is < HOUR)
		return;
	if (!w->is_resting && is > w->recovery_most)
		w->recovery_most = is;
	w->lifted_at.ns = 0;
}

/* ---- the sender ---- */

static unsigned
lines_in(const struct world *w, bool good)
{
	unsigned n = 0;

	for (int i = 0; i < LINES; i++)
		n += w->lines[i].state >= (good ? OPEN : OPENING);
	return n;
}

static int64_t
answer_draw(struct world *w)
{
	uint64_t about = (uint64_t)w->s->answer_ns;

	return (int64_t)(about / 2 + draw(w, about));
}

static void
line_reply(struct world *w, struct line *l)
{
	struct pace_reply r = { .said = l->is_refused ? PACE_SLOWER :
		PACE_ANSWERED, .begun = l->begun, .n_taken = 1 };

	if (l->state == OPENING && l->is_refused) {
		l->state = CLOSED;
		r.said = PACE_NARROWER;
		r.n_good = lines_in(w, true);
	} else if (l->state == OPENING) {
		l->state = OPEN;
		pace_opened(&w->pace, lines_in(w, true));
		return;
	} else
		l->state = ++l->n < PER_LINE ? OPEN : CLOSED;
	w->attempts++;
	w->refused += l->is_refused;
	if (!l->is_refused) {
		w->taken++;
		w->by_second[w->second % 60]++;
	}
	pace_replied(&w->pace, w->now, &r);
	if (traces() && l->is_refused)
		printf("%7.1f refused: rate %.2f of %.2f seen %.2f level %u%s "
		    "lines %u cost %u; limit %.2f\n", (double)w->now.ns / 1e9,
		    (double)w->pace.rate / 3600,
		    (double)w->pace.ceiling / 3600,
		    (double)w->pace.seen / 3600, w->pace.level,
		    w->pace.is_held ? " held" : "", w->pace.connections,
		    w->pace.n_cost, capacity(w) / 3600);
}

static void
line_open(struct world *w, struct line *l)
{
	*l = (struct line){ .state = OPENING, .begun = w->now,
		.until = mono_add(w->now, 60 * MS),
		.is_refused = w->s->kind == BY_CONNECTIONS &&
		    lines_in(w, false) >= w->limit };
}

static void
line_begin(struct world *w, struct line *l)
{
	pace_begun(&w->pace, w->now);
	l->state = BUSY;
	l->begun = w->now;
	l->is_refused = !provider_takes(w);
	l->until = mono_add(w->now, l->is_refused ? 60 * MS : answer_draw(w));
}

static struct line *
line_in(struct world *w, int state)
{
	for (int i = 0; i < LINES; i++)
		if ((int)w->lines[i].state == state)
			return &w->lines[i];
	return NULL;
}

/* Lines beyond what is allowed now are closed when they are idle. */
static void
lines_shut(struct world *w)
{
	struct line *l;

	while (lines_in(w, false) > pace_connections(&w->pace, LINES) &&
	    (l = line_in(w, OPEN)) != NULL)
		l->state = CLOSED;
}

static void
sender_acts(struct world *w)
{
	struct line *l;

	if (w->s->is_bursty && !mono_is_before(w->now, w->rests_at)) {
		capacity_count(w);
		w->is_resting = !w->is_resting;
		w->rests_at = mono_add(w->now, MINUTE +
		    (int64_t)draw(w, 20 * (uint64_t)MINUTE));
	}
	if (w->s->kind == BY_CONNECTIONS)
		lines_shut(w);
	while (!w->is_resting && !mono_is_before(w->now, pace_when(&w->pace,
	    w->now))) {
		l = line_in(w, OPEN);
		if (l != NULL) {
			line_begin(w, l);
			continue;
		}
		pace_press(&w->pace, w->now, lines_in(w, false), LINES);
		l = line_in(w, CLOSED);
		if (l == NULL || lines_in(w, false) >=
		    pace_connections(&w->pace, LINES))
			return;
		line_open(w, l);
	}
}

/* ---- time ---- */

static struct mono
next_time(const struct world *w)
{
	struct mono next = { (w->now.ns / SECOND + 1) * SECOND };
	struct mono pace = pace_when(&w->pace, w->now);

	if (mono_is_before(w->now, pace))
		next = mono_first(next, pace);
	for (int i = 0; i < LINES; i++)
		if (w->lines[i].state == OPENING || w->lines[i].state == BUSY)
			next = mono_first(next, w->lines[i].until);
	return next;
}

static void
world_step(struct world *w)
{
	w->now = next_time(w);
	seconds_move(w);
	share_set(w);
	if (!mono_is_before(w->now, w->changes_at))
		limit_change(w);
	for (int i = 0; i < LINES; i++)
		if ((w->lines[i].state == OPENING || w->lines[i].state == BUSY)
		    && !mono_is_before(w->now, w->lines[i].until))
			line_reply(w, &w->lines[i]);
	sender_acts(w);
	recovery_look(w);
}

static void
world_run(struct world *w, const struct scenario *s, uint64_t seed)
{
	struct mono end;

	*w = (struct world){ .s = s, .seed = seed, .now = { 1000 * HOUR },
		.reputation = 1, .share = 1 };
	end = mono_add(w->now, HOURS * HOUR);
	w->second = w->now.ns / SECOND;
	w->counted_at = w->now;
	w->limit = limit_draw(w);
	w->changes_at = mono_add(w->now, s->change_ns);
	w->rests_at = mono_add(w->now, 10 * MINUTE);
	while (mono_is_before(w->now, end))
		world_step(w);
	capacity_count(w);
}

/* ---- the table ---- */

static bool
row_print(const struct scenario *s, const struct world *w, uint64_t seed)
{
	double goodput = 100 * (double)w->taken / w->could;
	double refused = 100 * (double)w->refused / (double)w->attempts;
	double recovery = (double)w->recovery_most / (double)SECOND;
	bool is_good = goodput >= s->goodput && refused * 10 <= REFUSED_MOST
	    && recovery <= RECOVERY_MOST;

	printf("%-26s %6u | %5.1f %% of %9.0f | %5.2f %% | %4.0f s of %u%s\n",
	    s->name, (unsigned)seed, goodput, w->could, refused, recovery,
	    w->lifts, is_good ? "" : "  <-");
	return is_good;
}

static uint64_t
wished(const char *name, uint64_t usual)
{
	uint64_t n;

	return parse_u64(str_of(getenv(name)), UINT32_MAX, &n) ? n : usual;
}

static void
test_providers(void **state)
{
	static struct world w;
	uint64_t row = wished("PACE_ROW", SCENARIOS);
	uint64_t first = wished("PACE_SEED", 1), bad = 0;
	uint64_t n = wished("PACE_SEEDS", getenv("PACE_SEED") ? 1 : SEEDS);

	(void)state;
	for (uint64_t i = 0; i < SCENARIOS; i++)
		for (uint64_t seed = first; seed < first + n; seed++) {
			if (row != SCENARIOS && row != i)
				continue;
			world_run(&w, &scenarios[i], seed);
			if (row_print(&scenarios[i], &w, seed))
				continue;
			printf("again: PACE_ROW=%u PACE_SEED=%u PACE_TRACE=1\n",
			    (unsigned)i, (unsigned)seed);
			bad++;
		}
	assert_int_equal(bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_providers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
