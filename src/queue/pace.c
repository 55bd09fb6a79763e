/*
 * The rate's life:
 *
 *	FREE     rate 0        as fast as connections carry it
 *	CLIMBING rate < knee   behind a cut: half the way to the knee each round
 *	RESTING  rate ~ knee   until enough went well, or long enough
 *	SEEKING  step > 0      1, 2, 4 ... 50 % more each round
 *	HELD     is_held       one message alone asks, later and later
 *
 * The knee is just below the ceiling.  A refusal leads from each to CLIMBING,
 * or to HELD if a few messages before there was one.  Behind a pause what was
 * taken in a cycle (all the time from the end of one pause to that of the next)
 * is what windows of a minute or an hour bear, and becomes the ceiling.
 */
#include "queue/pace.h"

#include "base/must.h"

#define HOUR_NS (3600 * NS_PER_SECOND)
#define DAY_NS (24 * HOUR_NS)
#define ROUND_LEAST_NS NS_PER_SECOND
#define ROUND_MOST_NS (15 * NS_PER_SECOND)
/* A message that asks alone is waited for. */
#define ASKING_NS (300 * NS_PER_SECOND)
/* Who is late may catch up by so much. */
#define SLACK_NS (20 * NS_PER_MS)
#define SEEN_NS (4 * NS_PER_SECOND)
#define SEEN_LEAST_NS (250 * NS_PER_MS)
#define WAIT_LEAST_NS (3 * NS_PER_SECOND)
#define WAIT_MOST_NS (200 * NS_PER_SECOND)
#define LAG_MOST_NS (20 * NS_PER_SECOND)
#define MINUTE_SLOT_NS (5 * NS_PER_SECOND)
#define HOUR_SLOT_NS (300 * NS_PER_SECOND)
/* Who was shut out for longer than that has met a window, or a penalty. */
#define SHUT_NS (2 * NS_PER_SECOND)
#define WIDEN_LEAST_NS (20 * NS_PER_SECOND)
#define WIDEN_MOST_NS (240 * NS_PER_SECOND)
#define WIDE_ROUND_NS (5 * NS_PER_SECOND)

enum { TALLY_SLOTS = PACE_SLOTS - 1, FEW = 8, CALM = 16, ROUND_MESSAGES = 10, ROUNDS_SETTLING = 2,
	STEP_MOST = 100, FULL_LEAST = 32 };

static uint64_t
most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int64_t
since(struct mono then, struct mono now)
{
	return now.ns > then.ns ? now.ns - then.ns : 0;
}

/* n messages in that time, as an hour's; saturates. */
static uint64_t
per_hour(uint64_t n, int64_t ns)
{
	uint64_t ms = (uint64_t)(ns / NS_PER_MS);

	n = least_of(n, UINT32_MAX);
	return least_of(n * 3600000 / (ms > 0 ? ms : 1), PACE_RATE_MOST);
}

static int64_t
interval(uint64_t rate)
{
	must(rate > 0);
	return HOUR_NS / (int64_t)rate;
}

static uint64_t
rate_sane(uint64_t rate)
{
	return least_of(most_of(rate, PACE_RATE_LEAST), PACE_RATE_MOST);
}

/* ---- what was taken of late ---- */

static void
tally_move(struct pace_tally *t, int64_t slot)
{
	if (t->slot < slot - TALLY_SLOTS)
		t->slot = slot - TALLY_SLOTS - 1;
	while (t->slot < slot)
		t->n[++t->slot % (TALLY_SLOTS + 1)] = 0;
}

/* True: the first in a slot. */
static bool
tally_add(struct pace_tally *t, int64_t slot_ns, struct mono now)
{
	tally_move(t, now.ns / slot_ns);
	return t->n[t->slot % (TALLY_SLOTS + 1)]++ == 0;
}

/* In the last slots, and the one that has just begun. */
static uint64_t
tally_sum(const struct pace_tally *t, int64_t slot_ns, struct mono now)
{
	struct pace_tally at = *t;
	uint64_t n = 0;

	tally_move(&at, now.ns / slot_ns);
	for (size_t i = 0; i <= TALLY_SLOTS; i++)
		n += at.n[i];
	return n;
}

/* ---- how fast it goes ---- */

struct mono
pace_when(const struct pace *p, struct mono now)
{
	struct mono when = now;

	if (p->rate > 0 && mono_is_before(when, p->next))
		when = p->next;
	if (p->is_held && mono_is_before(when, p->held_until))
		when = p->held_until;
	return when;
}

/* A mean over the last seconds of what was begun in them. */
static void
pace_see(struct pace *p, struct mono now)
{
	int64_t dt = since(p->seen_at, now);
	uint64_t part = dt >= SEEN_NS ? 1000 :
	    (uint64_t)(dt * 1000 / SEEN_NS);

	p->n_seen++;
	if (dt < SEEN_LEAST_NS)
		return;
	p->seen = (p->seen * (1000 - part) +
	    per_hour(p->n_seen, dt) * part) / 1000;
	p->seen_at = now;
	p->n_seen = 0;
}

static void
round_begin(struct pace *p, struct mono now)
{
	p->round_at = now;
	p->n_round = 0;
}

void
pace_begun(struct pace *p, struct mono now)
{
	struct mono late = mono_add(now, -SLACK_NS);

	if (p->round_at.ns == 0) {
		round_begin(p, now);
		p->seen_at = now;
	}
	pace_see(p, now);
	p->n_round++;
	if (p->is_held)		/* it asks alone */
		p->held_until = mono_add(now, ASKING_NS);
	if (p->rate == 0)
		return;
	if (mono_is_before(p->next, late))
		p->next = late;
	p->next = mono_add(p->next, interval(p->rate));
}

/* ---- slower ---- */

static int64_t
least_ns(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
most_ns(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Half as long again as it lasts already: at most a third is waited in vain. */
static void
pace_hold(struct pace *p, struct mono now)
{
	int64_t ns = most_ns(NS_PER_SECOND, 2 * interval(p->rate));

	must(p->rate > 0);
	if (!p->is_held)
		p->held_from = now;
	ns = most_ns(ns << (p->level < 6 ? p->level / 2 : 3),
	    since(p->held_from, now) / 2);
	ns = least_ns(ns, PACE_PAUSE_MOST * NS_PER_SECOND);
	if (p->level < UINT16_MAX)
		p->level++;
	p->is_held = true;
	p->held_until = mono_add(now, ns);
	p->cut_at = now;
}

/* What it goes at just now: what was meant, if that was made use of. */
static uint64_t
rate_used(const struct pace *p, struct mono now)
{
	uint64_t is = most_of(p->seen, per_hour(p->n_seen,
	    since(p->seen_at, now) + SEEN_LEAST_NS));

	if (p->rate == 0 || is < p->rate / 4 * 3)
		return rate_sane(p->rate == 0 ? is : most_of(is, p->rate / 2));
	return p->rate;
}

/* Below the ceiling it was too much: so that is lower.  Beyond it: between what
 * went well and this. */
static void
pace_cut(struct pace *p, struct mono now, bool was_quick)
{
	uint64_t is = rate_used(p, now), to = is / 100 * 85;
	bool is_good = p->good > 0 && p->good < is && p->good > is / 3;

	if (was_quick)
		to = is / 100 * 65;
	else if (p->step > 0 && is_good)
		to = least_of(p->good / 100 * 95, is / 100 * 90);
	p->ceiling = p->step > 0 && is_good && !was_quick ?
	    (p->good + p->rate) / 2 : is;
	p->rate = rate_sane(to);
	must(p->rate >= PACE_RATE_LEAST && p->rate <= PACE_RATE_MOST);
	if (p->ceiling < p->rate)
		p->ceiling = p->rate;
	p->next = mono_add(now, interval(p->rate));
	if (p->best >= is)
		p->best = 0;		/* it is less than it was */
	p->good = 0;
	p->step = 0;
	p->n_rounds = 0;
	p->is_fresh = false;
	p->n_cost = was_quick ? p->n_cost + 1 : 1;
	p->n_taken = 0;
	p->cut_at = now;
	round_begin(p, now);
}

static void
pace_slow(struct pace *p, struct mono now, struct mono begun)
{
	bool is_shut = p->cut_at.ns != 0 && p->n_taken < FEW;

	must(begun.ns <= now.ns);
	p->n_refused++;
	if (p->cut_at.ns != 0 && !mono_is_before(p->cut_at, begun)) {
		p->n_cost++;		/* of before the cut */
		return;
	}
	if (p->is_held) {
		p->n_cost++;
		pace_hold(p, now);
		return;
	}
	/* Behind a cut nothing is known of the rate, but that it is shut now;
	 * behind a pause it was too much again. */
	if (!is_shut || p->is_fresh)
		pace_cut(p, now, is_shut);
	else
		p->n_cost++;
	if (is_shut)
		pace_hold(p, now);
}

/* ---- faster ---- */

/* What windows of a minute or an hour bear: who was shut out for less than a
 * minute was taken so many in the last one, or in a better one before. */
static uint64_t
pace_borne(const struct pace *p, struct mono now, int64_t shut_ns)
{
	uint64_t minute;

	if (shut_ns > TALLY_SLOTS * MINUTE_SLOT_NS)
		return tally_sum(&p->hour, HOUR_SLOT_NS, now);
	minute = 60 * (uint64_t)tally_sum(&p->minute, MINUTE_SLOT_NS, now);
	return most_of(minute, p->best);
}

/* Windows open at the same second of each minute; penalties end when they end.
 * It opened between the last that asked in vain and now. */
static bool
pace_is_window(struct pace *p, struct mono now, int64_t shut_ns)
{
	int64_t minute = TALLY_SLOTS * MINUTE_SLOT_NS;
	int64_t apart = since(p->opened_at, now) % minute;
	int64_t width = since(p->cut_at, now);
	bool is_first = p->opened_at.ns == 0;
	bool is = apart <= width || apart + p->opened_width_ns >= minute;

	p->opened_at = now;
	p->opened_width_ns = width;
	return is_first || is || shut_ns > minute;
}

static void
pace_release(struct pace *p, struct mono now)
{
	int64_t shut = since(p->held_from, now);
	uint64_t borne = rate_sane(pace_borne(p, now, shut));

	must(p->is_held && p->rate > 0);
	p->is_held = false;
	p->is_fresh = true;
	p->lag_ns = most_ns(p->lag_ns / 8 * 7, shut);
	p->n_taken = 1;
	p->n_rounds = 0;
	if (shut > SHUT_NS && pace_is_window(p, now, shut)) {
		p->ceiling = least_of(p->ceiling, borne);
		p->rate = least_of(p->rate, borne);
	} else if (shut > SHUT_NS)
		p->ceiling = p->rate;
	p->cut_at = now;
	p->next = mono_add(now, interval(p->rate));
	round_begin(p, now);
}

static uint64_t
knee(const struct pace *p)
{
	return p->ceiling / 100 * 97;
}

static bool
pace_may_seek(const struct pace *p, struct mono now)
{
	int64_t waited = since(p->cut_at, now);
	int64_t least = least_ns(most_ns(WAIT_LEAST_NS, 10 * p->lag_ns),
	    WAIT_MOST_NS);

	return waited >= least && (waited >= PACE_WAIT_MOST * NS_PER_SECOND ||
	    p->n_taken >= (uint64_t)PACE_WORTH * p->n_cost);
}

static void
pace_seek(struct pace *p)
{
	uint64_t percent = p->step < 7 ? UINT64_C(2) << p->step : STEP_MOST;

	must(p->rate > 0 && !p->is_held);
	if (percent > STEP_MOST)
		percent = STEP_MOST;
	p->step++;
	p->rate += p->rate * percent / 100 + 1;
	if (p->rate >= PACE_RATE_MOST)
		p->rate = 0;
}

/* Replies come as slowly as from one that is at its end. */
static bool
pace_is_sluggish(const struct pace *p)
{
	return p->answer_ns > 4 * p->answer_least_ns + NS_PER_SECOND;
}

static void
pace_grow(struct pace *p, struct mono now)
{
	p->good = p->rate;
	p->n_rounds++;
	if (p->rate < knee(p)) {
		if (p->n_rounds > ROUNDS_SETTLING)
			p->rate += (knee(p) - p->rate) / 2 + 1;
	} else if (pace_may_seek(p, now) && !pace_is_sluggish(p)) {
		if (p->step == 0)
			p->up_at = now;
		pace_seek(p);
	}
}

/* A round lasts long enough to be answered, and to mean something. */
static void
pace_round(struct pace *p, struct mono now)
{
	int64_t is = since(p->round_at, now);
	int64_t most = ROUND_LEAST_NS + 2 * p->answer_ns;
	int64_t full = ROUND_MESSAGES * interval(p->rate);

	if (most < full)
		most = full < ROUND_MOST_NS ? full : ROUND_MOST_NS;
	if (is < most || (p->rate >= knee(p) &&
	    is < least_ns(p->lag_ns, LAG_MOST_NS)))
		return;
	if (per_hour(p->n_round + 1, is) >= p->rate / 100 * 85)
		pace_grow(p, now);
	round_begin(p, now);
}

static void
pace_tally(struct pace *p, struct mono now)
{
	uint64_t minute;

	tally_add(&p->hour, HOUR_SLOT_NS, now);
	if (!tally_add(&p->minute, MINUTE_SLOT_NS, now) ||
	    since(p->said_at, now) < (TALLY_SLOTS + 1) * MINUTE_SLOT_NS)
		return;
	minute = 60 * (uint64_t)tally_sum(&p->minute, MINUTE_SLOT_NS, now);
	p->best = most_of(p->best, minute);
}

static void
pace_took(struct pace *p, struct mono now, struct mono begun)
{
	pace_tally(p, now);
	if (p->rate == 0)
		return;
	if (!mono_is_before(p->cut_at, begun))
		return;			/* of before the cut */
	p->n_taken++;
	if (p->is_held)
		pace_release(p, now);
	if (p->n_taken == CALM && p->level == 0)
		p->lag_ns /= 2;		/* refused, and not shut out */
	if (p->n_taken >= CALM)
		p->level = 0;
	if (p->rate > 0)
		pace_round(p, now);
}

static void
pace_time(struct pace *p, int64_t ns)
{
	if (p->answer_least_ns == 0 || ns < p->answer_least_ns)
		p->answer_least_ns = ns > 0 ? ns : 1;
	p->answer_ns += (ns - p->answer_ns) / 16;
}

/* ---- connections ---- */

unsigned
pace_connections(const struct pace *p, unsigned most)
{
	must(most > 0);
	if (p->is_held)
		return 1;
	return p->connections > 0 && p->connections < most ? p->connections :
	    most;
}

/* So many stand, and one more is not wanted.  What a try beyond costs grows
 * while it is in vain. */
static void
pace_narrow(struct pace *p, struct mono now, unsigned n_good)
{
	bool was_vain = p->narrow_at.ns != 0 && p->widen <= 1;
	unsigned to = n_good > 0 ? n_good : 1;

	must(p->narrow_at.ns <= now.ns);
	p->n_refused++;
	if (p->connections == 0 || to < p->connections)
		p->connections = to;
	if (since(p->narrow_at, now) < WIDE_ROUND_NS && p->narrow_at.ns != 0)
		return;			/* one of those opened together */
	p->widen_ns = was_vain ? (int64_t)least_of(2 * (uint64_t)p->widen_ns,
	    WIDEN_MOST_NS) : WIDEN_LEAST_NS;
	p->widen = 1;
	p->narrow_at = now;
	must(p->connections > 0 && p->widen_ns > 0);
}

void
pace_press(struct pace *p, struct mono now, unsigned n_open, unsigned most)
{
	if (p->connections == 0 || p->connections >= most ||
	    n_open < p->connections || p->is_held ||
	    since(p->narrow_at, now) < p->widen_ns ||
	    since(p->wide_at, now) < WIDE_ROUND_NS)
		return;
	if (since(p->wide_at, now) < since(p->narrow_at, now))
		p->widen *= 2;		/* the last one went well */
	must(p->widen > 0 && most > 0);
	p->connections += p->widen;
	p->wide_at = now;
	if (p->connections >= most)
		p->connections = 0;
}

/* They prove themselves. */
void
pace_opened(struct pace *p, unsigned n_good)
{
	if (p->connections > 0 && n_good > p->connections)
		p->connections = n_good;
}

/* ---- recipients of a transaction ---- */

uint32_t
pace_recipients(const struct pace *p, uint32_t most)
{
	must(most > 0);
	return p->recipients > 0 && p->recipients < most ? p->recipients :
	    most;
}

static void
pace_small(struct pace *p, uint32_t n_taken)
{
	p->recipients = n_taken > 0 ? n_taken : 1;
	p->n_full = 0;
}

/* A quarter more, when many were as large as they may. */
static void
pace_large(struct pace *p, uint32_t n_taken)
{
	if (p->recipients == 0 || n_taken < p->recipients ||
	    ++p->n_full < FULL_LEAST)
		return;
	p->n_full = 0;
	p->recipients += p->recipients / 4 + 1;
	if (p->recipients > UINT16_MAX)
		p->recipients = 0;
}

/* ---- replies ---- */

static void
pace_remember(struct pace *p, struct mono now, struct str words)
{
	size_t n = least_of(words.n, sizeof p->words - 1);

	must(n < sizeof p->words);
	p->said_at = now;
	p->up_at = (struct mono){ 0 };
	if (n == 0)
		return;
	memcpy(p->words, words.p, n);
	p->words[n] = '\0';
}

void
pace_replied(struct pace *p, struct mono now, const struct pace_reply *r)
{
	if (r->said == PACE_SLOWER || r->said == PACE_NARROWER)
		pace_remember(p, now, r->words);
	must(r->begun.ns <= now.ns || r->said == PACE_LOST);
	switch (r->said) {
	case PACE_ANSWERED:
		pace_time(p, since(r->begun, now));
		pace_took(p, now, r->begun);
		pace_large(p, r->n_taken);
		break;
	case PACE_SLOWER:
		pace_slow(p, now, r->begun);
		break;
	case PACE_NARROWER:
		pace_narrow(p, now, r->n_good);
		break;
	case PACE_SMALLER:
		pace_took(p, now, r->begun);
		pace_small(p, r->n_taken);
		break;
	case PACE_LOST:
		if (p->is_held)		/* it asked, and was not heard */
			p->held_until = mono_add(now, NS_PER_SECOND);
		break;
	}
}

/* ---- looking, keeping ---- */

bool
pace_is_plain(const struct pace *p)
{
	return p->rate == 0 && p->connections == 0 && p->recipients == 0;
}

bool
pace_is_forgettable(const struct pace *p, struct mono now)
{
	return pace_is_plain(p) || since(p->said_at, now) > DAY_NS;
}

void
pace_ask_now(struct pace *p, struct mono now)
{
	p->held_until = mono_first(p->held_until, now);
}

int64_t
pace_shut_ns(const struct pace *p, struct mono now)
{
	return p->is_held ? since(p->held_from, now) : 0;
}

static struct wall
wall_of(struct mono then, struct mono now, struct wall wall)
{
	return (struct wall){ wall.us + (then.ns - now.ns) / NS_PER_US };
}

/* 14:02, and the day before it when that is not this one. */
static void
clock_put(struct buf *b, struct wall at, struct wall now)
{
	int64_t s = at.us / US_PER_SECOND, day = 86400;

	if (now.us / US_PER_SECOND - s >= day)
		buf_printf(b, "%d d before ", (int)((now.us / US_PER_SECOND -
		    s) / day));
	buf_printf(b, "%02d:%02d", (int)(s % day / 3600),
	    (int)(s % 3600 / 60));
}

static void
rate_put(struct buf *b, uint64_t rate)
{
	if (rate >= 36000)
		buf_printf(b, "%u/s", (unsigned)(rate / 3600));
	else if (rate >= 3600)
		buf_printf(b, "%u.%u/s", (unsigned)(rate / 3600),
		    (unsigned)(rate % 3600 / 360));
	else
		buf_printf(b, "%u/min", (unsigned)(rate / 60));
}

static void
limits_put(const struct pace *p, struct buf *b)
{
	const char *comma = "";

	if (p->rate > 0) {
		rate_put(b, p->rate);
		if (p->ceiling > p->rate) {
			buf_put(b, STR(" of "));
			rate_put(b, p->ceiling);
		}
		comma = ", ";
	}
	if (p->connections > 0) {
		buf_printf(b, "%s%u connection%s", comma, p->connections,
		    p->connections == 1 ? "" : "s");
		comma = ", ";
	}
	if (p->recipients > 0)
		buf_printf(b, "%s%u recipients at once", comma, p->recipients);
}

void
pace_tell(const struct pace *p, struct mono now, struct wall wall,
    struct buf *b)
{
	if (pace_is_plain(p))
		return;
	limits_put(p, b);
	if (p->words[0] != '\0') {
		buf_printf(b, ": %s at ", p->words);
		clock_put(b, wall_of(p->said_at, now, wall), wall);
	}
	if (p->is_held) {
		buf_put(b, STR(", one asks again at "));
		clock_put(b, wall_of(p->held_until, now, wall), wall);
	} else if (p->up_at.ns != 0) {
		buf_put(b, STR(", up again from "));
		clock_put(b, wall_of(p->up_at, now, wall), wall);
	}
}

void
pace_print(const struct pace *p, struct mono now, struct wall wall,
    struct buf *b)
{
	int64_t held = p->is_held ? since(now, p->held_until) : 0;

	buf_printf(b, "%llu %llu %u %u %llu %llu %s",
	    (unsigned long long)p->rate, (unsigned long long)p->ceiling,
	    p->connections, p->recipients,
	    (unsigned long long)(held / NS_PER_SECOND),
	    (unsigned long long)wall_of(p->said_at, now, wall).us, p->words);
}

/* A number and the space behind it. */
static bool
number_take(struct str *s, uint64_t most, uint64_t *n)
{
	return parse_u64(str_cut(s, ' '), most, n);
}

/* It was a while ago: what was borne is borne again, and beyond it is sought
 * from here on. */
bool
pace_parse(struct pace *p, struct mono now, struct wall wall, struct str s)
{
	uint64_t rate, ceiling, connections, recipients, held, said;

	if (!number_take(&s, PACE_RATE_MOST, &rate) ||
	    !number_take(&s, PACE_RATE_MOST, &ceiling) ||
	    !number_take(&s, UINT16_MAX, &connections) ||
	    !number_take(&s, UINT16_MAX, &recipients) ||
	    !number_take(&s, PACE_PAUSE_MOST, &held) ||
	    !number_take(&s, INT64_MAX / 2, &said))
		return false;
	*p = (struct pace){ .rate = rate == 0 ? 0 : rate_sane(rate),
		.connections = (unsigned)connections,
		.recipients = (uint32_t)recipients,
		.widen = 1, .widen_ns = WIDEN_LEAST_NS, .narrow_at = now,
		.cut_at = now, .round_at = now, .seen_at = now, .n_cost = 1,
		.n_taken = FEW };
	p->ceiling = rate == 0 ? 0 : most_of(p->rate, ceiling);
	must(p->ceiling >= p->rate);
	pace_remember(p, now, s);
	p->said_at = (struct mono){ now.ns - least_ns(now.ns - 1,
	    most_ns(0, (wall.us - (int64_t)said) * NS_PER_US)) };
	if (held > 0 && rate > 0) {
		pace_hold(p, now);
		p->held_until = mono_add(now, (int64_t)held * NS_PER_SECOND);
	}
	return true;
}
