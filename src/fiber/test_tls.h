/*
 * test_tls.h -- certificates for tests, made on the spot.
 *
 * The promise: test_identity() makes a key of the kind asked for and a
 * certificate for one name, signed by itself, good for a day.
 * Not for: the server.
 * Waiting: none.
 * Memory: test_identity_free().
 * Errors: fail the test.
 * Source: RFC 5280.
 */
#ifndef NM_FIBER_TEST_TLS_H
#define NM_FIBER_TEST_TLS_H

#include "fiber/clock.h"
#include "fiber/tls.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static inline struct tls_identity
test_identity(const char *kind, const char *name)
{
	struct tls_identity id = { .leaf = X509_new() };
	time_t now = (time_t)(clock_wall().us / 1000000);
	char alt[300];
	X509_NAME *subject = X509_get_subject_name(id.leaf);
	X509_EXTENSION *ext;

	id.key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) :
	    strcmp(kind, "EC") == 0 ? EVP_EC_gen("P-256") :
	    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(id.key);
	(void)snprintf(alt, sizeof alt, "DNS:%s", name);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(id.leaf, subject);
	X509_set_version(id.leaf, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(id.leaf), 1);
	X509_time_adj_ex(X509_getm_notBefore(id.leaf), 0, -60, &now);
	X509_time_adj_ex(X509_getm_notAfter(id.leaf), 0, 86400, &now);
	X509_set_pubkey(id.leaf, id.key);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
	assert_non_null(ext);
	X509_add_ext(id.leaf, ext, -1);
	X509_EXTENSION_free(ext);
	assert_true(X509_sign(id.leaf, id.key, strcmp(kind, "ED25519") == 0 ?
	    NULL : EVP_sha256()) > 0);
	return id;
}

static inline void
test_identity_free(struct tls_identity *id)
{
	X509_free(id->leaf);
	EVP_PKEY_free(id->key);
}

#endif
