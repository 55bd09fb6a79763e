#include "base/instant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_never_stays_never(void **state)
{
	(void)state;
	assert_true(mono_add(MONO_NEVER, -5).ns == MONO_NEVER.ns);
	assert_true(wall_add(WALL_NEVER, -5).us == WALL_NEVER.us);
	assert_true(mono_add((struct mono){ INT64_MAX - 1 }, 5).ns == INT64_MAX);
	assert_true(wall_add((struct wall){ INT64_MIN }, -5).us == INT64_MIN);
	assert_true(mono_add((struct mono){ 5 }, -7).ns == -2);
	assert_true(wall_add((struct wall){ 5 }, 7).us == 12);
}

static void
test_order(void **state)
{
	struct mono a = { 1 }, b = { 2 };

	(void)state;
	assert_true(mono_is_before(a, b));
	assert_false(mono_is_before(a, a));
	assert_true(mono_is_before(b, MONO_NEVER));
	assert_int_equal(mono_first(a, b).ns, 1);
	assert_int_equal(mono_first(b, a).ns, 1);
	assert_true(wall_is_before((struct wall){ 1 }, (struct wall){ 2 }));
	assert_false(wall_is_before((struct wall){ 2 }, (struct wall){ 2 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_stays_never),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
