#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/refusal.h"

static void
esc_is_read_exactly(void **state)
{
	static const struct { const char *text; struct esc esc; } good[] = {
		{ "2.0.0", { 2, 0, 0 } },
		{ "5.1.1", { 5, 1, 1 } },
		{ "4.7.999", { 4, 7, 999 } },
		{ "5.999.10", { 5, 999, 10 } },
	};
	static const char *const bad[] = { "", "5", "5.", "5.1", "5.1.", "5..1",
		"5.1.1.", "5.1.1.1", "3.1.1", "0.1.1", "55.1.1", "5.01.1",
		"5.1.01", "5.1000.1", "5.1.1000", "5.1.1 ", " 5.1.1", "5.-1.1",
		"5.1.a", "5.+1.1" };
	struct esc e = ESC_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(esc_parse(str_of(good[i].text), &e));
		assert_int_equal(e.class, good[i].esc.class);
		assert_int_equal(e.subject, good[i].esc.subject);
		assert_int_equal(e.detail, good[i].esc.detail);
		assert_string_equal(esc_print(e).text, good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(esc_parse(str_of(bad[i]), &e));
	assert_false(esc_parse(STR("5.1.1\0"), &e));
	assert_string_equal(esc_print(ESC_NONE).text, "");
}

static void
esc_is_taken_off_the_front(void **state)
{
	struct str s = STR("5.1.1 no such user"), whole = STR("2.0.0");
	struct str none = STR("5.1.1.no such user");
	struct esc e = ESC_NONE;

	(void)state;
	assert_true(esc_take(&s, &e));
	assert_true(str_eq(s, STR("no such user")));
	assert_true(esc_take(&whole, &e));
	assert_int_equal(whole.n, 0);
	assert_false(esc_take(&none, &e));
	assert_int_equal(none.n, 18);
}

/* The reason stands at the end of a long text, and no character is halved. */
static void
verdict_keeps_the_end(void **state)
{
	char most[VERDICT_TEXT - 1], more[VERDICT_TEXT], wide[3 * VERDICT_TEXT];
	struct verdict v;

	(void)state;
	memset(most, 'a', sizeof most);
	v = verdict_of(FAILED, 550, ESC_NONE, (struct str){ most, sizeof most });
	assert_int_equal(strlen(v.text), sizeof most);
	assert_null(strstr(v.text, " ... "));
	memset(more, 'a', sizeof more);
	memcpy(more + sizeof more - 6, "reason", 6);
	v = verdict_of(FAILED, 550, ESC_NONE, (struct str){ more, sizeof more });
	assert_int_equal(strlen(v.text), VERDICT_TEXT - 1);
	assert_non_null(strstr(v.text, "a ... a"));
	assert_string_equal(v.text + VERDICT_TEXT - 1 - 6, "reason");
	for (size_t i = 0; i < sizeof wide; i += 3)
		memcpy(wide + i, "\xe2\x82\xac", 3);
	for (size_t n = sizeof wide - 3; n < sizeof wide; n++) {
		v = verdict_of(FAILED, 550, ESC_NONE,
		    (struct str){ wide + sizeof wide - n, n });
		assert_string_equal(v.text + strlen(v.text) - 3, "\xe2\x82\xac");
		assert_null(strchr(strstr(v.text, " ... "), '?'));
	}
}

static void
verdict_class_agrees(void **state)
{
	struct verdict v = verdict_make(FAILED, 550, "5.1.1", "no %s", "bob");

	(void)state;
	assert_string_equal(v.text, "no bob");
	assert_int_equal(v.code, 550);
	v = verdict_of(DEFERRED, 451, (struct esc){ 5, 1, 1 }, STR("x"));
	assert_string_equal(esc_print(v.esc).text, "4.0.0");
	v = verdict_of(DELIVERED, 250, ESC_NONE, STR_NONE);
	assert_string_equal(esc_print(v.esc).text, "2.0.0");
	assert_string_equal(v.text, "");
}

static void
text_is_made_fit(void **state)
{
	static const struct { struct str in; const char *out; } rows[] = {
		{ STR_INIT("plain"), "plain" },
		{ STR_INIT("a\r\nb\tc"), "a  b c" },
		{ STR_INIT("nul\0bel\a\x1b[31m\x7f"), "nul?bel??[31m?" },
		{ STR_INIT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
		{ STR_INIT("bad \xff\xc3"), "bad ??" },
		{ STR_INIT("\xe2\x80\xaetxt"), "?txt" },		/* U+202E */
		{ STR_INIT("\xc2\x9b" "31m"), "?31m" },		/* CSI */
		{ STR_INIT("\xe2\x80\xa8"), "?" },			/* U+2028 */
		{ STR_INIT("\xf0\x9f\x9a\x82"), "\xf0\x9f\x9a\x82" },
		{ STR_INIT("\xf3\xa0\x80\x81"), "?" },		/* a tag */
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		text_clean(rows[i].in, out, sizeof out);
		assert_string_equal(out, rows[i].out);
	}
}

static void
text_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	text_clean(STR("1234567"), out, sizeof out);
	assert_string_equal(out, "1234567");
	text_clean(STR("12345678"), out, sizeof out);
	assert_string_equal(out, "1234567");
	text_clean(STR("123456\xc3\xbc"), out, sizeof out);
	assert_string_equal(out, "123456");
	text_clean(STR("12345\xc3\xbc"), out, sizeof out);
	assert_string_equal(out, "12345\xc3\xbc");
	text_clean(STR("1"), out, 1);
	assert_string_equal(out, "");
}

/* Each refusal is fit to be sent: SECURITY.md row 20. */
static void
refusals_are_replies(void **state)
{
	(void)state;
	for (enum refusal_name n = 0; n < REFUSALS; n++) {
		const struct refusal *r = refusal_get(n);

		assert_int_equal(r->name, n);
		assert_int_equal(r->code / 100, r->esc.class);
		assert_true(str_is_printable(str_of(r->text)));
		assert_in_range(strlen(r->text), 1, 80);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(esc_is_read_exactly),
		cmocka_unit_test(esc_is_taken_off_the_front),
		cmocka_unit_test(verdict_class_agrees),
		cmocka_unit_test(verdict_keeps_the_end),
		cmocka_unit_test(text_is_made_fit),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(refusals_are_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
