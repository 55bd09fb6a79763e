#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "wire/bounce_read.h"

enum { MESSAGE_MOST = 1024 * 1024 };

static struct arena arena;

static const struct bounce *
read_in_steps(struct str message, size_t step)
{
	struct bounce_reader *r;

	arena_clear(&arena);
	arena_init(&arena, BOUNCE_READ_MEMORY);
	r = bounce_read_begin(&arena);
	assert_non_null(r);
	for (; message.n > 0; message = str_sub(message, step, message.n))
		bounce_read(r, str_sub(message, 0, step));
	return bounce_read_end(r);
}

static const struct bounce *
reads(const char *message)
{
	return read_in_steps(str_of(message), 7);
}

static void
told_is(const struct bounce_told *t, const char *address, int code,
    const char *esc, const char *reply)
{
	assert_non_null(t);
	if (!str_eq(t->address, str_of(address)))
		fail_msg("'" STR_FMT "' is not %s", STR_ARG(t->address), address);
	assert_int_equal(t->code, code);
	assert_string_equal(esc_print(t->esc).text, esc);
	if (str_find_str(t->reply, str_of(reply)) == t->reply.n)
		fail_msg("'" STR_FMT "' has no %s", STR_ARG(t->reply), reply);
}

#define DAEMON "From: MAILER-DAEMON@mx.example.org\n" \
	"To: me@example.net\nSubject: failure notice\n"

/* ---- in words ---- */

static void
qmail_is_read(void **state)
{
	const struct bounce *b = reads(DAEMON "\n"
	    "Hi. This is the qmail-send program at mx.example.org.\n"
	    "I'm afraid I wasn't able to deliver your message to the following "
	    "addresses.\n\n<a@b.example>:\nRemote host said: 550 5.1.1 no such "
	    "user\n\n<c@d.example>:\nSorry, no mailbox here by that name. "
	    "(#5.1.1)\n\n--- Below this line is a copy of the message.\n\n"
	    "Return-Path: <me@example.net>\nMessage-ID: <1@example.net>\n"
	    "Subject: hello\nTo: x@y.example\n\n<z@z.example>:\n");

	(void)state;
	assert_int_equal(b->kind, BOUNCE_FAILURE);
	assert_int_equal(b->n, 2);
	told_is(b->told, "a@b.example", 550, "5.1.1", "Remote host said");
	told_is(b->told->next, "c@d.example", 0, "5.1.1", "no mailbox here");
	assert_null(b->told->next->next);
	assert_true(str_eq(b->message_id, STR("1@example.net")));
	assert_true(str_eq(b->original_subject, STR("hello")));
	assert_true(str_eq(b->reporter, STR("MAILER-DAEMON@mx.example.org")));
	assert_int_equal(b->told->action, DSN_FAILURE);
}

static void
who_helps_is_no_recipient(void **state)
{
	const struct bounce *b = reads(DAEMON "\nUnable to deliver to:\n\n"
	    "  a@b.example\n\nFor help write to <postmaster@mx.example.org> or "
	    "contact help@mx.example.org.\n");

	(void)state;
	assert_int_equal(b->n, 1);
	told_is(b->told, "a@b.example", 0, "5.0.0", "a@b.example");
}

static void
transcripts_tell_the_command(void **state)
{
	const struct bounce *b = reads(DAEMON "\n   ----- The following "
	    "addresses had permanent fatal errors -----\n<a@b.example>\n\n   "
	    "----- Transcript of session follows -----\n... while talking to "
	    "mx.b.example.:\n>>> RCPT To:<a@b.example>\n<<< 250 ok\n>>> DATA\n"
	    "<<< 554 5.7.1 not wanted\n554 5.0.0 <a@b.example>... Service "
	    "unavailable\n");

	(void)state;
	assert_int_equal(b->n, 1);
	told_is(b->told, "a@b.example", 554, "5.7.1", "not wanted");
	assert_int_equal(b->told->phase, BOUNCE_DATA);
}

static void
exim_says_whom(void **state)
{
	const struct bounce *b = reads("X-Failed-Recipients: a@b.example\n"
	    "Auto-Submitted: auto-replied\n"
	    "From: Mail Delivery System <Mailer-Daemon@mx.example.org>\n"
	    "To: me@example.net\nSubject: Warning: message delayed\n\n"
	    "This message was created automatically.\nNo action is required on "
	    "your part. Delivery attempts will continue to be made.\n\n"
	    "  a@b.example\n    host mx.b.example: 451 later, after RCPT TO:"
	    "<a@b.example>\n");

	(void)state;
	assert_int_equal(b->kind, BOUNCE_DELAY);
	assert_int_equal(b->n, 1);
	told_is(b->told, "a@b.example", 451, "4.0.0", "451 later");
	assert_int_equal(b->told->phase, BOUNCE_RCPT);
	assert_int_equal(b->told->action, DSN_DELAY);
}

static void
html_is_read_where_nothing_else_is(void **state)
{
	const struct bounce *b = reads(DAEMON "Content-Type: text/html\n\n"
	    "<p>could not be delivered to <b>\na@b.example</b>: 550 gone</p>\n");

	(void)state;
	assert_int_equal(b->n, 1);
	told_is(b->told, "a@b.example", 550, "5.0.0", "550 gone");
}

/* ---- with a form ---- */

static void
status_is_read(void **state)
{
	static const char message[] = DAEMON
	    "Content-Type: multipart/report; report-type=delivery-status; "
	    "boundary=b\n\n--b\n\n<a@b.example>: unknown user: \"a\" (in reply "
	    "to RCPT TO command)\n\n<c@d.example>: later\n--b\n"
	    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; "
	    "mx.example.org\n\nFinal-Recipient: rfc822; a@b.example\n"
	    "Original-Recipient: rfc822; list@b.example\nAction: failed\n"
	    "Status: 5.0.0\n\nFinal-Recipient: rfc822; c@d.example\n"
	    "Action: delayed\nStatus: 4.4.1\nRemote-MTA: dns; mx.d.example\n"
	    "Diagnostic-Code: smtp; 451-4.7.1 slow\n 451 4.7.1 down\n--b--\n";

	(void)state;
	for (size_t step = 1; step < sizeof message; step += 13) {
		const struct bounce *b = read_in_steps(str_of(message), step);

		assert_int_equal(b->kind, BOUNCE_FAILURE);
		assert_int_equal(b->n, 2);
		told_is(b->told, "list@b.example", 0, "5.0.0", "unknown user");
		told_is(b->told->next, "c@d.example", 451, "4.7.1", "down");
		assert_true(str_eq(b->told->next->remote, STR("mx.d.example")));
		assert_true(str_eq(b->reporter, STR("mx.example.org")));
	}
}

static void
complaints_are_read(void **state)
{
	const struct bounce *b = reads("From: fbl@example.org\nSubject: FW: x\n"
	    "Content-Type: multipart/report; report-type=feedback-report; "
	    "boundary=b\n\n--b\n\nA complaint.\n--b\n"
	    "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
	    "User-Agent: x\nVersion: 1\nOriginal-Rcpt-To: a@b.example\n"
	    "Original-Rcpt-To: c@d.example\n--b\nContent-Type: message/rfc822\n"
	    "\nMessage-ID: <1@x.example>\nSubject: offer\n\n--b--\n");

	(void)state;
	assert_int_equal(b->kind, BOUNCE_COMPLAINT);
	assert_int_equal(b->n, 2);
	assert_true(str_eq(b->feedback, STR("abuse")));
	told_is(b->told, "a@b.example", 0, "", "abuse");
	assert_true(str_eq(b->message_id, STR("1@x.example")));
}

static void
answers_are_no_bounces(void **state)
{
	static const struct { const char *message; enum bounce_kind kind; } v[] = {
		{ "Return-Path: <>\nFrom: bob@example.org\nSubject: Automatic "
		    "reply: hello\n\nI am away; write to a@b.example.\n",
		    BOUNCE_AUTO_REPLY },
		{ "From: bob@example.org\nAuto-Submitted: auto-replied\n"
		    "Subject: Re: hello\n\nlater\n", BOUNCE_AUTO_REPLY },
		{ "From: bob@example.org\nSubject: your failed delivery\n\n"
		    "Did the parcel come?\n", BOUNCE_NONE },
		{ "From: bob@example.org\nSubject: Re: hello\n\nYour mail to "
		    "a@b.example could not be delivered, you wrote.\n",
		    BOUNCE_NONE },
		{ "", BOUNCE_NONE },
		{ "\n\n", BOUNCE_NONE },
		{ "From: a@b.example\nSubject: unsubscribe\n\n",
		    BOUNCE_COMPLAINT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const struct bounce *b = reads(v[i].message);

		if (b->kind != v[i].kind)
			fail_msg("message %zu is a %s", i,
			    bounce_kind_word(b->kind));
		assert_true(b->n == 0 || b->kind == BOUNCE_COMPLAINT);
	}
}

/* ---- limits ---- */

static void
words_have_limits(void **state)
{
	static char text[2 * BOUNCE_WORDS_MOST + 2000];
	struct buf b = BUF_OF(text);
	const struct bounce *r;

	(void)state;
	buf_put(&b, STR(DAEMON "\n"));
	for (unsigned i = 0; b.n < 2 * BOUNCE_WORDS_MOST; i++)
		buf_printf(&b, "<u%u@b.example>: 550 gone\n", i);
	r = read_in_steps(buf_str(&b), 1000);
	assert_true(r->is_cut && r->n == BOUNCE_TOLD_MOST);
	assert_true(r->words.n <= BOUNCE_WORDS_MOST);
}

/* ---- what others' programs say of bounces ---- */

static struct str
file_read(const char *folder, const char *name)
{
	static char room[MESSAGE_MOST];
	char path[300];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(room, 1, sizeof room, f);
	assert_true(n < sizeof room);
	(void)fclose(f);
	return (struct str){ room, n };
}

static bool
report_names(const struct bounce *b, struct str address)
{
	for (const struct bounce_told *t = b->told; t != NULL && b->n > 0;
	    t = t->next)
		if (str_eq_icase(t->address, address))
			return true;
	return false;
}

/* "file class recipients detector", recipients by commas. */
static void
line_take(struct str line, size_t *wanted, size_t *found)
{
	struct str name = str_cut(&line, '\t'), list;
	const struct bounce *b;
	char path[100];

	(void)str_cut(&line, '\t');
	list = str_cut(&line, '\t');
	assert_true(str_cstr(name, path, sizeof path));
	b = read_in_steps(file_read("test/vectors/bounces-flufl/msg", path), 999);
	while (list.n > 0) {
		(*wanted)++;
		*found += report_names(b, str_cut(&list, ','));
	}
}

static void
flufl_recipients_are_found(void **state)
{
	static char room[16 * 1024];
	struct str lines = file_read("test/vectors/bounces-flufl",
	    "expected.tsv");
	size_t wanted = 0, found = 0;

	(void)state;
	assert_true(lines.n < sizeof room);
	memcpy(room, lines.p, lines.n);
	lines.p = room;
	(void)str_cut(&lines, '\n');
	while (lines.n > 0)
		line_take(str_cut(&lines, '\n'), &wanted, &found);
	print_message("flufl: %zu of %zu recipients\n", found, wanted);
	assert_true(wanted > 130 && found * 100 >= wanted * 98);
}

static int
arena_end(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qmail_is_read),
		cmocka_unit_test(who_helps_is_no_recipient),
		cmocka_unit_test(transcripts_tell_the_command),
		cmocka_unit_test(exim_says_whom),
		cmocka_unit_test(html_is_read_where_nothing_else_is),
		cmocka_unit_test(status_is_read),
		cmocka_unit_test(complaints_are_read),
		cmocka_unit_test(answers_are_no_bounces),
		cmocka_unit_test(words_have_limits),
		cmocka_unit_test(flufl_recipients_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, arena_end);
}
