/* external_test.c -- logging in by a certificate. */
#include "smtp/test_login.h"

/* By test_identity("EC", "ann@two.test"): signed by itself, so as authority and
 * as certificate it is the same. */
static struct tls_identity hers;

static yields void
show(bool shows)
{
	struct tls_client_setup setup = { .identity = shows ? &hers : NULL };

	tls_drop(asking);
	asking = tls_client_new(&setup);
	again();
	greet();
}

static void
body_external(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	hers = test_identity("EC", "ann@two.test");
	/* not asked: whatever he has, he cannot show it */
	show(true);
	PLAY("C AUTH EXTERNAL =", "S 504 5.5.4");
	listener.certificates = CERTIFICATES_ASKED;
	show(false);
	PLAY("C AUTH EXTERNAL =", "S 504 5.5.4", "C AUTH PLAIN " RIGHT,
	    "S 235");
	/* shown, but nobody vouches for it */
	show(true);
	PLAY("C AUTH EXTERNAL =", "S 504 5.5.4", "C MAIL FROM:<ann@two.test>",
	    "S 530 5.7.0");
	assert_int_equal(known.asked, 1);
	test_identity_free(&hers);
	close_login();
}

TEST(external, "")

/* The account that holds the certificate's fingerprint. */
static void
body_certified(void *arg)
{
	char text[CLIENT_CERT_FINGERPRINT];
	struct account_rule *rule;
	struct str held = { text, sizeof text };

	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	hers = test_identity("EC", "whatever");
	client_cert_fingerprint(hers.leaf, text);
	rule = house.config->account_list[0];
	rule->certificates = (struct conf_strings){ &held, 1 };
	listener.certificates = CERTIFICATES_ASKED;
	show(true);
	PLAY("C AUTH EXTERNAL", "S 334 ", "C ", "S 235 2.7.0", MAILS);
	assert_int_equal(house_told("\"queued\"", "EXTERNAL"), 1);
	assert_int_equal(house_told("\"queued\"", "\"ann@two.test\""), 1);
	show(true);
	/* as somebody else: Ym9i is bob */
	PLAY("C AUTH EXTERNAL Ym9i", "S 535 5.7.8",
	    "C AUTH EXTERNAL YW5uQHR3by50ZXN0", "S 235");
	/* TLS is taken for nobody but who began it */
	listener.certificates = CERTIFICATES_REQUIRED;
	show(false);
	PLAY("C AUTH PLAIN " RIGHT, "S 530 5.7.0", "C MAIL FROM:<a@b.test>",
	    "S 530 5.7.0", "C NOOP", "S 250");
	show(true);
	PLAY("C AUTH EXTERNAL =", "S 235");
	listener.tls = TLS_OFFERED;
	again();
	PLAY("S 220", "C EHLO me.test", "M 250", "C MAIL FROM:<a@b.test>",
	    "S 530 5.7.0 Say STARTTLS");
	rule->certificates = (struct conf_strings){ NULL, 0 };
	test_identity_free(&hers);
	close_login();
}

TEST(certified, "accounts: { ann@two.test: { from: [ '*' ] } }\n")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_external),
		cmocka_unit_test(test_certified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
