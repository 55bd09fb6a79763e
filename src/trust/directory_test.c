#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "trust/directory.h"

static unsigned downs, ups;

static void
told(void *arg, struct str name, struct str why)
{
	assert_ptr_equal(arg, &downs);
	assert_true(str_eq(name, STR("x")));
	if (why.p == NULL)
		ups++;
	else
		downs++;
}

static struct mono
at_s(int64_t s)
{
	return (struct mono){ s * NS_PER_SECOND };
}

static void
test_health(void **state)
{
	static const int64_t waits[] = { 1, 2, 4, 8, 16, 30, 30, 30 };
	struct directory_health h = { .name = STR("x"), .tell = told,
		.arg = &downs };
	int64_t now = 100;

	(void)state;
	assert_true(directory_may_try(&h, at_s(now), 0));
	assert_false(directory_is_down(&h));
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		directory_failed(&h, at_s(now), "it hangs");
		assert_true(directory_is_down(&h));
		assert_false(directory_may_try(&h, (struct mono){ at_s(now +
		    waits[i]).ns - 1 }, 0));
		now += waits[i];
		assert_true(directory_may_try(&h, at_s(now), 0));
	}
	assert_string_equal(h.why, "it hangs");
	/* One asks at a time. */
	assert_true(directory_may_try(&h, at_s(now), NS_PER_SECOND));
	assert_false(directory_may_try(&h, at_s(now), NS_PER_SECOND));
	assert_true(directory_may_try(&h, at_s(now + 1), NS_PER_SECOND));
	assert_int_equal(downs, sizeof waits / sizeof waits[0]);
	assert_int_equal(ups, 0);
	directory_worked(&h);
	directory_worked(&h);
	assert_int_equal(ups, 1);
	assert_true(directory_may_try(&h, at_s(now), 0));
}

static void
test_long_why(void **state)
{
	struct directory_health h = { .name = STR("x") };
	char text[DIRECTORY_WHY + 2];

	(void)state;
	for (size_t n = DIRECTORY_WHY - 2; n <= DIRECTORY_WHY; n++) {
		memset(text, 'y', n);
		text[n] = '\0';
		directory_failed(&h, at_s(1), text);
		assert_int_equal(strlen(h.why), n < DIRECTORY_WHY ? n :
		    DIRECTORY_WHY - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_long_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
