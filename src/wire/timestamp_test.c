#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/timestamp.h"

static void
instants(void **state)
{
	static const struct { const char *text; int64_t seconds; } rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2019-04-14T23:59:59Z", 1555286399 },
		{ "2026-01-02T04:00:00.25Z", 1767326400 },
		{ "2026-01-02 05:30:00+01:30", 1767326400 },
		{ "2026-01-01t23:00:00-05:00", 1767326400 },
		{ "2024-02-29T00:00:00z", 1709164800 },
	};
	struct wall w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(timestamp_read(str_of(rows[i].text), &w));
		assert_int_equal(w.us, rows[i].seconds * US_PER_SECOND);
	}
}

static void
no_instants(void **state)
{
	static const char *const rows[] = { "", "2026", "2026-01-02",
		"2026-01-02T04:00Z", "2026-13-02T04:00:00Z",
		"2026-00-02T04:00:00Z", "2026-01-32T04:00:00Z",
		"2026-01-02T24:00:00Z", "2026-01-02T04:60:00Z",
		"2026-01-02T04:00:61Z", "2026-01-02T04:00:00",
		"2026-01-02T04:00:00+1", "2026-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z", "2026-01-02T04:00:00.Z",
		"1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59Z",
		"2026-01-02T04:00:00Z ", "2026-01-02T04:00:00+0a:00" };
	struct wall w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_false(timestamp_read(str_of(rows[i]), &w));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instants),
		cmocka_unit_test(no_instants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
