#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_equality(void **state)
{
	(void)state;
	assert_true(str_eq(STR(""), STR_NONE));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq(STR("ab"), STR("abc")));
	assert_true(str_eq_icase(STR("QUIT"), STR("qUiT")));
	assert_false(str_eq_icase(STR("QUIT"), STR("QUI")));
	/* ASCII case only: 0xc4 and 0xe4 differ, and so do '@' and '`'. */
	assert_false(str_eq_icase(STR("\xc4"), STR("\xe4")));
	assert_false(str_eq_icase(STR("@[\\]^_"), STR("`{|}~\x7f")));
	assert_true(str_order(STR("a"), STR("b")) < 0);
	assert_true(str_order(STR("b"), STR("a")) > 0);
	assert_true(str_order(STR("a"), STR("ab")) < 0);
	assert_true(str_order(STR("ab"), STR("a")) > 0);
	assert_int_equal(str_order(STR_NONE, STR("")), 0);
}

static void
test_c_strings(void **state)
{
	char room[4] = "xyz";

	(void)state;
	assert_null(str_of(NULL).p);
	assert_int_equal(str_of("abc").n, 3);
	assert_true(str_cstr(STR("abc"), room, sizeof room));
	assert_string_equal(room, "abc");
	assert_false(str_cstr(STR("abcd"), room, sizeof room));
	assert_string_equal(room, "");
	assert_false(str_cstr(STR("a\0b"), room, sizeof room));
	assert_string_equal(room, "");
	assert_true(str_cstr(STR_NONE, room, 1));
	assert_false(str_cstr(STR(""), room, 0));
}

static void
test_prefix_and_suffix(void **state)
{
	struct str s = STR("MAIL FROM:<>");

	(void)state;
	assert_true(str_has_prefix_icase(s, STR("mail from:")));
	assert_false(str_has_prefix_icase(STR("MAI"), STR("MAIL")));
	assert_true(str_has_suffix_icase(STR("mx.Example.ORG"), STR(".example.org")));
	assert_true(str_has_suffix_icase(STR("ORG"), STR("org")));
	assert_false(str_has_suffix_icase(STR("org"), STR("example.org")));
	assert_false(str_skip(&s, STR("mail")));
	assert_true(str_skip(&s, STR("MAIL")));
	assert_false(str_skip_icase(&s, STR("from:")));
	assert_true(str_skip_icase(&s, STR(" from:")));
	assert_true(str_eq(s, STR("<>")));
	assert_true(str_skip(&s, STR("")));
	assert_true(str_eq(s, STR("<>")));
}

static void
test_cutting(void **state)
{
	struct str s = STR("a,,b"), none = STR_NONE;

	(void)state;
	assert_true(str_eq(str_cut(&s, ','), STR("a")));
	assert_true(str_eq(str_cut(&s, ','), STR("")));
	assert_true(str_eq(str_cut(&s, ','), STR("b")));
	assert_int_equal(s.n, 0);
	assert_int_equal(str_cut(&s, ',').n, 0);
	assert_null(str_cut(&none, ',').p);
	assert_null(none.p);
	s = STR("abcdef");
	assert_true(str_eq(str_sub(s, 2, 3), STR("cde")));
	assert_true(str_eq(str_sub(s, 5, 9), STR("f")));
	assert_true(str_eq(str_sub(s, 6, 1), STR("")));
	assert_true(str_eq(str_sub(s, SIZE_MAX, SIZE_MAX), STR("")));
	assert_true(str_eq(str_sub(s, 1, SIZE_MAX), STR("bcdef")));
	assert_null(str_sub(STR_NONE, 3, 3).p);
	assert_true(str_eq(str_trim(STR(" \t\r\na b\n ")), STR("a b")));
	assert_true(str_eq(str_trim(STR(" \t ")), STR("")));
	assert_true(str_eq(str_trim(STR("\v")), STR("\v")));
	assert_true(str_eq(str_trim_wsp(STR(" \ta b\t ")), STR("a b")));
	assert_true(str_eq(str_trim_wsp(STR("\n a\r")), STR("\n a\r")));
	assert_true(str_eq(str_trim_wsp(STR(" \t")), STR("")));
}

static void
test_finding(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("abca"), 'a'), 0);
	assert_int_equal(str_find_last(STR("abca"), 'a'), 3);
	assert_int_equal(str_find(STR("abc"), 'x'), 3);
	assert_int_equal(str_find_last(STR("abc"), 'x'), 3);
	assert_int_equal(str_find(STR_NONE, 'x'), 0);
	assert_int_equal(str_find_last(STR_NONE, 'x'), 0);
	assert_int_equal(str_find(STR("a\0b"), 'b'), 2);
	assert_int_equal(str_find_str(STR("abcabd"), STR("abd")), 3);
	assert_int_equal(str_find_str(STR("ab"), STR("abc")), 2);
	assert_int_equal(str_find_str(STR("ab"), STR("")), 0);
	assert_int_equal(str_find_str(STR("a\0b\0c"), STR("\0c")), 3);
}

static void
test_characters(void **state)
{
	char text[] = "xxxxxxxxxxxxxxxxxxxxxxxxxx";
	size_t digits = 0, letters = 0;

	(void)state;
	for (int c = 0; c < 256; c++) {
		digits += ascii_is_digit((char)c);
		letters += ascii_is_alpha((char)c);
		assert_int_equal(ascii_is_alnum((char)c),
		    ascii_is_digit((char)c) || ascii_is_alpha((char)c));
	}
	assert_int_equal(digits, 10);
	assert_int_equal(letters, 52);
	assert_int_equal(ascii_lower('Z'), 'z');
	assert_int_equal(ascii_lower('@'), '@');
	assert_int_equal(ascii_lower('['), '[');
	assert_true(str_is_printable(STR(" ~")));
	assert_false(str_is_printable(STR("\x1f")));
	assert_false(str_is_printable(STR("\x7f")));
	assert_false(str_is_printable(STR("\xc3\xa4")));
	assert_true(str_is_ascii(STR("\0\x7f")));
	assert_false(str_is_ascii(STR("a\x80")));
	assert_true(str_is_ascii(STR_NONE));
	for (size_t n = 1; n < sizeof text; n++)
		for (size_t at = 0; at < n; at++) {
			assert_true(str_is_ascii((struct str){ text, n }));
			text[at] = '\x80';
			assert_false(str_is_ascii((struct str){ text, n }));
			assert_true(str_is_ascii((struct str){ text, at }));
			text[at] = 'x';
		}
	assert_true(str_is_utf8(STR("\0a\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xa7")));
	assert_true(str_is_utf8(STR_NONE));
	assert_false(str_is_utf8(STR("a\xc3")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_c_strings),
		cmocka_unit_test(test_prefix_and_suffix),
		cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
