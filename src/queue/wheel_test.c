#include "queue/wheel.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { MOST = 5000 };
#define TICK (INT64_C(1) << WHEEL_TICK_BITS)

static struct wheel wheel;
static struct wheel_entry entries[MOST];

static struct wheel_entry *
pop(struct mono now)
{
	uint32_t steps = UINT32_MAX;

	return wheel_pop(&wheel, now, &steps);
}

static void
test_rounds_up_to_ticks(void **state)
{
	static const struct { int64_t t, want; } cases[] = {
		{ INT64_MIN, 0 }, { -1, 0 }, { 0, 0 }, { 1, TICK },
		{ TICK - 1, TICK }, { TICK, TICK }, { TICK + 1, 2 * TICK },
		{ INT64_MAX - 1, INT64_MAX }, { INT64_MAX, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(wheel_round((struct mono){ cases[i].t }).ns,
		    cases[i].want);
}

static void
test_not_before_its_time(void **state)
{
	static const int64_t due[] = { 1, TICK, 63 * TICK, 64 * TICK,
		65 * TICK, 4095 * TICK, 4096 * TICK + 7, NS_PER_SECOND,
		3600 * NS_PER_SECOND, 6 * 3600 * NS_PER_SECOND,
		365 * 86400 * NS_PER_SECOND, INT64_C(1) << 62 };
	static const int64_t from[] = { 0, 1, 63 * TICK, 64 * TICK - 1,
		12345 * NS_PER_SECOND };

	(void)state;
	for (size_t i = 0; i < sizeof due / sizeof *due; i++)
		for (size_t j = 0; j < sizeof from / sizeof *from; j++) {
			struct wheel_entry e = { 0 };
			struct mono at;

			wheel_init(&wheel);
			assert_null(pop((struct mono){ from[j] }));
			wheel_add(&wheel, &e,
			    (struct mono){ from[j] + due[i] });
			at = e.due;
			assert_true(at.ns >= from[j] + due[i]);
			assert_true(at.ns < from[j] + due[i] + TICK);
			assert_true(wheel_next_at(&wheel).ns <= at.ns);
			assert_null(pop((struct mono){ at.ns - 1 }));
			assert_true(wheel_next_at(&wheel).ns <= at.ns);
			assert_ptr_equal(pop(at), &e);
			assert_null(pop(at));
			assert_int_equal(wheel_next_at(&wheel).ns, INT64_MAX);
		}
}

static void
test_late_and_never(void **state)
{
	struct wheel_entry late = { 0 }, never = { 0 };

	(void)state;
	wheel_init(&wheel);
	assert_null(pop((struct mono){ 1000 * NS_PER_SECOND }));
	wheel_add(&wheel, &late, (struct mono){ 5 });
	wheel_add(&wheel, &never, MONO_NEVER);
	assert_ptr_equal(pop((struct mono){ 1000 * NS_PER_SECOND }), &late);
	assert_null(pop((struct mono){ INT64_C(1) << 62 }));
	list_remove(&never.link);
	assert_null(pop(MONO_NEVER));
}

static uint64_t seed;

/* 31 bits, the same in every run. */
static uint32_t
draw(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* Whoever waits only for wheel_next_at() misses nothing, and gets all in order;
 * removed ones never come. */
static void
test_random_order(void **state)
{
	struct mono now = { 0 }, last = { 0 };
	struct wheel_entry *e;
	unsigned n = 0, wakes = 0;

	(void)state;
	seed = 7;
	wheel_init(&wheel);
	for (int i = 0; i < MOST; i++) {
		int64_t far = (int64_t)draw() << (draw() % 24);

		entries[i] = (struct wheel_entry){ 0 };
		wheel_add(&wheel, &entries[i], (struct mono){ far });
	}
	for (int i = 0; i < MOST; i += 5)
		list_remove(&entries[i].link);
	while (wheel_next_at(&wheel).ns != INT64_MAX) {
		if (now.ns < wheel_next_at(&wheel).ns)
			now = wheel_next_at(&wheel);
		wakes++;
		while ((e = pop(now)) != NULL) {
			assert_int_not_equal((e - entries) % 5, 0);
			assert_true(e->due.ns <= now.ns);
			assert_true(e->due.ns >= last.ns);
			last = e->due;
			n++;
		}
	}
	assert_int_equal(n, MOST - MOST / 5);
	assert_true(wakes < 8 * n);
}

static void
test_steps_bound_the_work(void **state)
{
	struct mono due = { 5 * 3600 * NS_PER_SECOND };
	uint32_t steps;
	unsigned calls = 0, n = 0;

	(void)state;
	wheel_init(&wheel);
	for (int i = 0; i < MOST; i++) {
		entries[i] = (struct wheel_entry){ 0 };
		wheel_add(&wheel, &entries[i], due);
	}
	due = entries[0].due;
	while (n < MOST) {
		calls++;
		for (steps = 10; wheel_pop(&wheel, due, &steps) != NULL;)
			n++;
		assert_true(n == MOST || wheel_next_at(&wheel).ns <= due.ns);
		assert_true(n <= 10 * calls);
	}
	assert_true(calls >= MOST / 10 && calls <= 8 * MOST / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds_up_to_ticks),
		cmocka_unit_test(test_not_before_its_time),
		cmocka_unit_test(test_late_and_never),
		cmocka_unit_test(test_random_order),
		cmocka_unit_test(test_steps_bound_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
