#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/unitext.h"

static void
there_and_back(void **state)
{
	static const char *const texts[][2] = {
		{ "bob@a.example", "bob@a.example" },
		{ "b\xc3\xbc" "cher@a.example", "b\\x{FC}cher@a.example" },
		{ "a b+c=d\\e\x7f@x", "a\\x{20}b\\x{2B}c\\x{3D}d\\x{5C}e\\x{7F}@x" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80", "\\x{20AC}\\x{1F600}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char room[100];
		struct buf b = BUF_OF(room);

		unitext_encode(str_of(texts[i][0]), &b);
		assert_true(str_eq(buf_str(&b), str_of(texts[i][1])));
		b.n = 0;
		assert_true(unitext_decode(str_of(texts[i][1]), &b));
		assert_true(str_eq(buf_str(&b), str_of(texts[i][0])));
	}
}

static void
what_is_no_unitext(void **state)
{
	static const char *const bad[] = { "\\", "\\x", "\\x{", "\\x{}",
		"\\x{F}", "\\x{41}", "\\x{D800}", "\\x{110000}", "\\x{0000FC0}",
		"\\x{GG}", "a b", "a+b", "a=b", "\xfc", "\\x{00}", "\n" };
	char room[4];
	struct buf b = BUF_OF(room);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		b.n = 0;
		assert_false(unitext_decode(str_of(bad[i]), &b));
	}
	b.n = 0;
	assert_true(unitext_decode(STR("b\xc3\xbc" "c"), &b));
	b.n = 0;
	b.full = false;
	assert_false(unitext_decode(STR("abcde"), &b));	/* no room */
}

static void
malformed_octets_are_replaced(void **state)
{
	char room[32];
	struct buf b = BUF_OF(room);

	(void)state;
	unitext_encode(STR("a\xfc"), &b);
	assert_true(str_eq(buf_str(&b), STR("a\\x{FFFD}")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(what_is_no_unitext),
		cmocka_unit_test(malformed_octets_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
