#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/report_mail.h"

static char room[REPORT_MAIL_HEAD];

static const struct report_mail dmarc = {
	.kind = REPORT_OF_DMARC,
	.organization = STR_INIT("A \"B\" C"),
	.from = STR_INIT("postmaster@mx.example"),
	.to = { STR_INIT("a@a.example"), STR_INIT("x@b.example") }, .n_to = 2,
	.domain = STR_INIT("a.example"),
	.submitter = STR_INIT("mx.example"),
	.report_id = STR_INIT("2026-11-20.a.example@mx.example"),
	.boundary = STR_INIT("=_b"),
	.begin = 1795132800, .end = 1795219199,
	.now = { INT64_C(1795222800000000) },
};

static const char dmarc_text[] =
    "From: \"A \\\"B\\\" C\"\r\n <postmaster@mx.example>\r\n"
    "To: <a@a.example>,\r\n <x@b.example>\r\n"
    "Subject: Report Domain: a.example\r\n"
    " Submitter: mx.example\r\n"
    " Report-ID: <2026-11-20.a.example@mx.example>\r\n"
    "Date: Sat, 21 Nov 2026 01:00:00 +0000\r\n"
    "Message-ID: <2026-11-20.a.example@mx.example>\r\n"
    "Auto-Submitted: auto-generated\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed;\r\n boundary=\"=_b\"\r\n\r\n"
    "--=_b\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
    "This is an aggregate report of DMARC: what came of mail from\r\n"
    "a.example\r\nat the servers of\r\nmx.example\r\n"
    "on 2026-11-20 (UTC).  The DNS asks for it at\r\n_dmarc.a.example.\r\n"
    "\r\n--=_b\r\n"
    "Content-Type: application/gzip;\r\n"
    " name=\"mx.example!a.example!1795132800!1795219199.xml.gz\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment;\r\n"
    " filename=\"mx.example!a.example!1795132800!1795219199.xml.gz\"\r\n"
    "\r\n"
    "AAECAw==\r\n"
    "--=_b--\r\n";

static void
a_message_is_whole(void **state)
{
	struct buf b = BUF_OF(room);
	struct base64_writer w = { 0 };
	struct str octets = STR("\0\1\2\3");

	(void)state;
	report_mail_head(&b, &dmarc);
	assert_true(report_mail_octets(&w, &octets, &b));
	report_mail_end(&w, &b, &dmarc);
	buf_putc(&b, '\0');
	assert_false(b.full);
	assert_string_equal(room, dmarc_text);
}

static void
one_of_tls_says_so(void **state)
{
	static const char *const lines[] = {
		"TLS-Report-Domain: a.example\r\n",
		"TLS-Report-Submitter: mx.example\r\n",
		"TLS-Required: No\r\n",
		"Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n",
		"Content-Type: application/tlsrpt+gzip;\r\n",
		"!1795132800!1795219199.json.gz\"\r\n",
		"_smtp._tls.a.example.\r\n",
	};
	struct report_mail m = dmarc;
	struct buf b = BUF_OF(room);

	(void)state;
	m.kind = REPORT_OF_TLS;
	report_mail_head(&b, &m);
	assert_false(b.full);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_true(str_find_str(buf_str(&b), str_of(lines[i])) < b.n);
}

/* The longest names, eight recipients, a name of an organization that is
 * escaped in each octet. */
static void
the_largest_head_fits(void **state)
{
	static char name[253], box[320], id[600], org[200];
	struct report_mail m = dmarc;
	struct buf b = BUF_OF(room);
	struct str rest;

	(void)state;
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 64 == 63 ? '.' : 'a';
	memset(box, 'b', sizeof box);
	memset(id, 'i', sizeof id);
	memset(org, '"', sizeof org);
	m.organization = (struct str){ org, sizeof org };
	m.domain = m.submitter = (struct str){ name, sizeof name };
	m.from = (struct str){ box, sizeof box };
	m.report_id = (struct str){ id, sizeof id };
	for (m.n_to = 0; m.n_to < REPORT_MAIL_TO; m.n_to++)
		m.to[m.n_to] = m.from;
	report_mail_head(&b, &m);
	assert_false(b.full);
	rest = buf_str(&b);
	while (rest.n > 0)
		assert_true(str_cut(&rest, '\n').n < 998);
}

static void
odd_domains_do_not_fit(void **state)
{
	static const struct { const char *name; bool fits; } cases[] = {
		{ "a.example", true }, { "_x.a-b.example", true },
		{ "", false }, { ".a", false }, { "a.", false },
		{ "a..b", false }, { "a b", false }, { "a!b", false },
		{ "a\r\nb", false }, { "a\"b", false }, { "\xc3\xa4.de", false },
	};
	static char name[254];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(report_domain_fits(str_of(cases[i].name)),
		    cases[i].fits);
	memset(name, 'a', sizeof name);
	assert_true(report_domain_fits((struct str){ name, 253 }));
	assert_false(report_domain_fits((struct str){ name, 254 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_whole),
		cmocka_unit_test(one_of_tls_says_so),
		cmocka_unit_test(the_largest_head_fits),
		cmocka_unit_test(odd_domains_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
