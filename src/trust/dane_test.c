#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "trust/dane.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>

static EVP_PKEY *ca_key, *leaf_key;
static X509 *ca, *leaf, *stale, *other;
static STACK_OF(X509) *chain, *bare;
static struct wall now;

/* ---- certificates ---- */

static X509 *
certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by,
    long from, long until)
{
	X509 *x = X509_new();
	X509_EXTENSION *e;
	char alt[100];

	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer == NULL ? x :
	    issuer));
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == NULL ? 1 : 2);
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), until);
	X509_set_pubkey(x, key);
	snprintf(alt, sizeof alt, "DNS:%s", name);
	e = issuer == NULL ? X509V3_EXT_conf_nid(NULL, NULL,
	    NID_basic_constraints, "critical,CA:TRUE") : X509V3_EXT_conf_nid(
	    NULL, NULL, NID_subject_alt_name, alt);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, by, EVP_sha256()) > 0);
	return x;
}

static int
setup(void **state)
{
	(void)state;
	now.us = (int64_t)time(NULL) * US_PER_SECOND;
	ca_key = EVP_EC_gen("P-256");
	leaf_key = EVP_EC_gen("P-256");
	ca = certificate("authority", ca_key, NULL, ca_key, -60, 3600);
	leaf = certificate("mx.a.example", leaf_key, ca, ca_key, -60, 3600);
	stale = certificate("mx.a.example", leaf_key, ca, ca_key, -7200,
	    -3600);
	other = certificate("other.example", leaf_key, ca, ca_key, -60, 3600);
	chain = sk_X509_new_null();
	bare = sk_X509_new_null();
	sk_X509_push(chain, ca);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sk_X509_free(chain);
	sk_X509_free(bare);
	X509_free(ca);
	X509_free(leaf);
	X509_free(stale);
	X509_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(leaf_key);
	return 0;
}

/* ---- records ---- */

static struct tlsa
record(unsigned usage, unsigned selector, unsigned matching, X509 *of)
{
	static unsigned char room[8][4096];
	static unsigned next;
	unsigned char *to = room[next++ % 8], *der = NULL;
	int n = selector == 0 ? i2d_X509(of, &der) :
	    i2d_PUBKEY(X509_get0_pubkey(of), &der);
	unsigned size = 0;

	assert_true(n > 0 && (size_t)n <= sizeof room[0]);
	if (matching == 0) {
		memcpy(to, der, (size_t)n);
		size = (unsigned)n;
	} else
		assert_int_equal(EVP_Digest(der, (size_t)n, to, &size,
		    matching == 1 ? EVP_sha256() : EVP_sha512(), NULL), 1);
	OPENSSL_free(der);
	return (struct tlsa){ (uint8_t)usage, (uint8_t)selector,
		(uint8_t)matching, { (char *)to, size } };
}

static long
verified(const struct tlsa *list, size_t n, X509 *x, STACK_OF(X509) *with)
{
	struct tls_demand d = { .level = TLS_LEVEL_DANE, .n_tlsa = n,
		.tlsa = list, .sni = STR("mx.a.example"), .n_names = 2,
		.names = { STR("mx.a.example"), STR("a.example") } };

	return dane_verify(&d, x, with, now);
}

static long
verified_by(struct tlsa t, X509 *x, STACK_OF(X509) *with)
{
	return verified(&t, 1, x, with);
}

/* ---- */

/* RFC 7672 3.1.1: whatever its name and dates. */
static void
test_usage_3(void **state)
{
	(void)state;
	for (unsigned selector = 0; selector < 2; selector++)
		for (unsigned matching = 0; matching < 3; matching++)
			assert_int_equal(verified_by(record(3, selector,
			    matching, leaf), leaf, bare), X509_V_OK);
	assert_int_equal(verified_by(record(3, 1, 1, stale), stale, bare),
	    X509_V_OK);
	assert_int_equal(verified_by(record(3, 1, 1, other), other, bare),
	    X509_V_OK);
	assert_int_not_equal(verified_by(record(3, 1, 1, ca), leaf, chain),
	    X509_V_OK);
	assert_int_not_equal(verified_by(record(3, 0, 1, other), leaf, chain),
	    X509_V_OK);
	assert_int_not_equal(verified_by(record(3, 1, 1, leaf), NULL, NULL),
	    X509_V_OK);
}

/* RFC 7672 3.1.2: the chain, its dates, and a name. */
static void
test_usage_2(void **state)
{
	(void)state;
	for (unsigned selector = 0; selector < 2; selector++)
		for (unsigned matching = 0; matching < 3; matching++)
			assert_int_equal(verified_by(record(2, selector,
			    matching, ca), leaf, chain), X509_V_OK);
	/* a whole one need not be sent, a digest's must be */
	assert_int_equal(verified_by(record(2, 0, 0, ca), leaf, bare),
	    X509_V_OK);
	assert_int_equal(verified_by(record(2, 1, 0, ca), leaf, bare),
	    X509_V_OK);
	assert_int_not_equal(verified_by(record(2, 0, 1, ca), leaf, bare),
	    X509_V_OK);
	assert_int_equal(verified_by(record(2, 0, 1, ca), other, chain),
	    X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verified_by(record(2, 0, 1, ca), stale, chain),
	    X509_V_ERR_CERT_HAS_EXPIRED);
	assert_int_not_equal(verified_by(record(2, 0, 1, other), leaf, chain),
	    X509_V_OK);
}

/* One key goes, the next comes: both stand there for a while. */
static void
test_roll_over(void **state)
{
	struct tlsa list[] = { record(3, 1, 1, ca), record(3, 1, 1, leaf) };
	struct tlsa mixed[] = { record(2, 0, 1, other), record(3, 1, 1, leaf) };

	(void)state;
	assert_int_equal(verified(list, 2, leaf, chain), X509_V_OK);
	assert_int_equal(verified(mixed, 2, leaf, chain), X509_V_OK);
}

/* RFC 7671 9: where there is SHA-512, SHA-256 of the same usage and selector
 * does not count. */
static void
test_agility(void **state)
{
	struct tlsa weak[] = { record(3, 1, 2, ca), record(3, 1, 1, leaf) };
	struct tlsa apart[] = { record(3, 0, 2, ca), record(3, 1, 1, leaf) };

	(void)state;
	assert_int_not_equal(verified(weak, 2, leaf, chain), X509_V_OK);
	assert_int_equal(verified(apart, 2, leaf, chain), X509_V_OK);
}

static void
test_usable(void **state)
{
	struct tlsa t = record(3, 1, 1, leaf);

	(void)state;
	assert_true(dane_is_usable(&t));
	t.data.n--;
	assert_false(dane_is_usable(&t));
	for (unsigned usage = 0; usage < 6; usage++) {
		t = record(usage, 1, 1, leaf);
		assert_true(dane_is_usable(&t) == (usage == 2 || usage == 3));
	}
	t = record(3, 1, 2, leaf);
	assert_true(dane_is_usable(&t));
	t.matching = 3;
	assert_false(dane_is_usable(&t));
	t = record(2, 1, 0, leaf);
	assert_true(dane_is_usable(&t));
	t.selector = 0;
	assert_false(dane_is_usable(&t));
	t.selector = 2;
	assert_false(dane_is_usable(&t));
	t = record(2, 0, 0, leaf);
	t.data.n--;
	assert_false(dane_is_usable(&t));
	/* what cannot be used names nobody */
	t = record(1, 1, 1, leaf);
	assert_int_not_equal(verified_by(t, leaf, chain), X509_V_OK);
}

static void
test_read(void **state)
{
	char room[32];
	struct buf b = BUF_OF(room);
	struct tlsa t;

	(void)state;
	assert_false(dane_read(STR(""), &t));
	assert_false(dane_read(STR("\3\1\1"), &t));
	assert_true(dane_read(STR("\3\1\2\xab\1"), &t));
	dane_print(&t, &b);
	assert_true(str_eq(buf_str(&b), STR("3 1 2 ab01")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usage_3),
		cmocka_unit_test(test_usage_2),
		cmocka_unit_test(test_roll_over),
		cmocka_unit_test(test_agility),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
