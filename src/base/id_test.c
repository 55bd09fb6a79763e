#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_parts(void **state)
{
	uint64_t id = id_make(1023, 255, (UINT64_C(1) << 46) - 1);

	(void)state;
	assert_true(id == UINT64_MAX);
	assert_int_equal(id >> 54, 1023);
	assert_int_equal(id_spool(id), 255);
	id = id_make(1, 2, 3);
	assert_true(id == (UINT64_C(1) << 54 | UINT64_C(2) << 46 | 3));
	assert_int_equal(id >> 54, 1);
	assert_int_equal(id_spool(id), 2);
}

static void
test_prints_and_reads(void **state)
{
	static const struct { uint64_t id; const char *text; } cases[] = {
		{ 0, "0000000000000" },
		{ 31, "000000000000Z" },
		{ 32, "0000000000010" },
		{ UINT64_MAX, "FZZZZZZZZZZZZ" },
		{ 0x0123456789abcdef, "028T5CY4TQKFF" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t id = 99;

		assert_string_equal(id_print(cases[i].id).text, cases[i].text);
		assert_true(id_parse(str_of(cases[i].text), &id));
		assert_true(id == cases[i].id);
	}
}

static void
test_forgives_people(void **state)
{
	uint64_t id;

	(void)state;
	assert_true(id_parse(STR("oOiIlL0000abz"), &id));
	assert_string_equal(id_print(id).text, "0011110000ABZ");
}

static void
test_refuses(void **state)
{
	static const char *const cases[] = { "", "000000000000", "00000000000000",
		"G000000000000", "Z000000000000", "000000000000U", "000000000000-",
		"00000000000 0", "000000000000\xc0", "em_0000000000" };
	uint64_t id = 99;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_false(id_parse(str_of(cases[i]), &id));
	assert_false(id_parse(STR("000000000000\0"), &id));
	assert_false(id_parse(STR_NONE, &id));
	assert_int_equal(id, 99);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_prints_and_reads),
		cmocka_unit_test(test_forgives_people),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
