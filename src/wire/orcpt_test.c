#include "wire/orcpt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>

static void
values_become_words(void **state)
{
	static const struct {
		const char *value, *want;	/* NULL: not valid */
		bool is_utf8;
	} rows[] = {
		{ "rfc822;bob@a.test", "rfc822;bob@a.test", false },
		{ "RFC822;bob+2Bx@a.test", "RFC822;bob+x@a.test", false },
		{ "x400;/C=x+3D/", NULL, false },
		{ "x400;/C+3Dx/+20/", "x400;/C=x/ /", false },
		{ "a-1;~", "a-1;~", false },
		{ "rfc822;a+0Ab", NULL, false },
		{ "rfc822;a+2bb", NULL, false },
		{ "rfc822;a+2", NULL, false },
		{ "rfc822;a+C3+A9", NULL, false },
		{ "rfc822;\xc3\xa9@a", NULL, true },
		{ "rfc822;\\x{E9}", "rfc822;\\x{E9}", false },
		{ "rfc822;", NULL, false }, { "rfc822", NULL, false },
		{ ";a", NULL, false }, { "r_c;a", NULL, false },
		{ "", NULL, false },
		{ "utf-8;\xc3\xa9@a", "utf-8;\xc3\xa9@a", true },
		{ "utf-8;\xc3\xa9@a", NULL, false },
		{ "UTF-8;\\x{E9}@a", "UTF-8;\xc3\xa9@a", false },
		{ "utf-8;\\x{2B}\\x{3D}\\x{5C}\\x{20}", "utf-8;+=\\ ", false },
		{ "utf-8;\\x{3B4}\\x{20AC}\\x{1F600}\\x{10FFFF}",
		    "utf-8;\xce\xb4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
		    false },
		{ "utf-8;bob+2Bx@a", "utf-8;bob+x@a", false },
		{ "utf-8;\\x{D800}+0A", NULL, false },
		{ "utf-8;\\x{110000}=", NULL, false },
		{ "utf-8;\\x{A}=", NULL, false },
		{ "utf-8;\\x{0A}=", NULL, false },
		{ "utf-8;\\x{85}=", NULL, false },
		{ "utf-8;\xc2\x85", NULL, true },
		{ "utf-8;\\x{E9=", NULL, false },
		{ "utf-8;\xc3", NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char room[ORCPT_MOST];
		struct buf b = BUF_OF(room);
		bool fine = orcpt_read(str_of(rows[i].value), rows[i].is_utf8,
		    &b);

		if (fine != (rows[i].want != NULL))
			print_error("%s\n", rows[i].value);
		assert_int_equal(fine, rows[i].want != NULL);
		if (fine)
			assert_true(str_eq(buf_str(&b), str_of(rows[i].want)));
	}
}

static void
no_longer_than_500(void **state)
{
	char value[ORCPT_MOST + 1], room[ORCPT_MOST + 1];

	(void)state;
	memset(value, 'x', sizeof value);
	value[1] = ';';
	for (size_t n = ORCPT_MOST - 1; n <= ORCPT_MOST + 1; n++) {
		struct buf b = BUF_OF(room);

		assert_int_equal(orcpt_read((struct str){ value, n }, false,
		    &b), n <= ORCPT_MOST);
	}
	/* what does not fit is not read */
	for (size_t n = 0; n < 10; n++) {
		struct buf b = { .p = room, .cap = n };

		assert_int_equal(orcpt_read(STR("rfc822;a+2B"), false, &b),
		    n >= 9);
	}
}

/* Any octet of any address comes back, in ASCII and in UTF-8. */
static void
what_is_written_is_read(void **state)
{
	char room[ORCPT_MOST], again[ORCPT_MOST], one[32];

	(void)state;
	for (unsigned c = 0x20; c < 0x7f; c++)
		for (int k = 0; k < 3; k++) {
			struct buf wire = BUF_OF(room), back = BUF_OF(again);
			int n = snprintf(one, sizeof one, "%s;%cx%s",
			    k == 0 ? "rfc822" : "utf-8", (char)c,
			    k == 0 ? "" : "\xc3\xa9\xf0\x9f\x98\x80");
			struct str words = { one, (size_t)n };

			orcpt_write(words, k == 2, &wire);
			assert_int_equal(str_is_ascii(buf_str(&wire)), k != 2);
			assert_int_equal(str_find(buf_str(&wire), ' '), wire.n);
			assert_int_equal(str_find(buf_str(&wire), '='), wire.n);
			assert_true(orcpt_read(buf_str(&wire), k == 2, &back));
			assert_true(str_eq(buf_str(&back), words));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_become_words),
		cmocka_unit_test(no_longer_than_500),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
