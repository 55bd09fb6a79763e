/* certificates_test.c -- what listeners ask of clients, and who is known by it. */
#include "policy/test_conf.h"

#include "policy/account.h"
#include "trust/certificate.h"

#define PRINT "AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:" \
	"AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC"
#define DIGITS "abcdef00112233445566778899aabbcc" \
	"abcdef00112233445566778899aabbcc"

static void
authorities(void)
{
	static char text[4096];
	struct buf pem = BUF_OF(text);
	struct certificate c;
	EVP_PKEY *key;

	assert_int_equal(certificate_make(STR("ca.test"),
	    (struct wall){ 1700000000000000 }, &c, &key), 0);
	assert_int_equal(certificate_print(&c, &pem), 0);
	buf_putc(&pem, '\0');
	conf_file("/ca.pem", text);
	conf_file("/bad.pem", "no certificate\n");
	certificate_free(&c);
	EVP_PKEY_free(key);
}

static void
test_known(void **state)
{
	struct config *c;

	(void)state;
	conf_begin();
	authorities();
	c = conf_of("auth: { certificates: /ca.pem }\n"
	    "listen:\n- { port: 465, role: submission, tls: implicit, "
	    "client_certificates: required }\n"
	    "accounts:\n  ann: { certificates: [ \"" PRINT "\" ] }\n");
	assert_int_equal(c->listeners[0].certificates, CERTIFICATES_REQUIRED);
	assert_true(c->auth.certificates_pem.n > 100);
	assert_ptr_equal(account_rule_certificate(c, STR(DIGITS)),
	    c->account_list[0]);
	assert_null(account_rule_certificate(c, STR("abcd")));
	config_free(c);
	c = conf_of("listen: [ { port: 25 } ]\n");
	assert_int_equal(c->listeners[0].certificates, CERTIFICATES_OFF);
	config_free(c);
	conf_end();
}

static void
try_error(const char *yaml, const char *words)
{
	static char said[8192];
	struct buf b = BUF_OF(said);

	assert_null(conf_try(yaml));
	problems_print(&conf_problems, &b);
	if (str_find_str(buf_str(&b), str_of(words)) == b.n)
		fail_msg("no '%s' in '"STR_FMT"'", words, STR_ARG(buf_str(&b)));
}

static void
test_errors(void **state)
{
	(void)state;
	conf_begin();
	authorities();
	try_error("listen:\n- { port: 587, client_certificates: asked }\n",
	    "no certificate of a client is known");
	try_error("auth: { certificates: /ca.pem }\nlisten:\n- { port: 587, "
	    "tls: off, client_certificates: asked }\n",
	    "no certificates without TLS");
	try_error("auth: { certificates: /bad.pem }\n",
	    "there is no certificate in PEM");
	try_error("auth: { certificates: /none.pem }\n", "/none.pem");
	try_error("accounts:\n  ann: { certificates: [ \"" PRINT "\" ] }\n"
	    "  bob: { certificates: [ sha256:" DIGITS " ] }\n",
	    "that of account 'ann' already");
	try_error("accounts: { ann: { certificates: [ \"AB:CD\" ] } }\n",
	    "SHA-256 fingerprint");
	conf_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
