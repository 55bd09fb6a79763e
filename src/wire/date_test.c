#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <time.h>

#include "wire/date.h"

static void
dates_are_written(void **state)
{
	static const struct { int64_t s; int zone; const char *text; } rows[] = {
		{ 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ 1795182001, 0, "Fri, 20 Nov 2026 13:40:01 +0000" },
		{ 1795182001, 120, "Fri, 20 Nov 2026 15:40:01 +0200" },
		{ 1795182001, -210, "Fri, 20 Nov 2026 10:10:01 -0330" },
		{ 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 951782399, 0, "Mon, 28 Feb 2000 23:59:59 +0000" },
		{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 4107542400, 0, "Mon, 01 Mar 2100 00:00:00 +0000" },
		{ 253402300799, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ 253402300800, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ -62135596800, 0, "Mon, 01 Jan 0001 00:00:00 +0000" },
		{ -62135596801, 0, "Mon, 01 Jan 0001 00:00:00 +0000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(date_print((struct wall){ rows[i].s *
		    US_PER_SECOND }, rows[i].zone).text, rows[i].text);
	assert_string_equal(date_print((struct wall){ -1 }, 0).text,
	    "Wed, 31 Dec 1969 23:59:59 +0000");
	assert_string_equal(date_print(WALL_NEVER, 0).text,
	    "Fri, 31 Dec 9999 23:59:59 +0000");
}

/* The calendar agrees with the C library's, day by day. */
static void
calendar_agrees(void **state)
{
	char want[64];

	(void)state;
	for (int64_t day = -25567; day < 60000; day += 13) {
		time_t t = (time_t)(day * 86400 + 45296);
		struct wall w = { (int64_t)t * US_PER_SECOND };
		struct date d = { { 0 }, 1, false };
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S +0000",
		    &tm);
		assert_string_equal(date_print(w, 0).text, want);
		assert_true(date_parse(str_of(want), &d));
		assert_true(d.at.us == w.us);
		assert_int_equal(d.zone, 0);
		assert_true(d.zone_is_known);
	}
}

static void
zones_survive(void **state)
{
	static const int zones[] = { 0, 60, 345, 840, -210, -720, 5999, -5999 };
	struct wall w = { INT64_C(1795182001) * US_PER_SECOND };

	(void)state;
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		struct date_text t = date_print(w, zones[i]);
		struct date d;

		assert_true(date_parse(str_of(t.text), &d));
		assert_true(d.at.us == w.us);
		assert_int_equal(d.zone, zones[i]);
	}
}

static void
old_forms_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
		int zone;
		bool known;
	} rows[] = {
		{ "20 Nov 2026 13:40 GMT", 1795182000, 0, true },
		{ "Fri 20 Nov 26 13:40:01 Z", 1795182001, 0, true },
		{ "Friday, 20 nov 126 13 : 40 : 01 est", 1795200001, -300,
		    true },
		{ "Mon, 20 Nov 2026 13:40:01 -0000", 1795182001, 0, false },
		{ "20 Nov 2026 13:40:01 QQQ", 1795182001, 0, false },
		{ "20 Nov 2026 13:40:01", 1795182001, 0, false },
		{ "20(a(b)\\))Nov(c)2026 13:40:01 +0000 (UTC)", 1795182001, 0,
		    true },
		{ "1 Jan 50 00:00:00 +0000", -631152000, 0, true },
		{ "31 Dec 49 23:59:60 +0000", 2524608000, 0, true },
		{ "29 Feb 2024 00:00:00 +0000", 1709164800, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct date d;

		assert_true(date_parse(str_of(rows[i].text), &d));
		assert_int_equal(d.at.us, rows[i].s * US_PER_SECOND);
		assert_int_equal(d.zone, rows[i].zone);
		assert_int_equal(d.zone_is_known, rows[i].known);
	}
}

static void
bad_dates_are_refused(void **state)
{
	static const char *const rows[] = { "", "Fri", "Fri,", "Xyz, 1 Jan 2026"
		" 00:00 +0000", "0 Jan 2026 00:00 +0000",
		"32 Jan 2026 00:00 +0000", "29 Feb 2026 00:00 +0000",
		"29 Feb 2100 00:00 +0000", "31 Apr 2026 00:00 +0000",
		"1 Jan 2026 24:00 +0000", "1 Jan 2026 00:60 +0000",
		"1 Jan 2026 00:00:61 +0000", "1 Jan 2026 00:00 +0060",
		"1 Jan 2026 00:00 +000", "1 Jan 2026 00:00 +00000",
		"1 Jan 2026 00:00 +0000 x", "1 Jan 2026 00 +0000",
		"1 Jan 2026 0000 +0000", "1 Jan 1899 00:00 +0000",
		"1 Jan 12026 00:00 +0000", "1 Jan 2026 00:00 +0000 (",
		"1 Jan 2026 (()00:00 +0000", "-1 Jan 2026 00:00 +0000",
		"1 Janu 2026 00:00 +0000", "001 Jan 2026 00:00 +0000" };
	struct date d;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_false(date_parse(str_of(rows[i]), &d));
}

/* ---- the mime-stalwart vectors ---- */

/* Where that library reads what RFC 5322 does not write: numbers as months, a
 * whole Received field, and a zone named by its Unix name. */
static bool
is_beyond_the_law(const char *text)
{
	static const char *const strange[] = { "20 11 (some", " 4 8 15 16",
		"by 2002:", "Thu, 10 Jul 1997 14:53:31 EST5EDT" };

	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
		if (strncmp(text, strange[i], strlen(strange[i])) == 0)
			return true;
	return false;
}

static int
number(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

static void
stalwart_agrees(void **state)
{
	json_t *all = json_load_file("test/vectors/mime-stalwart/date.json", 0,
	    NULL);
	int agreed = 0, strange = 0;

	(void)state;
	assert_int_equal(json_array_size(all), 40);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *row = json_array_get(all, i);
		const json_t *e = json_object_get(row, "expected");
		const char *text = json_string_value(json_object_get(row,
		    "header"));
		char want[64];
		struct date d;
		int zone;

		if (is_beyond_the_law(text)) {
			strange++;
			continue;
		}
		agreed++;
		assert_int_equal(date_parse(str_of(text), &d),
		    !json_is_null(e));
		if (json_is_null(e))
			continue;
		zone = number(e, "tz_hour") * 60 + number(e, "tz_minute");
		if (json_is_true(json_object_get(e, "tz_before_gmt")))
			zone = -zone;
		assert_int_equal(d.zone, zone);
		snprintf(want, sizeof want, "%02d %.3s %d %02d:%02d:%02d",
		    number(e, "day"), &"JanFebMarAprMayJunJulAugSepOctNovDec"
		    [3 * (number(e, "month") - 1)], number(e, "year"),
		    number(e, "hour"), number(e, "minute"),
		    number(e, "second"));
		assert_true(str_find_str(str_of(date_print(d.at, zone).text),
		    str_of(want)) == 5);
	}
	assert_int_equal(agreed, 36);
	assert_int_equal(strange, 4);
	json_decref(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_written),
		cmocka_unit_test(calendar_agrees),
		cmocka_unit_test(zones_survive),
		cmocka_unit_test(old_forms_are_read),
		cmocka_unit_test(bad_dates_are_refused),
		cmocka_unit_test(stalwart_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
