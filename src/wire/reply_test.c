#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "wire/reply.h"
#include "base/buf.h"

static enum reply_state
push_all(struct reply *r, const char *const *lines)
{
	enum reply_state s = REPLY_MORE;

	reply_begin(r);
	for (; *lines != NULL; lines++)
		s = reply_push(r, str_of(*lines), NULL);
	return s;
}

static void
replies_are_read(void **state)
{
	static const struct {
		const char *lines[4];
		enum reply_state end;
		short code;
		const char *esc, *text;
	} rows[] = {
		{ { "250 ok" }, REPLY_DONE, 250, "", "ok" },
		{ { "250" }, REPLY_DONE, 250, "", "" },
		{ { "250 " }, REPLY_DONE, 250, "", "" },
		{ { "250-" }, REPLY_MORE, 250, "", "" },
		{ { "250 2.1.0 ok" }, REPLY_DONE, 250, "2.1.0", "ok" },
		{ { "250 2.1.0" }, REPLY_DONE, 250, "2.1.0", "" },
		{ { "550-5.1.1 no", "550 5.1.1 such user" }, REPLY_DONE, 550,
		    "5.1.1", "no such user" },
		{ { "550-5.1.1 no", "550 such user" }, REPLY_DONE, 550,
		    "5.1.1", "no such user" },
		/* An enhanced code of another class is no code. */
		{ { "550 4.7.1 no" }, REPLY_DONE, 550, "", "no" },
		{ { "354 5.1.1 go" }, REPLY_DONE, 354, "", "5.1.1 go" },
		{ { "571 no" }, REPLY_DONE, 571, "", "no" },
		{ { "550 a\rb\x1b[0m\xff" }, REPLY_DONE, 550, "",
		    "a b?[0m?" },
		{ { "" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "25" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "2500 ok" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "250\tok" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "150 ok" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "600 ok" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "2 0 ok" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "+50 ok" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "250-ok", "550 no" }, REPLY_BAD, 0, "4.5.0", NULL },
		{ { "HTTP/1.1 400" }, REPLY_BAD, 0, "4.5.0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reply r;

		assert_int_equal(push_all(&r, rows[i].lines), rows[i].end);
		assert_int_equal(r.code, rows[i].code);
		assert_string_equal(esc_print(r.esc).text, rows[i].esc);
		if (rows[i].text != NULL)
			assert_string_equal(r.text, rows[i].text);
	}
}

static void
limits_hold(void **state)
{
	static char line[REPLY_LINE_MOST + 2];
	struct reply r;

	(void)state;
	memset(line, 'a', sizeof line);
	memcpy(line, "250-", 4);
	reply_begin(&r);
	assert_int_equal(reply_push(&r, (struct str){ line, REPLY_LINE_MOST },
	    NULL), REPLY_MORE);
	assert_int_equal(r.text_n, REPLY_TEXT - 1);
	reply_begin(&r);
	assert_int_equal(reply_push(&r, (struct str){ line,
	    REPLY_LINE_MOST + 1 }, NULL), REPLY_BAD);
	reply_begin(&r);
	for (int i = 0; i < REPLY_LINES_MOST; i++)
		assert_int_equal(reply_push(&r, STR("250-a"), NULL),
		    REPLY_MORE);
	assert_int_equal(reply_push(&r, STR("250 a"), NULL), REPLY_BAD);
	/* 64 lines of 1,024 octets fit, one octet more does not. */
	reply_begin(&r);
	for (int i = 0; i < 63; i++)
		assert_int_equal(reply_push(&r, (struct str){ line, 1022 },
		    NULL), REPLY_MORE);
	line[3] = ' ';
	assert_int_equal(reply_push(&r, (struct str){ line, 1022 }, NULL),
	    REPLY_DONE);
	reply_begin(&r);
	line[3] = '-';
	for (int i = 0; i < 63; i++)
		reply_push(&r, (struct str){ line, 1022 }, NULL);
	assert_int_equal(reply_push(&r, (struct str){ line, 1023 }, NULL),
	    REPLY_BAD);
}

static void
replies_become_verdicts(void **state)
{
	static const struct {
		const char *line;
		enum disposition d;
		const char *esc, *text;
	} rows[] = {
		{ "250 2.1.5 ok", DELIVERED, "2.1.5", "ok" },
		{ "250 ok", DELIVERED, "2.0.0", "ok" },
		{ "451 4.7.1 later", DEFERRED, "4.7.1", "later" },
		{ "451 5.7.1 later", DEFERRED, "4.0.0", "later" },
		{ "550 5.1.1 never", FAILED, "5.1.1", "never" },
		{ "354 go on", DEFERRED, "4.5.0", "go on" },
		{ "what?", DEFERRED, "4.5.0", "the reply is not SMTP" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verdict v;
		struct reply r;

		reply_begin(&r);
		reply_push(&r, str_of(rows[i].line), NULL);
		v = reply_verdict(&r);
		assert_int_equal(v.disposition, rows[i].d);
		assert_string_equal(esc_print(v.esc).text, rows[i].esc);
		assert_string_equal(v.text, rows[i].text);
	}
}

static void
ehlo_is_read(void **state)
{
	static const char *const lines[] = { "250-mx.example SIZE hello",
		"250-PIPELINING", "250-size 52428800", "250-8BITMIME",
		"250-AUTH PLAIN login", "250-AUTH=SCRAM-SHA-256",
		"250-AUTH bad;mech XOAUTH2",
		"250-LIMITS MAILMAX=10 RCPTMAX=100 X=1 RCPTDOMAINMAX",
		"250-X-UNKNOWN 1", "250 ENHANCEDSTATUSCODES" };
	struct ehlo e = { 0 };
	struct reply r;

	(void)state;
	reply_begin(&r);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct str rest;

		assert_int_not_equal(reply_push(&r, str_of(lines[i]), &rest),
		    REPLY_BAD);
		ehlo_push(&e, rest);
		if (i == 0)
			assert_int_equal(e.has, 0);
	}
	assert_int_equal(e.has, CAPABILITY_BIT(PIPELINING) |
	    CAPABILITY_BIT(SIZE) | CAPABILITY_BIT(EIGHTBITMIME) |
	    CAPABILITY_BIT(AUTH) | CAPABILITY_BIT(LIMITS) |
	    CAPABILITY_BIT(ENHANCEDSTATUSCODES));
	assert_int_equal(e.size, 52428800);
	assert_string_equal(e.auth, "PLAIN LOGIN SCRAM-SHA-256 XOAUTH2");
	assert_int_equal(e.mail_max, 10);
	assert_int_equal(e.rcpt_max, 100);
	assert_int_equal(e.rcpt_domain_max, 0);
}

static void
ehlo_is_bounded(void **state)
{
	struct ehlo e = { 0 };

	(void)state;
	ehlo_push(&e, STR("mx"));
	for (int i = 0; i < 100; i++)
		ehlo_push(&e, STR("AUTH ABCDEFGHIJKLMNOPQRST"));
	assert_true(strlen(e.auth) < sizeof e.auth);
	ehlo_push(&e, STR("SIZE 99999999999999999999"));
	assert_true(e.size == 0);
	ehlo_push(&e, STR("SIZE"));
	assert_true((e.has & CAPABILITY_BIT(SIZE)) != 0);
}

static void
writes(const char *want, short code, struct esc esc, const char *text,
    bool utf8)
{
	char out[2048];
	struct buf b = BUF_OF(out);

	reply_write(&b, code, esc, str_of(text), utf8);
	assert_false(b.full);
	assert_true(str_eq(buf_str(&b), str_of(want)));
}

static void
replies_are_written(void **state)
{
	struct esc ok = { 2, 0, 0 };

	(void)state;
	writes("250 2.0.0 ok\r\n", 250, ok, "ok", false);
	writes("250 ok\r\n", 250, ESC_NONE, "ok", false);
	writes("250 2.0.0\r\n", 250, ok, "", false);
	writes("250 \r\n", 250, ESC_NONE, "", false);
	writes("250-2.0.0 a\r\n250 2.0.0 b\r\n", 250, ok, "a\nb", false);
	writes("250-a\r\n250 b\r\n", 250, ESC_NONE, "a\nb\n", false);
	writes("250 2.0.0 a b?c\r\n", 250, ok, "a\rb\x01" "c", false);
	writes("250 2.0.0 ??\r\n", 250, ok, "\xc3\xbc", false);
	writes("250 2.0.0 \xc3\xbc\r\n", 250, ok, "\xc3\xbc", true);
}

/* RFC 5321 4.5.3.1.5: 512 octets with CRLF. */
static void
long_lines_are_cut(void **state)
{
	static char text[1200], out[4096];
	struct buf b = BUF_OF(out);
	struct str all;
	int lines = 0;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[100] = ' ';
	text[700] = '\xc3';
	text[701] = '\xbc';
	reply_write(&b, 550, (struct esc){ 5, 1, 1 }, str_of(text), true);
	all = buf_str(&b);
	while (all.n > 0) {
		struct str line = str_cut(&all, '\n');

		lines++;
		assert_true(line.n + 1 <= 512);
		assert_true(line.p[3] == (all.n > 0 ? '-' : ' '));
		assert_true(str_is_utf8(line));
		assert_true(str_find_str(line, STR("5.1.1 ")) == 4);
	}
	assert_int_equal(lines, 4);
	assert_true(str_find(buf_str(&b), '?') == b.n);
}

/* What we write, we read. */
static void
writing_and_reading_agree(void **state)
{
	char out[1024];
	struct buf b = BUF_OF(out);
	struct verdict v = verdict_make(DEFERRED, 451, "4.3.1", "disk full"), w;
	struct str s;
	struct reply r;

	(void)state;
	reply_write(&b, v.code, v.esc, str_of(v.text), false);
	s = buf_str(&b);
	assert_true(str_has_suffix_icase(s, STR("\r\n")));
	reply_begin(&r);
	assert_int_equal(reply_push(&r, str_sub(s, 0, s.n - 2), NULL),
	    REPLY_DONE);
	w = reply_verdict(&r);
	assert_int_equal(w.disposition, DEFERRED);
	assert_int_equal(w.code, 451);
	assert_int_equal(w.esc.class, v.esc.class);
	assert_int_equal(w.esc.subject, v.esc.subject);
	assert_int_equal(w.esc.detail, v.esc.detail);
	assert_string_equal(w.text, v.text);
}

static void
keywords_find_themselves(void **state)
{
	static const char *const keywords[] = {
#define CAPABILITY(name, keyword) keyword,
#include "wire/ehlo.def"
#undef CAPABILITY
	};

	(void)state;
	for (enum capability c = 0; c < CAPABILITIES; c++) {
		struct ehlo e = { .lines = 1 };

		ehlo_push(&e, str_of(keywords[c]));
		assert_int_equal(e.has, UINT32_C(1) << c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(replies_become_verdicts),
		cmocka_unit_test(ehlo_is_read),
		cmocka_unit_test(ehlo_is_bounded),
		cmocka_unit_test(replies_are_written),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(writing_and_reading_agree),
		cmocka_unit_test(keywords_find_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
