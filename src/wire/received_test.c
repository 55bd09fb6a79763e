#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "wire/header.h"
#include "wire/received.h"

static const struct wall now = { INT64_C(1795182001) * US_PER_SECOND };

static void
words_behind_with(void **state)
{
	static const struct { unsigned flags; const char *word; } rows[] = {
		{ 0, "SMTP" },
		{ WITH_EXTENDED, "ESMTP" },
		{ WITH_EXTENDED | WITH_TLS, "ESMTPS" },
		{ WITH_EXTENDED | WITH_AUTH, "ESMTPA" },
		{ WITH_EXTENDED | WITH_TLS | WITH_AUTH, "ESMTPSA" },
		{ WITH_LMTP, "LMTP" },
		{ WITH_LMTP | WITH_TLS | WITH_AUTH, "LMTPSA" },
		{ WITH_EXTENDED | WITH_UTF8, "UTF8SMTP" },
		{ WITH_EXTENDED | WITH_UTF8 | WITH_TLS, "UTF8SMTPS" },
		{ WITH_LMTP | WITH_UTF8 | WITH_AUTH, "UTF8LMTPA" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(received_with(rows[i].flags),
		    rows[i].word);
}

static void
ours_is_written(void **state)
{
	struct received r = {
		.helo = STR("client.example"), .host = STR("c.example"),
		.ip = STR("2001:db8::1"), .by = STR("mx.example"),
		.with = STR("ESMTPS"), .id = STR("01ARZ3NDEKTSV"),
		.rcpt = STR("bob@example.org"),
		.tls = STR("TLS_AES_128_GCM_SHA256"), .at = now, .zone = 60,
	};
	char out[RECEIVED_MOST];
	struct buf b = BUF_OF(out);

	(void)state;
	received_write(&b, &r);
	assert_true(str_eq(buf_str(&b), STR(
	    "Received: from client.example (c.example [IPv6:2001:db8::1])\r\n"
	    "\tby mx.example (Nightmail) with ESMTPS id 01ARZ3NDEKTSV\r\n"
	    "\tfor <bob@example.org>\r\n"
	    "\ttls TLS_AES_128_GCM_SHA256;\r\n"
	    "\tFri, 20 Nov 2026 14:40:01 +0100\r\n")));
	r = (struct received){ .by = STR("mx.example"), .with = STR("local"),
		.at = now };
	b = BUF_OF(out);
	received_write(&b, &r);
	assert_true(str_eq(buf_str(&b), STR(
	    "Received: by mx.example (Nightmail) with local;\r\n"
	    "\tFri, 20 Nov 2026 13:40:01 +0000\r\n")));
}

/* What a peer says cannot leave its place. */
static void
peers_cannot_break_it(void **state)
{
	static const struct str helos[] = { STR_INIT("a) by evil; x"),
		STR_INIT("a\r\nX-Evil: y"), STR_INIT("(("), STR_INIT("\""),
		STR_INIT("gr\xc3\xbc"), STR_INIT(""), STR_INIT("a\0b"),
		STR_INIT("<>,;@\\"), STR_INIT("by"), STR_INIT("[:O") };

	(void)state;
	for (size_t i = 0; i < sizeof helos / sizeof *helos; i++) {
		struct received r = { .helo = helos[i], .host = helos[i],
			.ip = STR("192.0.2.1"), .by = STR("mx.example"),
			.with = helos[i].n > 0 ? helos[i] : STR("SMTP"),
			.id = helos[i], .rcpt = helos[i], .tls = helos[i],
			.at = now };
		char out[RECEIVED_MOST];
		struct buf b = BUF_OF(out);
		struct received_read back;
		struct str s, line;

		received_write(&b, &r);
		s = buf_str(&b);
		assert_false(b.full);
		assert_true(str_skip(&s, STR("Received: ")));
		received_read(s, &back);
		assert_true(str_eq(back.ip, STR("192.0.2.1")));
		assert_true(str_eq(back.by, STR("mx.example")));
		assert_true(back.has_date && back.date.at.us == now.us);
		assert_true(back.rcpt.n == 0);
		for (str_cut(&s, '\n'); s.n > 0;) {
			line = str_cut(&s, '\n');
			assert_true(line.p[0] == '\t');
			assert_true(str_find(line, '\r') == line.n - 1);
		}
	}
}

/* The longest of everything fits, and no line passes 998 octets. */
static void
the_longest_fits(void **state)
{
	static char word[300], rcpt[256];
	struct received r = { .at = now };
	char out[RECEIVED_MOST];
	struct buf b = BUF_OF(out);
	struct str s;

	(void)state;
	memset(word, 'a', sizeof word);
	memset(rcpt, 'b', 254);
	rcpt[60] = '@';
	rcpt[120] = rcpt[180] = rcpt[240] = '.';
	r.helo = r.host = r.by = (struct str){ word, sizeof word };
	r.ip = STR("2001:0db8:0000:0000:0000:0000:0000:0001");
	r.with = STR("UTF8SMTPSA");
	r.id = STR("01ARZ3NDEKTSV");
	r.rcpt = (struct str){ rcpt, 254 };
	r.tls = STR("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
	received_write(&b, &r);
	assert_false(b.full);
	for (s = buf_str(&b); s.n > 0;)
		assert_true(str_cut(&s, '\n').n < HEADER_LINE_MOST);
	assert_true(str_find_str(buf_str(&b), STR("for <bbb")) < b.n);
}

static void
others_are_read(void **state)
{
	struct received_read r;

	(void)state;
	received_read(STR("from github.com (a.github.net [10.56.145.42])\r\n"
	    "\tby smtp.github.com (Postfix) with ESMTPA id B4E173410F4\r\n"
	    "\tfor <hello@stalw.art>; Tue, 29 Aug 2023 09:20:10 -0700 (PDT)"),
	    &r);
	assert_true(str_eq(r.from, STR("github.com")));
	assert_true(str_eq(r.host, STR("a.github.net")));
	assert_true(str_eq(r.ip, STR("10.56.145.42")));
	assert_true(str_eq(r.by, STR("smtp.github.com")));
	assert_true(str_eq(r.with, STR("ESMTPA")));
	assert_true(str_eq(r.id, STR("B4E173410F4")));
	assert_true(str_eq(r.rcpt, STR("hello@stalw.art")));
	assert_true(r.has_date && r.date.zone == -420);
	/* What the client said is no address of it. */
	received_read(STR("from 192.0.2.1 (unknown[198.51.100.1]) by x"), &r);
	assert_true(str_eq(r.ip, STR("198.51.100.1")));
	assert_null(r.host.p);
	received_read(STR("from [192.0.2.1] by x"), &r);
	assert_true(str_eq(r.ip, STR("192.0.2.1")));
	received_read(STR(""), &r);
	assert_true(r.from.p == NULL && !r.has_date);
	received_read(STR("(((((from;"), &r);
	received_read(STR("from \xff\x01 by\0x"), &r);
}

/* ---- the mime-stalwart vectors ---- */

enum { FROM, BY, ID, FOR, IP, HOST, HELO, DATE, FIELDS };

static const char *
name_of(const json_t *e, const char *key)
{
	const json_t *o = json_object_get(e, key);
	const char *name = json_string_value(json_object_get(o, "Name"));

	if (json_is_string(o))
		return json_string_value(o);
	return name != NULL ? name :
	    json_string_value(json_object_get(o, "IpAddr"));
}

static bool
agrees(struct str got, const char *want)
{
	if (str_skip(&got, STR("[")))
		got = str_sub(got, 0, str_find(got, ']'));
	return want == NULL ? got.p == NULL : str_eq_icase(got, str_of(want));
}

static void
compare(const json_t *row, unsigned *agreed)
{
	const json_t *e = json_object_get(row, "expected");
	const char *ip = name_of(e, "from_ip");
	struct received_read r;

	received_read(str_of(json_string_value(json_object_get(row,
	    "header"))), &r);
	if (ip == NULL)
		ip = json_string_value(json_object_get(json_object_get(e,
		    "from"), "IpAddr"));
	agreed[FROM] += agrees(r.from, name_of(e, "from"));
	agreed[BY] += agrees(r.by, name_of(e, "by"));
	agreed[ID] += agrees(r.id, name_of(e, "id"));
	agreed[FOR] += agrees(r.rcpt, name_of(e, "for_"));
	agreed[IP] += agrees(r.ip, ip);
	agreed[HOST] += agrees(r.host, name_of(e, "from_iprev"));
	agreed[HELO] += agrees(r.helo, name_of(e, "helo"));
	agreed[DATE] += r.has_date == json_is_object(json_object_get(e,
	    "date"));
}

/* Of 181 real fields; the rest are matters of taste (ids cut at a slash) or
 * dates that are none. */
static void
stalwart_mostly_agrees(void **state)
{
	static const unsigned want[FIELDS] = { [FROM] = 174, [BY] = 180,
		[ID] = 178, [FOR] = 179, [IP] = 179, [HOST] = 180, [HELO] = 181,
		[DATE] = 173 };
	json_t *all = json_load_file("test/vectors/mime-stalwart/"
	    "received.json", 0, NULL);
	unsigned agreed[FIELDS] = { 0 };

	(void)state;
	assert_int_equal(json_array_size(all), 181);
	for (size_t i = 0; i < json_array_size(all); i++)
		compare(json_array_get(all, i), agreed);
	json_decref(all);
	for (int i = 0; i < FIELDS; i++)
		assert_int_equal(agreed[i], want[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_behind_with),
		cmocka_unit_test(ours_is_written),
		cmocka_unit_test(peers_cannot_break_it),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(others_are_read),
		cmocka_unit_test(stalwart_mostly_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
