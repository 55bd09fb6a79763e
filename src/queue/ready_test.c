#include "queue/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static struct shard_map map, other_map;
static struct queue_config config;
static struct ready *r;
static struct mono now;
static struct ready_connection cs[16];

static int
begin(void **state)
{
	(void)state;
	shard_map_spread(&map, 1);
	shard_map_spread(&other_map, 2);
	config = queue_config_default();
	config.map = &map;
	config.limits = (struct site_limits){ .connections = 3 };
	now = (struct mono){ 1000 * SECOND };
	memset(cs, 0, sizeof cs);
	r = ready_open(0, &config);
	return r == NULL ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cs / sizeof *cs; i++)
		if (cs[i].state != CONNECTION_CLOSED)
			ready_closed(r, now, &cs[i]);
	ready_close(r);
	return 0;
}

static struct handoff
handoff(uint64_t id, const char *site)
{
	return (struct handoff){ .ref = { id, 1 }, .n_rcpts = 1, .size = 100,
		.priority = PRIORITY_NORMAL,
		.shard = (uint16_t)shard_of(STR("source"), str_of(site)),
		.domain = STR("example.org"), .tenant = STR("default"),
		.stream = STR("default"), .site = str_of(site),
		.pool = STR("pool"), .source = STR("source") };
}

static void
admit(uint64_t id, const char *site)
{
	struct handoff h = handoff(id, site);

	assert_int_equal(ready_admit(r, now, &h), 0);
}

static void
admit_many(uint64_t from, uint64_t n, const char *site)
{
	for (uint64_t i = 0; i < n; i++)
		admit(from + i, site);
}

static void
open_one(struct ready_connection *c)
{
	assert_true(ready_next_site(r, now, c));
	ready_opened(r, now, c);
}

/* The id of what was taken, or 0. */
static uint64_t
take(struct ready_connection *c)
{
	struct handoff h;
	struct mono until;

	return ready_take(r, now, c, &h, &until) == READY_TAKEN ?
	    h.ref.id : 0;
}

static enum ready_take
try_take(struct ready_connection *c, struct mono *until)
{
	struct handoff h;

	return ready_take(r, now, c, &h, until);
}

static struct ready_site
site(void)
{
	struct ready_cursor at = { 0 };
	struct ready_site s;

	assert_true(ready_site_next(r, &at, &s));
	return s;
}

/* Sent away because others are just coming in: then it is the number, though none
 * of them has been greeted, and what those carry is not slowed. */
static void
test_too_many_at_once(void **state)
{
	struct pace_reply said = { .said = PACE_NARROWER,
		.words = STR("421 too many connections") };
	bool is_news;

	(void)state;
	admit_many(1, 5, "mx");
	for (int i = 0; i < 3; i++)
		assert_true(ready_next_site(r, now, &cs[i]));
	assert_true(ready_throttled(r, now, &cs[2], &said, &is_news));
	assert_true(is_news);
	ready_closed(r, now, &cs[2]);
	assert_false(ready_next_site(r, now, &cs[2]));
	ready_opened(r, now, &cs[0]);
	assert_int_equal(take(&cs[0]), 1);
	ready_closed(r, now, &cs[0]);
	/* The only one there is: not for the number. */
	assert_true(ready_throttled(r, now, &cs[1], &said, &is_news));
	ready_closed(r, now, &cs[1]);
	assert_false(ready_next_site(r, now, &cs[1]));
	assert_true(ready_next_at(r).ns > now.ns);
}

static void
test_one_message(void **state)
{
	struct ready_connection c;
	struct ready_site s;
	struct handoff h;
	struct mono until;

	(void)state;
	assert_false(ready_next_site(r, now, &c));
	assert_int_equal(ready_next_at(r).ns, INT64_MAX);
	admit(7, "mx");
	assert_true(ready_next_at(r).ns <= now.ns);
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_true(str_eq(cs[0].site, STR("mx")));
	assert_true(str_eq(cs[0].source, STR("source")));
	assert_true(str_eq(cs[0].pool, STR("pool")));
	assert_true(str_eq(cs[0].domain, STR("example.org")));
	assert_ptr_equal(cs[0].domain.p, cs[0].text);
	assert_false(ready_next_site(r, now, &c));	/* one is enough */
	ready_opened(r, now, &cs[0]);
	assert_int_equal(ready_take(r, now, &cs[0], &h, &until), READY_TAKEN);
	assert_int_equal(h.ref.id, 7);
	s = site();
	assert_true(s.connections == 1 && s.waiting == 0 && s.taken == 1);
	assert_int_equal(ready_take(r, now, &cs[0], &h, &until), READY_EMPTY);
	assert_int_equal(site().idle, 1);
	ready_closed(r, now, &cs[0]);
	assert_int_equal(ready_counts(r).connections, 0);
	assert_int_equal(ready_next_at(r).ns, INT64_MAX);
	ready_close(NULL);
}

static void
test_never_more_connections_than_allowed(void **state)
{
	struct ready_connection c;

	(void)state;
	admit_many(1, 10, "mx");
	for (int i = 0; i < 3; i++)
		assert_true(ready_next_site(r, now, &cs[i]));
	assert_false(ready_next_site(r, now, &c));
	admit(100, "mx2");			/* another site is free */
	assert_true(ready_next_site(r, now, &cs[3]));
	assert_false(ready_next_site(r, now, &c));
	ready_closed(r, now, &cs[0]);
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_false(ready_next_site(r, now, &c));
}

/* No more are opened than there are messages nobody is about to take. */
static void
test_no_connection_without_need(void **state)
{
	struct ready_connection c;

	(void)state;
	admit_many(1, 2, "mx");
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_true(ready_next_site(r, now, &cs[1]));
	assert_false(ready_next_site(r, now, &c));
	ready_opened(r, now, &cs[0]);
	assert_int_equal(take(&cs[0]), 1);
	assert_false(ready_next_site(r, now, &c));
	admit(3, "mx");				/* the first is busy */
	assert_true(ready_next_site(r, now, &cs[2]));
}

static void
test_idle_connections_are_called(void **state)
{
	struct ready_connection c;

	(void)state;
	admit_many(1, 2, "mx");
	open_one(&cs[0]);
	open_one(&cs[1]);
	assert_true(take(&cs[0]) > 0 && take(&cs[1]) > 0);
	assert_null(ready_next_idle(r, now));
	assert_int_equal(take(&cs[0]), 0);
	assert_int_equal(take(&cs[1]), 0);
	assert_null(ready_next_idle(r, now));
	admit(3, "mx");
	assert_false(ready_next_site(r, now, &c));	/* idle ones first */
	assert_true(ready_next_at(r).ns <= now.ns);
	assert_ptr_equal(ready_next_idle(r, now), &cs[1]); /* last used */
	assert_null(ready_next_idle(r, now));		/* one is enough */
	assert_int_equal(ready_next_at(r).ns, INT64_MAX);
	/* It closes instead: the other is called. */
	ready_closed(r, now, &cs[1]);
	assert_ptr_equal(ready_next_idle(r, now), &cs[0]);
	assert_int_equal(take(&cs[0]), 3);
	/* Idle and closed: nobody is called. */
	assert_int_equal(take(&cs[0]), 0);
	ready_closed(r, now, &cs[0]);
	admit(4, "mx");
	assert_null(ready_next_idle(r, now));
	assert_true(ready_next_site(r, now, &cs[0]));
}

static void
test_messages_per_connection(void **state)
{
	struct mono until;

	(void)state;
	config.limits.per_connection = 5;
	admit_many(1, 12, "mx");
	open_one(&cs[0]);
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(take(&cs[0]), i);
	assert_int_equal(try_take(&cs[0], &until), READY_SPENT);
	assert_int_equal(try_take(&cs[0], &until), READY_SPENT);
	ready_closed(r, now, &cs[0]);
	open_one(&cs[0]);
	for (uint64_t i = 6; i <= 10; i++)
		assert_int_equal(take(&cs[0]), i);
	assert_int_equal(try_take(&cs[0], &until), READY_SPENT);
}

static void
test_rate_is_of_the_site(void **state)
{
	struct mono until, began = now;
	unsigned n = 0;

	(void)state;
	config.limits.rate = (struct gcra_limit){ 10, SECOND, 1 };
	admit_many(1, 100, "mx");
	open_one(&cs[0]);
	assert_int_equal(take(&cs[0]), 1);
	assert_int_equal(try_take(&cs[0], &until), READY_WAIT);
	assert_int_equal(until.ns, now.ns + SECOND / 10);
	/* Others are not opened before the rate lets them work. */
	assert_false(ready_next_site(r, now, &cs[1]));
	assert_in_range(ready_next_at(r).ns, now.ns, until.ns + 2 * NS_PER_MS);
	now = mono_add(until, 2 * NS_PER_MS);
	assert_true(ready_next_site(r, now, &cs[1]));
	ready_opened(r, now, &cs[1]);
	for (; now.ns < began.ns + 5 * SECOND; now.ns += 7 * NS_PER_MS)
		for (int i = 0; i < 2; i++)
			n += take(&cs[i]) != 0;
	assert_in_range(n, 46, 50);
}

static void
test_back_off_is_shared_and_one_probes(void **state)
{
	struct mono gate;
	struct handoff h;
	unsigned n = 0;

	(void)state;
	admit_many(1, 100, "mx");
	for (int i = 0; i < 3; i++)
		assert_true(ready_next_site(r, now, &cs[i]));
	assert_true(ready_failed(r, now, &cs[0]));
	while (ready_failed_next(r, &cs[0], &h))
		n++;
	assert_int_equal(n, 100);
	gate = site().gate;
	assert_in_range(gate.ns, now.ns + 54 * SECOND, now.ns + 66 * SECOND);
	/* Those that fail with it are no further failures. */
	assert_true(ready_failed(r, now, &cs[1]));
	assert_false(ready_failed_next(r, &cs[1], &h));
	assert_int_equal(site().gate.ns, gate.ns);
	assert_int_equal(site().failures, 1);
	for (int i = 0; i < 3; i++)
		ready_closed(r, now, &cs[i]);
	/* What comes now waits for the end of the back-off ... */
	admit_many(200, 10, "mx");
	assert_false(ready_next_site(r, now, &cs[0]));
	assert_true(ready_next_at(r).ns <= gate.ns + 2 * NS_PER_MS);
	now = mono_add(gate, -1);
	assert_false(ready_next_site(r, now, &cs[0]));
	now = mono_add(gate, 2 * NS_PER_MS);
	/* ... and then one alone tries; longer, the next time. */
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_false(ready_next_site(r, now, &cs[1]));
	assert_true(ready_failed(r, now, &cs[0]));
	ready_closed(r, now, &cs[0]);
	assert_int_equal(site().failures, 2);
	assert_int_equal(site().waiting, 10);	/* not taken: they wait */
	assert_in_range(site().gate.ns, now.ns + 108 * SECOND,
	    now.ns + 132 * SECOND);
	now = mono_add(site().gate, 2 * NS_PER_MS);
	open_one(&cs[0]);
	assert_true(ready_next_site(r, now, &cs[1]));	/* it lives */
	assert_int_equal(site().failures, 2);
	assert_int_equal(take(&cs[0]), 200);
	assert_int_equal(take(&cs[0]), 201);
	assert_int_equal(site().failures, 0);	/* and well */
}

/* What came after it has not failed with it. */
static void
test_a_verdict_is_for_those_who_waited(void **state)
{
	struct handoff h;
	unsigned n = 0;

	(void)state;
	admit_many(1, 10, "mx");
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_true(ready_failed(r, now, &cs[0]));
	assert_true(ready_failed_next(r, &cs[0], &h));
	ready_flush(r, now, &cs[0]);
	while (ready_give_back(r, &h))
		n++;
	assert_int_equal(n, 9);
	admit_many(100, 5, "mx");
	assert_false(ready_failed_next(r, &cs[0], &h));
	assert_int_equal(site().waiting, 5);
}

static void
test_a_site_that_greets_and_breaks_is_ill(void **state)
{
	struct handoff h;
	unsigned last = 0;

	(void)state;
	for (uint64_t i = 1; i < 6; i++) {
		admit(i, "mx");
		now = mono_add(now, 2 * HOUR);
		open_one(&cs[0]);
		assert_int_equal(take(&cs[0]), i);
		assert_true(ready_failed(r, now, &cs[0]));
		assert_false(ready_failed_next(r, &cs[0], &h));
		ready_closed(r, now, &cs[0]);
		assert_int_equal(site().failures, ++last);
	}
}

static void
test_a_failure_beside_good_ones_is_not_the_site(void **state)
{
	struct handoff h;

	(void)state;
	admit_many(1, 100, "mx");
	open_one(&cs[0]);
	assert_true(ready_next_site(r, now, &cs[1]));
	assert_int_equal(take(&cs[0]), 1);
	assert_false(ready_failed(r, now, &cs[1]));	/* "too many" */
	assert_false(ready_failed_next(r, &cs[1], &h));
	ready_closed(r, now, &cs[1]);
	assert_int_equal(site().failures, 0);
	assert_int_equal(take(&cs[0]), 2);
	assert_false(ready_next_site(r, now, &cs[1]));	/* not just now */
	now = mono_add(now, MINUTE + SECOND);
	assert_true(ready_next_site(r, now, &cs[1]));
}

static void
test_retry_now_lifts_the_back_off(void **state)
{
	(void)state;
	admit(1, "mx");
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_true(ready_failed(r, now, &cs[0]));
	ready_closed(r, now, &cs[0]);
	assert_false(ready_next_site(r, now, &cs[0]));
	ready_retry_now(r, now);
	assert_true(ready_next_site(r, now, &cs[0]));
}

static void
test_fair_between_tenants(void **state)
{
	struct handoff h;
	unsigned position = 0;

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++) {
		h = handoff(i, "mx");
		h.tenant = STR("flood");
		assert_int_equal(ready_admit(r, now, &h), 0);
	}
	for (uint64_t i = 0; i < 10; i++) {
		h = handoff(10000 + i, "mx");
		h.tenant = STR("quiet");
		assert_int_equal(ready_admit(r, now, &h), 0);
	}
	open_one(&cs[0]);
	for (unsigned i = 1; i <= 30; i++)
		if (take(&cs[0]) >= 10000)
			position = i;
	assert_in_range(position, 19, 21);	/* the last of its ten */
	h = handoff(20000, "mx");
	h.priority = PRIORITY_URGENT;
	assert_int_equal(ready_admit(r, now, &h), 0);
	assert_int_equal(take(&cs[0]), 20000);
	assert_int_equal(site().flows, 1);
}

static void
test_weights_follow_the_configuration(void **state)
{
	static const struct flow_weight weights[] = {
		{ { "a", 1 }, { NULL, 0 }, 3 } };
	struct queue_config heavier = config;
	unsigned of_a[2] = { 0, 0 };
	struct handoff h;

	(void)state;
	for (uint64_t i = 1; i <= 2000; i++) {
		h = handoff(i, "mx");
		h.tenant = i % 2 == 0 ? STR("a") : STR("b");
		assert_int_equal(ready_admit(r, now, &h), 0);
	}
	open_one(&cs[0]);
	for (int i = 0; i < 200; i++)
		of_a[0] += take(&cs[0]) % 2 == 0;
	heavier.weights = weights;
	heavier.n_weights = 1;
	ready_configure(r, now, &heavier);
	for (int i = 0; i < 200; i++)
		of_a[1] += take(&cs[0]) % 2 == 0;
	assert_in_range(of_a[0], 99, 101);
	assert_in_range(of_a[1], 148, 152);
	ready_configure(r, now, &config);
}

static void
test_limits_follow_the_configuration(void **state)
{
	static const struct site_rule rules[] = {
		{ { "mx", 2 }, false, { .connections = 1, .per_connection = 100 } } };
	struct queue_config tighter = config;
	struct mono until;
	unsigned spent = 0;

	(void)state;
	tighter.rules = rules;
	tighter.n_rules = 1;
	admit_many(1, 100, "mx");
	for (int i = 0; i < 3; i++) {
		open_one(&cs[i]);
		assert_true(take(&cs[i]) > 0);
	}
	ready_configure(r, now, &tighter);
	for (int i = 0; i < 3; i++) {
		if (try_take(&cs[i], &until) == READY_TAKEN)
			continue;
		spent++;
		ready_closed(r, now, &cs[i]);
	}
	assert_int_equal(spent, 2);
	assert_false(ready_next_site(r, now, &cs[0]));
	ready_configure(r, now, &config);
	assert_true(ready_next_site(r, now, &cs[0]));
}

static void
test_what_is_no_longer_ours_is_given_back(void **state)
{
	struct queue_config moved = config;
	struct mono until;
	struct handoff h;
	unsigned back = 0, taken = 0;
	char name[16];

	(void)state;
	for (uint64_t i = 1; i <= 100; i++) {
		snprintf(name, sizeof name, "mx%u", (unsigned)i);
		admit(i, name);
	}
	for (int i = 0; i < 16; i++)
		open_one(&cs[i]);
	moved.map = &other_map;
	ready_configure(r, now, &moved);
	assert_true(ready_next_at(r).ns <= now.ns);
	while (ready_give_back(r, &h)) {
		assert_int_equal(shard_owner(&other_map, h.shard), 1);
		back++;
	}
	assert_in_range(back, 30, 70);
	for (int i = 0; i < 16; i++) {
		unsigned shard = shard_of(STR("source"), cs[i].site);
		enum ready_take t = try_take(&cs[i], &until);

		assert_int_equal(t, shard_owner(&other_map, shard) == 0 ?
		    READY_TAKEN : READY_SPENT);
		taken += t == READY_TAKEN;
	}
	assert_int_equal(ready_counts(r).waiting, 100 - back - taken);
	/* One that was on its way when the map changed goes back too. */
	for (unsigned i = 1; ready_counts(r).giving_back == 0; i++) {
		snprintf(name, sizeof name, "new%u", i);
		admit(1000 + i, name);
	}
	assert_true(ready_give_back(r, &h));
	assert_int_equal(shard_owner(&other_map, h.shard), 1);
	ready_configure(r, now, &config);
}

static void
test_flush(void **state)
{
	struct handoff h;
	unsigned n = 0;

	(void)state;
	admit_many(1, 10, "mx");
	open_one(&cs[0]);
	assert_int_equal(take(&cs[0]), 1);
	admit_many(100, 5, "mx2");
	ready_flush(r, now, &cs[0]);
	for (; ready_give_back(r, &h); n++)
		assert_true(str_eq(h.site, STR("mx")));
	assert_int_equal(n, 9);
	assert_int_equal(take(&cs[0]), 0);
	ready_flush(r, now, NULL);
	for (n = 0; ready_give_back(r, &h); n++)
		assert_true(str_eq(h.site, STR("mx2")));
	assert_int_equal(n, 5);
	assert_false(ready_next_site(r, now, &cs[1]));
}

/* Forgetting a site must not forget what it may not yet bear. */
static void
test_sites_are_forgotten_when_it_is_safe(void **state)
{
	static const struct site_rule rules[] = {
		{ { "slow", 4 }, false, { .connections = 1,
		    .rate = { 1, 3600 * NS_PER_SECOND, 1 } } } };
	struct ready_connection c;
	char name[32];

	(void)state;
	config.rules = rules;
	config.n_rules = 1;
	admit(1, "slow");
	open_one(&cs[0]);
	assert_int_equal(take(&cs[0]), 1);
	ready_closed(r, now, &cs[0]);
	admit(2, "dead");
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_true(ready_failed(r, now, &cs[0]));
	assert_true(ready_failed_next(r, &cs[0], &(struct handoff){ 0 }));
	ready_closed(r, now, &cs[0]);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "mx%u", i);
		admit(10 + i, name);
		open_one(&c);
		assert_int_equal(take(&c), 10 + i);
		ready_closed(r, now, &c);
	}
	assert_in_range(ready_counts(r).sites, 256, 260);
	assert_true(ready_counts(r).memory < 500 * 1024);
	admit(5000, "slow");
	admit(5001, "dead");
	assert_false(ready_next_site(r, now, &c));
	now = mono_add(now, HOUR + SECOND);
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_true(ready_next_site(r, now, &cs[1]));
	config.n_rules = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_message),
		TEST(test_too_many_at_once),
		TEST(test_never_more_connections_than_allowed),
		TEST(test_no_connection_without_need),
		TEST(test_idle_connections_are_called),
		TEST(test_messages_per_connection),
		TEST(test_rate_is_of_the_site),
		TEST(test_back_off_is_shared_and_one_probes),
		TEST(test_a_verdict_is_for_those_who_waited),
		TEST(test_a_site_that_greets_and_breaks_is_ill),
		TEST(test_a_failure_beside_good_ones_is_not_the_site),
		TEST(test_retry_now_lifts_the_back_off),
		TEST(test_fair_between_tenants),
		TEST(test_weights_follow_the_configuration),
		TEST(test_limits_follow_the_configuration),
		TEST(test_what_is_no_longer_ours_is_given_back),
		TEST(test_flush),
		TEST(test_sites_are_forgotten_when_it_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
