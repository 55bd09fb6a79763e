#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/xtext.h"

static void
every_octet_survives(void **state)
{
	char all[256], coded[3 * 256 + 1], back[256];
	struct buf c = BUF_OF(coded), b = BUF_OF(back);

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	xtext_encode((struct str){ all, 256 }, &c);
	assert_false(c.full);
	assert_true(str_is_printable(buf_str(&c)));
	assert_true(str_find(buf_str(&c), ' ') == c.n);
	assert_true(xtext_decode(buf_str(&c), &b));
	assert_memory_equal(back, all, 256);
}

static void
words_are_readable(void **state)
{
	char text[64];
	struct buf b = BUF_OF(text);

	(void)state;
	assert_true(xtext_decode(STR("QQ+2B+20a@b"), &b));
	assert_true(str_eq(buf_str(&b), STR("QQ+ a@b")));
	assert_true(xtext_decode(STR("<>"), &b));
	assert_true(xtext_decode(STR(""), &b));
}

static void
others_are_refused(void **state)
{
	static const struct str rows[] = { STR_INIT("+"), STR_INIT("+2"),
		STR_INIT("+2b"), STR_INIT("+G0"), STR_INIT("a=b"),
		STR_INIT("a b"), STR_INIT("a\0"), STR_INIT("\x7f"),
		STR_INIT("\xc3\xbc"), STR_INIT("++20"), STR_INIT("+ 0") };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(text);

		assert_false(xtext_decode(rows[i], &b));
	}
}

static void
room_has_an_edge(void **state)
{
	char three[3];
	struct buf fits = BUF_OF(three), over = BUF_OF(three);

	(void)state;
	assert_true(xtext_decode(STR("a+20b"), &fits));
	assert_false(xtext_decode(STR("a+20bc"), &over));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_octet_survives),
		cmocka_unit_test(words_are_readable),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(room_has_an_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
