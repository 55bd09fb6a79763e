#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/death.h"

#include <signal.h>

static void
pauses_grow_and_begin_anew(void **state)
{
	static const int64_t grown[] = { 100, 200, 400, 800, 1600, 3200, 6400,
		10000, 10000 };
	struct backoff b = { 0, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof grown / sizeof *grown; i++)
		assert_int_equal(backoff_after(&b, 10000), grown[i]);
	assert_int_equal(backoff_after(&b, 10001), 100);
	assert_int_equal(backoff_after(&b, 0), 200);
	assert_int_equal(b.deaths, 11);
}

static void
ends_are_told_apart(void **state)
{
	(void)state;
	assert_true(death_was_its_own(SIGSEGV));
	assert_true(death_was_its_own(SIGSYS));
	assert_false(death_was_its_own(SIGKILL));
	assert_false(death_was_its_own(SIGTERM));
	assert_false(death_was_its_own(70 << 8));
	assert_string_equal(death_text(70 << 8).text, "ended with status 70");
	assert_string_equal(death_text(SIGKILL).text,
	    "died by signal 9 (Killed)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_grow_and_begin_anew),
		cmocka_unit_test(ends_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
