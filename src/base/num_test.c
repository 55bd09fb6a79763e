#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_parses_exactly(void **state)
{
	static const struct { const char *text; uint64_t max, v; } cases[] = {
		{ "0", 0, 0 }, { "007", 7, 7 }, { "255", 255, 255 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX },
		{ "00000000000000000000000018446744073709551615", UINT64_MAX,
		    UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t v = 99;

		assert_true(parse_u64(str_of(cases[i].text), cases[i].max, &v));
		assert_int_equal(v, cases[i].v);
	}
}

static void
test_refuses(void **state)
{
	static const struct { const char *text; uint64_t max; } cases[] = {
		{ "", 9 }, { " 1", 9 }, { "1 ", 9 }, { "+1", 9 }, { "-1", 9 },
		{ "0x1", 99 }, { "1e3", 9999 }, { "1.0", 9 }, { "256", 255 },
		{ "18446744073709551616", UINT64_MAX },
		{ "18446744073709551620", UINT64_MAX },
		{ "99999999999999999999", UINT64_MAX }, { "\xb2", 9 },
	};
	uint64_t v = 99;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_false(parse_u64(str_of(cases[i].text), cases[i].max, &v));
	assert_false(parse_u64(STR("1\0"), 9, &v));
	assert_false(parse_u64(STR_NONE, 9, &v));
	assert_int_equal(v, 99);
}

static void
test_takes_integers(void **state)
{
	struct str s = STR("\x01\x80" "\x01\0\0\x80" "\x01\0\0\0\0\0\0\x80" "ab");
	struct str head;
	uint16_t a;
	uint32_t b;
	uint64_t c;

	(void)state;
	assert_true(take_le16(&s, &a) && a == 0x8001);
	assert_true(take_le32(&s, &b) && b == 0x80000001);
	assert_true(take_le64(&s, &c) && c == 0x8000000000000001);
	assert_int_equal(s.n, 2);
	assert_false(take_le32(&s, &b));
	assert_false(take_le64(&s, &c));
	assert_false(take_bytes(&s, 3, &head));
	assert_int_equal(s.n, 2);		/* nothing taken by halves */
	assert_true(take_bytes(&s, 1, &head));
	assert_false(take_le16(&s, &a));
	assert_true(take_bytes(&s, 1, &head) && head.p[0] == 'b');
	assert_true(take_bytes(&s, 0, &head));
	assert_false(take_bytes(&s, SIZE_MAX, &head));
}

static void
test_saturates(void **state)
{
	(void)state;
	assert_int_equal(add_sat(UINT64_MAX - 1, 1), UINT64_MAX);
	assert_int_equal(add_sat(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(add_sat(1, 2), 3);
	assert_true(add_sat_i64(INT64_MAX, 1) == INT64_MAX);
	assert_true(add_sat_i64(INT64_MIN, -1) == INT64_MIN);
	assert_true(add_sat_i64(INT64_MIN, INT64_MAX) == -1);
	assert_true(add_sat_i64(-5, 3) == -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses_exactly),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_takes_integers),
		cmocka_unit_test(test_saturates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
