#include "queue/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_domain(void **state)
{
	static const struct { const char *key, *domain; } cases[] = {
		{ "b.example", "b.example" },
		{ "b.example!s.example", "b.example" },
		{ "b.example!", "b.example" },
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "ann@b.example", "b.example" },
		{ "a!n@b.example", "b.example" },
		{ "\"a@n\"@b.example", "b.example" },
		{ "|x@b.example", "b.example" },
		{ "|b.example", "b.example" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(str_eq(key_domain(str_of(cases[i].key)),
		    str_of(cases[i].domain)));
}

static void
test_is_for(void **state)
{
	static const struct {
		const char *key, *mailbox;
		bool by_alias, yes;
	} cases[] = {
		{ "b.example", "Ann@B.example", false, true },
		{ "b.example", "ann@c.example", false, false },
		{ "b.example!s.example", "ann@b.example", false, true },
		{ "b.example!s.example", "ann@s.example", false, false },
		{ "b.example", "ann@b.example", true, false },
		{ "|b.example", "ann@b.example", true, true },
		{ "|b.example", "ann@b.example", false, false },
		{ "|b.example", "ann@c.example", true, false },
		{ "ann@b.example", "ANN@b.example", false, true },
		{ "ann@b.example", "ben@b.example", false, false },
		{ "ann@b.example", "ann@b.example", true, false },
		{ "|x@b.example", "|x@b.example", false, true },
		{ "|x@b.example", "y@b.example", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(key_is_for(str_of(cases[i].key),
		    str_of(cases[i].mailbox), cases[i].by_alias),
		    cases[i].yes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_is_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
