#include "base/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static char room[EVENT_LINE_MOST];

static void
expect_nth(const struct event *e, unsigned nth, const char *tag,
    const char *text)
{
	struct buf out = BUF_OF(room);

	assert_string_equal(event_text_tag(e, nth), tag);
	event_text(e, nth, &out);
	assert_false(out.full);
	room[out.n] = '\0';
	assert_string_equal(room, text);
}

/* The only line. */
static void
expect(const struct event *e, const char *text)
{
	expect_nth(e, 0, event_text_tag(e, 0), text);
	assert_null(event_text_tag(e, 1));
}

static struct event
make(enum event_type type, uint64_t id)
{
	return event_make(type, (struct wall){ 1795182001121000 }, id);
}

static struct event
attempt(enum event_type type)
{
	struct event e = make(type, 7);

	event_str(&e, FIELD_recipient, STR("bob@y.example"));
	event_str(&e, FIELD_relay, STR("mx.y.example[203.0.113.9]:25"));
	event_num(&e, FIELD_delay_us, 1412345);
	event_num(&e, FIELD_queue_us, 20000);
	event_num(&e, FIELD_connect_us, 600000);
	event_num(&e, FIELD_transfer_us, 800000);
	return e;
}

/* In the words of smtpd_sasl_proto.c, with who it was behind them. */
static void
test_logins(void **state)
{
	struct event e = make(EVENT_login_failed, 0);

	(void)state;
	event_str(&e, FIELD_client, STR("192.0.2.7"));
	event_str(&e, FIELD_mechanism, STR("PLAIN"));
	event_str(&e, FIELD_reason, STR("wrong password"));
	expect(&e, "warning: unknown[192.0.2.7]: SASL PLAIN authentication "
	    "failed: wrong password");
	event_str(&e, FIELD_client_name, STR("a]: [b"));
	event_str(&e, FIELD_user, STR("bob\n [203.0.113.9]: \x1b, x=y\xff"));
	expect(&e, "warning: a?:??b[192.0.2.7]: SASL PLAIN authentication "
	    "failed: wrong password, sasl_username=bob???203.0.113.9?:????x?y?");
	e = make(EVENT_login_failed, 0);
	event_str(&e, FIELD_client, STR("2001:db8::7"));
	event_str(&e, FIELD_mechanism, STR("LOGIN"));
	event_str(&e, FIELD_reason, STR("later"));
	event_str(&e, FIELD_text, STR("Connection lost to authentication "
	    "server"));
	expect(&e, "warning: unknown[2001:db8::7]: SASL LOGIN authentication "
	    "failed: Connection lost to authentication server");
	e = make(EVENT_login_good, 0);
	event_str(&e, FIELD_mechanism, STR("PLAIN"));
	event_str(&e, FIELD_user, STR("bob@example.org"));
	assert_null(event_text_tag(&e, 0));
}

static void
test_outcomes(void **state)
{
	struct event e = attempt(EVENT_delivered);

	(void)state;
	event_str(&e, FIELD_dsn, STR("2.0.0"));
	event_str(&e, FIELD_reply, STR("250 2.0.0 OK"));
	event_str(&e, FIELD_pool, STR("trans"));
	event_str(&e, FIELD_source, STR("198.51.100.10"));
	event_num(&e, FIELD_attempt, 1);
	expect(&e, "0000000000007: to=<bob@y.example>, "
	    "relay=mx.y.example[203.0.113.9]:25, delay=1.4, "
	    "delays=0.02/0/0.6/0.8, dsn=2.0.0, status=sent (250 2.0.0 OK), "
	    "pool=trans, src=198.51.100.10");
	e = attempt(EVENT_failed);
	event_str(&e, FIELD_orig_to, STR("robert@y.example"));
	event_num(&e, FIELD_code, 550);
	event_str(&e, FIELD_dsn, STR("5.1.1"));
	event_str(&e, FIELD_reply, STR("User unknown (here)"));
	event_str(&e, FIELD_stage, STR("RCPT"));
	event_num(&e, FIELD_attempt, 2);
	expect(&e, "0000000000007: to=<bob@y.example>, "
	    "orig_to=<robert@y.example>, relay=mx.y.example[203.0.113.9]:25, "
	    "delay=1.4, delays=0.02/0/0.6/0.8, dsn=5.1.1, status=bounced "
	    "(host mx.y.example[203.0.113.9] said: 550 5.1.1 User unknown "
	    "(here) (in reply to RCPT command)), attempt=2");
}

static void
test_outcomes_without_a_reply(void **state)
{
	struct event e = make(EVENT_delayed, 7);

	(void)state;
	event_str(&e, FIELD_recipient, STR("bob@y.example"));
	event_str(&e, FIELD_dsn, STR("4.4.1"));
	event_str(&e, FIELD_text, STR("connect to mx[203.0.113.9]:25: timed out"));
	expect(&e, "0000000000007: to=<bob@y.example>, relay=none, delay=0, "
	    "delays=0/0/0/0, dsn=4.4.1, status=deferred "
	    "(connect to mx[203.0.113.9]:25: timed out)");
	e = make(EVENT_delivered, 7);
	event_str(&e, FIELD_recipient, STR("bob"));
	event_str(&e, FIELD_file, STR("/home/bob/Maildir/new/1"));
	expect(&e, "0000000000007: to=<bob>, relay=local, delay=0, "
	    "delays=0/0/0/0, status=sent (delivered to /home/bob/Maildir/new/1)");
	e = make(EVENT_expired, 7);
	event_str(&e, FIELD_recipient, STR("<bob>"));
	event_str(&e, FIELD_text, STR("expired"));
	expect_nth(&e, 0, "smtp", "0000000000007: to=<bob>, relay=none, "
	    "delay=0, delays=0/0/0/0, status=bounced (expired)");
	event_str(&e, FIELD_sender, STR("a@x.example"));
	expect_nth(&e, 1, "qmgr", "0000000000007: from=<a@x.example>, "
	    "status=expired, returned to sender");
	assert_null(event_text_tag(&e, 2));
	e = make(EVENT_discarded, 7);
	event_str(&e, FIELD_recipient, STR("bob"));
	event_str(&e, FIELD_text, STR("by rule"));
	expect_nth(&e, 0, "discard", "0000000000007: to=<bob>, relay=none, "
	    "delay=0, delays=0/0/0/0, status=sent (by rule)");
	e = make(EVENT_expanded, 7);
	event_str(&e, FIELD_recipient, STR("list@x.example"));
	event_str(&e, FIELD_sender, STR("owner-list@x.example"));
	event_num(&e, FIELD_recipients, 2);
	event_str(&e, FIELD_text, STR("a, b"));
	expect_nth(&e, 0, "local", "0000000000007: to=<list@x.example>, "
	    "relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent "
	    "(forwarded as 0000000000007), owner=<owner-list@x.example>, "
	    "nrcpt=2, to a, b");
	/* a host that is an address; what is usual is not told */
	e = make(EVENT_delayed, 7);
	event_str(&e, FIELD_recipient, STR("bob"));
	event_str(&e, FIELD_relay, STR("[192.0.2.1][192.0.2.1]:25"));
	event_str(&e, FIELD_reply, STR("busy"));
	event_num(&e, FIELD_attempt, 3);
	event_str(&e, FIELD_source, STR("default"));
	expect(&e, "0000000000007: to=<bob>, relay=192.0.2.1[192.0.2.1]:25, "
	    "delay=0, delays=0/0/0/0, status=deferred "
	    "(host 192.0.2.1[192.0.2.1] said: busy)");
}

static void
test_delays(void **state)
{
	static const struct { uint64_t us; const char *text; } cases[] = {
		{ 0, "0" }, { 4999, "0" }, { 5000, "0.01" }, { 90000, "0.09" },
		{ 100000, "0.1" }, { 350000, "0.35" }, { 994999, "0.99" },
		{ 995000, "1" }, { 1000000, "1" }, { 1049999, "1" },
		{ 1050000, "1.1" }, { 9949999, "9.9" }, { 9950000, "10" },
		{ 10400000, "10" }, { 145000000, "145" },
		{ UINT64_MAX, "18446744073709" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct event e = make(EVENT_canceled, 1);

		event_str(&e, FIELD_recipient, STR("a"));
		event_num(&e, FIELD_delay_us, cases[i].us);
		snprintf(text, sizeof text, "0000000000001: to=<a>, relay=none, "
		    "delay=%s, delays=0/0/0/0, status=canceled ()",
		    cases[i].text);
		expect(&e, text);
	}
}

static struct event
refusal(struct str client_name)
{
	struct event e = make(EVENT_refused, 0);

	event_str(&e, FIELD_stage, STR("RCPT"));
	event_str(&e, FIELD_client, STR("192.0.2.7"));
	event_str(&e, FIELD_client_name, client_name);
	return e;
}

static void
test_refusals(void **state)
{
	struct event e = refusal(STR_NONE);

	(void)state;
	event_num(&e, FIELD_code, 554);
	event_str(&e, FIELD_dsn, STR("5.7.1"));
	event_str(&e, FIELD_reply, STR("<a@b.example>: Relay access denied"));
	event_str(&e, FIELD_sender, STR("x@y"));
	event_str(&e, FIELD_recipient, STR("a@b.example"));
	event_str(&e, FIELD_protocol, STR("ESMTP"));
	event_str(&e, FIELD_helo, STR("z"));
	expect(&e, "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 "
	    "<a@b.example>: Relay access denied; from=<x@y> to=<a@b.example> "
	    "proto=ESMTP helo=<z>");
	e = refusal(STR("mx.example"));
	event_str(&e, FIELD_reply, STR("450 4.2.0 Not now"));
	event_num(&e, FIELD_code, 450);
	event_str(&e, FIELD_sender, STR(""));
	expect(&e, "NOQUEUE: reject: RCPT from mx.example[192.0.2.7]: "
	    "450 4.2.0 Not now; from=<>");
	e = refusal(STR("mx.example"));
	event_str(&e, FIELD_reason, STR("errors"));
	expect(&e, "too many errors after RCPT from mx.example[192.0.2.7]");
	e = refusal(STR("mx.example"));
	event_str(&e, FIELD_reason, STR("pipelining"));
	expect(&e,
	    "improper command pipelining after RCPT from mx.example[192.0.2.7]");
}

/* Replies of our own get the words by which readers know a refusal. */
static void
test_refusals_are_known(void **state)
{
	static const struct {
		const char *stage, *dsn, *reply, *text;
		uint64_t code;
	} cases[] = {
		{ "CONNECT", "4.7.0", "Too many", "421 4.7.0 "
		    "<unknown[192.0.2.7]>: Client host rejected: Too many; "
		    "proto=SMTP", 421 },
		{ "MAIL", "5.7.0", "Who?", "530 5.7.0 <>: Sender address "
		    "rejected: Who?; proto=SMTP", 530 },
		{ "RCPT", "4.5.3", "Too many", "452 4.5.3 <>: Recipient "
		    "address rejected: Too many; proto=SMTP", 452 },
		{ "DATA", "4.3.1", "Full", "452 4.3.1 Insufficient system "
		    "storage; Full; proto=SMTP", 452 },
		{ "END-OF-DATA", "5.3.4", "Big", "552 5.3.4 Message size "
		    "exceeds fixed limit; Big; proto=SMTP", 552 },
		{ "END-OF-DATA", "5.6.0", "NUL", "550 5.6.0 <DATA>: Data "
		    "command rejected: NUL; proto=SMTP", 550 },
		{ "RCPT", "5.1.1", "<a@b>: Unknown", "550 5.1.1 <a@b>: "
		    "Unknown; proto=SMTP", 550 },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct event e = make(EVENT_refused, 0);

		event_str(&e, FIELD_client, STR("192.0.2.7"));
		event_str(&e, FIELD_stage, str_of(cases[i].stage));
		event_num(&e, FIELD_code, cases[i].code);
		event_str(&e, FIELD_dsn, str_of(cases[i].dsn));
		event_str(&e, FIELD_reply, str_of(cases[i].reply));
		snprintf(text, sizeof text, "NOQUEUE: reject: %s from "
		    "unknown[192.0.2.7]: %s", cases[i].stage[0] == 'E' ?
		    "END-OF-MESSAGE" : cases[i].stage, cases[i].text);
		expect(&e, text);
	}
}

static void
test_connections(void **state)
{
	struct event e = make(EVENT_connected, 0);

	(void)state;
	expect(&e, "connect from unknown[unknown]");
	event_str(&e, FIELD_client, STR("2001:db8::7"));
	expect(&e, "connect from unknown[2001:db8::7]");
	e.type = EVENT_disconnected;
	event_num(&e, FIELD_commands, 4);
	expect(&e, "disconnect from unknown[2001:db8::7] commands=4");
	event_str(&e, FIELD_reason, STR("gone"));
	expect(&e, "lost connection after CONNECT from unknown[2001:db8::7] "
	    "commands=4");
	event_str(&e, FIELD_stage, STR("DATA"));
	expect(&e, "lost connection after DATA from unknown[2001:db8::7] "
	    "commands=4");
}

static void
test_the_queue(void **state)
{
	struct event e = make(EVENT_queued, 7);

	(void)state;
	event_str(&e, FIELD_sender, STR("a@x.example"));
	event_num(&e, FIELD_size, 4213);
	event_num(&e, FIELD_recipients, 2);
	/* from inside: a report of ours */
	expect_nth(&e, 0, "cleanup", "0000000000007: message-id=<>");
	expect_nth(&e, 1, "qmgr", "0000000000007: from=<a@x.example>, "
	    "size=4213, nrcpt=2 (queue active)");
	assert_null(event_text_tag(&e, 2));
	event_str(&e, FIELD_client, STR("192.0.2.7"));
	event_str(&e, FIELD_message_id, STR("<1@x.example>"));
	expect_nth(&e, 0, "smtpd", "0000000000007: client=unknown[192.0.2.7]");
	expect_nth(&e, 1, "cleanup", "0000000000007: message-id=<1@x.example>");
	expect_nth(&e, 2, "qmgr", "0000000000007: from=<a@x.example>, "
	    "size=4213, nrcpt=2 (queue active)");
	assert_null(event_text_tag(&e, EVENT_TEXT_LINES));
	event_str(&e, FIELD_user, STR("eve"));
	expect_nth(&e, 0, "smtpd", "0000000000007: client=unknown[192.0.2.7], "
	    "sasl_username=eve");
	event_str(&e, FIELD_mechanism, STR("PLAIN"));
	expect_nth(&e, 0, "smtpd", "0000000000007: client=unknown[192.0.2.7], "
	    "sasl_method=PLAIN, sasl_username=eve");
	e = make(EVENT_queued, 7);
	event_str(&e, FIELD_sender, STR("bob@x.example"));
	event_str(&e, FIELD_user, STR("uid:1000"));
	expect_nth(&e, 0, "pickup", "0000000000007: uid=1000 "
	    "from=<bob@x.example>");
	assert_null(event_text_tag(&e, EVENT_TEXT_LINES));
}

static void
test_tls_sessions(void **state)
{
	struct event e;

	(void)state;
	e = make(EVENT_tls_session, 0);
	event_str(&e, FIELD_tls, STR("clear"));
	event_str(&e, FIELD_policy, STR("no-policy-found"));
	event_str(&e, FIELD_result, STR("starttls-not-supported"));
	assert_null(event_text_tag(&e, 0));
	e = make(EVENT_tls_session, 0);
	event_str(&e, FIELD_relay, STR("mx.a.example[192.0.2.1]:25"));
	event_str(&e, FIELD_domain, STR("a.example"));
	event_str(&e, FIELD_policy, STR("tlsa"));
	event_str(&e, FIELD_tls, STR("TLSv1.3/dane"));
	expect(&e, "Verified TLS connection established to "
	    "mx.a.example[192.0.2.1]:25: TLSv1.3/dane, policy=tlsa, "
	    "domain=a.example");
	event_str(&e, FIELD_result, STR("validation-failure"));
	e.values[3].string = STR("clear");
	event_str(&e, FIELD_text, STR("no TLSA record names it"));
	expect(&e, "TLS connection not established to "
	    "mx.a.example[192.0.2.1]:25: clear, policy=tlsa, "
	    "domain=a.example, result=validation-failure: "
	    "no TLSA record names it");
}

static void
test_what_became_of_it(void **state)
{
	struct event e = make(EVENT_bounce_made, 7);

	(void)state;
	event_str(&e, FIELD_report, STR("0000000000009"));
	event_str(&e, FIELD_reason, STR("failed"));
	expect(&e, "0000000000007: sender non-delivery notification: "
	    "0000000000009");
	e = make(EVENT_bounce_made, 7);
	event_str(&e, FIELD_report, STR("0000000000009"));
	event_str(&e, FIELD_reason, STR("delayed"));
	expect(&e, "0000000000007: sender delay notification: 0000000000009");
	e = make(EVENT_bounce_made, 7);
	event_str(&e, FIELD_report, STR("0000000000009"));
	event_str(&e, FIELD_reason, STR("relayed"));
	expect(&e, "0000000000007: sender delivery status notification: "
	    "0000000000009");
	e = make(EVENT_bounce_made, 7);
	event_str(&e, FIELD_reason, STR("none"));
	event_str(&e, FIELD_text, STR("no report: the sender is null"));
	assert_null(event_text_tag(&e, 0));	/* Postfix is silent, too */
	e.values[0].string = STR("refused");
	expect(&e, "warning: 0000000000007: no report: the sender is null");
	e = make(EVENT_held, 7);
	expect(&e, "0000000000007: placed on hold");
	event_str(&e, FIELD_text, STR("by an administrator"));
	expect_nth(&e, 0, "postsuper", "0000000000007: placed on hold");
	e.values[0].string = STR("damaged");
	expect(&e, "0000000000007: placed on hold -- damaged");
	e = make(EVENT_trouble, 0);
	event_str(&e, FIELD_text, STR("open spool/7: No space left on device"));
	expect(&e, "warning: open spool/7: No space left on device");
	e = make(EVENT_certificate, 0);
	event_str(&e, FIELD_text, STR("mx.example.org: over soon"));
	expect(&e, "warning: certificate: mx.example.org: over soon");
	event_str(&e, FIELD_reason, STR("renewed"));
	expect(&e, "certificate: mx.example.org: over soon");
	e = make(EVENT_reloaded, 0);
	event_str(&e, FIELD_text, STR("kept the old one"));
	expect(&e, "reload -- kept the old one");
	e.values[0].string = STR("configuration reloaded");
	expect(&e, "reload configuration reloaded");
}

/* A name with brackets would be read as an address; CR LF as another line. */
static void
test_no_line_is_forged(void **state)
{
	struct event e = refusal(STR("x[198.51.100.1]: 554"));

	(void)state;
	event_str(&e, FIELD_reply, STR("550 no\r\nNOQUEUE: reject\xe2\x80\xa8"));
	event_str(&e, FIELD_sender, STR("\"a> to=<b\"@c\x1b[2J"));
	event_str(&e, FIELD_helo, STR("\xc2\x85\xff\x00z\xc3\xa4"));
	expect(&e, "NOQUEUE: reject: RCPT from x?198.51.100.1?:?554[192.0.2.7]: "
	    "550 no??NOQUEUE: reject?; from=<\"a? to=?b\"@c?[2J> "
	    "helo=<???z\xc3\xa4>");
	e = make(EVENT_delayed, 7);
	event_str(&e, FIELD_recipient, STR("a\n"));
	event_str(&e, FIELD_relay, STR("m, status=sent [(192.0.2.1]:25"));
	event_str(&e, FIELD_dsn, STR("4.0.0, x=y"));
	event_str(&e, FIELD_reply, STR("ok), status=sent (("));
	expect(&e, "0000000000007: to=<a?>, relay=m??status?sent?[?192.0.2.1]:25, "
	    "delay=0, delays=0/0/0/0, dsn=4.0.0??x?y, status=deferred "
	    "(host m??status?sent?[?192.0.2.1] said: ok?, status=sent ?" "?)");
}

/* Every octet in every field of every type: one line, and no control. */
static void
test_every_octet_everywhere(void **state)
{
	char octets[256];

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (char)i;
	for (unsigned type = 0; type < EVENT_TYPES; type++) {
		struct event e = make((enum event_type)type, 7);
		struct buf out = BUF_OF(room);

		for (; e.n < EVENT_FIELDS; e.n++)
			e.values[e.n] = (struct event_value){
				.field = (enum event_field)e.n,
				.string = { octets, sizeof octets } };
		for (unsigned i = 0; event_text_tag(&e, i) != NULL; i++) {
			assert_in_range(i, 0, EVENT_TEXT_LINES - 1);
			event_text(&e, i, &out);
		}
		assert_false(out.full);
		assert_true(str_is_printable(buf_str(&out)));
	}
}

/* One word, whatever the file is called. */
static void
test_where_a_rule_stands(void **state)
{
	static const struct { const char *rule, *word; } rows[] = {
		{ "a.b (default)", "a.b@default" },
		{ "a.b, /etc/n.yaml:12", "a.b@/etc/n.yaml:12" },
		{ "a.b, my (file), rule=x@y:1", "a.b@my??file???rule?x@y:1" },
		{ "a.b, (:1", "a.b@?:1" },
		{ "a.b", "a.b" },
		{ "a.b ", "a.b" },
		{ "a.b ()", "a.b" },
		{ "a.b (", "a.b@?" },
		{ ", ", "" },
	};
	char want[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct event e = make(EVENT_checked, 7);

		event_str(&e, FIELD_client, STR("192.0.2.7"));
		event_str(&e, FIELD_rule, str_of(rows[i].rule));
		(void)snprintf(want, sizeof want, "0000000000007: client="
		    "unknown[192.0.2.7], rule=%s: ", rows[i].word);
		expect(&e, want);
	}
}

/* What was found out is told whole, and forges nothing. */
static void
test_what_was_checked(void **state)
{
	static char many[2 * EVENT_TEXT_MOST + 1];
	struct event e = make(EVENT_checked, 7);
	struct buf out = BUF_OF(room);

	(void)state;
	event_str(&e, FIELD_client, STR("192.0.2.7"));
	event_str(&e, FIELD_sender, STR("a@b.test> x"));
	event_str(&e, FIELD_author, STR("b.test"));
	event_str(&e, FIELD_disposition, STR("none"));
	event_str(&e, FIELD_override, STR("mailing_list"));
	event_str(&e, FIELD_rule, STR("inbound.verify.dmarc (default)"));
	event_str(&e, FIELD_results, STR("spf=pass reason=\"\r\nx\""));
	expect(&e, "0000000000007: client=unknown[192.0.2.7], from=<a@b.test? "
	    "x>, author=b.test, disposition=none, override=mailing_list, "
	    "rule=inbound.verify.dmarc@default: spf=pass reason=\"??x\"");
	assert_string_equal(event_text_tag(&e, 0), "checks");
	memset(many, 'r', sizeof many);
	e = make(EVENT_checked, 7);
	event_str(&e, FIELD_results, (struct str){ many, sizeof many });
	event_text(&e, 0, &out);
	assert_false(out.full);
	assert_true(out.n > sizeof many && out.p[out.n - 1] == 'r');
	out = BUF_OF(room);
	event_json(&e, &out);
	assert_true(str_find_str(buf_str(&out), (struct str){ many,
	    sizeof many }) < out.n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_outcomes_without_a_reply),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refusals_are_known),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_the_queue),
		cmocka_unit_test(test_tls_sessions),
		cmocka_unit_test(test_what_became_of_it),
		cmocka_unit_test(test_no_line_is_forged),
		cmocka_unit_test(test_where_a_rule_stands),
		cmocka_unit_test(test_what_was_checked),
		cmocka_unit_test(test_every_octet_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
