#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/lex.h"

static void
space_and_comments_go(void **state)
{
	static const struct { const char *text, *rest, *comment; } rows[] = {
		{ "a", "a", NULL },
		{ "", "", NULL },
		{ " \t\r\n a", "a", NULL },
		{ "(b)a", "a", "b" },
		{ " (b) (c(d)\\)) a", "a", "c(d)\\)" },
		{ "()", "", "" },
		{ "(a\r\n b)c", "c", "a\r\n b" },
	};
	static const char *const bad[] = { "(", "(()", "(\\)", "(\\", "(a\nb)",
		" (a" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str s = str_of(rows[i].text), comment = STR_NONE;

		assert_true(lex_skip_cfws(&s, &comment));
		assert_true(str_eq(s, str_of(rows[i].rest)));
		assert_true(str_eq(comment, str_of(rows[i].comment)));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct str s = str_of(bad[i]);

		assert_false(lex_skip_cfws(&s, NULL));
	}
}

static void
comments_have_a_depth(void **state)
{
	char text[2 * LEX_COMMENT_DEPTH + 3];

	(void)state;
	for (size_t n = LEX_COMMENT_DEPTH - 1; n <= LEX_COMMENT_DEPTH + 1;
	    n++) {
		struct str s = { text, 2 * n };

		memset(text, '(', n);
		memset(text + n, ')', n);
		assert_int_equal(lex_skip_cfws(&s, NULL),
		    n <= LEX_COMMENT_DEPTH);
	}
}

static void
words_are_measured(void **state)
{
	(void)state;
	assert_int_equal(lex_quoted(STR("\"a\\\"b\"c")), 6);
	assert_int_equal(lex_quoted(STR("\"\"")), 2);
	assert_int_equal(lex_quoted(STR("\"a")), 0);
	assert_int_equal(lex_quoted(STR("\"a\\\"")), 0);
	assert_int_equal(lex_quoted(STR("\"a\\")), 0);
	assert_int_equal(lex_quoted(STR("a")), 0);
	assert_int_equal(lex_quoted(STR("")), 0);
	assert_int_equal(lex_atom(STR("a!b.c")), 3);
	assert_int_equal(lex_atom(STR("\xc3\xbc<")), 2);
	assert_int_equal(lex_atom(STR("@")), 0);
	assert_int_equal(lex_atom(STR("")), 0);
}

static void
quotes_come_off(void **state)
{
	static const char *const rows[][2] = { { "a\\\"b", "a\"b" },
		{ "a\r\n b", "a b" }, { "a\\", "a\\" }, { "\\\\", "\\" },
		{ "", "" } };
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(out);

		lex_unquote(str_of(rows[i][0]), &b);
		assert_true(str_eq(buf_str(&b), str_of(rows[i][1])));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_and_comments_go),
		cmocka_unit_test(comments_have_a_depth),
		cmocka_unit_test(words_are_measured),
		cmocka_unit_test(quotes_come_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
