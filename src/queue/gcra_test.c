#include "queue/gcra.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { TAKES = 4000 };

static int64_t times[TAKES];

/* Demand that never rests: when was each unit let through? */
static void
take_all(const struct gcra_limit *l, struct mono now)
{
	struct gcra g = { 0 };

	for (int i = 0; i < TAKES; i++) {
		now = gcra_when(&g, l, now);
		if (now.ns > 0)
			assert_true(i == 0 || times[i - 1] <= now.ns);
		assert_true(gcra_take(&g, l, now, 1));
		times[i] = now.ns;
	}
}

/* The most units in any half-open span of per_ns. */
static uint64_t
most_in(int64_t per_ns)
{
	uint64_t most = 0;

	for (int from = 0, to = 0; to < TAKES; to++) {
		while (times[to] - times[from] >= per_ns)
			from++;
		if ((uint64_t)(to - from + 1) > most)
			most = (uint64_t)(to - from + 1);
	}
	return most;
}

static const struct gcra_limit limits[] = {
	{ 1, NS_PER_SECOND, 0 }, { 7, NS_PER_SECOND, 1 },
	{ 100, NS_PER_SECOND, 0 }, { 3, 60 * NS_PER_SECOND, 1 },
	{ 1000, 3600 * NS_PER_SECOND, 0 }, { 7, NS_PER_SECOND, 5 },
	{ 100, NS_PER_SECOND, 100 }, { 999, 3600 * NS_PER_SECOND, 50 },
	{ 1, 86400 * NS_PER_SECOND, 1 }, { 3, 10, 1 }, { 10, 3, 2 },
};

static void
test_never_more_in_any_span(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		uint64_t burst = limits[i].burst > 0 ? limits[i].burst : 1;

		take_all(&limits[i], (struct mono){ 123456789 });
		assert_in_range(most_in(limits[i].per_ns), 1,
		    limits[i].n + burst - 1);
	}
}

/* After the burst, k units take exactly k * per / n, rounded up. */
static void
test_steady_demand_is_served_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		const struct gcra_limit *l = &limits[i];
		uint64_t burst = l->burst > 0 ? l->burst : 1;
		uint64_t k = TAKES - burst;
		uint64_t want = (k * (uint64_t)l->per_ns + l->n - 1) / l->n;

		take_all(l, (struct mono){ 0 });
		assert_int_equal(times[TAKES - 1] - times[0], want);
		assert_int_equal(times[burst - 1], times[0]);
	}
}

static void
test_refuses_a_nanosecond_early(void **state)
{
	struct gcra_limit l = { 2, NS_PER_SECOND, 1 };
	struct gcra g = { 0 };
	struct mono t = { 5 * NS_PER_SECOND };

	(void)state;
	assert_true(gcra_is_idle(&g, t));
	assert_true(gcra_take(&g, &l, t, 1));
	assert_false(gcra_is_idle(&g, t));
	assert_false(gcra_take(&g, &l, t, 1));
	t.ns += NS_PER_SECOND / 2 - 1;
	assert_false(gcra_take(&g, &l, t, 1));
	assert_int_equal(gcra_when(&g, &l, t).ns, t.ns + 1);
	t.ns++;
	assert_true(gcra_take(&g, &l, t, 1));
	/* Three at once: the debt of all is paid before the next. */
	t.ns += 10 * NS_PER_SECOND;
	assert_true(gcra_take(&g, &l, t, 3));
	assert_int_equal(gcra_when(&g, &l, t).ns, t.ns + NS_PER_SECOND * 3 / 2);
	assert_false(gcra_is_idle(&g, mono_add(t, NS_PER_SECOND)));
	assert_true(gcra_is_idle(&g, mono_add(t, 2 * NS_PER_SECOND)));
}

static void
test_no_limit(void **state)
{
	struct gcra_limit none = { 0 };
	struct gcra g = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(gcra_take(&g, &none, (struct mono){ 5 }, 1000));
	assert_int_equal(gcra_when(&g, &none, (struct mono){ 5 }).ns, 5);
}

static void
test_a_new_limit_takes_over_the_debt(void **state)
{
	static const struct {
		struct gcra_limit from, to;
		int64_t wait_ns;
	} cases[] = {
		{ { 1, 3600 * NS_PER_SECOND, 1 }, { 100, NS_PER_SECOND, 1 },
		    NS_PER_SECOND / 100 },
		{ { 100, NS_PER_SECOND, 1 }, { 1, 3600 * NS_PER_SECOND, 1 },
		    3600 * NS_PER_SECOND },
		{ { 100, NS_PER_SECOND, 1 }, { 0 }, 0 },
		{ { 0 }, { 1, NS_PER_SECOND, 1 }, 0 },
		{ { 5, NS_PER_SECOND, 1 }, { 5, NS_PER_SECOND, 1 },
		    NS_PER_SECOND / 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mono now = { 7 * NS_PER_SECOND };
		struct gcra g = { 0 };

		assert_true(gcra_take(&g, &cases[i].from, now, 1));
		gcra_change(&g, &cases[i].from, &cases[i].to, now);
		assert_int_equal(gcra_when(&g, &cases[i].to, now).ns,
		    now.ns + cases[i].wait_ns);
	}
}

static void
test_extremes_saturate(void **state)
{
	struct gcra_limit slow = { 1, INT64_MAX, UINT32_MAX };
	struct gcra_limit fast = { UINT32_MAX, 1, UINT32_MAX };
	struct gcra g = { 0 };
	struct mono now = { 1 };

	(void)state;
	assert_true(gcra_is_sane(&slow) && gcra_is_sane(&fast));
	for (int i = 0; i < 10; i++)
		(void)gcra_take(&g, &slow, now, UINT32_MAX);
	assert_true(gcra_when(&g, &slow, now).ns >= now.ns);
	for (int i = 0; i < 10; i++)
		assert_true(gcra_take(&g, &fast, MONO_NEVER, 1));
	assert_false(gcra_is_sane(&(struct gcra_limit){ 1, 0, 1 }));
	assert_false(gcra_is_sane(&(struct gcra_limit){ 1, -1, 1 }));
	assert_false(gcra_is_sane(&(struct gcra_limit){ UINT64_C(1) << 32, 1, 1 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_more_in_any_span),
		cmocka_unit_test(test_steady_demand_is_served_exactly),
		cmocka_unit_test(test_refuses_a_nanosecond_early),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_a_new_limit_takes_over_the_debt),
		cmocka_unit_test(test_extremes_saturate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
