#include "trust/jws.h"

#include "base/err.h"
#include "base/must.h"
#include "wire/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

enum { P256 = 32, INTEGER_MOST = 1024, NONCE_MOST = 512 };

/* ---- keys ---- */

static int
number_put(EVP_PKEY *k, const char *param, size_t width, struct buf *out)
{
	unsigned char octets[INTEGER_MOST];
	BIGNUM *n = NULL;
	int len = -1;

	if (EVP_PKEY_get_bn_param(k, param, &n) == 1 &&
	    BN_num_bytes(n) <= INTEGER_MOST)
		len = width > 0 ? BN_bn2binpad(n, octets, (int)width) :
		    BN_bn2bin(n, octets);
	BN_free(n);
	ERR_clear_error();
	if (len <= 0)
		return err_set("a key has no %s", param);
	base64url_put(out, (struct str){ (const char *)octets, (size_t)len });
	return 0;
}

/* RFC 7638 3.2: what is needed, sorted. */
int
jws_key_print(EVP_PKEY *k, struct buf *out)
{
	int rc;

	if (EVP_PKEY_is_a(k, "EC")) {
		buf_put(out, STR("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""));
		rc = number_put(k, OSSL_PKEY_PARAM_EC_PUB_X, P256, out);
		buf_put(out, STR("\",\"y\":\""));
		rc |= number_put(k, OSSL_PKEY_PARAM_EC_PUB_Y, P256, out);
	} else {
		buf_put(out, STR("{\"e\":\""));
		rc = number_put(k, OSSL_PKEY_PARAM_RSA_E, 0, out);
		buf_put(out, STR("\",\"kty\":\"RSA\",\"n\":\""));
		rc |= number_put(k, OSSL_PKEY_PARAM_RSA_N, 0, out);
	}
	buf_put(out, STR("\"}"));
	return rc == 0 && !out->full ? 0 : err_set("no key for a JWK");
}

void
jws_thumbprint(struct str key, struct buf *out)
{
	unsigned char hash[SHA256_DIGEST_LENGTH] = { 0 };

	SHA256((const unsigned char *)key.p, key.n, hash);
	base64url_put(out, (struct str){ (const char *)hash, sizeof hash });
}

const char *
jws_alg(EVP_PKEY *k)
{
	return EVP_PKEY_is_a(k, "EC") ? "ES256" : "RS256";
}

/* ---- the header ---- */

static bool
letters_fit(struct str s, size_t most)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n <= most;
}

/* What may stand between quotes as it is, and in a URL (RFC 3986 2). */
static bool
url_fits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' ||
		    s.p[i] == '\\' || s.p[i] == '<' || s.p[i] == '>')
			return false;
	return s.n <= JWS_URL_MOST;
}

/* RFC 8555 6.2: alg, nonce, url, and either jwk or kid. */
int
jws_header_print(const struct jws_header *h, struct buf *out)
{
	if (!letters_fit(h->nonce, NONCE_MOST) || !url_fits(h->url) ||
	    h->url.n == 0 || !url_fits(h->kid) || (h->kid.n == 0 &&
	    h->key.n == 0))
		return err_set("this cannot stand in a protected header");
	buf_printf(out, "{\"alg\":\"%s\",", h->alg);
	if (h->nonce.n > 0)
		buf_printf(out, "\"nonce\":\"" STR_FMT "\",",
		    STR_ARG(h->nonce));
	if (h->kid.n > 0)
		buf_printf(out, "\"kid\":\"" STR_FMT "\",", STR_ARG(h->kid));
	else
		buf_printf(out, "\"jwk\":" STR_FMT ",", STR_ARG(h->key));
	buf_printf(out, "\"url\":\"" STR_FMT "\"}", STR_ARG(h->url));
	return out->full ? err_set("a protected header is too long") : 0;
}

/* ---- signatures ---- */

/* RFC 7518 3.4: r and s, 32 octets each. */
static int
ecdsa_raw(const unsigned char *der, size_t n, struct buf *out)
{
	unsigned char raw[2 * P256];
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
	bool fine = s != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, P256) ==
	    P256 && BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + P256, P256) == P256;

	ECDSA_SIG_free(s);
	if (!fine)
		return err_set("a signature is no two numbers");
	base64url_put(out, (struct str){ (const char *)raw, sizeof raw });
	return 0;
}

int
jws_sign(EVP_PKEY *k, struct str header64, struct str payload64,
    struct buf *signature64)
{
	unsigned char made[INTEGER_MOST];
	size_t n = sizeof made;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool fine = c != NULL &&
	    EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k) == 1 &&
	    EVP_DigestSignUpdate(c, header64.p, header64.n) == 1 &&
	    EVP_DigestSignUpdate(c, ".", 1) == 1 &&
	    (payload64.n == 0 ||
	    EVP_DigestSignUpdate(c, payload64.p, payload64.n) == 1) &&
	    EVP_DigestSignFinal(c, made, &n) == 1;

	EVP_MD_CTX_free(c);
	ERR_clear_error();
	if (!fine)
		return err_set("the key does not sign");
	if (EVP_PKEY_is_a(k, "EC") && ecdsa_raw(made, n, signature64) != 0)
		return -1;
	if (!EVP_PKEY_is_a(k, "EC"))
		base64url_put(signature64, (struct str){ (const char *)made, n });
	return signature64->full ? err_set("no room for a signature") : 0;
}

int
jws_mac(struct str secret, struct str header64, struct str payload64,
    struct buf *mac64)
{
	unsigned char mac[SHA256_DIGEST_LENGTH];
	size_t n = 0;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL,
	    (const unsigned char *)secret.p, secret.n);
	bool fine;

	n = sizeof mac;
	fine = c != NULL && k != NULL &&
	    EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k) == 1 &&
	    EVP_DigestSignUpdate(c, header64.p, header64.n) == 1 &&
	    EVP_DigestSignUpdate(c, ".", 1) == 1 &&
	    EVP_DigestSignUpdate(c, payload64.p, payload64.n) == 1 &&
	    EVP_DigestSignFinal(c, mac, &n) == 1;
	EVP_PKEY_free(k);
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	if (!fine)
		return err_set("HS256 failed");
	base64url_put(mac64, (struct str){ (const char *)mac, n });
	return mac64->full ? err_set("no room for a signature") : 0;
}

void
jws_print(struct str header64, struct str payload64, struct str signature64,
    struct buf *out)
{
	must(header64.n > 0 && signature64.n > 0);
	buf_printf(out, "{\"protected\":\"");
	buf_put(out, header64);
	buf_put(out, STR("\",\"payload\":\""));
	buf_put(out, payload64);
	buf_put(out, STR("\",\"signature\":\""));
	buf_put(out, signature64);
	buf_put(out, STR("\"}"));
}
