#include "queue/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_doubles_up_to_the_cap(void **state)
{
	static const struct { unsigned failures; int64_t want; } cases[] = {
		{ 1, 1000 }, { 2, 2000 }, { 3, 4000 }, { 4, 8000 },
		{ 5, 10000 }, { 6, 10000 }, { 65535, 10000 },
		{ UINT32_MAX, 10000 },
	};
	struct backoff b = { 1000, 10000 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (uint64_t hash = 0; hash < 3000; hash += 7)
			assert_in_range(backoff_wait(&b, cases[i].failures,
			    hash), cases[i].want - cases[i].want / 10,
			    cases[i].want + cases[i].want / 10);
}

static void
test_no_overflow(void **state)
{
	struct backoff b = { INT64_MAX / 2 + 1, INT64_MAX };

	(void)state;
	assert_true(backoff_wait(&b, 1, UINT64_MAX) > 0);
	assert_true(backoff_wait(&b, 2, UINT64_MAX) > INT64_MAX / 2);
	assert_true(backoff_wait(&b, 99, 0) > INT64_MAX / 2);
	b = (struct backoff){ 1, 1 };
	assert_int_equal(backoff_wait(&b, 7, 12345), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_the_cap),
		cmocka_unit_test(test_no_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
