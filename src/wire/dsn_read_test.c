#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "wire/dsn_read.h"

static struct arena arena;

/* Read it cut into pieces of n octets. */
static const struct dsn_report *
read_cut(struct str s, size_t n)
{
	struct dsn_reader *r = dsn_read_begin(&arena);

	assert_non_null(r);
	for (; s.n > 0; s = str_sub(s, n, s.n))
		dsn_read(r, str_sub(s, 0, n));
	return dsn_read_end(r);
}

static const struct dsn_report *
read_text(const char *text)
{
	return read_cut(str_of(text), strlen(text));
}

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, DSN_READ_MEMORY);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static void
str_is(struct str s, const char *want)
{
	if (!str_eq(s, str_of(want)))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(s), want);
}

/* ---- what it says ---- */

#define TOP "Message-ID: <top@x>\r\nContent-Type: multipart/report;\r\n" \
	" report-type=Delivery-Status; boundary=\"b b\"\r\n\r\npreamble\r\n"

static const char full[] = TOP
	"--b b\r\n\r\nFinal-Recipient: rfc822;no@x\r\n"
	"--b b  \r\nContent-type: Message/Delivery-Status\r\n\r\n"
	"Original-Envelope-ID: QQ 314\r\n"
	"Reporting-MTA: dns; mx.example\r\nDSN-Gateway: dns; gate.example\r\n"
	"Received-From-MTA: dns; client.example (192.0.2.1)\r\n"
	"Arrival-Date: Fri, 20 Nov 2026 13:40:01 +0000\r\n"
	"X-Other: 1\r\n\r\n"
	"Original-Recipient: rfc822;Bob@a.example\r\n"
	"Final-Recipient: RFC822 (of old) ; <bob@b.example> (Bob)\r\n"
	"Action: Failed (at last)\r\nStatus: 5.1.1 (unknown)\r\n"
	"Remote-MTA: dns; mx.b.example\r\n"
	"Diagnostic-Code: smtp; 550 5.1.1\r\n  No such user\r\n"
	"Last-Attempt-Date: Fri, 20 Nov 2026 13:41:01 +0000\r\n"
	"Final-Log-ID: 4711\r\n\r\n"
	"Final-Recipient: carol@c.example\r\nAction: delayed\r\n"
	"Status: 4.4.1\r\nWill-Retry-Until: Wed, 25 Nov 2026 13:40:01 +0000\r\n"
	"--b b\r\nContent-Type: message/rfc822\r\n\r\n"
	"Subject: x\r\nMessage-ID: <m1@a.example>\r\n\r\n"
	"Message-ID: <not@this>\r\n--b b--\r\n"
	"Final-Recipient: rfc822;no@x\r\n";

static void
full_is_right(const struct dsn_report *r)
{
	const struct dsn_told *t = r->told;

	assert_true(r->is_status && !r->is_cut);
	assert_int_equal(r->n, 2);
	str_is(r->report_type, "delivery-status");
	str_is(r->envid, "QQ 314");
	str_is(r->reporting, "mx.example");
	str_is(r->gateway, "gate.example");
	str_is(r->received_from, "client.example (192.0.2.1)");
	str_is(r->message_id, "m1@a.example");
	str_is(r->subject, "x");
	assert_true(r->arrived.us == INT64_C(1795182001) * US_PER_SECOND);
	str_is(t->original.text, "Bob@a.example");
	str_is(t->final.type, "RFC822");
	str_is(t->final.text, "bob@b.example");
	assert_int_equal(t->action, DSN_FAILURE);
	str_is(str_of(esc_print(t->status).text), "5.1.1");
	str_is(t->remote, "mx.b.example");
	str_is(t->diagnostic_type, "smtp");
	str_is(t->diagnostic, "550 5.1.1 No such user");
	assert_int_equal(t->code, 550);
	assert_true(t->is_hard);
	assert_string_equal(t->reason->name, "no_mailbox");
	str_is(t->log_id, "4711");
	assert_true(t->tried_at.us == r->arrived.us + 60 * US_PER_SECOND);
	t = t->next;
	str_is(t->final.text, "carol@c.example");
	assert_true(t->final.type.p == NULL);
	assert_int_equal(t->action, DSN_DELAY);
	assert_false(t->is_hard);
	assert_true(t->retry_until.us > r->arrived.us);
	assert_null(t->next);
}

static void
every_field_is_read(void **state)
{
	(void)state;
	full_is_right(read_text(full));
}

/* However it is cut, and with LF alone. */
static void
cuts_do_not_matter(void **state)
{
	static char bare[sizeof full];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; full[i] != '\0'; i++)
		if (full[i] != '\r')
			bare[n++] = full[i];
	for (size_t piece = 1; piece < 70; piece++) {
		arena_clear(&arena);
		full_is_right(read_cut(str_of(full), piece));
		full_is_right(read_cut((struct str){ bare, n }, piece));
	}
}

#define STATUS "Content-Type: message/delivery-status\r\n"

/* The part of one message, and what its only recipient must be. */
static void
one_is(const char *text, const char *address, enum dsn_action action,
    const char *status)
{
	const struct dsn_report *r = read_text(text);

	assert_true(r->is_status);
	assert_int_equal(r->n, 1);
	str_is(r->told->final.text, address);
	assert_int_equal(r->told->action, action);
	str_is(str_of(esc_print(r->told->status).text), status);
}

static void
mistakes_of_others(void **state)
{
	(void)state;
	/* no empty line before the recipient; no action */
	one_is(STATUS "\r\nReporting-MTA: x\r\nFinal-Recipient: a@b\r\n"
	    "Status: 5.0.0\r\n", "a@b", DSN_FAILURE, "5.0.0");
	/* empty lines within a recipient */
	one_is(STATUS "\r\nReporting-MTA: x\r\n\r\nFinal-Recipient: a@b\r\n\r\n"
	    "Action: failure\r\n\r\nStatus: 553 too big\r\n", "a@b",
	    DSN_FAILURE, "5.0.0");
	/* no status but in the diagnostic */
	one_is(STATUS "\r\n\r\nFinal-Recipient: rfc822;a@b\r\nAction: failed\r\n"
	    "Diagnostic-Code: smtp; 550-5.7.1 no\r\n", "a@b", DSN_FAILURE,
	    "5.7.1");
	one_is(STATUS "\r\n\r\nFinal-Recipient: rfc822; \"a (b\"@c\r\n"
	    "Action: relayed\r\nStatus: 2.0.0", "\"a (b\"@c", DSN_RELAY,
	    "2.0.0");
	one_is(STATUS "\r\n\r\nFinal-Recipient: utf-8; b\\x{FC}@c\r\n"
	    "Action: verified\r\nStatus: none", "b\xc3\xbc@c", DSN_ACTIONS, "");
}

static void
recipients_without_lines_between(void **state)
{
	const struct dsn_report *r = read_text(STATUS "\r\nReporting-MTA: x\r\n"
	    "Original-Recipient: rfc822;a@x\r\nFinal-Recipient: rfc822;a@y\r\n"
	    "Action: failed\r\nOriginal-Recipient: rfc822;b@x\r\n"
	    "Final-Recipient: rfc822;b@y\r\nStatus: 5.2.2\r\n"
	    "Final-Recipient: rfc822;c@y\r\nStatus: 4.2.2\r\n");

	(void)state;
	assert_int_equal(r->n, 3);
	str_is(r->told->original.text, "a@x");
	str_is(r->told->next->original.text, "b@x");
	str_is(r->told->next->final.text, "b@y");
	assert_int_equal(r->told->next->action, DSN_FAILURE);
	str_is(r->told->next->next->final.text, "c@y");
}

static void
encodings_are_read(void **state)
{
	const struct dsn_report *r;

	(void)state;
	one_is("Content-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: utf-8; b=C3=\r\n"
	    "=BCcher@c\r\nAction: failed\r\nStatus: 5.1.1=20", "b\xc3\xbc"
	    "cher@c", DSN_FAILURE, "5.1.1");
	one_is("Content-Transfer-Encoding: BASE64 (of course)\r\n" STATUS
	    "\r\nRmluYWwtUmVjaXBpZW50OiBhQGIKQWN0aW9uOiBmYWlsZWQKU3R\r\n"
	    "hdHVzOiA1LjEuMQ==\r\n", "a@b", DSN_FAILURE, "5.1.1");
	r = read_text("Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
	    STATUS "\r\nFinal-Recipient: a@b\r\nStatus: 5.1.1\r\n--b\r\n"
	    "Content-Type: message/global-headers\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Subject: =C3=BC\r\nMessage-ID: =3Cm1@=\r\nx>\r\n--b--\r\n");
	str_is(r->message_id, "m1@x");
}

/* A report that came back inside another is not taken for it. */
static void
what_was_returned_stays_shut(void **state)
{
	const struct dsn_report *r;
	static char text[4096];
	struct buf b = BUF_OF(text);

	(void)state;
	buf_put(&b, STR("Content-Type: multipart/mixed; boundary=outer\r\n\r\n"
	    "--outer\r\nContent-Type: message/rfc822\r\n\r\n"));
	buf_put(&b, str_of(full));
	buf_put(&b, STR("\r\n--outer\r\nContent-Type: text/plain\r\n\r\n"
	    "Final-Recipient: rfc822;no@x\r\nAction: failed\r\n"));
	r = read_cut(buf_str(&b), 100);
	assert_false(r->is_status);
	assert_int_equal(r->n, 0);
	str_is(r->message_id, "top@x");
	/* but a report forwarded as a part of a multipart is one */
	b.n = 0;
	buf_put(&b, STR("Content-Type: multipart/mixed; boundary=outer\r\n\r\n"
	    "--outer\r\n"));
	buf_put(&b, str_of(full));
	buf_put(&b, STR("\r\n--outer--\r\n"));
	full_is_right(read_cut(buf_str(&b), 100));
}

static void
what_is_no_report(void **state)
{
	const struct dsn_report *r;

	(void)state;
	r = read_text("");
	assert_true(!r->is_status && r->n == 0);
	r = read_text("Subject: hello\r\n\r\nFinal-Recipient: rfc822;a@b\r\n");
	assert_true(!r->is_status && r->n == 0);
	r = read_text("Content-Type: multipart/report; boundary=b; "
	    "report-type=\"feedback-report\"\r\n\r\n--b\r\n"
	    "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse");
	assert_false(r->is_status);
	str_is(r->report_type, "feedback-report");
}

/* ---- limits ---- */

static const struct dsn_report *
read_recipients(size_t n)
{
	struct dsn_reader *r = dsn_read_begin(&arena);

	dsn_read(r, STR(STATUS "\r\n"));
	for (size_t i = 0; i < n; i++)
		dsn_read(r, STR("\nFinal-Recipient: a@b\nStatus: 5.0.0\n"));
	return dsn_read_end(r);
}

static void
recipients_have_a_limit(void **state)
{
	const struct dsn_report *r;

	(void)state;
	r = read_recipients(DSN_TOLD_MOST - 1);
	assert_true(r->n == DSN_TOLD_MOST - 1 && !r->is_cut);
	arena_clear(&arena);
	r = read_recipients(DSN_TOLD_MOST);
	assert_true(r->n == DSN_TOLD_MOST && !r->is_cut);
	arena_clear(&arena);
	r = read_recipients(DSN_TOLD_MOST + 1);
	assert_true(r->n == DSN_TOLD_MOST && r->is_cut);
	arena_clear(&arena);
	arena_init(&arena, 64 * 1024);
	r = read_recipients(DSN_TOLD_MOST);
	assert_true(r->n > 50 && r->n < DSN_TOLD_MOST && r->is_cut);
}

static const struct dsn_report *
read_nested(int depth)
{
	struct dsn_reader *r = dsn_read_begin(&arena);
	char room[100];
	struct buf b = BUF_OF(room);

	for (int i = 0; i < depth; i++) {
		b.n = 0;
		buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d;\n\n"
		    "--b%d\n", i, i);
		dsn_read(r, buf_str(&b));
	}
	dsn_read(r, STR(STATUS "\nFinal-Recipient: a@b\nStatus: 5.0.0\n"));
	return dsn_read_end(r);
}

static void
nesting_has_a_limit(void **state)
{
	const struct dsn_report *r = read_nested(DSN_NEST);

	(void)state;
	assert_true(r->n == 1 && !r->is_cut);
	r = read_nested(DSN_NEST + 1);
	assert_true(r->n == 0 && r->is_cut);
}

/* The end of a long line is not looked at; what follows is. */
static void
lines_have_a_limit(void **state)
{
	struct dsn_reader *r = dsn_read_begin(&arena);
	const struct dsn_report *done;

	(void)state;
	dsn_read(r, STR(STATUS "\n\nFinal-Recipient: rfc822;"));
	for (int i = 0; i < 3 * DSN_LINE; i++)
		dsn_read(r, STR("a"));
	dsn_read(r, STR("\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550\n"));
	for (int i = 0; i < 3 * DSN_VALUE; i++)
		dsn_read(r, STR(" b\n"));
	dsn_read(r, STR("Action: failed\n"));
	done = dsn_read_end(r);
	assert_int_equal(done->n, 1);
	assert_in_range(done->told->final.text.n, DSN_LINE - 100, DSN_LINE);
	assert_in_range(done->told->diagnostic.n, DSN_VALUE - 100, DSN_VALUE);
	assert_int_equal(done->told->action, DSN_FAILURE);
	assert_int_equal(done->told->code, 550);
}

/* ---- other people's bounces ---- */

static struct str
file_read(const char *dir, struct str name)
{
	char path[300];
	FILE *f;
	long n;
	char *p;

	snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(name));
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s is not there", path);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	assert_true(n >= 0);
	rewind(f);
	p = malloc((size_t)n + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, (size_t)n, f), n);
	fclose(f);
	return (struct str){ p, (size_t)n };
}

static void
file_free(struct str s)
{
	free((void *)(uintptr_t)s.p);
}

static struct str
column(struct str line, int n)
{
	struct str one = str_cut(&line, '\t');

	while (n-- > 0)
		one = str_cut(&line, '\t');
	return str_trim(one);
}

/* Is the address one of those that were told so? */
static bool
is_told(const struct dsn_report *r, struct str address, enum dsn_action action)
{
	for (const struct dsn_told *t = r->told; t != NULL; t = t->next)
		if (t->action == action &&
		    (str_eq_icase(t->final.text, address) ||
		    str_eq_icase(t->original.text, address)))
			return true;
	return false;
}

static bool
all_are_told(const struct dsn_report *r, struct str line)
{
	enum dsn_action action = str_eq(column(line, 1), STR("temporary")) ?
	    DSN_DELAY : DSN_FAILURE;
	struct str list = column(line, 2);

	while (list.n > 0)
		if (!is_told(r, str_cut(&list, ','), action))
			return false;
	return true;
}

/* Of 115 bounces 21 have a delivery-status; 3 of those name no recipient there.
 * The 18 others are read as expected. */
static void
flufl_bounces(void **state)
{
	struct str all = file_read("test/vectors/bounces-flufl",
	    STR("expected.tsv")), rest = all;
	size_t n = 0, right = 0;

	(void)state;
	str_cut(&rest, '\n');
	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');
		struct str text = file_read("test/vectors/bounces-flufl/msg",
		    column(line, 0));
		const struct dsn_report *r;

		arena_clear(&arena);
		r = read_cut(text, 1000);
		n += r->is_status;
		right += r->is_status && all_are_told(r, line);
		file_free(text);
	}
	file_free(all);
	assert_int_equal(n, 21);
	assert_true(right >= 18);
}

struct tally { size_t files, rows, told, statuses, codes, hard; };

/* A row of expected.tsv: the recipient of that number. */
static void
row_compare(const struct dsn_report *r, struct str line, struct tally *sum)
{
	const struct dsn_told *t = r->told;
	uint64_t index = 0, code = 0;

	assert_true(parse_u64(column(line, 1), UINT32_MAX, &index));
	for (uint64_t i = 1; t != NULL && i < index; i++)
		t = t->next;
	sum->rows++;
	if (t == NULL)
		return;
	sum->told++;
	sum->statuses += str_eq(str_of(esc_print(t->status).text),
	    column(line, 2));
	(void)parse_u64(column(line, 3), 999, &code);
	sum->codes += t->code == (int)code;
	sum->hard += t->is_hard == str_eq(column(line, 5), STR("1"));
}

/* Of 260 bounces and complaints 133 have a delivery-status, with 138 recipients
 * expected: 136 are told (one file names none there, one holds two messages).
 * Where status or code differ, the expectation took them from the words. */
static void
sisimai_bounces(void **state)
{
	struct str all = file_read("test/vectors/bounces-sisimai-even",
	    STR("expected.tsv")), rest = all, last = STR("");
	struct tally sum = { 0 };

	(void)state;
	str_cut(&rest, '\n');
	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');
		struct str text = file_read("test/vectors/"
		    "bounces-sisimai-even/eml", column(line, 0));
		const struct dsn_report *r;

		arena_clear(&arena);
		r = read_cut(text, 777);
		sum.files += r->is_status && !str_eq(column(line, 0), last);
		last = column(line, 0);
		if (r->is_status)
			row_compare(r, line, &sum);
		file_free(text);
	}
	file_free(all);
	assert_int_equal(sum.files, 133);
	assert_int_equal(sum.rows, 138);
	assert_true(sum.told >= 136);
	assert_true(sum.statuses >= 120);
	assert_true(sum.codes >= 125);
	assert_true(sum.hard >= 114);
}

static void
no_bounces(void **state)
{
	static const char *const names[] = { "is-not-bounce-01.eml",
		"is-not-bounce-02.eml", "rb-issue-368-bug.eml" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct str text = file_read("test/vectors/"
		    "bounces-sisimai-even/not-a-bounce", str_of(names[i]));

		assert_int_equal(read_cut(text, 4096)->n, 0);
		file_free(text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_field_is_read),
		TEST(cuts_do_not_matter),
		TEST(mistakes_of_others),
		TEST(recipients_without_lines_between),
		TEST(encodings_are_read),
		TEST(what_was_returned_stays_shut),
		TEST(what_is_no_report),
		TEST(recipients_have_a_limit),
		TEST(nesting_has_a_limit),
		TEST(lines_have_a_limit),
		TEST(flufl_bounces),
		TEST(sisimai_bounces),
		TEST(no_bounces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
