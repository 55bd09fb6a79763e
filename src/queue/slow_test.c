/* What sites bear, as ready.h keeps it: limits of new connections and
 * recipients, and what the far side says of speed. */
#include "queue/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND

static struct shard_map map;
static struct queue_config config;
static struct ready *r;
static struct mono now;
static struct ready_connection cs[8];
static uint64_t ids;

static int
begin(void **state)
{
	(void)state;
	shard_map_spread(&map, 1);
	config = queue_config_default();
	config.map = &map;
	config.limits = (struct site_limits){ .connections = 4 };
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

static void
admit_many(unsigned n, uint32_t n_rcpts)
{
	struct handoff h = { .n_rcpts = n_rcpts, .size = 100,
		.shard = (uint16_t)shard_of(STR("source"), STR("mx")),
		.domain = STR("example.org"), .tenant = STR("default"),
		.stream = STR("default"), .site = STR("mx"),
		.pool = STR("pool"), .source = STR("source") };

	for (unsigned i = 0; i < n; i++) {
		h.ref = (struct queue_ref){ ++ids, 1 };
		assert_int_equal(ready_admit(r, now, &h), 0);
	}
}

static enum ready_take
take(struct ready_connection *c, struct mono *until)
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

static bool
say(struct ready_connection *c, enum pace_said said, const char *words)
{
	struct pace_reply reply = { .said = said, .n_taken = 1,
		.words = str_of(words) };

	return ready_replied(r, now, c, &reply);
}

static void
test_new_connections_in_a_time(void **state)
{
	(void)state;
	config.limits.opens = (struct gcra_limit){ 2, SECOND, 1 };
	ready_configure(r, now, &config);
	admit_many(10, 1);
	assert_true(ready_next_site(r, now, &cs[0]));
	assert_false(ready_next_site(r, now, &cs[1]));
	now = mono_add(now, SECOND / 2 - 1);
	assert_false(ready_next_site(r, now, &cs[1]));
	now = mono_add(now, SECOND / 100);	/* timers are never early */
	assert_true(ready_next_site(r, now, &cs[1]));
	assert_false(ready_next_site(r, now, &cs[2]));
}

static void
test_recipients_in_a_time(void **state)
{
	struct mono until;

	(void)state;
	config.limits.rcpts = (struct gcra_limit){ 10, SECOND, 1 };
	ready_configure(r, now, &config);
	admit_many(3, 5);
	assert_true(ready_next_site(r, now, &cs[0]));
	ready_opened(r, now, &cs[0]);
	assert_int_equal(take(&cs[0], &until), READY_TAKEN);
	assert_int_equal(take(&cs[0], &until), READY_WAIT);
	assert_int_equal(until.ns, now.ns + SECOND / 2);
	now = until;
	assert_int_equal(take(&cs[0], &until), READY_TAKEN);
}

static void
open_all(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_true(ready_next_site(r, now, &cs[i]));
		ready_opened(r, now, &cs[i]);
	}
}

static void
test_a_site_that_is_slowed_waits_with_one_connection(void **state)
{
	struct mono until;

	(void)state;
	admit_many(100, 1);
	open_all(4);
	for (unsigned round = 0; round < 5; round++)
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(take(&cs[i], &until), READY_TAKEN);
			now = mono_add(now, SECOND / 50);
			assert_false(say(&cs[i], PACE_ANSWERED, ""));
		}
	assert_int_equal(take(&cs[0], &until), READY_TAKEN);
	assert_true(say(&cs[0], PACE_SLOWER, "421 4.7.28 slow"));
	assert_int_equal(take(&cs[0], &until), READY_WAIT);
	now = until;
	assert_int_equal(take(&cs[0], &until), READY_TAKEN);
	assert_false(say(&cs[0], PACE_SLOWER, "421 4.7.28 slow"));
	assert_true(site().pace->is_held);
	for (unsigned i = 0; i < 3; i++) {	/* one alone will ask */
		assert_int_equal(take(&cs[i], &until), READY_SPENT);
		ready_closed(r, now, &cs[i]);
	}
	assert_int_equal(take(&cs[3], &until), READY_WAIT);
	assert_false(ready_next_site(r, now, &cs[0]));
	now = until;
	assert_int_equal(take(&cs[3], &until), READY_TAKEN);
	now = mono_add(now, SECOND);
	say(&cs[3], PACE_ANSWERED, "");
	assert_false(site().pace->is_held);
	now = mono_add(now, SECOND);
	assert_true(ready_next_site(r, now, &cs[0]));
}

/* Whoever is not heard of any more does not stop the others. */
static void
test_one_that_asks_and_is_cut_off(void **state)
{
	struct mono until;

	(void)state;
	admit_many(10, 1);
	open_all(1);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(take(&cs[0], &until), READY_TAKEN);
		say(&cs[0], PACE_SLOWER, "451 slow");
		now = mono_add(now, 70 * SECOND);
	}
	assert_true(site().pace->is_held);
	assert_int_equal(take(&cs[0], &until), READY_TAKEN);
	assert_true(site().pace->held_until.ns > now.ns + 60 * SECOND);
	ready_closed(r, now, &cs[0]);
	now = mono_add(now, SECOND + SECOND / 100);
	assert_true(ready_next_site(r, now, &cs[1]));
}

static void
test_too_many_connections(void **state)
{
	struct pace_reply too_many = { .said = PACE_NARROWER,
		.words = STR("421 too many connections") };
	bool is_news = false;

	(void)state;
	admit_many(10, 1);
	open_all(2);
	assert_true(ready_next_site(r, now, &cs[2]));
	assert_true(ready_throttled(r, now, &cs[2], &too_many, &is_news));
	assert_true(is_news);
	ready_closed(r, now, &cs[2]);
	assert_int_equal(site().waiting, 10);
	assert_int_equal(pace_connections(site().pace, 4), 2);
	assert_int_equal(site().pace->rate, 0);
	assert_false(ready_next_site(r, now, &cs[2]));
}

/* Sent away at the door for a quarter of an hour: then all share the verdict. */
static void
test_a_door_that_stays_shut(void **state)
{
	struct pace_reply slow = { .said = PACE_SLOWER,
		.words = STR("421 4.7.0 slow down") };
	struct mono began = now;
	struct handoff h;
	bool is_news;

	(void)state;
	admit_many(3, 1);
	for (;;) {
		now = ready_next_at(r).ns > now.ns ? ready_next_at(r) : now;
		if (!ready_next_site(r, now, &cs[0]))
			continue;
		assert_false(ready_next_site(r, now, &cs[1]) &&
		    site().pace->is_held);
		if (cs[1].state != CONNECTION_CLOSED)
			ready_closed(r, now, &cs[1]);
		if (!ready_throttled(r, now, &cs[0], &slow, &is_news))
			break;
		assert_int_equal(site().waiting, 3);
		ready_closed(r, now, &cs[0]);
	}
	assert_in_range((now.ns - began.ns) / SECOND, 900, 1300);
	assert_true(ready_failed(r, now, &cs[0]));
	assert_true(ready_failed_next(r, &cs[0], &h));
}

/* The same, when it says so message by message. */
static void
test_one_that_takes_nothing(void **state)
{
	struct mono until, began = now;
	struct handoff h;

	(void)state;
	admit_many(100, 1);
	open_all(1);
	while (!ready_is_mute(r, now, &cs[0])) {
		if (take(&cs[0], &until) == READY_WAIT) {
			now = until;
			continue;
		}
		say(&cs[0], PACE_SLOWER, "450 4.7.28 slow");
	}
	assert_in_range((now.ns - began.ns) / SECOND, 900, 1300);
	assert_in_range(site().waiting, 70, 90);
	assert_true(ready_failed(r, now, &cs[0]));
	for (size_t n = site().waiting; n > 0; n--)
		assert_true(ready_failed_next(r, &cs[0], &h));
	assert_false(ready_failed_next(r, &cs[0], &h));
}

static void
test_what_is_fixed_learns_nothing(void **state)
{
	struct pace_reply slow = { .said = PACE_SLOWER };
	struct mono until;
	bool is_news;

	(void)state;
	config.limits.is_fixed = true;
	ready_configure(r, now, &config);
	admit_many(10, 1);
	open_all(1);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(take(&cs[0], &until), READY_TAKEN);
		assert_false(say(&cs[0], PACE_SLOWER, "421 slow"));
	}
	assert_true(ready_next_site(r, now, &cs[1]));
	assert_false(ready_throttled(r, now, &cs[1], &slow, &is_news));
	assert_true(pace_is_plain(site().pace));
}

static void
test_a_pace_of_before(void **state)
{
	struct mono until;
	struct pace p;

	(void)state;
	assert_true(pace_parse(&p, now, (struct wall){ 1000 },
	    STR("3600 7200 2 5 0 1000 421 slow down")));
	ready_remember(r, now, STR("mx"), STR("source"), &p);
	assert_int_equal(site().pace->rate, 3600);
	admit_many(10, 1);
	open_all(2);
	assert_false(ready_next_site(r, now, &cs[2]));
	assert_int_equal(ready_recipients(r, &cs[0]), 5);
	assert_int_equal(take(&cs[0], &until), READY_TAKEN);
	assert_int_equal(take(&cs[1], &until), READY_WAIT);
	assert_in_range(until.ns - now.ns, SECOND / 2, SECOND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)
		TEST(test_new_connections_in_a_time),
		TEST(test_recipients_in_a_time),
		TEST(test_a_site_that_is_slowed_waits_with_one_connection),
		TEST(test_one_that_asks_and_is_cut_off),
		TEST(test_too_many_connections),
		TEST(test_a_door_that_stays_shut),
		TEST(test_one_that_takes_nothing),
		TEST(test_what_is_fixed_learns_nothing),
		TEST(test_a_pace_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
