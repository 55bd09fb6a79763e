#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include <jansson.h>

static char room[4096];
static struct buf out;
static struct json j;

static int
setup(void **state)
{
	(void)state;
	out = BUF_OF(room);
	json_begin(&j, &out);
	return 0;
}

static void
expect(const char *text)
{
	room[out.n] = '\0';
	assert_false(out.full);
	assert_string_equal(room, text);
}

static void
test_commas_are_its_own_affair(void **state)
{
	(void)state;
	json_put_object(&j, NULL);
	json_put_array(&j, "empty");
	json_end_array(&j);
	json_put_array(&j, "list");
	json_put_u64(&j, NULL, 1);
	json_put_object(&j, NULL);
	json_end_object(&j);
	json_put_array(&j, NULL);
	json_put_null(&j, NULL);
	json_put_bool(&j, NULL, true);
	json_end_array(&j);
	json_end_array(&j);
	json_put_i64(&j, "least", INT64_MIN);
	json_put_u64(&j, "most", UINT64_MAX);
	json_put_bool(&j, "no", false);
	json_put_str(&j, "a\"b", STR(""));
	json_end_object(&j);
	expect("{\"empty\":[],\"list\":[1,{},[null,true]],"
	    "\"least\":-9223372036854775808,\"most\":18446744073709551615,"
	    "\"no\":false,\"a\\\"b\":\"\"}");
}

static void
test_hostile_strings(void **state)
{
	static const struct { struct str s; const char *text; } cases[] = {
		{ { NULL, 0 }, "\"\"" },
		{ { "\"\\/", 3 }, "\"\\\"\\\\/\"" },
		{ { "\0\r\n\t\x1b\x7f", 6 },
		    "\"\\u0000\\u000d\\u000a\\u0009\\u001b\\u007f\"" },
		{ { "\xc2\x9b\xe2\x80\xa8\xe2\x80\xae", 8 },
		    "\"\\u009b\\u2028\\u202e\"" },
		{ { "\xf3\xa0\x81\x81\xf4\x8f\xbf\xbf", 8 },
		    "\"\\udb40\\udc41\\udbff\\udfff\"" },
		{ { "gr\xc3\xbc\xc3\x9f", 6 }, "\"gr\xc3\xbc\xc3\x9f\"" },
		{ { "a\xff\xc3(\xed\xa0\x80", 7 },
		    "\"a\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\"" },
		{ { "\xf0\x9f\x93", 3 }, "\"\\ufffd\\ufffd\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setup(NULL);
		json_put_str(&j, NULL, cases[i].s);
		expect(cases[i].text);
	}
}

/* Whatever two octets meet, another reader takes it, and it is one line. */
static void
test_all_pairs_of_octets(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		char octets[2] = { (char)(pair >> 8), (char)(pair & 0xff) };
		json_t *back;

		setup(NULL);
		json_put_array(&j, NULL);
		json_put_str(&j, NULL, (struct str){ octets, 2 });
		json_end_array(&j);
		back = json_loadb(out.p, out.n, JSON_ALLOW_NUL, NULL);
		assert_non_null(back);
		json_decref(back);
		assert_int_equal(str_find(buf_str(&out), '\n'), out.n);
	}
}

static void
test_cuts_between_characters(void **state)
{
	static const struct { struct str s; size_t most; const char *text; } cases[] = {
		{ { "abc", 3 }, 4, "\"abc\"" },
		{ { "abc", 3 }, 3, "\"abc\"" },
		{ { "abc", 3 }, 2, "\"ab\"" },
		{ { "a\nb", 3 }, 7, "\"a\\u000a\"" },
		{ { "a\nb", 3 }, 6, "\"a\"" },
		{ { "\xc3\xbc\xc3\x9f", 4 }, 3, "\"\xc3\xbc\"" },
		{ { "abc", 3 }, 0, "\"\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setup(NULL);
		json_put_cut(&j, NULL, cases[i].s, cases[i].most);
		expect(cases[i].text);
	}
}

static void
test_times(void **state)
{
	static const struct { int64_t us; const char *text; } cases[] = {
		{ 0, "\"1970-01-01T00:00:00.000Z\"" },
		{ 1795182001121999, "\"2026-11-20T13:40:01.121Z\"" },
		{ 951782400000000, "\"2000-02-29T00:00:00.000Z\"" },
		{ 253402300799999999, "\"9999-12-31T23:59:59.999Z\"" },
		{ 253402300800000000, "null" },
		{ -1, "null" },
		{ INT64_MAX, "null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setup(NULL);
		json_put_wall(&j, NULL, (struct wall){ cases[i].us });
		expect(cases[i].text);
	}
}

static void
test_full_is_told(void **state)
{
	(void)state;
	out.cap = 5;
	json_put_str(&j, NULL, STR("abcd"));
	assert_true(out.full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_commas_are_its_own_affair, setup),
		cmocka_unit_test_setup(test_hostile_strings, setup),
		cmocka_unit_test_setup(test_all_pairs_of_octets, setup),
		cmocka_unit_test_setup(test_cuts_between_characters, setup),
		cmocka_unit_test_setup(test_times, setup),
		cmocka_unit_test_setup(test_full_is_told, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
