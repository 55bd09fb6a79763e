#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/tls_rpt.h"

static char room[TLS_RPT_PIECE];

static const char whole[] =
    "{\"organization-name\":\"A \\\"B\\\"\","
    "\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\","
    "\"end-datetime\":\"2026-11-20T23:59:59Z\"},"
    "\"contact-info\":\"tls@mx.example\",\"report-id\":\"1@mx.example\","
    "\"policies\":[{\"policy\":{\"policy-type\":\"sts\","
    "\"policy-string\":[\"version: STSv1\",\"mode: testing\"],"
    "\"policy-domain\":\"b.example\",\"mx-host\":[\"*.b.example\"]},"
    "\"summary\":{\"total-successful-session-count\":5,"
    "\"total-failure-session-count\":3},"
    "\"failure-details\":[{\"result-type\":\"certificate-expired\","
    "\"sending-mta-ip\":\"192.0.2.1\","
    "\"receiving-mx-hostname\":\"mx.b.example\","
    "\"receiving-ip\":\"2001:db8::1\",\"failed-session-count\":2,"
    "\"failure-reason-code\":\"over since \\ufffd\"},"
    "{\"result-type\":\"starttls-not-supported\","
    "\"failed-session-count\":1}]},"
    "{\"policy\":{\"policy-type\":\"no-policy-found\","
    "\"policy-domain\":\"b.example\"},"
    "\"summary\":{\"total-successful-session-count\":1,"
    "\"total-failure-session-count\":0}}]}\n";

static void
a_report_is_written(void **state)
{
	struct tls_rpt r = { STR("A \"B\""), STR("tls@mx.example"),
		STR("1@mx.example"), { INT64_C(1795132800000000) },
		{ INT64_C(1795219199000000) } };
	struct str lines[] = { STR("version: STSv1"), STR("mode: testing") };
	struct str hosts[] = { STR("*.b.example") };
	struct tls_rpt_policy sts = { TLS_RPT_STS, STR("b.example"), lines, 2,
		hosts, 1, 5, 3 };
	struct tls_rpt_policy none = { .type = TLS_RPT_NO_POLICY,
		.domain = STR("b.example"), .n_good = 1 };
	struct tls_rpt_failure f = { .result = STR("certificate-expired"),
		.sending_ip = STR("192.0.2.1"), .mx_host = STR("mx.b.example"),
		.mx_ip = STR("2001:db8::1"), .reason = STR("over since \xff"),
		.count = 2 };
	struct tls_rpt_failure g = { .result = STR("starttls-not-supported"),
		.count = 1 };
	struct tls_rpt_writer w;
	struct buf b = BUF_OF(room);

	(void)state;
	tls_rpt_begin(&w, &b, &r);
	tls_rpt_policy(&w, &sts);
	tls_rpt_failure(&w, &f);
	tls_rpt_failure(&w, &g);
	tls_rpt_policy_end(&w);
	tls_rpt_policy(&w, &none);
	tls_rpt_policy_end(&w);
	tls_rpt_end(&w);
	buf_putc(&b, '\0');
	assert_false(b.full);
	assert_string_equal(room, whole);
}

static void
types_have_names(void **state)
{
	enum tls_rpt_type t;

	(void)state;
	assert_true(tls_rpt_type_of(STR("TLSA"), &t));
	assert_int_equal(t, TLS_RPT_TLSA);
	assert_string_equal(tls_rpt_type_name(TLS_RPT_NO_POLICY),
	    "no-policy-found");
	assert_false(tls_rpt_type_of(STR("dane"), &t));
}

static void
one_record_counts(void **state)
{
	static const struct { const char *texts[3]; const char *rua; } cases[] = {
		{ { "v=TLSRPTv1;rua=mailto:a@b.example" }, "mailto:a@b.example" },
		{ { "v=TLSRPTv1; rua=mailto:a@b.example,https://b.example/r ;" },
		    "mailto:a@b.example,https://b.example/r" },
		{ { "v=TLSRPTv1 ; x=y; rua=mailto:a@b.example; rua=mailto:c@d" },
		    "mailto:a@b.example" },
		{ { "v=spf1 -all", "v=TLSRPTv1;rua=mailto:a@b.example" },
		    "mailto:a@b.example" },
		{ { "v=TLSRPTv1;rua=mailto:a@b.example",
		    "v=TLSRPTv1;rua=mailto:a@b.example" }, NULL },
		{ { "v=TLSRPTv1;rua=mailto:a@b.example", "v=TLSRPTv1;" }, NULL },
		{ { "v=TLSRPTv1" }, NULL },
		{ { "v=TLSRPTv1;rua=" }, NULL },
		{ { "v=TLSRPTv2;rua=mailto:a@b.example" }, NULL },
		{ { "v=tlsrptv1;rua=mailto:a@b.example" }, NULL },
		{ { NULL }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str texts[3], rua;
		size_t n = 0;

		while (n < 3 && cases[i].texts[n] != NULL) {
			texts[n] = str_of(cases[i].texts[n]);
			n++;
		}
		assert_int_equal(tls_rpt_rua(texts, n, &rua),
		    cases[i].rua != NULL);
		if (cases[i].rua != NULL)
			assert_true(str_eq(rua, str_of(cases[i].rua)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_written),
		cmocka_unit_test(one_record_counts),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
