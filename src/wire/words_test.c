#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/words.h"

/* What is filled in is the same in every language. */
static size_t
arguments(enum language l, enum words w)
{
	const char *text = words_text(l, w);
	size_t n = 0;

	for (size_t i = 0; text[i] != '\0'; i++)
		n += text[i] == '%';
	return n;
}

static void
each_text_is_whole(void **state)
{
	(void)state;
	for (size_t l = 0; l < LANGUAGES; l++)
		for (size_t w = 0; w < WORDS_ALL; w++) {
			const char *text = words_text((enum language)l,
			    (enum words)w);
			struct str s = str_of(text);

			if (text == NULL)
				fail_msg("%s lacks text %zu",
				    language_tag((enum language)l), w);
			assert_true(str_is_utf8(s) && s.n > 5);
			assert_true(str_find(s, '\n') == s.n);
			assert_int_equal(arguments((enum language)l,
			    (enum words)w), arguments(LANGUAGE_en,
			    (enum words)w));
			assert_true(l != LANGUAGE_en || str_is_printable(s));
		}
}

static void
lines_are_wrapped(void **state)
{
	static char room[4096];
	struct buf b = BUF_OF(room);
	struct str args[2] = { STR("a\x1b[1mb\r\nc"), STR("d") }, s;

	(void)state;
	words_put(&b, "% says %", args, 2, "  ");
	assert_true(str_eq(buf_str(&b), STR("  a?[1mb  c says d\r\n")) ||
	    str_eq(buf_str(&b), STR("  a?[1mb c says d\r\n")));
	for (size_t l = 0; l < LANGUAGES; l++)
		for (size_t w = 0; w < WORDS_ALL; w++) {
			b.n = 0;
			words_put(&b, words_text((enum language)l,
			    (enum words)w), args, arguments(LANGUAGE_en,
			    (enum words)w), "    ");
			assert_false(b.full);
			s = buf_str(&b);
			assert_true(str_has_suffix_icase(s, STR("\r\n")));
			while (s.n > 0)
				assert_in_range(str_cut(&s, '\n').n, 6,
				    2 * WORDS_LINE);
		}
}

/* RFC 2047: each word stands alone, 75 at most, and holds whole characters. */
static void
subjects_are_encoded(void **state)
{
	char room[1024];
	struct buf b = BUF_OF(room);
	struct str s;

	(void)state;
	words_put_field(&b, STR("Subject"), "plain words");
	assert_true(str_eq(buf_str(&b), STR("Subject: plain words\r\n")));
	b.n = 0;
	words_put_field(&b, STR("Subject"), "Ihre Nachricht verz\xc3\xb6gert "
	    "sich \xe2\x82\xac \xe2\x82\xac \xe2\x82\xac \xe2\x82\xac "
	    "\xe2\x82\xac \xe2\x82\xac \xe2\x82\xac = ?");
	s = buf_str(&b);
	assert_true(str_is_printable(str_sub(s, 0, str_find(s, '\r'))));
	assert_in_range(str_find(s, '\r'), 60, 76);
	assert_true(str_skip(&s, STR("Subject: =?utf-8?Q?Ihre_Nachricht_verz"
	    "=C3=B6gert_sich_=E2=82=AC_=E2=82=AC?=\r\n =?utf-8?Q?_=E2")));
	assert_true(str_has_suffix_icase(s, STR("=3D_=3F?=\r\n")));
	while (s.n > 0)
		assert_in_range(str_cut(&s, '\n').n, 1, 76 + 1);
}

static void
the_language_asked_for(void **state)
{
	static const struct { const char *value; enum language is; } rows[] = {
		{ "de", LANGUAGE_de },
		{ "de-AT, en;q=0.5", LANGUAGE_de },
		{ "en;q=0.5,\r\n FR-ca ; q = 0.8", LANGUAGE_fr },
		{ "sv, da;q=0.9, nl;q=0.1", LANGUAGE_nl },
		{ "de;q=0, it;q=0.001", LANGUAGE_it },
		{ "sv, *", LANGUAGE_en },
		{ "", LANGUAGE_en },
		{ "de;q=2, pl;q=1.000", LANGUAGE_pl },
		{ "de;q=0.1234, pt;q=0.1", LANGUAGE_pt },
		{ "de;x, es;q=.5, ;;;,,", LANGUAGE_en },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(language_accepted(str_of(rows[i].value),
		    LANGUAGE_en), rows[i].is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_is_whole),
		cmocka_unit_test(lines_are_wrapped),
		cmocka_unit_test(subjects_are_encoded),
		cmocka_unit_test(the_language_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
