#include "queue/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND

static const struct retry plain = {
	.interval_ns = { 60 * SECOND, 300 * SECOND, 3600 * SECOND }, .n = 3,
	.min_tries = 2,
};

static void
test_intervals_and_the_last_repeats(void **state)
{
	static const int64_t want[] = { 60, 300, 3600, 3600, 3600 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(retry_wait(&plain, i + 1, 77),
		    want[i] * SECOND);
	assert_int_equal(retry_longest(&plain), 3600 * SECOND);
}

static void
test_jitter_stays_within_and_spreads(void **state)
{
	struct retry r = plain;
	int64_t least = INT64_MAX, most = 0, ns;

	(void)state;
	r.jitter_percent = 10;
	for (uint64_t id = 0; id < 10000; id++) {
		ns = retry_wait(&r, 2, id);
		assert_in_range(ns, 270 * SECOND, 330 * SECOND);
		assert_int_equal(ns, retry_wait(&r, 2, id));
		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
	}
	assert_true(least < 271 * SECOND && most > 329 * SECOND);
	assert_int_equal(retry_longest(&r), 3960 * SECOND);
	/* Each try of a message draws anew. */
	assert_int_not_equal(retry_wait(&r, 3, 1) - 3600 * SECOND,
	    retry_wait(&r, 4, 1) - 3600 * SECOND);
}

static void
test_the_last_try_is_at_expiry(void **state)
{
	struct mono now = { 1000 * SECOND };
	static const struct { int64_t expires, due; } cases[] = {
		{ 9999, 1060 }, { 1061, 1060 }, { 1060, 1060 },
		{ 1059, 1059 }, { 1001, 1001 },
		{ 1000, 1060 }, { 3, 1060 },	/* over: it lacks tries */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(retry_due(&plain, now, 1,
		    (struct mono){ cases[i].expires * SECOND }, 5).ns,
		    cases[i].due * SECOND);
}

static void
test_expiry_needs_age_and_tries(void **state)
{
	static const struct { int64_t now; unsigned tries; bool over; } cases[] =
	{
		{ 99, 1, false }, { 99, 2, false }, { 99, 1000, false },
		{ 100, 1, false }, { 100, 2, true }, { 100, 3, true },
		{ 1000000, 0, false }, { 1000000, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(retry_is_over(&plain,
		    (struct mono){ cases[i].now }, cases[i].tries,
		    (struct mono){ 100 }), cases[i].over);
}

static void
test_sanity(void **state)
{
	struct retry r = retry_default();

	(void)state;
	assert_true(retry_is_sane(&r) && retry_is_sane(&plain));
	r = plain; r.n = 0;
	assert_false(retry_is_sane(&r));
	r = plain; r.n = RETRY_INTERVALS + 1;
	assert_false(retry_is_sane(&r));
	r = plain; r.min_tries = 0;
	assert_false(retry_is_sane(&r));
	r = plain; r.jitter_percent = 50;
	assert_true(retry_is_sane(&r));
	r.jitter_percent = 51;
	assert_false(retry_is_sane(&r));
	r = plain; r.interval_ns[2] = 0;
	assert_false(retry_is_sane(&r));
	r = plain; r.n = 1; r.interval_ns[0] = INT64_MAX; r.jitter_percent = 50;
	assert_true(retry_longest(&r) > 0);
	assert_true(retry_wait(&r, 1, UINT64_MAX) > 0);
	assert_true(retry_due(&r, (struct mono){ 5 }, 1, MONO_NEVER, 3).ns > 5);
}

/* What stands between the first try and the last of so many. */
static void
test_lived(void **state)
{
	struct retry r = retry_default();
	int64_t all = 0;

	(void)state;
	assert_int_equal(retry_lived(&r, 0), 0);
	assert_int_equal(retry_lived(&r, 1), 0);
	for (unsigned i = 0; i < r.n; i++) {
		all += r.interval_ns[i];
		assert_int_equal(retry_lived(&r, i + 2), all);
	}
	assert_int_equal(retry_lived(&r, (unsigned)r.n + 2),
	    all + r.interval_ns[r.n - 1]);
	assert_int_equal(retry_lived(&r, (unsigned)r.n + 11),
	    all + 10 * r.interval_ns[r.n - 1]);
	assert_int_equal(retry_lived(&r, UINT32_MAX), INT64_MAX);
	r = (struct retry){ .interval_ns = { INT64_MAX, INT64_MAX }, .n = 2,
		.min_tries = 1 };
	assert_int_equal(retry_lived(&r, 2), INT64_MAX);
	assert_int_equal(retry_lived(&r, 3), INT64_MAX);
	assert_int_equal(retry_lived(&r, 4), INT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals_and_the_last_repeats),
		cmocka_unit_test(test_jitter_stays_within_and_spreads),
		cmocka_unit_test(test_the_last_try_is_at_expiry),
		cmocka_unit_test(test_expiry_needs_age_and_tries),
		cmocka_unit_test(test_sanity),
		cmocka_unit_test(test_lived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
