#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "wire/address.h"

#define X10 "abcdefghij"
#define X60 X10 X10 X10 X10 X10 X10
#define L63 X60 "klm"

static struct str
key(const struct mailbox *m)
{
	static char text[MAILBOX_TEXT];
	struct buf b = BUF_OF(text);

	mailbox_key(m, &b);
	assert_false(b.full);
	return buf_str(&b);
}

/* What is accepted prints back to something that is accepted and equal. */
static void
holds_together(struct str text)
{
	char first[MAILBOX_TEXT], again[MAILBOX_TEXT], local[MAILBOX_TEXT];
	struct buf b = BUF_OF(first), c = BUF_OF(again), l = BUF_OF(local);
	struct mailbox m, n;

	assert_null(mailbox_parse(text, MAILBOX_UTF8, &m));
	mailbox_key(&m, &b);
	mailbox_local(&m, &l);
	mailbox_print(buf_str(&l), m.domain, &c);
	assert_false(b.full || c.full || l.full);
	assert_null(mailbox_parse(buf_str(&c), MAILBOX_UTF8, &n));
	assert_true(str_eq(buf_str(&b), key(&n)));
}

/* ---- the isemail vectors ---- */

struct vector { char address[600]; size_t n; char category[40]; };

/* Take the text of <tag>...</tag> off the front of *s. */
static bool
element(struct str *s, const char *open, const char *close, struct str *text)
{
	size_t at = str_find_str(*s, str_of(open));

	if (at == s->n)
		return false;
	*s = str_sub(*s, at + strlen(open), s->n);
	at = str_find_str(*s, str_of(close));
	*text = str_sub(*s, 0, at);
	*s = str_sub(*s, at + strlen(close), s->n);
	return true;
}

static void
put_char(struct vector *v, unsigned long c)
{
	if (c >= 0x2400 && c < 0x2420)
		c -= 0x2400;
	if (c >= 0x80) {
		assert_true(c < 0x800);
		v->address[v->n++] = (char)(0xc0 | c >> 6);
		c = 0x80 | (c & 0x3f);
	}
	v->address[v->n++] = (char)c;
}

static void
decode(struct str xml, struct vector *v)
{
	v->n = 0;
	while (xml.n > 0) {
		char digits[12];

		if (str_skip(&xml, STR("&amp;")))
			put_char(v, '&');
		else if (str_skip(&xml, STR("&#x"))) {
			assert_true(str_cstr(str_cut(&xml, ';'), digits,
			    sizeof digits));
			put_char(v, strtoul(digits, NULL, 16));
		} else {
			v->address[v->n++] = xml.p[0];
			xml = str_sub(xml, 1, xml.n);
		}
		assert_true(v->n < sizeof v->address - 2);
	}
}

static void
isemail_agrees(void **state)
{
	static char file[65536];
	FILE *f = fopen("test/vectors/address-isemail/tests.xml", "r");
	struct str s, test, part;
	struct vector v;
	int cases = 0, accepted = 0;

	(void)state;
	assert_non_null(f);
	s = (struct str){ file, fread(file, 1, sizeof file, f) };
	fclose(f);
	s = str_sub(s, str_find_str(s, STR("<tests version")), s.n);
	while (element(&s, "<test id=", "</test>", &test)) {
		struct mailbox m;
		bool want, got;

		cases++;
		v.n = 0;
		if (element(&(struct str){ test.p, test.n }, "<address>",
		    "</address>", &part))
			decode(part, &v);
		assert_true(element(&test, "<category>ISEMAIL_",
		    "</category>", &part));
		want = str_eq(part, STR("VALID_CATEGORY")) ||
		    str_eq(part, STR("DNSWARN")) ||
		    str_eq(part, STR("RFC5321"));
		got = mailbox_parse((struct str){ v.address, v.n },
		    MAILBOX_STRICT, &m) == NULL;
		if (want != got)
			print_error("%.*s: want %d\n", (int)v.n, v.address,
			    want);
		assert_int_equal(want, got);
		if (got)
			holds_together((struct str){ v.address, v.n });
		accepted += got;
	}
	assert_int_equal(cases, 164);
	assert_int_equal(accepted, 38);
}

/* ---- our own ---- */

static void
lengths_have_edges(void **state)
{
	static const struct { const char *text; int no; } rows[] = {
		{ L63 "n@a.example", -1 },
		{ L63 "no@a.example", REFUSAL_LONG_LOCAL },
		{ "\"" X60 "kl\"@a.example", -1 },
		{ "\"" X60 "klm\"@a.example", REFUSAL_LONG_LOCAL },
		{ "a@" L63 ".example", -1 },
		{ "a@" L63 "n.example", REFUSAL_BAD_RECIPIENT },
		/* 252 + 2 and 253 + 2 octets */
		{ "a@" L63 "." L63 "." L63 "." X60, -1 },
		{ "a@" L63 "." L63 "." L63 "." X60 "k", REFUSAL_LONG_PATH },
		{ "a@" L63 "." L63 "." L63 "." L63, REFUSAL_LONG_PATH },
		{ "a@" L63 "." L63 "." L63 "." L63 ".a", REFUSAL_LONG_DOMAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mailbox m;
		const struct refusal *no = mailbox_parse(str_of(rows[i].text),
		    MAILBOX_STRICT, &m);

		assert_int_equal(no == NULL ? -1 : (int)no->name, rows[i].no);
	}
	assert_true(domain_is_valid(STR(L63 "." L63 "." L63 "." L63), 0));
	assert_false(domain_is_valid(STR(L63 "." L63 "." L63 "." X60 ".ab.c"),
	    0));
	assert_false(domain_is_valid(STR(""), 0));
	assert_false(domain_is_valid(STR("a."), 0));
	assert_false(domain_is_valid(STR("[192.0.2.1]"), 0));
}

static void
forms_are_equal(void **state)
{
	static const struct { const char *a, *key; } rows[] = {
		{ "Bob@EXAMPLE.org", "Bob@example.org" },
		{ "\"Bob\"@example.ORG", "Bob@example.org" },
		{ "\"B\\ob\"@example.org", "Bob@example.org" },
		{ "\"a b\"@example.org", "a b@example.org" },
		{ "\"a\\\\\\\"b\"@example.org", "a\\\"b@example.org" },
		{ "\"a@b\"@[IPv6:2001:DB8::1]", "a@b@[ipv6:2001:db8::1]" },
		{ "a%b!c@example.org", "a%b!c@example.org" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mailbox m;

		assert_null(mailbox_parse(str_of(rows[i].a), 0, &m));
		assert_true(str_eq(key(&m), str_of(rows[i].key)));
		holds_together(str_of(rows[i].a));
	}
}

static void
printing_quotes_by_need(void **state)
{
	static const struct { const char *local, *out; } rows[] = {
		{ "bob", "bob@a.example" },
		{ "", "\"\"@a.example" },
		{ "a b", "\"a b\"@a.example" },
		{ ".a", "\".a\"@a.example" },
		{ "a..b", "\"a..b\"@a.example" },
		{ "a\"\\", "\"a\\\"\\\\\"@a.example" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f@a.example" },
	};
	char out[MAILBOX_TEXT];
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		b = BUF_OF(out);
		mailbox_print(str_of(rows[i].local), STR("a.example"), &b);
		assert_true(str_eq(buf_str(&b), str_of(rows[i].out)));
	}
	b = BUF_OF(out);
	mailbox_print(STR("postmaster"), STR_NONE, &b);
	assert_true(str_eq(buf_str(&b), STR("postmaster")));
}

static void
utf8_only_when_asked(void **state)
{
	static const char *const texts[] = {
		"gr\xc3\xbc\xc3\x9f@example.org",
		"bob@b\xc3\xbc" "cher.example",
		"\"\xe4\xb8\xad \xe6\x96\x87\"@example.org",
	};
	static const char *const bad[] = { "a\xff@example.org",
		"a\xc2\x85@example.org", "bob@a\xe3\x80\x82" "example",
		"bob@a\xef\xbd\xa1" "example", "bob@\xc3", "\"\\\xc3\xbc\"@a" };
	struct mailbox m;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_non_null(mailbox_parse(str_of(texts[i]), 0, &m));
		assert_null(mailbox_parse(str_of(texts[i]), MAILBOX_UTF8, &m));
		assert_true(m.has_utf8);
		holds_together(str_of(texts[i]));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_non_null(mailbox_parse(str_of(bad[i]), MAILBOX_UTF8,
		    &m));
	assert_null(mailbox_parse(STR("a@b.example"), MAILBOX_UTF8, &m));
	assert_false(m.has_utf8);
}

/* ---- paths ---- */

enum way { FWD = 1, REV = 2, BOTH = 3 };

static void
paths_are_read(void **state)
{
	static const struct {
		const char *text, *local, *domain, *route, *rest;
		enum way way;
	} rows[] = {
		{ "<a@b.example>", "a", "b.example", "", "", BOTH },
		{ "<a@b.example> SIZE=1", "a", "b.example", "", " SIZE=1",
		    BOTH },
		{ "a@b.example SIZE=1", "a", "b.example", "", " SIZE=1", BOTH },
		{ "<@x.example:a@b.example>", "a", "b.example", "@x.example",
		    "", BOTH },
		{ "<@x.example,@y:a@b.example>", "a", "b.example",
		    "@x.example,@y", "", BOTH },
		{ "<\"a>b\"@c>", "a>b", "c", "", "", BOTH },
		{ "<>", "", "", "", "", REV },
		{ "<> SIZE=1", "", "", "", " SIZE=1", REV },
		{ "<postMASTER>", "postMASTER", "", "", "", FWD },
		{ "Postmaster", "Postmaster", "", "", "", FWD },
		{ "<postmaster@b.example>", "postmaster", "b.example", "", "",
		    BOTH },
		{ "<postmasters@b.example>", "postmasters", "b.example", "",
		    "", BOTH },
		{ "<a@[192.0.2.1]>", "a", "[192.0.2.1]", "", "", BOTH },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		struct str s = str_of(rows[i / 2].text);
		enum way way = i % 2 == 0 ? FWD : REV;
		struct path p;
		const struct refusal *no = way == FWD ?
		    path_take_forward(&s, 0, &p) : path_take_reverse(&s, 0, &p);

		if ((rows[i / 2].way & way) == 0) {
			assert_non_null(no);
			continue;
		}
		assert_null(no);
		assert_true(str_eq(p.mailbox.local, str_of(rows[i / 2].local)));
		assert_true(str_eq(p.mailbox.domain,
		    str_of(rows[i / 2].domain)));
		assert_true(str_eq(p.route, str_of(rows[i / 2].route)));
		assert_true(str_eq(s, str_of(rows[i / 2].rest)));
		assert_int_equal(p.is_null, rows[i / 2].text[1] == '>');
	}
}

static void
bad_paths_are_refused(void **state)
{
	static const char *const texts[] = { "", "<", ">", "<<>>", "<a>",
		"<a@>", "<@b>", "<a@b", "a@b>", "<a@b>x", "<a@b.example.>",
		"<a@@b>", "<a b@c>", "< a@b>", "<a@b >", "<@x:>", "<@x a@b>",
		"<@x,:a@b>", "<@x,y:a@b>", "<@:a@b>", "<@x>", "<a@b,c@d>",
		"<a@[192.0.2.256]>", "<a@[192.0.2.1>", "<a@[]>", "<a@b]>",
		"<a@-b>", "<a@b_c.example>", "<a@b-.example>", "<.a@b>",
		"<a.@b>", "<a..b@c>", "<\"a@b>", "<\"a\"b@c>", "<(c)a@b>",
		"<a@b(c)>", "<a@[IPv6:1:2:3:4:5:6:7:8:9]>", "<a@[IPv6:::1%0]>",
		"\" \"@", "postmasterx", "<a\\@b@c>" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct str s = str_of(texts[i]), t = s;
		struct path p;
		const struct refusal *no = path_take_forward(&s, 0, &p);
		bool left = no == NULL && s.n > 0 && s.p[0] != ' ';

		/* What stands right behind a path is its caller's to refuse. */
		assert_true(no != NULL || left);
		no = path_take_reverse(&t, 0, &p);
		left = no == NULL && t.n > 0 && t.p[0] != ' ';
		assert_true(no != NULL || left);
	}
}

static void
senders_and_recipients_have_their_codes(void **state)
{
	struct str s = STR("<a>"), t = s;
	struct path p;

	(void)state;
	assert_int_equal(path_take_reverse(&s, 0, &p)->name,
	    REFUSAL_BAD_SENDER);
	assert_int_equal(path_take_forward(&t, 0, &p)->name,
	    REFUSAL_BAD_RECIPIENT);
}

/* RFC 5321 4.5.3.1.3: 256 octets, punctuation included. */
static void
path_length_has_an_edge(void **state)
{
	struct str fits = STR("<@" L63 "." L63 "." L63 "." X10 X10 X10 X10 X10
	    "abcd" ":a@b.cd>");
	struct str over = STR("<@" L63 "." L63 "." L63 "." X10 X10 X10 X10 X10
	    "abcde" ":a@b.cd>");
	struct path p;

	(void)state;
	assert_int_equal(fits.n, 256);
	assert_null(path_take_forward(&fits, 0, &p));
	assert_int_equal(path_take_forward(&over, 0, &p)->name,
	    REFUSAL_LONG_PATH);
}

static void
literals_are_octets(void **state)
{
	static const struct { const char *text, *hex; } rows[] = {
		{ "[192.0.2.1]", "c0000201" },
		{ "[IPv6:2001:db8::1]", "20010db8000000000000000000000001" },
		{ "[ipv6:::]", "00000000000000000000000000000000" },
		{ "[IPv6:::ffff:192.0.2.1]",
		    "00000000000000000000ffffc0000201" },
		{ "[IPv6:1:2:3:4:5:6:192.0.2.1]",
		    "000100020003000400050006c0000201" },
		{ "[IPv6:1::]", "00010000000000000000000000000000" },
	};
	static const char *const bad[] = { "", "[", "[]", "]", "192.0.2.1",
		"[192.0.2]", "[192.0.2.1.1]", "[192.0.2.0001]", "[192.0.2.]",
		"[.0.2.1]", "[IPv6:]", "[IPv6::]", "[IPv6:1]", "[IPv6:12345::]",
		"[IPv6:1:2:3:4:5:6:7::]", "[IPv6:1.2.3.4]", "[IPv6::::]",
		"[IPv6:1.2.3.4::]", "[2001:db8::1]", "[IPv6:1:2:3:4:5:6:7:]",
		"[IPv6::1:2:3:4:5:6:7:8]", "[IPv6:::1.2.3]", "[a:b]" };
	unsigned char ip[16];
	char hex[40];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = literal_parse(str_of(rows[i].text), ip);

		assert_int_equal(n, strlen(rows[i].hex) / 2);
		for (size_t k = 0; k < n; k++)
			snprintf(hex + 2 * k, 3, "%02x", ip[k]);
		assert_string_equal(hex, rows[i].hex);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(literal_parse(str_of(bad[i]), ip), 0);
}

static void
literals_are_printed(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.1", "[192.0.2.1]" },
		{ "2001:db8::1", "[IPv6:2001:db8::1]" },
		{ "[192.0.2.1]", "[192.0.2.1]" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(out);

		literal_print(str_of(rows[i][0]), &b);
		assert_true(str_eq(buf_str(&b), str_of(rows[i][1])));
	}
}

static void
domains_follow_the_last_at(void **state)
{
	(void)state;
	assert_true(str_eq(mailbox_domain(STR("a@b")), STR("b")));
	assert_true(str_eq(mailbox_domain(STR("\"a@b\"@c.test")),
	    STR("c.test")));
	assert_int_equal(mailbox_domain(STR("a@")).n, 0);
	assert_int_equal(mailbox_domain(STR("a")).n, 0);
	assert_int_equal(mailbox_domain(STR_NONE).n, 0);
}

static void
hosts_have_kinds(void **state)
{
	static const struct { const char *text; enum host_kind kind; } rows[] = {
		{ "mx.example.org", HOST_DOMAIN },
		{ "localhost", HOST_DOMAIN },
		{ "[192.0.2.1]", HOST_LITERAL },
		{ "[IPv6:::1]", HOST_LITERAL },
		{ "my_pc", HOST_LOOSE },
		{ "mx.example.org.", HOST_LOOSE },
		{ "[192.0.2.1", HOST_LOOSE },
		{ "", HOST_BAD },
		{ "a b", HOST_BAD },
		{ "a\tb", HOST_BAD },
		{ "b\xc3\xbc" "cher.example", HOST_BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(host_parse(str_of(rows[i].text), 0),
		    rows[i].kind);
	assert_int_equal(host_parse(STR("b\xc3\xbc" "cher.example"),
	    MAILBOX_UTF8), HOST_DOMAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isemail_agrees),
		cmocka_unit_test(lengths_have_edges),
		cmocka_unit_test(forms_are_equal),
		cmocka_unit_test(printing_quotes_by_need),
		cmocka_unit_test(utf8_only_when_asked),
		cmocka_unit_test(paths_are_read),
		cmocka_unit_test(bad_paths_are_refused),
		cmocka_unit_test(senders_and_recipients_have_their_codes),
		cmocka_unit_test(path_length_has_an_edge),
		cmocka_unit_test(literals_are_octets),
		cmocka_unit_test(literals_are_printed),
		cmocka_unit_test(domains_follow_the_last_at),
		cmocka_unit_test(hosts_have_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
