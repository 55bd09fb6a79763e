/* What a parked fiber keeps; in the simulated world, where seconds are free
 * and pages are real. */
#include "fiber/test_core.h"

#include "fiber/stack.h"

#include <sys/mman.h>

static uintptr_t deep, shallow;
static bool is_kept;

__attribute__((noinline, noclone))
static size_t
touch_below(unsigned left)
{
	volatile char room[2048];

	for (size_t i = 0; i < sizeof room; i++)
		room[i] = (char)left;
	if (left == 0)
		deep = (uintptr_t)room;
	return left == 0 ? 0 : touch_below(left - 1) + (size_t)room[5];
}

static bool
is_resident(uintptr_t p)
{
	uintptr_t page = p & ~(uintptr_t)(STACK_PAGE - 1);
	unsigned char there = 0;

	assert_int_equal(mincore((void *)page, STACK_PAGE, &there), 0);
	return (there & 1) != 0;
}

static void
idle(void *arg)
{
	volatile char here[64] = "kept";

	(void)arg;
	shallow = (uintptr_t)here;
	(void)touch_below(10);
	assert_int_equal(fiber_park(in_ms(20000)), -1);
	is_kept = here[0] == 'k' && here[3] == 't';
}

static void
body_sweep(void *arg)
{
	struct fiber_stats stats;

	(void)arg;
	assert_int_equal(fiber_go("idle", idle, NULL), 0);
	fiber_sleep(in_ms(1000));
	assert_true(is_resident(deep));
	assert_true(is_resident(shallow));
	fiber_sleep(in_ms(3000));
	assert_false(is_resident(deep));
	assert_true(is_resident(shallow));
	/* how deep it had been is not forgotten with the pages */
	stats = fiber_stats();
	assert_true(stats.stack_high > 10 * 2048);
	assert_string_equal(stats.stack_high_name, "idle");
}

static void
test_sweep(void **state)
{
	(void)state;
	on_core(body_sweep);
	assert_true(is_kept);
}

/* Nothing but a deadline ever wakes a core whose fibers all wait. */
static void
body_quiet(void *arg)
{
	struct fiber_stats before, after;

	(void)arg;
	fiber_sleep(in_ms(10000));	/* stacks are given back meanwhile */
	before = fiber_stats();
	fiber_sleep(in_ms(3600 * 1000));
	after = fiber_stats();
	assert_true(after.polls - before.polls <= 3);
}

static void
test_quiet(void **state)
{
	(void)state;
	on_core(body_quiet);
}

static void
test_pool(void **state)
{
	struct stack_pool pool = { 0 };
	struct stack *s = stack_take(&pool), *t;
	char *top = s->bottom + STACK_SIZE;

	(void)state;
	assert_in_range(stack_measure(s), sizeof *s, 64);
	top[-7000] = 1;
	assert_in_range(stack_measure(s), 7000, 7063);
	top[-15000] = 1;
	assert_in_range(stack_measure(s), 15000, 15063);
	memset(s->bottom, 1, STACK_SIZE - 15000);
	assert_int_equal(stack_measure(s), STACK_SIZE);
	stack_give(&pool, s);
	t = stack_take(&pool);
	assert_ptr_equal(s, t);
	assert_int_equal(pool.n, 0);
	stack_give(&pool, t);
	stack_pool_clear(&pool);
	assert_null(pool.first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
