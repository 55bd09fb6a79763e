#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/dmarc_report.h"

static char room[DMARC_REPORT_PIECE];

static const struct dmarc_report head = {
	.org_name = STR_INIT("A & B <mail>"),
	.email = STR_INIT("dmarc@mx.example"),
	.report_id = STR_INIT("1-a.example@mx.example"),
	.begin = 1795219200, .end = 1795305599,
	.domain = STR_INIT("a.example"),
	.discovery_method = REPORT_treewalk,
	.p = REPORT_reject, .sp = REPORT_none, .np = REPORT_quarantine,
	.adkim = REPORT_r, .aspf = REPORT_s, .testing = REPORT_n,
	.fo = STR_INIT("1:d"),
};

static const char head_text[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
    " <version>1.0</version>\n"
    " <report_metadata>\n"
    "  <org_name>A &amp; B &lt;mail&gt;</org_name>\n"
    "  <email>dmarc@mx.example</email>\n"
    "  <report_id>1-a.example@mx.example</report_id>\n"
    "  <date_range>\n"
    "   <begin>1795219200</begin>\n"
    "   <end>1795305599</end>\n"
    "  </date_range>\n"
    " </report_metadata>\n"
    " <policy_published>\n"
    "  <domain>a.example</domain>\n"
    "  <discovery_method>treewalk</discovery_method>\n"
    "  <p>reject</p>\n"
    "  <sp>none</sp>\n"
    "  <np>quarantine</np>\n"
    "  <fo>1:d</fo>\n"
    "  <adkim>r</adkim>\n"
    "  <aspf>s</aspf>\n"
    "  <testing>n</testing>\n"
    " </policy_published>\n";

static const char record_text[] =
    " <record>\n"
    "  <row>\n"
    "   <source_ip>2001:db8::1</source_ip>\n"
    "   <count>7</count>\n"
    "   <policy_evaluated>\n"
    "    <disposition>none</disposition>\n"
    "    <dkim>fail</dkim>\n"
    "    <spf>fail</spf>\n"
    "    <reason>\n"
    "     <type>mailing_list</type>\n"
    "     <comment>List-Id: &quot;x&quot; \xef\xbf\xbd \xef\xbf\xbd</comment>\n"
    "    </reason>\n"
    "   </policy_evaluated>\n"
    "  </row>\n"
    "  <identifiers>\n"
    "   <header_from>a.example</header_from>\n"
    "   <envelope_from></envelope_from>\n"
    "  </identifiers>\n"
    "  <auth_results>\n"
    "   <dkim>\n"
    "    <domain>list.example</domain>\n"
    "    <selector>s1</selector>\n"
    "    <result>pass</result>\n"
    "   </dkim>\n"
    "   <spf>\n"
    "    <domain>list.example</domain>\n"
    "    <scope>mfrom</scope>\n"
    "    <result>softfail</result>\n"
    "    <human_result>it&apos;s &lt;&lt;</human_result>\n"
    "   </spf>\n"
    "  </auth_results>\n"
    " </record>\n";

static void
a_report_is_written_in_the_order_of_the_schema(void **state)
{
	struct dmarc_report_reason reason = { REPORT_mailing_list,
		STR("List-Id:\t\"x\"\n\x01\r\xff") };
	struct dmarc_report_dkim dkim = { STR("list.example"), STR("s1"),
		REPORT_pass, STR_NONE };
	struct dmarc_report_spf spf = { STR("list.example"), REPORT_mfrom,
		REPORT_softfail, STR("it's <<") };
	struct dmarc_report_record r = { .source_ip = STR("2001:db8::1"),
		.count = 7, .disposition = REPORT_none,
		.dkim_aligned = REPORT_fail, .spf_aligned = REPORT_fail,
		.reasons = &reason, .n_reasons = 1,
		.header_from = STR("a.example"), .envelope_from = STR(""),
		.dkim = &dkim, .n_dkim = 1, .spf = &spf };
	struct buf b = BUF_OF(room);

	(void)state;
	dmarc_report_begin(&b, &head);
	assert_string_equal((buf_putc(&b, '\0'), room), head_text);
	b.n = 0;
	dmarc_report_record(&b, &r);
	assert_string_equal((buf_putc(&b, '\0'), room), record_text);
	b.n = 0;
	dmarc_report_end(&b);
	assert_true(str_eq(buf_str(&b), STR("</feedback>\n")));
}

/* The most that a piece may have to hold: every octet is escaped. */
static void
the_largest_record_fits_in_a_piece(void **state)
{
	static struct dmarc_report_dkim dkim[DMARC_REPORT_SIGNATURES];
	static char text[DMARC_REPORT_TEXTS];
	struct dmarc_report_record r = { .source_ip = STR("192.0.2.1"),
		.count = INT64_MAX, .disposition = REPORT_quarantine,
		.dkim_aligned = REPORT_fail, .spf_aligned = REPORT_fail,
		.header_from = { text, sizeof text }, .dkim = dkim,
		.n_dkim = DMARC_REPORT_SIGNATURES };
	struct buf b = BUF_OF(room);

	(void)state;
	memset(text, '"', sizeof text);
	for (size_t i = 0; i < DMARC_REPORT_SIGNATURES; i++)
		dkim[i] = (struct dmarc_report_dkim){ STR(""), STR(""),
			REPORT_permerror, STR("") };
	dmarc_report_record(&b, &r);
	assert_false(b.full);
	assert_true(b.n > sizeof text * 6);
}

static void
words_stand_where_they_may(void **state)
{
	(void)state;
	assert_int_equal(report_word_of(STR("Pass"), REPORT_IN_SPF),
	    REPORT_pass);
	assert_int_equal(report_word_of(STR("pass"), REPORT_IN_POLICY),
	    REPORT_ABSENT);
	assert_int_equal(report_word_of(STR("sampled_out"),
	    REPORT_IN_OVERRIDE), REPORT_ABSENT);
	assert_int_equal(report_word_of(STR("sampled_out"),
	    REPORT_IN_OVERRIDE | REPORT_IN_OVERRIDE_OLD), REPORT_sampled_out);
	assert_int_equal(report_word_of(STR("softfail"), REPORT_IN_DKIM),
	    REPORT_ABSENT);
	assert_int_equal(report_word_of(STR(""), ~0U), REPORT_ABSENT);
	assert_string_equal(report_word_name(REPORT_temperror), "temperror");
	assert_false(dmarc_report_fits(REPORT_ABSENT, ~0U));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_written_in_the_order_of_the_schema),
		cmocka_unit_test(the_largest_record_fits_in_a_piece),
		cmocka_unit_test(words_stand_where_they_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
