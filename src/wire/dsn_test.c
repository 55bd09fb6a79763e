#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "wire/dsn.h"
#include "wire/header.h"

static const struct wall now = { INT64_C(1795182001) * US_PER_SECOND };

static struct dsn
report(enum dsn_action action)
{
	return (struct dsn){
		.action = action,
		.host = STR("mx.example"), .postmaster =
		    STR("postmaster@mx.example"),
		.to = STR("alice@example.org"), .message_id = STR("1@mx.example"),
		.in_reply_to = STR("m1@example.org"), .envid = STR("QQ314"),
		.boundary = STR("=_b1"), .queue_id = STR("01ARZ3NDEKTSV"),
		.arrived = now, .now = wall_add(now, 60 * US_PER_SECOND),
	};
}

static struct dsn_recipient
recipient(enum dsn_action action, struct verdict v)
{
	return (struct dsn_recipient){
		.action = action, .final = STR("bob@example.net"),
		.original = STR("rfc822;Bob@example.com"),
		.remote = STR("mx.example.net"), .verdict = v,
		.tried_at = now,
	};
}

/* All pieces, each within DSN_PIECE, one after the other. */
static void
put(struct buf *all, void (*write)(struct buf *, const struct dsn *),
    const struct dsn *d)
{
	static char room[DSN_PIECE];
	struct buf piece = BUF_OF(room);

	write(&piece, d);
	assert_false(piece.full);
	buf_put(all, buf_str(&piece));
}

static void
put_of(struct buf *all, void (*write)(struct buf *, const struct dsn *,
    const struct dsn_recipient *), const struct dsn *d,
    const struct dsn_recipient *r)
{
	static char room[DSN_PIECE];
	struct buf piece = BUF_OF(room);

	write(&piece, d, r);
	assert_false(piece.full);
	buf_put(all, buf_str(&piece));
}

static struct str
whole(const struct dsn *d, const struct dsn_recipient *r, size_t n)
{
	static char room[64 * 1024];
	struct buf all = BUF_OF(room);

	put(&all, dsn_begin, d);
	for (size_t i = 0; i < n; i++)
		put_of(&all, dsn_tell, d, &r[i]);
	put(&all, dsn_status, d);
	for (size_t i = 0; i < n; i++)
		put_of(&all, dsn_status_of, d, &r[i]);
	put(&all, dsn_return, d);
	buf_put(&all, STR("Subject: hello\r\n"));
	put(&all, dsn_end, d);
	assert_false(all.full);
	return buf_str(&all);
}

static bool
has(struct str s, const char *what)
{
	return str_find_str(s, str_of(what)) < s.n;
}

/* The text between two delimiters; 0 is what stands before the first. */
static struct str
part(struct str s, int which)
{
	static const struct str delimiter = STR_INIT("\r\n--=_b1");

	for (int i = 0; i < which; i++)
		s = str_sub(s, str_find_str(s, delimiter) + delimiter.n, s.n);
	return str_sub(s, 0, str_find_str(s, delimiter));
}

static void
lines_are_canonical(struct str s)
{
	assert_true(str_has_suffix_icase(s, STR("\r\n")));
	while (s.n > 0) {
		struct str line = str_cut(&s, '\n');

		assert_true(line.n > 0 && line.p[line.n - 1] == '\r');
		assert_true(line.n <= HEADER_LINE_MOST + 1);
		assert_true(str_is_printable(str_sub(line, 0, line.n - 1)));
	}
}

static void
a_failure_is_told(void **state)
{
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r[2] = {
		recipient(DSN_FAILURE, verdict_make(FAILED, 550, "5.1.1",
		    "No such user gr\xc3\xbc\xc3\x9f")),
		recipient(DSN_FAILURE, verdict_make(FAILED, 0, "5.4.7",
		    "no answer")),
	};
	struct str s, head, text, status;

	(void)state;
	r[1].remote = r[1].original = STR_NONE;
	s = whole(&d, r, 2);
	head = part(s, 0);
	text = part(s, 1);
	status = part(s, 2);
	lines_are_canonical(s);
	assert_true(has(head, "To: <alice@example.org>\r\n"));
	assert_true(has(head, "Subject: Your message could not be delivered"));
	assert_true(has(head, "Auto-Submitted: auto-replied\r\n"));
	assert_true(has(head, "In-Reply-To: <m1@example.org>\r\n"));
	assert_true(has(head, "boundary=\"=_b1\"\r\n"));
	assert_true(has(text, "It will not be tried again."));
	assert_true(has(text, "Check the address for mistakes."));
	assert_true(has(text, "mx.example.net said: 550 5.1.1 No such user"));
	assert_true(has(text, "mx.example said: no answer"));
	assert_true(has(text, "name the message 01ARZ3NDEKTSV."));
	assert_true(has(status, "Reporting-MTA: dns; mx.example\r\n"));
	assert_true(has(status, "Original-Envelope-Id: QQ314\r\n"));
	assert_true(has(status, "\r\n\r\nOriginal-Recipient: "
	    "rfc822;Bob@example.com\r\nFinal-Recipient: "
	    "rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: "
	    "smtp; 550 5.1.1 No such user gr????\r\nLast-Attempt-Date: "));
	assert_true(has(status, "\r\n\r\nFinal-Recipient: rfc822; "
	    "bob@example.net\r\nAction: failed\r\nStatus: 5.4.7\r\n"
	    "Diagnostic-Code: x-nightmail; no answer\r\n"));
	assert_true(has(part(s, 3), "text/rfc822-headers\r\n\r\nSubject: "));
	assert_true(str_has_suffix_icase(s, STR("\r\n--=_b1--\r\n")));
}

static void
a_delay_is_told(void **state)
{
	struct dsn d = report(DSN_DELAY);
	struct dsn_recipient r = recipient(DSN_DELAY, verdict_make(DEFERRED,
	    451, "4.2.0", "later"));
	struct str s;

	(void)state;
	r.retry_until = wall_add(now, 3600 * US_PER_SECOND);
	s = whole(&d, &r, 1);
	assert_true(has(s, "Subject: Your message is delayed\r\n"));
	assert_true(has(s, "you need not send it again"));
	assert_true(has(s, "tried until Fri, 20 Nov 2026 14:40:01 +0000."));
	assert_true(has(s, "Action: delayed\r\nStatus: 4.2.0\r\n"));
	assert_true(has(s, "Will-Retry-Until: Fri, 20 Nov 2026 14:40:01"));
}

static void
good_news_are_told(void **state)
{
	static const struct { enum dsn_action action; const char *word; }
	rows[] = {
		{ DSN_SUCCESS, "Action: delivered" },
		{ DSN_RELAY, "Action: relayed" },
		{ DSN_EXPANSION, "Action: expanded" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dsn d = report(rows[i].action);
		struct dsn_recipient r = recipient(rows[i].action,
		    verdict_of(DELIVERED, 250, ESC_NONE, STR("ok")));
		struct str s = whole(&d, &r, 1);

		lines_are_canonical(s);
		assert_true(has(s, rows[i].word));
		assert_true(has(s, "Status: 2.0.0\r\n"));
		assert_false(has(s, "Will-Retry-Until"));
	}
}

static void
the_message_is_returned(void **state)
{
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(FAILED,
	    554, "5.7.1", "no"));
	struct str s;

	(void)state;
	d.returns_whole = d.has_8bit = true;
	d.envid = d.in_reply_to = d.queue_id = STR_NONE;
	s = whole(&d, &r, 1);
	assert_true(has(part(s, 3), "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: "));
	assert_true(has(part(s, 0), "Content-Transfer-Encoding: 8bit\r\n"));
	assert_false(has(s, "Original-Envelope-Id"));
	assert_false(has(s, "In-Reply-To"));
	assert_false(has(s, "X-Nightmail-Id"));
}

/* The longest names, addresses and words fit a piece. */
static void
pieces_have_room(void **state)
{
	static char name[300], id[500];
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(FAILED,
	    550, "5.1.1", "%0199d", 1));

	(void)state;
	memset(name, 'n', sizeof name);
	memset(id, 'i', sizeof id);
	d.host = r.remote = (struct str){ name, 255 };
	d.to = r.final = d.postmaster = (struct str){ name, 254 };
	d.message_id = d.in_reply_to = (struct str){ id, 500 };
	d.envid = (struct str){ id, 100 };
	r.original = (struct str){ id, 500 };
	lines_are_canonical(whole(&d, &r, 1));
}

/* Each advice is one line that a person can read. */
static void
advice_is_plain(void **state)
{
	static const char *const texts[] = {
#define ADVICE(subject, detail, text) text,
#include "wire/advice.def"
#undef ADVICE
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_in_range(strlen(texts[i]), 10, 74);
		assert_true(str_is_printable(str_of(texts[i])));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_told),
		cmocka_unit_test(a_delay_is_told),
		cmocka_unit_test(good_news_are_told),
		cmocka_unit_test(the_message_is_returned),
		cmocka_unit_test(pieces_have_room),
		cmocka_unit_test(advice_is_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
