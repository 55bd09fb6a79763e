#include "policy/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
test_durations(void **state)
{
	static const struct { const char *text; int64_t ns; const char *back; }
	cases[] = {
		{ "0", 0, "0s" }, { "0s", 0, "0s" },
		{ "500ms", 500 * NS_PER_MS, "500ms" },
		{ "30s", 30 * NS_PER_SECOND, "30s" },
		{ "90s", 90 * NS_PER_SECOND, "90s" },
		{ "60s", 60 * NS_PER_SECOND, "1m" },
		{ "15m", 900 * NS_PER_SECOND, "15m" },
		{ "4h", 14400 * NS_PER_SECOND, "4h" },
		{ "5d", 432000 * NS_PER_SECOND, "5d" },
		{ "2w", 1209600 * NS_PER_SECOND, "14d" },
		{ "9223372036s", 9223372036 * NS_PER_SECOND, "9223372036s" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ns = -1;

		assert_true(unit_duration(str_of(cases[i].text), &ns));
		assert_int_equal(ns, cases[i].ns);
		assert_string_equal(unit_print_duration(ns).text,
		    cases[i].back);
	}
}

static void
test_no_durations(void **state)
{
	static const char *const cases[] = { "", "s", "5", "5 s", "-5s", "+5s",
		"5S", "5.5s", "1h30m", "five days", "5days", "0x5s", "5y",
		"9223372037s", "18446744073709551616s", "106752d" };
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_false(unit_duration(str_of(cases[i]), &ns));
}

static void
test_sizes(void **state)
{
	static const struct { const char *text; uint64_t v; const char *back; }
	cases[] = {
		{ "0", 0, "0" }, { "512", 512, "512" }, { "1024", 1024, "1K" },
		{ "64K", 65536, "64K" }, { "50M", 52428800, "50M" },
		{ "1500K", 1536000, "1500K" }, { "2G", 2147483648, "2G" },
		{ "1T", UINT64_C(1) << 40, "1T" },
		{ "9223372036854775807", INT64_MAX, "9223372036854775807" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t v = 1;

		assert_true(unit_size(str_of(cases[i].text), &v));
		assert_int_equal(v, cases[i].v);
		assert_string_equal(unit_print_size(v).text, cases[i].back);
	}
}

static void
test_no_sizes(void **state)
{
	static const char *const cases[] = { "", "K", "50MB", "50m", "1k",
		"1.5G", " 5", "5 M", "-1", "8388608T", "9223372036854775808" };
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_false(unit_size(str_of(cases[i]), &v));
}

static void
test_rates(void **state)
{
	static const struct { const char *text; uint64_t n; int64_t per; }
	cases[] = {
		{ "none", 0, 0 }, { "100/s", 100, NS_PER_SECOND },
		{ "60/min", 60, 60 * NS_PER_SECOND },
		{ "10000/h", 10000, 3600 * NS_PER_SECOND },
		{ "1/d", 1, 86400 * NS_PER_SECOND },
		{ "4294967295/s", UINT32_MAX, NS_PER_SECOND },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rate r = { 9, 9 };

		assert_true(unit_rate(str_of(cases[i].text), &r));
		assert_int_equal(r.n, cases[i].n);
		assert_int_equal(r.per_ns, cases[i].per);
		assert_string_equal(unit_print_rate(r).text, cases[i].text);
	}
}

static void
test_no_rates(void **state)
{
	static const char *const cases[] = { "", "/s", "0/s", "5", "5/", "5/m",
		"5/sec", "5 / s", "5/s/s", "-5/s", "4294967296/s", "None" };
	struct rate r;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_false(unit_rate(str_of(cases[i]), &r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_no_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_no_sizes),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_no_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
