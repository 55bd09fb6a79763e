#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/poison.h"

static struct poison_table table;

static int
table_begin(void **state)
{
	(void)state;
	table = (struct poison_table){ .n_suspects = 0 };
	poison_use(&table);
	return 0;
}

static void
two_deaths_hold(void **state)
{
	int slot;

	(void)state;
	assert_true(poison_enter(42) >= 0);
	assert_true(poison_enter(42) >= 0);	/* two fibers, one death */
	slot = poison_enter(43);
	poison_leave(slot);			/* ended in time */
	assert_int_equal(poison_count(&table), 0);
	assert_true(!poison_is_held(42) && poison_is_suspect(42));
	assert_int_equal(poison_count(&table), 0);	/* nobody worked */
	assert_true(poison_enter(42) >= 0);
	assert_int_equal(poison_count(&table), 1);
	assert_true(poison_is_held(42) && poison_is_suspect(42));
	assert_false(poison_is_held(43));
}

static void
without_a_table_nothing_happens(void **state)
{
	(void)state;
	poison_use(NULL);
	assert_int_equal(poison_enter(42), -1);
	poison_leave(-1);
	assert_false(poison_is_held(42));
	poison_use(&table);
	assert_int_equal(poison_enter(0), -1);
}

/* All slots taken: not watched, and nothing is overwritten. */
static void
slots_have_an_end(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		taken += poison_enter(7) >= 0;
	assert_int_equal(taken, 64);		/* the slots tried for one id */
	assert_int_equal(poison_count(&table), 0);
	assert_int_equal(table.suspects[0].deaths, 1);
	assert_int_equal(table.n_suspects, 1);
}

static void
suspects_have_an_end(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= POISON_SUSPECTS + 1; id++) {
		assert_true(poison_enter(id) >= 0);
		(void)poison_count(&table);
	}
	assert_int_equal(table.n_suspects, POISON_SUSPECTS);
	assert_true(poison_enter(POISON_SUSPECTS) >= 0);
	assert_true(poison_enter(POISON_SUSPECTS + 1) >= 0);
	assert_int_equal(poison_count(&table), 1);
}

/* The dying worker wrote over the count: master reads no further than its
 * table. */
static void
a_mad_count_is_bounded(void **state)
{
	(void)state;
	table.n_suspects = UINT32_MAX;
	assert_true(poison_enter(42) >= 0);
	(void)poison_count(&table);
	assert_int_equal(table.n_suspects, POISON_SUSPECTS);
	table.n_suspects = UINT32_MAX;
	assert_false(poison_is_held(4711));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_deaths_hold, table_begin),
		cmocka_unit_test_setup(without_a_table_nothing_happens,
		    table_begin),
		cmocka_unit_test_setup(slots_have_an_end, table_begin),
		cmocka_unit_test_setup(suspects_have_an_end, table_begin),
		cmocka_unit_test_setup(a_mad_count_is_bounded, table_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
