#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"

#include "fiber/dns.h"
#include "trust/dial.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

static void
test_parse(void **state)
{
	static const struct {
		const char *text, *path, *host;
		uint16_t port;			/* 0: refused */
	} cases[] = {
		{ "/run/x", "/run/x", "", 7 }, { "unix:/x", "/x", "", 7 },
		{ "a.example", "", "a.example", 7 },
		{ "a.example:1", "", "a.example", 1 },
		{ "192.0.2.1:65535", "", "192.0.2.1", 65535 },
		{ "[2001:db8::1]", "", "2001:db8::1", 7 },
		{ "[2001:db8::1]:389", "", "2001:db8::1", 389 },
		{ "", "", "", 0 }, { "/", "", "", 0 }, { ":1", "", "", 0 },
		{ "a:0", "", "", 0 }, { "a:65536", "", "", 0 },
		{ "a:", "", "", 0 }, { "a:x", "", "", 0 },
		{ "[::1", "", "", 0 }, { "[::1]x", "", "", 0 },
		{ "a b:1", "", "", 0 }, { "a/b:1", "", "", 0 },
		{ "unix:", "", "", 0 },
	};
	struct dial_target t;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool is = dial_parse(str_of(cases[i].text), 7, &t);

		if (is != (cases[i].port > 0))
			fail_msg("%s", cases[i].text);
		if (!is)
			continue;
		assert_true(str_eq(t.path, str_of(cases[i].path)));
		assert_true(str_eq(t.host, str_of(cases[i].host)));
		assert_int_equal(t.port, cases[i].port);
	}
	assert_false(dial_parse(STR("a.example"), 0, &t));
	assert_true(dial_parse(STR("127.0.0.2:1"), 0, &t) && dial_is_local(&t));
	assert_true(dial_parse(STR("LocalHost:1"), 0, &t) && dial_is_local(&t));
	assert_true(dial_parse(STR("/x"), 0, &t) && dial_is_local(&t));
	assert_false(dial_parse(STR("192.0.2.1:1"), 0, &t) && dial_is_local(&t));
	assert_false(dial_parse(STR("localhost.a.example:1"), 0, &t) &&
	    dial_is_local(&t));
}

/* ---- where it is ---- */

static void
body_dial(void *arg)
{
	static const struct dns_config zone = { .zone = STR_INIT(
	    "both.test A 192.0.2.1\nboth.test A 127.0.0.1\n"
	    "none.test TXT x\nbroken.test SERVFAIL\n") };
	struct dial_target t = { .host = STR("both.test") };
	struct net_end *l, *e;
	struct address at;

	(void)arg;
	assert_int_equal(dns_configure(&zone), 0);
	assert_true(address_parse(STR("127.0.0.1"), 0, &at));
	assert_non_null(l = net_listen(&at));
	assert_true(net_local(l, &at));
	t.port = at.port;
	/* The first address answers nothing: the second has its time. */
	assert_non_null(e = dial(&t, in_ms(10000)));
	net_close(e);
	t.host = STR("localhost");
	assert_non_null(e = dial(&t, in_ms(10000)));
	net_close(e);
	t.host = STR("none.test");
	assert_null(dial(&t, in_ms(10000)));
	assert_non_null(strstr(err_text(), "no address of none.test"));
	t.host = STR("broken.test");
	assert_null(dial(&t, in_ms(10000)));
	assert_non_null(strstr(err_text(), "looking up broken.test"));
	net_close(l);
	t.host = STR("localhost");
	assert_null(dial(&t, in_ms(10000)));
}

static void
test_dial(void **state)
{
	(void)state;
	on_core(body_dial);
}

/* ---- who it is ---- */

static struct stream client, server;
static struct tls_context *shown;

static void
accepting(void *arg)
{
	(void)tls_accept(&server, shown);
	*(bool *)arg = true;
}

static yields int
secure(struct tls_identity *id, X509_STORE *anchors, const char *host)
{
	struct tls_context *c = tls_client_new(&(struct tls_client_setup){
	    .anchors = anchors });
	static bool is_over;
	int rc;

	is_over = false;
	shown = tls_server_new(&(struct tls_server_setup){ .identities = id,
	    .n = 1 });
	make_pair(&client, &server);
	assert_int_equal(fiber_go("accept", accepting, &is_over), 0);
	rc = dial_secure(&client, c, str_of(host));
	while (!is_over)
		fiber_sleep(in_ms(1));
	stream_close(&client);
	stream_close(&server);
	tls_drop(shown);
	tls_drop(c);
	return rc;
}

static X509_STORE *
anchors_of(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	X509_STORE *s;
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	n = BIO_get_mem_data(b, &p);
	s = dial_anchors((struct str){ p, (size_t)n });
	BIO_free(b);
	return s;
}

static void
body_secure(void *arg)
{
	struct tls_identity id = test_identity("EC", "ldap.test");
	struct tls_identity other = test_identity("EC", "ldap.test");
	X509_STORE *right = anchors_of(id.leaf), *wrong = anchors_of(other.leaf);

	(void)arg;
	assert_non_null(right);
	assert_int_equal(secure(&id, right, "ldap.test"), 0);
	assert_int_equal(secure(&id, right, "LDAP.test"), 0);
	assert_int_equal(secure(&id, right, "ldap2.test"), -1);
	assert_non_null(strstr(err_text(), "somebody else"));
	assert_int_equal(secure(&id, right, "127.0.0.1"), -1);
	assert_int_equal(secure(&id, wrong, "ldap.test"), -1);
	assert_non_null(strstr(err_text(), "not to be trusted"));
	assert_int_equal(secure(&id, NULL, "ldap.test"), -1);
	X509_STORE_free(right);
	X509_STORE_free(wrong);
	test_identity_free(&id);
	test_identity_free(&other);
}

static void
test_secure(void **state)
{
	(void)state;
	on_core(body_secure);
}

static void
test_anchors(void **state)
{
	(void)state;
	assert_null(dial_anchors(STR("")));
	assert_null(dial_anchors(STR("nothing")));
	assert_null(dial_anchors(STR("-----BEGIN CERTIFICATE-----\nAA==\n"
	    "-----END CERTIFICATE-----\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_dial),
		cmocka_unit_test(test_secure),
		cmocka_unit_test(test_anchors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
