#include "trust/caa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define CAA(flags, tag_n, tag, value) \
	{ .data = STR_INIT(flags tag_n tag value) }

static const struct str issuers[] = { STR_INIT("ca.test"),
	STR_INIT("other.test") };
static const struct caa_ask ask = { issuers, 2,
	STR_INIT("https://ca.test/acct/1"), STR_INIT("http-01") };

static const struct {
	struct dns_record r;
	enum caa_verdict v;
} ones[] = {
	{ CAA("\0", "\5", "issue", "ca.test"), CAA_FREE },
	{ CAA("\0", "\5", "ISSUE", " CA.test "), CAA_FREE },
	{ CAA("\0", "\5", "issue", "other.test;"), CAA_FREE },
	{ CAA("\0", "\5", "issue", "example.com"), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", ";"), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", ""), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", "%%%"), CAA_REFUSED },
	/* RFC 8659 4.2 */
	{ CAA("\0", "\5", "issue", "ca.test; account=230123"), CAA_FREE },
	{ CAA("\0", "\5", "issue", "ca.test; x"), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", "ca.test; x=1; y = 2 ;"), CAA_FREE },
	{ CAA("\0", "\5", "issue", "ca.test; ; x=1"), CAA_REFUSED },
	/* RFC 8657 */
	{ CAA("\0", "\5", "issue",
	    "ca.test; accounturi=https://ca.test/acct/1"), CAA_FREE },
	{ CAA("\0", "\5", "issue",
	    "ca.test; accounturi=https://ca.test/acct/2"), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", "ca.test; accounturi=https://ca.test/acct/1;"
	    " accounturi=https://ca.test/acct/1"), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", "ca.test; validationmethods=dns-01,http-01"),
	    CAA_FREE },
	{ CAA("\0", "\5", "issue", "ca.test; validationmethods=dns-01"),
	    CAA_REFUSED },
	{ CAA("\0", "\5", "issue", "ca.test; validationmethods="), CAA_REFUSED },
	{ CAA("\0", "\5", "issue", "ca.test; accounturi=https://ca.test/acct/1;"
	    " validationmethods=tls-alpn-01"), CAA_REFUSED },
	/* what says nothing about us */
	{ CAA("\0", "\11", "issuewild", "example.com"), CAA_FREE },
	{ CAA("\200", "\5", "iodef", "mailto:a@b.test"), CAA_FREE },
	{ CAA("\0", "\3", "tbs", "Unknown"), CAA_FREE },
	{ CAA("\200", "\3", "tbs", "Unknown"), CAA_REFUSED },
};

static void
test_one_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
		char room[200];
		struct buf why = BUF_OF(room);

		if (caa_judge(&ones[i].r, 1, &ask, &why) != ones[i].v)
			fail_msg("row %zu", i);
		assert_int_equal(why.n > 0, ones[i].v == CAA_REFUSED);
	}
}

static void
test_any_of_several(void **state)
{
	const struct dns_record set[] = {
		CAA("\0", "\5", "issue", "example.com"),
		CAA("\0", "\5", "issue", "ca.test") };
	char room[200];
	struct buf why = BUF_OF(room);

	(void)state;
	assert_int_equal(caa_judge(set, 2, &ask, &why), CAA_FREE);
	assert_int_equal(caa_judge(set, 0, &ask, &why), CAA_FREE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_record),
		cmocka_unit_test(test_any_of_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
