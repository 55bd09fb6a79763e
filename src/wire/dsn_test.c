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
		.language = LANGUAGE_en, .returns = DSN_HEADER,
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

/* A piece within DSN_PIECE, added to a part. */
static char piece_room[DSN_PIECE];

static struct buf
piece_new(void)
{
	return BUF_OF(piece_room);
}

static void
piece_end(struct buf *all, const struct buf *piece)
{
	assert_false(piece->full);
	buf_put(all, buf_str(piece));
}

static void
put(struct buf *all, void (*write)(struct buf *, const struct dsn *),
    const struct dsn *d)
{
	struct buf piece = piece_new();

	write(&piece, d);
	piece_end(all, &piece);
}

static void
put_of(struct buf *all, void (*write)(struct buf *, const struct dsn *,
    const struct dsn_recipient *), const struct dsn *d,
    const struct dsn_recipient *r)
{
	struct buf piece = piece_new();

	write(&piece, d, r);
	piece_end(all, &piece);
}

/* A part's head, and its octets as they must leave. */
static void
put_part(struct buf *all, const struct dsn *d, enum dsn_part part,
    struct str octets)
{
	enum dsn_octets kind = dsn_octets(DSN_ASCII, octets);
	struct buf piece = piece_new();
	size_t before;

	dsn_part(&piece, d, part, kind);
	piece_end(all, &piece);
	before = all->n;
	if (dsn_encoding(d, part, kind) == DSN_QUOTED) {
		dsn_quote(all, octets);
		assert_true(all->n - before <= dsn_quoted_most(octets.n));
	} else
		buf_put(all, octets);
}

static const char *returned = "Subject: hello\r\n";

static struct str
whole(const struct dsn *d, const struct dsn_recipient *r, size_t n)
{
	static char room[64 * 1024], part_room[16 * 1024];
	struct buf all = BUF_OF(room), part = BUF_OF(part_room);
	struct buf piece = piece_new();

	dsn_begin(&piece, d, dsn_encoding(d, DSN_PART_RETURNED,
	    dsn_octets(DSN_ASCII, str_of(returned))));
	piece_end(&all, &piece);
	put(&part, dsn_greet, d);
	for (size_t i = 0; i < n; i++)
		put_of(&part, dsn_tell, d, &r[i]);
	put(&part, dsn_help, d);
	put_part(&all, d, DSN_PART_WORDS, buf_str(&part));
	part.n = 0;
	put(&part, dsn_status, d);
	for (size_t i = 0; i < n; i++)
		put_of(&part, dsn_status_of, d, &r[i]);
	put_part(&all, d, DSN_PART_STATUS, buf_str(&part));
	put_part(&all, d, DSN_PART_RETURNED, str_of(returned));
	put(&all, dsn_end, d);
	assert_false(all.full || part.full);
	returned = "Subject: hello\r\n";
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
	assert_true(has(text, "tried again.\r\n"));
	assert_true(has(text, "Check the address for mistakes."));
	assert_true(has(text, "mx.example.net said: 550 5.1.1 No such user"));
	assert_true(has(text, "There is no such mailbox."));
	assert_true(has(text, "mx.example said: no answer"));
	assert_true(has(text, "01ARZ3NDEKTSV."));
	assert_true(has(status, "Reporting-MTA: dns; mx.example\r\n"));
	assert_true(has(status, "Original-Envelope-Id: QQ314\r\n"));
	assert_true(has(status, "\r\n\r\nOriginal-Recipient: "
	    "rfc822;Bob@example.com\r\nFinal-Recipient: "
	    "rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: "
	    "smtp; 550 5.1.1 No such user gr??\r\nLast-Attempt-Date: "));
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
	assert_true(has(s, "send it again.\r\n"));
	assert_true(has(s, "tried until 2026-11-20 14:40 UTC."));
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
	d.returns = DSN_WHOLE;
	returned = "Subject: a\r\n\r\ngr\xfc\xdf\r\n";
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

/* ---- beyond ASCII ---- */

static void
a_report_of_another_language(void **state)
{
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(FAILED,
	    550, "5.2.2", "full"));
	struct str s;

	(void)state;
	d.language = LANGUAGE_pl;
	s = whole(&d, &r, 1);
	lines_are_canonical(s);
	assert_true(has(part(s, 0), "Subject: =?utf-8?Q?Wiadomo=C5=9B=C4=87"));
	assert_true(has(part(s, 1), "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Language: pl\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"));
	assert_true(has(part(s, 1), "Skrzynka jest pe=C5=82na."));
	assert_true(has(part(s, 2), "Content-Type: message/delivery-status"
	    "\r\n\r\n"));
}

static void
every_language_says_everything(void **state)
{
	(void)state;
	for (size_t i = 0; i < (size_t)LANGUAGES * DSN_ACTIONS; i++) {
		enum dsn_action action = (enum dsn_action)(i % DSN_ACTIONS);
		struct dsn d = report(action);
		struct dsn_recipient r = recipient(action, verdict_make(
		    action == DSN_FAILURE ? FAILED : action == DSN_DELAY ?
		    DEFERRED : DELIVERED, 250, action == DSN_FAILURE ? "5.0.0" :
		    action == DSN_DELAY ? "4.0.0" : "2.0.0", "so"));

		d.language = (enum language)(i / DSN_ACTIONS);
		r.retry_until = now;
		r.original = STR("rfc822;other@example.com");
		lines_are_canonical(whole(&d, &r, 1));
		d.is_for_admin = true;
		lines_are_canonical(whole(&d, &r, 1));
	}
}

/* RFC 6533: the message was SMTPUTF8, its sender's address is ASCII: nothing
 * needs more than 7 bits. */
static void
a_global_report_in_seven_bits(void **state)
{
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(FAILED,
	    550, "5.1.1", "gr\xc3\xbc\xc3\x9f"));
	struct str s;

	(void)state;
	d.is_global = true;
	d.returns = DSN_WHOLE;
	r.final = STR("b\xc3\xbc" "cher@example.net");
	r.original = STR("utf-8;b\\x{FC}cher@example.net");
	returned = "Subject: gr\xc3\xbc\xc3\x9f\r\n\r\nhello\r\n";
	s = whole(&d, &r, 1);
	lines_are_canonical(s);
	assert_true(has(part(s, 2), "Content-Type: "
	    "message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"));
	assert_true(has(part(s, 2), "Original-Recipient: "
	    "utf-8;b=C3=BCcher@example.net\r\n"
	    "Final-Recipient: utf-8; b=C3=BCcher@example.net\r\n"));
	assert_true(has(part(s, 2), "5.1.1 gr=C3=BC=C3=9F\r\n"));
	assert_true(has(part(s, 3), "Content-Type: message/global\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Subject: gr=C3=BC"));
}

static void
a_global_report_in_eight_bits(void **state)
{
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(FAILED,
	    550, "5.1.1", "no"));
	struct str s;

	(void)state;
	d.is_global = d.is_wide = true;
	d.to = r.final = STR("b\xc3\xbc" "cher@example.net");
	returned = "Subject: gr\xc3\xbc\xc3\x9f\r\n";
	s = whole(&d, &r, 1);
	assert_true(has(part(s, 0), "To: <b\xc3\xbc" "cher@example.net>\r\n"));
	assert_true(has(part(s, 0), "Content-Transfer-Encoding: 8bit\r\n"));
	assert_true(has(part(s, 2), "message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"));
	assert_true(has(part(s, 2), "utf-8; b\xc3\xbc" "cher@example.net\r\n"));
	assert_true(has(part(s, 3), "message/global-headers\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: gr\xc3\xbc"));
}

/* An alias led there; the sender knows nothing of UTF-8. */
static void
an_address_in_plain_form(void **state)
{
	struct dsn d = report(DSN_FAILURE);
	struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(FAILED, 0,
	    "5.6.7", "no SMTPUTF8"));
	struct str s;

	(void)state;
	r.final = STR("b\xc3\xbc" "cher@example.net");
	r.original = STR_NONE;
	r.given = STR("list@example.org");
	s = whole(&d, &r, 1);
	lines_are_canonical(s);
	assert_true(has(part(s, 2), "Content-Type: message/delivery-status"
	    "\r\n\r\n"));
	assert_true(has(part(s, 2), "\r\n\r\nFinal-Recipient: "
	    "utf-8; b\\x{FC}cher@example.net\r\n"));
	assert_true(has(part(s, 1), "You wrote to list@example.org."));
}

static void
what_returns_is_labelled(void **state)
{
	static const struct {
		enum dsn_return returns;
		const char *octets, *type, *encoding;
	} rows[] = {
		{ DSN_HEADER, "S: a\r\n", "text/rfc822-headers\r\n\r\n", NULL },
		{ DSN_HEADER, "S: \xc3\xbc\r\n", "text/rfc822-headers\r\n",
		    "quoted-printable" },
		{ DSN_HEADER, "S: \xfc\r\n", "text/rfc822-headers\r\n",
		    "quoted-printable" },
		{ DSN_WHOLE, "S: a\r\n\r\na\r\n", "message/rfc822\r\n\r\n",
		    NULL },
		{ DSN_WHOLE, "S: a\r\n\r\n\xfc\r\n", "message/rfc822", "8bit" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dsn d = report(DSN_FAILURE);
		struct dsn_recipient r = recipient(DSN_FAILURE, verdict_make(
		    FAILED, 550, "5.1.1", "no"));
		struct str s;

		d.returns = rows[i].returns;
		returned = rows[i].octets;
		s = whole(&d, &r, 1);
		assert_true(has(part(s, 3), rows[i].type));
		assert_int_equal(has(part(s, 3), "Encoding: "),
		    rows[i].encoding != NULL);
		if (rows[i].encoding != NULL)
			assert_true(has(part(s, 3), rows[i].encoding));
		assert_int_equal(has(part(s, 0), "Encoding: 8bit"),
		    rows[i].encoding != NULL &&
		    strcmp(rows[i].encoding, "8bit") == 0);
	}
}

static void
quoting_has_a_bound(void **state)
{
	static char text[1000], room[4096];
	static const char kinds[] = "\xfc" "a= \t";

	(void)state;
	for (size_t i = 0; i < 5 * sizeof text; i++) {
		struct buf b = { .p = room, .cap = dsn_quoted_most(i / 5) };

		memset(text, kinds[i % 5], sizeof text);
		dsn_quote(&b, (struct str){ text, i / 5 });
		assert_false(b.full);
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
		cmocka_unit_test(a_report_of_another_language),
		cmocka_unit_test(every_language_says_everything),
		cmocka_unit_test(a_global_report_in_seven_bits),
		cmocka_unit_test(a_global_report_in_eight_bits),
		cmocka_unit_test(an_address_in_plain_form),
		cmocka_unit_test(what_returns_is_labelled),
		cmocka_unit_test(quoting_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
