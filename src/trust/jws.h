/*
 * jws.h -- signed JSON, as ACME wants it.
 *
 * The promise: jws_key_print() gives a public key as a JWK with the members that
 * RFC 7638 hashes, in its order and without white space; jws_header_print() the
 * protected header of RFC 8555 6.2, or refuses what could not stand in one;
 * jws_sign() signs header and payload, both in base64url, as JWA says: ES256 for
 * P-256 (r and s, not DER), RS256 for RSA.
 * Not for: reading what others signed.
 * Waiting: none.
 * Memory: writes into the caller's buffers.
 * Errors: -1 and the trail.
 * Source: RFC 7515 3, 5.1; RFC 7517; RFC 7518 3.2, 3.3, 3.4, 6.2, 6.3;
 * RFC 7638 3; RFC 8555 6.2, 6.4, 7.3.4, 7.3.5, 8.1.
 */
#ifndef NM_TRUST_JWS_H
#define NM_TRUST_JWS_H

#include "base/buf.h"

#include <openssl/evp.h>

enum { JWS_KEY_MOST = 1024, JWS_THUMBPRINT = 43, JWS_URL_MOST = 2048,
	JWS_HEADER_MOST = 6 * 1024 };

int jws_key_print(EVP_PKEY *, struct buf *out);
/* Of a printed key: 43 letters. */
void jws_thumbprint(struct str key, struct buf *out);

struct jws_header {
	const char *alg;		/* jws_alg(), "HS256" */
	struct str nonce;		/* n == 0: an inner one (7.3.4, 7.3.5) */
	struct str url;
	struct str kid;			/* n == 0: ... */
	struct str key;			/* ... the key itself, printed */
};
const char *jws_alg(EVP_PKEY *);
int jws_header_print(const struct jws_header *, struct buf *out);

int jws_sign(EVP_PKEY *, struct str header64, struct str payload64,
    struct buf *signature64);
/* HS256 with a shared secret. */
int jws_mac(struct str secret, struct str header64, struct str payload64,
    struct buf *mac64);

/* {"protected": ..., "payload": ..., "signature": ...} */
void jws_print(struct str header64, struct str payload64, struct str signature64,
    struct buf *out);

#endif
