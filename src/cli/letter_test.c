#include "cli/letter.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static struct letter letter;

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, 64 * 1024 * 1024);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	letter_close(&letter);
	arena_clear(&arena);
	return 0;
}

static int
read_text(struct str text, bool dot_ends)
{
	FILE *f = tmpfile();
	int rc;

	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	rewind(f);
	letter_close(&letter);
	arena_clear(&arena);
	rc = letter_read(&letter, &arena, fileno(f), dot_ends);
	fclose(f);
	return rc;
}

static void
assert_body(const char *wanted)
{
	char room[1024];
	ssize_t n = pread(letter.body_fd, room, sizeof room - 1, 0);

	assert_int_equal(n, letter.body_octets);
	room[n] = '\0';
	assert_string_equal(room, wanted);
}

static void
assert_header(const char *name, const char *wanted)
{
	struct str h = letter_header(&letter, STR("mx.test"),
	    STR("me@mx.test"), str_of(name));

	assert_non_null(h.p);
	assert_string_equal(arena_cstr(&arena, h), wanted);
}

struct gathered {
	struct letter_rcpts to;
	char text[1024];
	struct buf b;
};

static int
gather(struct letter_rcpts *to, struct str address)
{
	struct gathered *g = OWNER_OF(to, struct gathered, to);

	buf_printf(&g->b, "%s" STR_FMT, g->b.n > 0 ? " " : "",
	    STR_ARG(address));
	return 0;
}

static int
recipients(struct gathered *g)
{
	int rc;

	*g = (struct gathered){ .to.add = gather };
	g->b = BUF_OF(g->text);
	rc = letter_recipients(&letter, STR("mx.test"), &g->to);
	buf_putc(&g->b, '\0');
	return rc;
}

static void
assert_recipients(const char *wanted)
{
	struct gathered g;

	assert_int_equal(recipients(&g), 0);
	assert_string_equal(g.text, wanted);
}

static void
test_line_ends(void **state)
{
	static const struct { const char *in, *body; bool dot_ends; } cases[] = {
		{ "S: x\n\nhello\n", "hello\r\n", true },
		{ "S: x\r\n\r\nhello\r\n", "hello\r\n", true },
		{ "S: x\n\nhello", "hello\r\n", true },
		{ "S: x\n\na\rb\r\r\nc\r", "a\r\nb\r\nc\r\n", true },
		{ "S: x\n\na\n.\nb\n", "a\r\n", true },
		{ "S: x\n\na\n.\nb\n", "a\r\n.\r\nb\r\n", false },
		{ "S: x\n\na\n.b\n..\n", "a\r\n.b\r\n..\r\n", true },
		{ "S: x\n\na\n.", "a\r\n", true },
		{ "S: x\n\na\n.", "a\r\n.\r\n", false },
		{ "S: x\n", "", true },
		{ "S: x", "", true },
		{ "", "", true },
		{ ".\nbehind", "", true },
		{ "no header here\n\ntext\n", "no header here\r\n\r\ntext\r\n",
		    true },
		{ "From me Sat Nov 21\nS: x\n\ny\n", "y\r\n", true },
		{ "S: x\n\nFrom me\n", "From me\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(str_of(cases[i].in),
		    cases[i].dot_ends), 0);
		assert_body(cases[i].body);
	}
}

static void
test_nul_and_long_lines(void **state)
{
	static char text[2 * LETTER_LINE_MOST + 8];

	(void)state;
	assert_int_equal(read_text(STR("S: x\n\na\0b\n"), true), 0);
	assert_body("a?b\r\n");
	for (size_t n = LETTER_LINE_MOST - 1; n <= LETTER_LINE_MOST + 1; n++) {
		memset(text, 'x', sizeof text);
		memcpy(text, "S: x\n\n", 6);
		text[6 + n] = '\n';
		assert_int_equal(read_text((struct str){ text, 7 + n }, true), 0);
		/* a line of exactly the most is followed by an empty one */
		assert_int_equal(letter.body_octets, n + 2 +
		    (n >= LETTER_LINE_MOST ? 2 : 0));
	}
}

static void
test_8bit(void **state)
{
	(void)state;
	assert_int_equal(read_text(STR("S: x\n\nplain\n"), true), 0);
	assert_false(letter.is_8bit);
	assert_int_equal(read_text(STR("S: x\n\n\xc3\xbc\n"), true), 0);
	assert_true(letter.is_8bit);
	assert_int_equal(read_text(STR("S: \xc3\xbc\n\nx\n"), true), 0);
	assert_true(letter.is_8bit);
}

static void
test_header(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "Subject: x\n\n", "Subject: x\r\nFrom: me@mx.test\r\n\r\n" },
		{ "From: root (Cron Daemon)\nTo: root\n\n",
		    "From: root@mx.test (Cron Daemon)\r\nTo: root@mx.test\r\n"
		    "\r\n" },
		{ "From: a@b.test\nBcc: x@y.test\nbcc:\n z@y.test\n\n",
		    "From: a@b.test\r\n\r\n" },
		{ "FROM: a@b.test\nReturn-Path: <x@y>\nContent-Length: 9\n"
		    "Resent-Bcc: q\n\n", "FROM: a@b.test\r\n\r\n" },
		{ "From: \"John Q.\" <john>, Sue <sue@x.test>, \"a b\"\n\n",
		    "From: \"John Q.\" <john@mx.test>, Sue <sue@x.test>, "
		    "\"a b\"@mx.test\r\n\r\n" },
		{ "From: x y z\n\n", "From: x y z\r\n\r\n" },
		{ "From: a@b.test\nTo: friends: bob, eve@x.test;, al\n\n",
		    "From: a@b.test\r\nTo: friends: bob@mx.test, eve@x.test;, "
		    "al@mx.test\r\n\r\n" },
		{ "From: a@b.test\nX-To: bob\n\n",
		    "From: a@b.test\r\nX-To: bob\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(str_of(cases[i].in), true), 0);
		assert_header("", cases[i].out);
	}
}

static void
test_from_name(void **state)
{
	(void)state;
	assert_int_equal(read_text(STR("\n"), true), 0);
	assert_header("Me \"Q\"", "From: \"Me \\\"Q\\\"\" <me@mx.test>\r\n\r\n");
	assert_header("J\xc3\xb6", "From: =?UTF-8?Q?J=C3=B6?= <me@mx.test>\r\n"
	    "\r\n");
	assert_header("\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6"
	    "\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6", "From: =?UTF-8?Q?=C3=B6=C3=B6"
	    "=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6?=\r\n"
	    " =?UTF-8?Q?=C3=B6?= <me@mx.test>\r\n\r\n");
}

static void
test_recipients(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "To: bob\nCc: Eve <eve@x.test>,\n al\nBcc: z@y.test\n\n",
		    "bob@mx.test eve@x.test al@mx.test z@y.test" },
		{ "To: friends: a@x.test, \"b c\"@x.test;\n\n",
		    "a@x.test \"b c\"@x.test" },
		{ "To: undisclosed-recipients:;\nSubject: x\n\n", "" },
		{ "From: a@x.test\nReply-To: b@x.test\n\n", "" },
		{ "To: a@x.test (a, comment)\nTo: b@x.test\n\n",
		    "a@x.test b@x.test" },
		{ "Resent-To: r@x.test\nResent-Cc: s\nTo: a@x.test\n\n",
		    "r@x.test s@mx.test" },
		/* the newest block only: a name again, or a trace field */
		{ "Resent-To: r@x.test\nResent-From: q@x.test\n"
		    "Resent-To: old@x.test\nTo: a@x.test\n\n", "r@x.test" },
		{ "Resent-To: r@x.test\nReceived: by x; y\n"
		    "Resent-Bcc: old@x.test\nTo: a@x.test\n\n", "r@x.test" },
		{ "Resent-From: q@x.test\nTo: a@x.test\n\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(str_of(cases[i].in), true), 0);
		assert_recipients(cases[i].out);
	}
}

static void
test_bad_recipients(void **state)
{
	static const char *const cases[] = {
		"To: a b c\n\n", "To: <a@b@c>\n\n", "To: a@x..test\n\n",
		"To: \"a\\\r\n b\"@x.test <\n\n",
		"To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaa\n\n",
	};
	struct gathered g;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(str_of(cases[i]), true), 0);
		assert_int_equal(recipients(&g), EX_DATAERR);
	}
}

/* Who writes a dot alone may wait for us, and keep his end open. */
static void
test_a_dot_ends_what_stays_open(void **state)
{
	static const struct { struct str text; const char *body; } rows[] = {
		{ STR_INIT("Subject: a\n\nb\n.\n"), "b\r\n" },
		{ STR_INIT("Subject: a\r\n\r\nb.\r\n.\r\n"), "b.\r\n" },
		{ STR_INIT(".\n"), "" },
	};
	int ends[2];

	(void)state;
	alarm(20);			/* else it would wait for ever */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], rows[i].text.p,
		    rows[i].text.n), rows[i].text.n);
		letter_close(&letter);
		arena_clear(&arena);
		assert_int_equal(letter_read(&letter, &arena, ends[0], true), 0);
		assert_body(rows[i].body);
		close(ends[0]);
		close(ends[1]);
	}
	alarm(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_nul_and_long_lines),
		cmocka_unit_test(test_8bit),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_from_name),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_bad_recipients),
		cmocka_unit_test(test_a_dot_ends_what_stays_open),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
