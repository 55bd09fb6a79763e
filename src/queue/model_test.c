/*
 * A million random operations on the queues and sites of three cores, beside a
 * model so naive that it must be right: an array of items, each somewhere.
 *
 * Checked at each step: nothing is given out before it is due, while it is held
 * or after it was cancelled, nor twice at a time; it goes to the owner of its
 * shard; connections, messages on each, and rates stay within their limits; a
 * site that is left alone is left alone; counts agree.  At the end all sites are
 * well, and each item that was ever admitted must end, exactly once.
 */
#include "queue/ready.h"
#include "queue/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

enum {
	CORES = 3, OPERATIONS = 1000000, LIVE_MOST = 4000, IDS = 1 << 19,
	DOMAINS = 60, SITES = 12, TENANTS = 5, LINES = 64, POSTS = 1 << 16,
	RATE_MOST = 16, MET_LEAST = 100
};

/* What must have been met often, or the run proves little. */
enum met {
	MET_ENDED, MET_EXPIRED, MET_CANCELLED, MET_OVERDUE, MET_RETRIED,
	MET_PACED, MET_SPENT, MET_GIVEN_BACK, MET_SITE_FAILED,
	MET_DOMAIN_FAILED, MET_CALLED, MET_FULL, METS
};

enum where { NOWHERE, HOME, TRAVEL, READY, TAKEN, ENDED };

struct thing {				/* the model of an item */
	struct queue_ref ref;
	struct mono due, expires;
	unsigned home, tries, n_rcpts;
	enum where where;
	bool is_held, is_cancelled;
};

struct line {				/* a connection and its fiber */
	struct ready_connection c;
	struct handoff h;
	unsigned core, taken, per_connection;
	bool has_message;
	struct mono until;
};

struct place {				/* what a site bore */
	unsigned open;
	struct mono times[RATE_MOST];
	unsigned n;
};

static uint64_t seed;
static struct shard_map map;
static struct queue_config config;
static struct queue *queues[CORES];
static struct ready *readies[CORES];
static struct mono now;
static struct thing things[IDS];	/* by id; one domain each */
static uint32_t live[LIVE_MOST];
static unsigned n_live, next_id, n_away[CORES];
static struct line lines[LINES];
static struct handoff posts[POSTS];
static unsigned n_posts, posts_from;
static struct place places[2 * SITES];
static unsigned met[METS];
static bool is_sunny;			/* at the end: all goes well */

static uint64_t
draw(uint64_t below)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

static bool
one_in(uint64_t n)
{
	return !is_sunny && draw(n) == 0;
}

static struct str
text(const char *what, uint64_t i)
{
	static char texts[8][32];
	static unsigned at;
	char *p = texts[at++ % 8];

	return (struct str){ p, (size_t)snprintf(p, sizeof texts[0], "%s%u",
	    what, (unsigned)i) };
}

static unsigned
number_of(struct str s)
{
	uint64_t n;

	while (s.n > 0 && !ascii_is_digit(s.p[0]))
		s = str_sub(s, 1, s.n);
	assert_true(parse_u64(s, 1000, &n));
	return (unsigned)n;
}

static struct place *
place_of(struct str site, struct str source)
{
	return &places[2 * number_of(site) + number_of(source)];
}

static struct thing *
thing_of(const struct handoff *h, enum where must_be)
{
	struct thing *t = &things[h->ref.id];

	assert_int_equal(t->where, must_be);
	assert_int_equal(t->home, h->home);
	return t;
}

static void
op_admit(void)
{
	struct queue_entry e = { .id = ++next_id };
	struct thing *t = &things[e.id];
	struct view_item v;

	if (n_live == LIVE_MOST || next_id == IDS - 1) {
		next_id--;
		return;
	}
	*t = (struct thing){ .home = (unsigned)draw(CORES), .where = HOME,
		.n_rcpts = 1 + (unsigned)draw(5), .is_held = one_in(50) };
	e.domain = text("domain", draw(DOMAINS));
	e.tenant = text("tenant", draw(TENANTS));
	e.stream = text("stream", draw(2));
	e.priority = (enum priority)draw(PRIORITIES);
	e.n_rcpts = t->n_rcpts;
	e.size = draw(300000);
	e.arrived = now;
	t->due = e.due = one_in(5) ?
	    mono_add(now, (int64_t)draw((uint64_t)HOUR)) : now;
	t->expires = e.expires = mono_add(now,
	    HOUR + (int64_t)draw(20 * (uint64_t)HOUR));
	e.is_held = t->is_held;
	assert_int_equal(queue_admit(queues[t->home], now, &e), 0);
	assert_int_equal(view_message(queues[t->home],
	    &(struct view_filter){ .id = 0 }, e.id, &v, 1), 1);
	t->ref = v.ref;
	live[n_live++] = (uint32_t)e.id;
}

static void
thing_end(struct thing *t)
{
	t->where = ENDED;
	met[MET_ENDED]++;
	for (unsigned i = 0; i < n_live; i++)
		if (live[i] == t->ref.id) {
			live[i] = live[--n_live];
			return;
		}
	fail();
}

static struct queue_settled
home_settle(struct thing *t, enum queue_end how, uint32_t n_rcpts)
{
	struct queue_settled s;

	s = queue_settle(queues[t->home], now, t->ref, (struct queue_result){
	    .end = how, .n_rcpts = n_rcpts });
	if (how == QUEUE_ENDED) {
		n_away[t->home]--;
		thing_end(t);
	} else if (s.state != ITEM_AWAY) {
		n_away[t->home]--;
		t->where = HOME;
		if (s.due.ns != INT64_MAX)
			t->due = s.due;
	}
	return s;
}

/* It must end; sometimes that cannot be recorded at first. */
static void
thing_close(struct thing *t)
{
	(void)home_settle(t, one_in(4) ? QUEUE_PUT_OFF : QUEUE_ENDED, 0);
}

static void
thing_settle(struct thing *t)
{
	uint64_t how = draw(10);
	struct queue_settled s;
	bool is_over;

	if (is_sunny || how < 4) {
		(void)home_settle(t, QUEUE_ENDED, 0);
		return;
	}
	if (how == 4) {
		s = home_settle(t, QUEUE_PUT_OFF, 0);
		assert_int_equal(s.duty, DUTY_NONE);
		return;
	}
	if (how == 5) {
		s = home_settle(t, QUEUE_RETURNED, 0);
		assert_int_equal(s.duty, t->is_cancelled ? DUTY_CANCEL :
		    DUTY_NONE);
	} else {
		t->n_rcpts = 1 + (unsigned)draw(t->n_rcpts);
		t->tries++;
		is_over = now.ns >= t->expires.ns && t->tries >= 2;
		s = home_settle(t, QUEUE_RETRY, t->n_rcpts);
		assert_int_equal(s.tries, t->tries);
		assert_int_equal(s.duty, t->is_cancelled ? DUTY_CANCEL :
		    is_over && !t->is_held ? DUTY_EXPIRE : DUTY_NONE);
		met[MET_RETRIED]++;
	}
	met[MET_EXPIRED] += s.duty == DUTY_EXPIRE;
	met[MET_CANCELLED] += s.duty == DUTY_CANCEL;
	if (s.duty != DUTY_NONE)
		thing_close(t);
}

static void
handed_out(struct thing *t, const struct handoff *h, unsigned core)
{
	assert_int_equal(t->where, HOME);
	assert_true(t->ref.slot == h->ref.slot && h->home == core);
	assert_false(t->is_cancelled);
	assert_false(t->is_held);
	assert_true(h->due.ns <= now.ns && t->due.ns <= now.ns);
	assert_int_equal(h->tries, t->tries);
	assert_int_equal(h->n_rcpts, t->n_rcpts);
	n_away[core]++;
}

static void
op_hand_out(void)
{
	unsigned core = (unsigned)draw(CORES);
	struct handoff h;
	struct thing *t;

	for (uint64_t n = draw(20); n > 0 && n_posts < POSTS &&
	    queue_hand_out(queues[core], now, &h); n--) {
		t = &things[h.ref.id];
		handed_out(t, &h, core);
		assert_int_equal(h.owner, shard_owner(&map, h.shard));
		assert_true(n_away[core] <= config.away_most);
		t->where = TRAVEL;
		met[MET_FULL] += n_away[core] == config.away_most;
		posts[(posts_from + n_posts++) % POSTS] = h;
	}
}

static void
op_overdue(void)
{
	unsigned core = (unsigned)draw(CORES);
	enum queue_duty duty;
	struct handoff h;
	struct thing *t;

	if (!queue_overdue(queues[core], now, &h, &duty))
		return;
	t = &things[h.ref.id];
	assert_int_equal(t->where, HOME);
	assert_int_equal(duty, t->is_cancelled ? DUTY_CANCEL : DUTY_EXPIRE);
	assert_true(t->is_held || t->is_cancelled);
	n_away[core]++;
	met[MET_OVERDUE]++;
	t->where = TAKEN;
	thing_close(t);
}

static void
op_post(void)
{
	struct handoff h;
	struct thing *t;

	for (uint64_t n = draw(20); n > 0 && n_posts > 0; n--, n_posts--) {
		h = posts[posts_from++ % POSTS];
		t = thing_of(&h, TRAVEL);
		t->where = READY;
		assert_int_equal(ready_admit(readies[h.owner], now, &h), 0);
	}
}

static void
domain_failed(unsigned core, struct str domain)
{
	struct handoff h;
	struct thing *t;

	queue_domain_failed(queues[core], now, domain, one_in(2));
	while (queue_failed_next(queues[core], now, domain, &h)) {
		t = &things[h.ref.id];
		handed_out(t, &h, core);
		met[MET_DOMAIN_FAILED]++;
		t->where = TAKEN;
		thing_settle(t);
		if (one_in(3))
			op_admit();
	}
}

/* Five domains share a site; sometimes one moves. */
static void
op_domain(void)
{
	unsigned core = (unsigned)draw(CORES);
	struct str domain;
	uint64_t site;

	if (!queue_due_domain(queues[core], now, &domain))
		return;
	if (one_in(8)) {
		domain_failed(core, domain);
		return;
	}
	site = one_in(20) ? draw(SITES) : number_of(domain) % SITES;
	assert_int_equal(queue_domain_resolved(queues[core], now, domain,
	    &(struct queue_route){ text("site", site), STR("pool"),
	    text("source", number_of(domain) % 2),
	    (int64_t)draw((uint64_t)HOUR) }), 0);
}

static void
line_close(struct line *l)
{
	place_of(l->c.site, l->c.source)->open--;
	ready_closed(readies[l->core], now, &l->c);
	assert_int_equal(l->c.state, CONNECTION_CLOSED);
}

static void
op_connect(void)
{
	unsigned core = (unsigned)draw(CORES);
	struct line *l = &lines[draw(LINES)];
	struct ready_connection *idle;
	struct ready_site s;
	struct place *p;

	while ((idle = ready_next_idle(readies[core], now)) != NULL) {
		assert_int_equal(idle->state, CONNECTION_CALLED);
		met[MET_CALLED]++;
	}
	if (l->c.state != CONNECTION_CLOSED ||
	    !ready_next_site(readies[core], now, &l->c))
		return;
	assert_int_equal(number_of(l->c.domain) < DOMAINS, 1);
	p = place_of(l->c.site, l->c.source);
	assert_true(++p->open <= config.limits.connections);
	l->core = core;
	l->taken = 0;
	for (struct ready_cursor at = { 0 };
	    ready_site_next(readies[core], &at, &s);)
		if (str_eq(s.site, l->c.site) && str_eq(s.source, l->c.source))
			assert_true(s.gate.ns <= now.ns);
}

static void
line_fail(struct line *l)
{
	struct handoff h;

	if (ready_failed(readies[l->core], now, &l->c))
		while (!one_in(20) &&
		    ready_failed_next(readies[l->core], &l->c, &h)) {
			struct thing *t = thing_of(&h, READY);

			t->where = TAKEN;
			met[MET_SITE_FAILED]++;
			thing_settle(t);
		}
	line_close(l);
}

/* Any n + 1 units span at least per_ns. */
static void
rate_check(struct place *p)
{
	const struct gcra_limit *r = &config.limits.rate;

	if (r->n > 0 && p->n >= r->n)
		assert_true(now.ns - p->times[(p->n - r->n) % RATE_MOST].ns >=
		    r->per_ns);
	p->times[p->n++ % RATE_MOST] = now;
}

static void
line_take(struct line *l)
{
	switch (ready_take(readies[l->core], now, &l->c, &l->h, &l->until)) {
	case READY_TAKEN:
		thing_of(&l->h, READY)->where = TAKEN;
		assert_true(++l->taken <= config.limits.per_connection);
		rate_check(place_of(l->c.site, l->c.source));
		l->has_message = true;
		break;
	case READY_EMPTY:
		if (one_in(4))
			line_close(l);
		break;
	case READY_WAIT:
		assert_true(l->until.ns > now.ns);
		met[MET_PACED]++;
		break;
	case READY_SPENT:
		met[MET_SPENT]++;
		line_close(l);
		break;
	}
}

static void
op_line(struct line *l)
{
	if (l->c.state == CONNECTION_CLOSED)
		return;
	if (l->has_message) {
		l->has_message = false;
		thing_settle(thing_of(&l->h, TAKEN));
		if (one_in(10))
			line_fail(l);
		return;
	}
	if (!l->c.is_good && one_in(6)) {
		line_fail(l);
		return;
	}
	if (!l->c.is_good)
		ready_opened(readies[l->core], now, &l->c);
	if (one_in(30))
		line_close(l);
	else
		line_take(l);
}

static void
op_give_back(void)
{
	struct handoff h;
	struct thing *t;

	for (unsigned core = 0; core < CORES; core++)
		while (ready_give_back(readies[core], &h)) {
			t = thing_of(&h, READY);
			met[MET_GIVEN_BACK]++;
			if (home_settle(t, QUEUE_RETURNED, 0).duty ==
			    DUTY_CANCEL)
				thing_close(t);
		}
}

static void
op_operator(void)
{
	struct thing *t;
	struct handoff h;
	struct queue *q;

	if (n_live == 0)
		return;
	t = &things[live[draw(n_live)]];
	q = queues[t->home];
	switch (draw(4)) {
	case 0:
		assert_true(queue_hold(q, now, t->ref));
		t->is_held |= !t->is_cancelled;
		break;
	case 1:
		assert_true(queue_release(q, now, t->ref));
		t->is_held = false;
		break;
	case 2:
		assert_true(queue_retry_now(q, now, t->ref));
		if (t->where == HOME && !t->is_held && t->due.ns > now.ns)
			t->due = now;
		break;
	case 3:
		t->is_cancelled = true;
		if (queue_cancel(q, now, t->ref, &h) != CANCEL_NOW) {
			assert_int_not_equal(t->where, HOME);
			break;
		}
		assert_int_equal(t->where, HOME);
		n_away[t->home]++;
		t->where = TAKEN;
		thing_close(t);
		break;
	}
}

/* A reload: limits, or the number of cores that own shards.  A site that moves
 * may have lines at both owners for a while; the model does not follow that. */
static void
op_configure(void)
{
	for (unsigned i = 0; i < LINES; i++) {
		struct line *l = &lines[i];

		if (l->has_message)
			op_line(l);
		if (l->c.state != CONNECTION_CLOSED)
			line_close(l);
	}
	if (one_in(2)) {
		config.limits.connections = 1 + (unsigned)draw(4);
		config.limits.per_connection = 1 + (unsigned)draw(20);
		config.limits.rate = (struct gcra_limit){ draw(RATE_MOST),
			SECOND, 1 };
	} else {
		shard_map_spread(&map, 1 + (unsigned)draw(CORES));
	}
	for (unsigned i = 0; i < CORES; i++) {
		queue_configure(queues[i], &config);
		ready_configure(readies[i], now, &config);
	}
	for (unsigned i = 0; i < 2 * SITES; i++)
		places[i].n = 0;
}

static void
op_time(void)
{
	struct mono next = MONO_NEVER;

	for (unsigned i = 0; i < CORES; i++) {
		next = mono_first(next, queue_next_at(queues[i]));
		next = mono_first(next, ready_next_at(readies[i]));
	}
	if (one_in(3000))
		now = mono_add(now, (int64_t)draw(3 * (uint64_t)HOUR));
	else if (one_in(2))
		now = mono_add(now, (int64_t)draw((uint64_t)SECOND));
	else if (next.ns != INT64_MAX && next.ns > now.ns)
		now = next;
	else
		now = mono_add(now, (int64_t)draw(50 * (uint64_t)NS_PER_MS));
}

static void
counts_check(void)
{
	size_t items = 0, rcpts = 0, want = 0;
	struct view_counts c;

	for (unsigned i = 0; i < CORES; i++) {
		c = view_counts(queues[i]);
		items += c.items;
		rcpts += c.rcpts;
		assert_int_equal(c.states[ITEM_AWAY], n_away[i]);
		assert_int_equal(c.admitted - c.ended, c.items);
	}
	for (unsigned i = 0; i < n_live; i++)
		want += things[live[i]].n_rcpts;
	assert_int_equal(items, n_live);
	assert_int_equal(rcpts, want);
}

static void
operate(void)
{
	uint64_t what = draw(1000);

	if (what < 150)
		op_admit();
	else if (what < 250)
		op_domain();
	else if (what < 350)
		op_hand_out();
	else if (what < 450)
		op_post();
	else if (what < 600)
		op_connect();
	else if (what < 880)
		op_line(&lines[draw(LINES)]);
	else if (what < 900)
		op_overdue();
	else if (what < 920)
		op_give_back();
	else if (what < 940)
		op_operator();
	else if (what < 941)
		op_configure();
	else
		op_time();
}

static void
begin(uint64_t with)
{
	seed = with;
	now = (struct mono){ 1000 * SECOND };
	n_live = next_id = n_posts = posts_from = 0;
	is_sunny = false;
	memset(lines, 0, sizeof lines);
	memset(places, 0, sizeof places);
	memset(n_away, 0, sizeof n_away);
	shard_map_spread(&map, CORES);
	config = queue_config_default();
	config.map = &map;
	config.away_most = 300;
	config.limits = (struct site_limits){ .connections = 2,
		.per_connection = 10, .rate = { 10, SECOND, 1 } };
	for (unsigned i = 0; i < CORES; i++) {
		queues[i] = queue_open(i, &config);
		readies[i] = ready_open(i, &config);
		assert_true(queues[i] != NULL && readies[i] != NULL);
	}
}

/* Nothing is admitted any more, all is released, every try succeeds. */
static void
drain(void)
{
	struct mono stop = mono_add(now, 100 * HOUR);

	is_sunny = true;
	for (unsigned i = 0; i < n_live; i++) {
		struct thing *t = &things[live[i]];

		assert_true(queue_release(queues[t->home], now, t->ref));
		t->is_held = false;
	}
	while (n_live > 0 && now.ns < stop.ns) {
		for (unsigned i = 0; i < 50; i++) {
			op_domain();
			op_hand_out();
			op_post();
			op_give_back();
			op_connect();
			op_overdue();
		}
		for (unsigned i = 0; i < LINES; i++)
			op_line(&lines[i]);
		op_time();
	}
	assert_int_equal(n_live, 0);
}

static void
finish(void)
{
	for (unsigned i = 0; i < LINES; i++)
		if (lines[i].c.state != CONNECTION_CLOSED)
			line_close(&lines[i]);
	for (unsigned i = 1; i <= next_id; i++)
		assert_int_equal(things[i].where, ENDED);
	for (unsigned i = 0; i < CORES; i++) {
		assert_int_equal(ready_counts(readies[i]).waiting, 0);
		assert_int_equal(ready_counts(readies[i]).connections, 0);
		ready_close(readies[i]);
		queue_close(queues[i]);
	}
}

static void
test_a_million_operations(void **state)
{
	(void)state;
	for (uint64_t run = 1; run <= 4; run++) {
		begin(run);
		for (unsigned i = 0; i < OPERATIONS / 4; i++) {
			operate();
			if (i % 512 == 0)
				counts_check();
		}
		drain();
		counts_check();
		finish();
	}
	for (unsigned i = 0; i < METS; i++)
		if (met[i] < MET_LEAST) {
			print_error("met %u only %u times\n", i, met[i]);
			fail();
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_million_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
