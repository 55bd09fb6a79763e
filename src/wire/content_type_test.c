#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "wire/content_type.h"

static void
test_params(void **state)
{
	static const struct {
		const char *params, *name, *value;
		int rc;
	} rows[] = {
		{ "; a=b", "A", "b", 1 }, { "; a=b", "c", "", 0 },
		{ ";a=\"x \\\"y\\\"\"", "a", "x \"y\"", 1 },
		{ "; a = (c) b (d)", "a", "b", 1 },
		{ "; a=b; a=c", "a", "", -1 },
		{ "; a*=utf-8''%c3%BC", "a", "\xc3\xbc", 1 },
		{ "; a*=utf-8'de'x%20y; b=c", "a", "x y", 1 },
		{ "; a*=nothing", "a", "", -1 },
		{ "; a*=utf-8''%c", "a", "", -1 },
		{ "; a*0=x; a*1=y", "a", "xy", 1 },
		{ "; a*1=y; a*0=x", "a", "xy", 1 },
		{ "; a*0*=utf-8''%41; a*1=%41; a*2*=%41", "a", "A%41A", 1 },
		{ "; a*0=x; a*2=z", "a", "x", 1 }, { "; a*1=x", "a", "", 0 },
		{ "; a*0=x; a*0=y", "a", "", -1 },
		{ "; a*x=y", "a", "", -1 }, { "; a*101=y", "a", "", -1 },
		{ "; a", "a", "", -1 }, { "; a=", "a", "", -1 },
		{ "; a=\"b", "a", "", -1 }, { "; a=b c", "a", "", -1 },
		{ "; boundary=----=_Next/Part:1", "boundary",
		    "----=_Next/Part:1", 1 },
		{ ";;; a=b;", "a", "b", 1 }, { "", "a", "", 0 },
	};
	char room[32];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf b = BUF_OF(room);

		assert_int_equal(content_param(str_of(rows[i].params),
		    str_of(rows[i].name), &b), rows[i].rc);
		if (rows[i].rc == 1)
			assert_true(str_eq(buf_str(&b),
			    str_of(rows[i].value)));
	}
}

static void
test_limits(void **state)
{
	char many[CONTENT_PARAMS_MOST * 4 + 8], room[8];
	struct buf b = BUF_OF(room);
	struct str s = { many, sizeof many };

	(void)state;
	for (size_t i = 0; i + 4 <= sizeof many; i += 4)
		memcpy(many + i, i == 0 ? ";a=b" : ";x=y", 4);
	assert_int_equal(content_param(str_sub(s, 0, CONTENT_PARAMS_MOST * 4),
	    STR("a"), &b), 1);
	assert_int_equal(content_param(str_sub(s, 0,
	    CONTENT_PARAMS_MOST * 4 + 4), STR("a"), &b), -1);
	b = BUF_OF(room);
	assert_int_equal(content_param(STR(";a=12345678"), STR("a"), &b), 1);
	b = BUF_OF(room);
	assert_int_equal(content_param(STR(";a=123456789"), STR("a"), &b), -1);
}

static void
test_tokens(void **state)
{
	struct str params;

	(void)state;
	assert_true(str_eq(content_token(STR(" 8bit \r\n"), NULL), STR("8bit")));
	assert_true(str_eq(content_token(STR("(x) attachment; a=b"), &params),
	    STR("attachment")));
	assert_true(str_eq(params, STR("; a=b")));
	assert_null(content_token(STR("8 bit"), NULL).p);
	assert_null(content_token(STR("\"8bit\""), NULL).p);
	assert_null(content_token(STR(""), NULL).p);
	assert_null(content_token(STR("(8bit"), NULL).p);
}

/* ---- another library's tables ---- */

enum { TYPE, PARAM, AGREEMENTS };

static void
compare(const json_t *row, unsigned *agreed, unsigned *asked)
{
	const json_t *e = json_object_get(row, "expected"), *pair;
	const json_t *list = json_object_get(e, "attributes");
	const char *type = json_string_value(json_object_get(e, "c_type"));
	const char *sub = json_string_value(json_object_get(e, "c_subtype"));
	const char *text = json_string_value(json_object_get(row, "header"));
	struct content_type c = content_type_read(str_of(text));
	char room[256];
	size_t i;

	asked[TYPE]++;
	agreed[TYPE] += c.is_valid == (type != NULL && sub != NULL) &&
	    (!c.is_valid || content_type_is(&c, str_of(type), str_of(sub)));
	if (!c.is_valid)
		return;
	json_array_foreach(list, i, pair) {
		struct buf b = BUF_OF(room);

		asked[PARAM]++;
		agreed[PARAM] += content_param(c.params, str_of(
		    json_string_value(json_array_get(pair, 0))), &b) == 1 &&
		    str_eq(buf_str(&b), str_of(json_string_value(
		    json_array_get(pair, 1))));
	}
}

/*
 * It makes something of everything; where it does so of what no grammar allows
 * (no ";", "a/b/c", parameters that are none, names with many asterisks), we say
 * that it is not valid.  It decodes encoded words in parameters, to which RFC
 * 2047 5 (3) says never, and calls a language a parameter.  All else agrees.
 */
static void
test_stalwart(void **state)
{
	json_t *all = json_load_file("test/vectors/mime-stalwart/"
	    "content_type.json", JSON_ALLOW_NUL, NULL);
	unsigned agreed[AGREEMENTS] = { 0 }, asked[AGREEMENTS] = { 0 };

	(void)state;
	assert_int_equal(json_array_size(all), 103);
	for (size_t i = 0; i < json_array_size(all); i++)
		compare(json_array_get(all, i), agreed, asked);
	json_decref(all);
	assert_int_equal(asked[TYPE], 103);
	assert_int_equal(agreed[TYPE], 97);
	assert_int_equal(asked[PARAM], 86);
	assert_int_equal(agreed[PARAM], 57);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_stalwart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
