/* client_cert_test.c -- chains that lead, and those that do not; names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "trust/client_cert.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static EVP_PKEY *ca_key, *key;
static X509 *ca;
static char ca_pem[4096];

/* NULL issuer: by itself.  Extensions by name and value, by pairs. */
static X509 *
certificate(const char *cn, X509 *issuer, EVP_PKEY *signer,
    const char *const *extensions)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer == NULL ? subject :
	    X509_get_subject_name(issuer));
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, issuer == NULL ? signer : key);
	for (; *extensions != NULL; extensions += 2) {
		X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, extensions[0],
		    extensions[1]);

		assert_non_null(e);
		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_sign(x, signer, EVP_sha256()) > 0);
	return x;
}

#define EXT(...) (const char *const []){ __VA_ARGS__, NULL }

static int
set_up(void **state)
{
	BIO *b = BIO_new(BIO_s_mem());

	(void)state;
	ca_key = EVP_EC_gen("P-256");
	key = EVP_EC_gen("P-256");
	ca = certificate("our own", NULL, ca_key, EXT("basicConstraints",
	    "critical,CA:TRUE"));
	PEM_write_bio_X509(b, ca);
	(void)BIO_read(b, ca_pem, sizeof ca_pem - 1);
	BIO_free(b);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	return 0;
}

static struct wall
in_seconds(int64_t n)
{
	return (struct wall){ ((int64_t)time(NULL) + n) * 1000000 };
}

static bool
leads(X509 *x, int64_t seconds)
{
	return client_cert_leads(x, NULL, str_of(ca_pem), in_seconds(seconds));
}

static void
test_leads(void **state)
{
	X509 *good = certificate("ann", ca, ca_key, EXT("extendedKeyUsage",
	    "clientAuth"));
	X509 *plain = certificate("ann", ca, ca_key, EXT("basicConstraints",
	    "CA:FALSE"));
	X509 *server = certificate("ann", ca, ca_key, EXT("extendedKeyUsage",
	    "serverAuth"));
	X509 *forged = certificate("ann", ca, key, EXT("extendedKeyUsage",
	    "clientAuth"));
	X509 *own = certificate("our own", NULL, key, EXT("basicConstraints",
	    "critical,CA:TRUE"));

	(void)state;
	assert_true(leads(good, 0));
	assert_true(leads(plain, 0));
	assert_false(leads(server, 0));
	assert_true(strlen(err_text()) > 0);
	assert_false(leads(forged, 0));
	assert_false(leads(own, 0));
	assert_false(leads(good, 3700));
	assert_false(leads(good, -3700));
	assert_false(client_cert_leads(good, NULL, STR(""), in_seconds(0)));
	assert_false(client_cert_leads(good, NULL, STR("x"), in_seconds(0)));
	assert_true(client_cert_is_current(own, in_seconds(0)));
	assert_false(client_cert_is_current(own, in_seconds(3700)));
	assert_false(client_cert_is_current(own, in_seconds(-3700)));
	X509_free(good), X509_free(plain), X509_free(server);
	X509_free(forged), X509_free(own);
}

/* A chain over one between; and a leaf that is no authority signs nothing. */
static void
test_chain(void **state)
{
	EVP_PKEY *mid_key = EVP_EC_gen("P-256");
	X509 *mid, *leaf;
	STACK_OF(X509) *chain = sk_X509_new_null();
	EVP_PKEY *kept = key;

	(void)state;
	for (int is_ca = 0; is_ca < 2; is_ca++) {
		key = mid_key;
		mid = certificate("between", ca, ca_key, EXT("basicConstraints",
		    is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"));
		key = kept;
		leaf = certificate("ann", mid, mid_key, EXT("extendedKeyUsage",
		    "clientAuth"));
		assert_false(leads(leaf, 0));
		sk_X509_push(chain, mid);
		assert_int_equal(client_cert_leads(leaf, chain,
		    str_of(ca_pem), in_seconds(0)), is_ca);
		(void)sk_X509_pop(chain);
		X509_free(mid);
		X509_free(leaf);
	}
	sk_X509_free(chain);
	EVP_PKEY_free(mid_key);
}

static void
assert_names(X509 *x, const char *want)
{
	char room[600];
	struct buf b = BUF_OF(room);

	client_cert_names(x, &b);
	if (!str_eq(buf_str(&b), str_of(want)))
		fail_msg("'"STR_FMT"', not '%s'", STR_ARG(buf_str(&b)), want);
	X509_free(x);
}

static void
test_names(void **state)
{
	X509 *x;

	(void)state;
	assert_names(certificate("ann", ca, ca_key, EXT("subjectAltName",
	    "email:ann@two.test,DNS:two.test,email:a@x.test")),
	    "ann@two.test\na@x.test\nann");
	assert_names(certificate("ann", ca, ca_key, EXT("basicConstraints",
	    "CA:FALSE")), "ann");
	/* what could be two lines is no name */
	assert_names(certificate("root\nann", ca, ca_key, EXT("subjectAltName",
	    "email:ann@two.test")), "ann@two.test");
	x = certificate("ann", ca, ca_key, EXT("basicConstraints", "CA:FALSE"));
	X509_NAME_add_entry_by_NID(X509_get_subject_name(x),
	    NID_pkcs9_emailAddress, MBSTRING_ASC,
	    (const unsigned char *)"bob@two.test\0@evil.test", 23, -1, 0);
	assert_names(x, "ann");
	x = certificate("ann", ca, ca_key, EXT("basicConstraints", "CA:FALSE"));
	X509_NAME_add_entry_by_NID(X509_get_subject_name(x),
	    NID_pkcs9_emailAddress, MBSTRING_ASC,
	    (const unsigned char *)"bob@two.test", -1, -1, 0);
	assert_names(x, "bob@two.test\nann");
}

static void
test_fingerprint(void **state)
{
	char got[CLIENT_CERT_FINGERPRINT], read[CLIENT_CERT_FINGERPRINT];
	char colons[CLIENT_CERT_FINGERPRINT / 2 * 3 + 1];
	static const char *const bad[] = { "", "sha256:", "ab", "sha1:ab" };

	(void)state;
	client_cert_fingerprint(ca, got);
	assert_true(client_cert_fingerprint_read((struct str){ got,
	    sizeof got }, read));
	assert_memory_equal(got, read, sizeof got);
	for (size_t i = 0; i < sizeof got / 2; i++)
		(void)snprintf(colons + 3 * i, 4, "%c%c:", got[2 * i],
		    got[2 * i + 1]);
	assert_true(client_cert_fingerprint_read((struct str){ colons,
	    sizeof colons - 2 }, read));
	assert_memory_equal(got, read, sizeof got);
	colons[5] = '.';
	assert_false(client_cert_fingerprint_read((struct str){ colons,
	    sizeof colons - 2 }, read));
	got[9] = 'g';
	assert_false(client_cert_fingerprint_read((struct str){ got,
	    sizeof got }, read));
	assert_false(client_cert_fingerprint_read((struct str){ got,
	    sizeof got - 1 }, read));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(client_cert_fingerprint_read(str_of(bad[i]),
		    read));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leads),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_fingerprint),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
