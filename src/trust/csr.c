#include "trust/csr.h"

#include "base/err.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { PROOF_DAYS = 7, NAME_MOST = 253 };

/* ---- names ---- */

static bool
name_add(GENERAL_NAMES *all, struct str name)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	if (g == NULL || text == NULL || name.n == 0 || name.n > NAME_MOST ||
	    ASN1_STRING_set(text, name.p, (int)name.n) != 1) {
		ASN1_IA5STRING_free(text);
		GENERAL_NAME_free(g);
		return false;
	}
	GENERAL_NAME_set0_value(g, GEN_DNS, text);
	if (sk_GENERAL_NAME_push(all, g) > 0)
		return true;
	GENERAL_NAME_free(g);
	return false;
}

static X509_EXTENSION *
names_make(const struct str *names, size_t n)
{
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	X509_EXTENSION *ext = NULL;
	bool fine = all != NULL && n > 0 && n <= CSR_NAMES_MOST;

	for (size_t i = 0; fine && i < n; i++)
		fine = name_add(all, names[i]);
	if (fine)
		ext = X509V3_EXT_i2d(NID_subject_alt_name, 0, all);
	GENERAL_NAMES_free(all);
	return ext;
}

/* ---- the request ---- */

static bool
extensions_put(X509_REQ *r, X509_EXTENSION *ext)
{
	STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
	bool fine = all != NULL && sk_X509_EXTENSION_push(all, ext) > 0 &&
	    X509_REQ_add_extensions(r, all) == 1;

	sk_X509_EXTENSION_free(all);
	return fine;
}

int
csr_make(EVP_PKEY *key, const struct str *names, size_t n, struct buf *der)
{
	X509_REQ *r = X509_REQ_new();
	X509_EXTENSION *ext = names_make(names, n);
	unsigned char *octets = NULL;
	int len = -1;

	if (r != NULL && ext != NULL &&
	    X509_REQ_set_version(r, X509_REQ_VERSION_1) == 1 &&
	    X509_REQ_set_pubkey(r, key) == 1 && extensions_put(r, ext) &&
	    X509_REQ_sign(r, key, EVP_sha256()) > 0)
		len = i2d_X509_REQ(r, &octets);
	X509_EXTENSION_free(ext);
	X509_REQ_free(r);
	ERR_clear_error();
	if (len > 0)
		buf_put(der, (struct str){ (const char *)octets, (size_t)len });
	OPENSSL_free(octets);
	return len > 0 && !der->full ? 0 : err_set("no request for a "
	    "certificate came to be");
}

/* ---- the proof ---- */

/* RFC 8737 3: acmeIdentifier, critical, an OCTET STRING in it. */
static X509_EXTENSION *
digest_make(struct str digest)
{
	unsigned char der[2 + PROOF_DIGEST] = { 4, PROOF_DIGEST };
	ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;

	memcpy(der + 2, digest.p, PROOF_DIGEST);
	if (id != NULL && value != NULL &&
	    ASN1_OCTET_STRING_set(value, der, sizeof der) == 1)
		ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(id);
	return ext;
}

static bool
proof_fill(X509 *x, struct str name, struct str digest, EVP_PKEY *key,
    struct wall now)
{
	time_t at = (time_t)(now.us / 1000000);
	X509_NAME *subject = X509_get_subject_name(x);
	X509_EXTENSION *names = names_make(&name, 1);
	X509_EXTENSION *proof = digest_make(digest);
	bool fine = names != NULL && proof != NULL &&
	    X509_set_version(x, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)"ACME challenge", -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, subject) == 1 &&
	    X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, &at) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(x), PROOF_DAYS, 0, &at) != NULL &&
	    X509_set_pubkey(x, key) == 1 && X509_add_ext(x, names, -1) == 1 &&
	    X509_add_ext(x, proof, -1) == 1 &&
	    X509_sign(x, key, EVP_sha256()) > 0;

	X509_EXTENSION_free(names);
	X509_EXTENSION_free(proof);
	return fine;
}

int
proof_make(struct str name, struct str digest, struct wall now,
    struct certificate *out, EVP_PKEY **key)
{
	*out = (struct certificate){ .leaf = X509_new(),
		.chain = sk_X509_new_null() };
	*key = EVP_EC_gen("P-256");
	if (digest.n == PROOF_DIGEST && out->leaf != NULL &&
	    out->chain != NULL && *key != NULL &&
	    proof_fill(out->leaf, name, digest, *key, now)) {
		ERR_clear_error();
		return 0;
	}
	certificate_free(out);
	EVP_PKEY_free(*key);
	*key = NULL;
	ERR_clear_error();
	return err_set("no certificate that proves a name came to be");
}
