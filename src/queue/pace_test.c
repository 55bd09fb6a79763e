#include "queue/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND

static struct pace p;
static struct mono now;
/* 2026-11-21T14:02:00Z */
static const struct wall wall = { INT64_C(1795269720) * US_PER_SECOND };
static struct mono began;

static int
begin(void **state)
{
	(void)state;
	p = (struct pace){ 0 };
	now = began = (struct mono){ 1000 * SECOND };
	return 0;
}

static struct wall
wall_now(void)
{
	return (struct wall){ wall.us + (now.ns - began.ns) / NS_PER_US };
}

static void
reply(enum pace_said said, struct mono begun, const char *words)
{
	struct pace_reply r = { .said = said, .begun = begun, .n_taken = 1,
		.words = str_of(words) };

	pace_replied(&p, now, &r);
}

/* n messages a second for a while, each answered after a tenth of one. */
static void
send(unsigned n, int64_t each_ns)
{
	for (unsigned i = 0; i < n; i++) {
		struct mono at = pace_when(&p, now), begun;

		now = mono_is_before(now, at) ? at : now;
		begun = now;
		pace_begun(&p, now);
		now = mono_add(now, each_ns);
		reply(PACE_ANSWERED, begun, "");
	}
}

static void
assert_told(const char *want)
{
	char room[256];
	struct buf b = BUF_OF(room);

	pace_tell(&p, now, wall_now(), &b);
	buf_putc(&b, '\0');
	assert_string_equal(room, want);
}

static void
test_nothing_is_known_without_words_against_it(void **state)
{
	(void)state;
	send(1000, SECOND / 100);
	assert_true(pace_is_plain(&p));
	assert_int_equal(pace_when(&p, now).ns, now.ns);
	assert_int_equal(pace_connections(&p, 7), 7);
	assert_int_equal(pace_recipients(&p, 50), 50);
	assert_told("");
}

static void
refuse(const char *words)
{
	struct mono begun;

	now = mono_is_before(now, pace_when(&p, now)) ? pace_when(&p, now) : now;
	begun = now;
	pace_begun(&p, now);
	now = mono_add(now, SECOND / 100);
	reply(PACE_SLOWER, begun, words);
}

static void
test_a_refusal_cuts_and_what_was_under_way_is_no_news(void **state)
{
	struct mono old;
	uint64_t rate;

	(void)state;
	send(200, SECOND / 20);
	old = now;
	refuse("421 4.7.28 slow");
	rate = p.rate;
	assert_in_range(rate, 3600 * 14, 3600 * 20);
	reply(PACE_SLOWER, old, "");
	reply(PACE_SLOWER, old, "");
	assert_int_equal(p.rate, rate);
	assert_int_equal(p.n_cost, 3);
	assert_false(p.is_held);
	assert_told("15/s of 18/s: 421 4.7.28 slow at 14:02");
}

static void
test_who_refuses_again_is_asked_by_one(void **state)
{
	int64_t last = 0;

	(void)state;
	send(200, SECOND / 20);
	refuse("");
	refuse("");
	assert_true(p.is_held);
	for (int i = 0; i < 40; i++) {
		int64_t wait = pace_when(&p, now).ns - now.ns;

		assert_in_range(wait, SECOND / 2, PACE_PAUSE_MOST * SECOND);
		assert_true(i < 12 || wait >= last);
		assert_int_equal(pace_connections(&p, 20), 1);
		last = wait;
		refuse("");
	}
	assert_int_equal(last, PACE_PAUSE_MOST * SECOND);
	assert_true(pace_shut_ns(&p, now) > 3600 * SECOND);
	send(1, SECOND / 20);
	assert_false(p.is_held);
	assert_int_equal(pace_shut_ns(&p, now), 0);
}

/* While one asks, nobody else does; if he is lost, another asks soon. */
static void
test_one_that_is_lost_while_it_asks(void **state)
{
	(void)state;
	send(200, SECOND / 20);
	refuse("");
	refuse("");
	now = pace_when(&p, now);
	pace_begun(&p, now);
	assert_true(pace_when(&p, now).ns > now.ns + 60 * SECOND);
	reply(PACE_LOST, now, "");
	assert_int_equal(pace_when(&p, now).ns, now.ns + SECOND);
	pace_ask_now(&p, now);
	assert_int_equal(p.held_until.ns, now.ns);
}

static void
test_more_is_sought_only_with_use(void **state)
{
	uint64_t rate;

	(void)state;
	send(200, SECOND / 20);
	refuse("");
	rate = p.rate;
	send(300, 2 * SECOND);		/* one in two seconds */
	assert_int_equal(p.rate, rate);
	send(20000, SECOND / 200);
	assert_true(p.rate == 0 || p.rate > 2 * rate);
}

static void
narrower(unsigned n_good)
{
	struct pace_reply r = { .said = PACE_NARROWER, .n_good = n_good,
		.words = STR("421 too many connections") };

	pace_replied(&p, now, &r);
}

static void
test_connections(void **state)
{
	(void)state;
	narrower(4);
	assert_int_equal(p.rate, 0);
	assert_int_equal(pace_connections(&p, 20), 4);
	assert_int_equal(pace_connections(&p, 3), 3);
	pace_opened(&p, 5);		/* it was just on its way */
	assert_int_equal(pace_connections(&p, 20), 5);
	assert_told("5 connections: 421 too many connections at 14:02");
	pace_press(&p, now, 5, 20);
	assert_int_equal(pace_connections(&p, 20), 5);
	now = mono_add(now, 20 * SECOND);
	pace_press(&p, now, 4, 20);	/* not all are in use */
	assert_int_equal(pace_connections(&p, 20), 5);
	pace_press(&p, now, 5, 20);
	assert_int_equal(pace_connections(&p, 20), 6);
	now = mono_add(now, SECOND);
	narrower(5);
	assert_int_equal(pace_connections(&p, 20), 5);
	now = mono_add(now, 39 * SECOND);
	pace_press(&p, now, 5, 20);	/* twice as long now */
	assert_int_equal(pace_connections(&p, 20), 5);
	for (int i = 0; i < 10; i++) {
		now = mono_add(now, 6 * SECOND);
		pace_press(&p, now, pace_connections(&p, 20), 20);
	}
	assert_int_equal(pace_connections(&p, 20), 20);
	assert_true(pace_is_plain(&p));
	narrower(0);
	assert_int_equal(pace_connections(&p, 20), 1);
}

static void
transaction(enum pace_said said, uint32_t n_taken)
{
	struct pace_reply r = { .said = said, .begun = now,
		.n_taken = n_taken };

	pace_replied(&p, now, &r);
}

static void
test_recipients(void **state)
{
	(void)state;
	transaction(PACE_SMALLER, 8);
	assert_int_equal(pace_recipients(&p, 100), 8);
	assert_told("8 recipients at once");
	for (int i = 0; i < 31; i++)
		transaction(PACE_ANSWERED, 8);
	transaction(PACE_ANSWERED, 7);
	assert_int_equal(pace_recipients(&p, 100), 8);
	transaction(PACE_ANSWERED, 8);
	assert_int_equal(pace_recipients(&p, 100), 11);
	transaction(PACE_SMALLER, 0);
	assert_int_equal(pace_recipients(&p, 100), 1);
}

static void
test_a_restart(void **state)
{
	char room[256];
	struct buf b = BUF_OF(room);
	struct pace before;

	(void)state;
	send(200, SECOND / 20);
	refuse("421 4.7.28 slow down");
	refuse("421 4.7.28 slow down");
	narrower(3);
	transaction(PACE_SMALLER, 20);
	before = p;
	pace_print(&p, now, wall_now(), &b);
	p = (struct pace){ 0 };
	began = now = (struct mono){ 5 * SECOND };
	assert_true(pace_parse(&p, now, wall, buf_str(&b)));
	assert_int_equal(p.rate, before.rate);
	assert_int_equal(p.ceiling, before.ceiling);
	assert_int_equal(p.connections, 3);
	assert_int_equal(p.recipients, 20);
	assert_string_equal(p.words, before.words);
	assert_true(p.is_held == before.is_held);
}

static void
test_lines_that_are_none(void **state)
{
	static const char *const bad[] = { "", "x", "1 2 3", "1 2 3 4 5",
		"-1 2 3 4 5 6 w", "1 2 3 4 999999 6 w",
		"99999999999999999999 2 3 4 5 6 w", "1 2 70000 4 5 6 w" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(pace_parse(&p, now, wall, str_of(bad[i])));
	assert_true(pace_is_plain(&p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup(t, begin)
		TEST(test_nothing_is_known_without_words_against_it),
		TEST(test_a_refusal_cuts_and_what_was_under_way_is_no_news),
		TEST(test_who_refuses_again_is_asked_by_one),
		TEST(test_one_that_is_lost_while_it_asks),
		TEST(test_more_is_sought_only_with_use),
		TEST(test_connections),
		TEST(test_recipients),
		TEST(test_a_restart),
		TEST(test_lines_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
