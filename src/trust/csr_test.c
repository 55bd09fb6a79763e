#include "trust/csr.h"

#include "base/err.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void
test_request(void **state)
{
	const struct str names[] = { STR("mx.example.org"), STR("a.b.test") };
	static char room[4096];
	struct buf b = BUF_OF(room);
	EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_RSA_gen(2048) };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const unsigned char *at = (unsigned char *)room;
		STACK_OF(X509_EXTENSION) *all;
		GENERAL_NAMES *alt;
		X509_REQ *r;

		b.n = 0;
		assert_int_equal(csr_make(keys[i], names, 2, &b), 0);
		r = d2i_X509_REQ(NULL, &at, (long)b.n);
		assert_non_null(r);
		assert_int_equal(X509_REQ_verify(r, keys[i]), 1);
		assert_int_equal(X509_NAME_entry_count(
		    X509_REQ_get_subject_name(r)), 0);
		all = X509_REQ_get_extensions(r);
		assert_int_equal(sk_X509_EXTENSION_num(all), 1);
		alt = X509V3_get_d2i(all, NID_subject_alt_name, NULL, NULL);
		assert_int_equal(sk_GENERAL_NAME_num(alt), 2);
		assert_memory_equal(ASN1_STRING_get0_data(
		    sk_GENERAL_NAME_value(alt, 1)->d.dNSName), "a.b.test", 8);
		GENERAL_NAMES_free(alt);
		sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
		X509_REQ_free(r);
		EVP_PKEY_free(keys[i]);
	}
}

static void
test_limits(void **state)
{
	struct str names[CSR_NAMES_MOST + 1];
	static char room[16384];
	struct buf b = BUF_OF(room);
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)state;
	for (size_t i = 0; i <= CSR_NAMES_MOST; i++)
		names[i] = STR("a.test");
	assert_int_equal(csr_make(key, names, CSR_NAMES_MOST, &b), 0);
	b.n = 0;
	assert_int_equal(csr_make(key, names, CSR_NAMES_MOST + 1, &b), -1);
	assert_int_equal(csr_make(key, names, 0, &b), -1);
	b.cap = 10;
	assert_int_equal(csr_make(key, names, 1, &b), -1);
	err_clear();
	EVP_PKEY_free(key);
}

/* RFC 8737 3: the name alone, and the critical digest. */
static void
test_proof(void **state)
{
	char digest[PROOF_DIGEST];
	struct certificate c;
	EVP_PKEY *key = NULL;
	ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	X509_EXTENSION *ext;
	ASN1_OCTET_STRING *value;

	(void)state;
	memset(digest, 7, sizeof digest);
	assert_int_equal(proof_make(STR("mx.example.org"), (struct str){ digest,
	    sizeof digest }, (struct wall){ 1770000000000000 }, &c, &key), 0);
	assert_true(certificate_fits(&c, key));
	assert_int_equal(certificate_key_id(&c), public_key_id(key));
	assert_int_equal(X509_check_host(c.leaf, "mx.example.org", 0, 0, NULL),
	    1);
	ext = X509_get_ext(c.leaf, X509_get_ext_by_OBJ(c.leaf, id, -1));
	assert_non_null(ext);
	assert_int_equal(X509_EXTENSION_get_critical(ext), 1);
	value = X509_EXTENSION_get_data(ext);
	assert_int_equal(ASN1_STRING_length(value), 2 + PROOF_DIGEST);
	assert_memory_equal(ASN1_STRING_get0_data(value), "\4\40\7\7", 4);
	ASN1_OBJECT_free(id);
	certificate_free(&c);
	EVP_PKEY_free(key);
	assert_int_equal(proof_make(STR("mx.example.org"), (struct str){ digest,
	    31 }, (struct wall){ 0 }, &c, &key), -1);
	err_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
