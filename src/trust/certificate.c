#include "trust/certificate.h"

#include "base/err.h"
#include "base/must.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

enum { RSA_LEAST = 2048, RSA_MOST = 8192, SELF_DAYS = 3650, BACKDATE_S = 86400,
	SERIAL_BITS = 159 };

/* ---- reading ---- */

static BIO *
pem_open(struct str pem)
{
	BIO *b;

	if (pem.n > CERTIFICATE_PEM_MOST) {
		err_set("it is longer than %d octets", CERTIFICATE_PEM_MOST);
		return NULL;
	}
	b = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (b == NULL)
		err_set("no memory for a certificate");
	ERR_clear_error();
	return b;
}

/* An encrypted key would ask the terminal; nobody sits there. */
static int
no_password(char *room, int n, int writing, void *arg)
{
	(void)room, (void)n, (void)writing, (void)arg;
	return -1;
}

static bool
key_is_usable(EVP_PKEY *k)
{
	char group[32];

	if (EVP_PKEY_is_a(k, "RSA"))
		return EVP_PKEY_get_bits(k) >= RSA_LEAST &&
		    EVP_PKEY_get_bits(k) <= RSA_MOST;
	if (EVP_PKEY_is_a(k, "EC"))
		return EVP_PKEY_get_group_name(k, group, sizeof group, NULL) == 1
		    && (strcmp(group, "prime256v1") == 0 ||
		    strcmp(group, "secp384r1") == 0);
	return EVP_PKEY_is_a(k, "ED25519") == 1;
}

static int
key_check(EVP_PKEY *k)
{
	return k != NULL && key_is_usable(k) ? 0 :
	    err_set("its key is none of RSA with %d to %d bits, ECDSA on P-256 "
	    "or P-384, and Ed25519", RSA_LEAST, RSA_MOST);
}

static int
chain_read(BIO *b, struct certificate *c)
{
	X509 *x;

	while ((x = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL) {
		if (sk_X509_num(c->chain) >= CERTIFICATE_CHAIN_MOST ||
		    sk_X509_push(c->chain, x) <= 0) {
			X509_free(x);
			return err_set("more than %d certificates in a row",
			    CERTIFICATE_CHAIN_MOST);
		}
	}
	/* The end is told as an error: no start line any more. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return err_set("a certificate behind the first is malformed");
	return 0;
}

int
certificate_read(struct str pem, struct certificate *out)
{
	BIO *b = pem_open(pem);
	int rc;

	*out = (struct certificate){ .leaf = NULL };
	if (b == NULL)
		return -1;
	out->leaf = PEM_read_bio_X509(b, NULL, no_password, NULL);
	out->chain = sk_X509_new_null();
	rc = out->chain == NULL ? err_set("no memory for a certificate") :
	    out->leaf == NULL ? err_set("it holds no certificate in PEM") :
	    key_check(X509_get0_pubkey(out->leaf));
	if (rc == 0)
		rc = chain_read(b, out);
	BIO_free(b);
	ERR_clear_error();
	if (rc != 0)
		certificate_free(out);
	return rc;
}

void
certificate_free(struct certificate *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	*c = (struct certificate){ .leaf = NULL };
}

EVP_PKEY *
private_key_read(struct str pem)
{
	BIO *b = pem_open(pem);
	EVP_PKEY *k;

	if (b == NULL)
		return NULL;
	k = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
	BIO_free(b);
	ERR_clear_error();
	if (k == NULL)
		err_set("it holds no private key in PEM, or one behind a "
		    "password");
	else if (key_check(k) != 0) {
		EVP_PKEY_free(k);
		k = NULL;
	}
	return k;
}

bool
certificate_fits(const struct certificate *c, EVP_PKEY *k)
{
	bool fits = EVP_PKEY_eq(X509_get0_pubkey(c->leaf), k) == 1;

	ERR_clear_error();
	return fits;
}

/* ---- writing ---- */

static int
bio_take(BIO *b, bool fine, struct buf *out)
{
	char *p = NULL;
	long n = fine ? BIO_get_mem_data(b, &p) : 0;

	if (n > 0)
		buf_put(out, (struct str){ p, (size_t)n });
	if (p != NULL)
		OPENSSL_cleanse(p, (size_t)n);
	BIO_free(b);
	ERR_clear_error();
	return n > 0 && !out->full ? 0 : err_set("no room for PEM");
}

int
certificate_print(const struct certificate *c, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool fine = b != NULL && PEM_write_bio_X509(b, c->leaf) == 1;

	for (int i = 0; fine && i < sk_X509_num(c->chain); i++)
		fine = PEM_write_bio_X509(b, sk_X509_value(c->chain, i)) == 1;
	return bio_take(b, fine, out);
}

int
private_key_print(EVP_PKEY *k, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool fine = b != NULL && PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0,
	    NULL, NULL) == 1;

	return bio_take(b, fine, out);
}

/* ---- about it ---- */

static uint64_t
id_of(unsigned char *der, int n)
{
	unsigned char hash[SHA256_DIGEST_LENGTH] = { 0 };
	uint64_t id = 0;

	must(n > 0);
	SHA256(der, (size_t)n, hash);
	OPENSSL_free(der);
	for (size_t i = 0; i < CERTIFICATE_KEY_ID; i++)
		id = id << 8 | hash[i];
	return id;
}

uint64_t
certificate_key_id(const struct certificate *c)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->leaf), &der);

	return id_of(der, n);
}

uint64_t
public_key_id(EVP_PKEY *k)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(k, &der);

	return id_of(der, n);
}

/* ---- our own ---- */

static bool
self_fill(X509 *x, const char *name, EVP_PKEY *key, struct wall now)
{
	char alt[300];
	time_t at = (time_t)(now.us / 1000000);
	X509_NAME *subject = X509_get_subject_name(x);
	BIGNUM *serial = BN_new();
	X509_EXTENSION *ext;
	bool fine;

	(void)snprintf(alt, sizeof alt, "DNS:%s", name);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
	fine = ext != NULL && serial != NULL &&
	    X509_set_version(x, X509_VERSION_3) == 1 &&
	    BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) != NULL &&
	    /* RFC 5280 A.1: ub-common-name */
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)(strlen(name) <= 64 ? name : "nightmail"),
	    -1, -1, 0) == 1 && X509_set_issuer_name(x, subject) == 1 &&
	    X509_time_adj_ex(X509_getm_notBefore(x), 0, -BACKDATE_S, &at) &&
	    X509_time_adj_ex(X509_getm_notAfter(x), SELF_DAYS, 0, &at) &&
	    X509_set_pubkey(x, key) == 1 && X509_add_ext(x, ext, -1) == 1 &&
	    X509_sign(x, key, EVP_sha256()) > 0;
	X509_EXTENSION_free(ext);
	BN_free(serial);
	return fine;
}

int
certificate_make(struct str hostname, struct wall now, struct certificate *out,
    EVP_PKEY **key)
{
	char name[256];

	*out = (struct certificate){ .leaf = X509_new(),
		.chain = sk_X509_new_null() };
	*key = EVP_EC_gen("P-256");
	if (out->leaf != NULL && out->chain != NULL && *key != NULL &&
	    str_cstr(hostname, name, sizeof name) &&
	    self_fill(out->leaf, name, *key, now))
		return 0;
	certificate_free(out);
	EVP_PKEY_free(*key);
	*key = NULL;
	ERR_clear_error();
	return err_set("making a certificate failed");
}
