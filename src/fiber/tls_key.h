/*
 * tls_key.h -- a private key that is somewhere else.
 *
 * The promise: tls_key_new() makes of a public key one that OpenSSL takes for a
 * whole pair; whenever a handshake must sign, the signer is asked what to sign
 * with which key, and may wait.  Nothing of the private key is in this process.
 * RSA (PKCS #1, PSS), ECDSA and Ed25519.
 * Not for: where the key is (app/keyring), or decrypting: RSA key exchange is
 * not offered.
 * Waiting: the signer's; the fiber parks inside SSL_do_handshake(), until the
 * handshake's deadline.
 * Memory: an EVP_PKEY; it keeps the public key.  The signer must live longer.
 * Errors: NULL or -1 and the trail.
 * Source: RFC 8446 4.4.3; RFC 5246 7.4.3; provider-keymgmt(7),
 * provider-signature(7); DESIGN.md section 7.
 */
#ifndef NM_FIBER_TLS_KEY_H
#define NM_FIBER_TLS_KEY_H

#include "base/buf.h"
#include "fiber/fiber.h"

#include <openssl/evp.h>

enum tls_scheme { TLS_SIGN_RSA_PKCS1, TLS_SIGN_RSA_PSS, TLS_SIGN_ECDSA,
	TLS_SIGN_EDDSA };

enum { TLS_DIGEST_MOST = 16, TLS_SIGNATURE_MOST = 1024 };

struct tls_signing {
	enum tls_scheme scheme;
	char digest[TLS_DIGEST_MOST];	/* "SHA256"; "" for EdDSA */
	struct str input;		/* what is signed, not its hash */
};

struct tls_signer {
	/* Put the signature.  0, or -1 and the trail. */
	yields int (*sign)(struct tls_signer *, uint64_t key,
	    const struct tls_signing *, struct buf *signature);
};

EVP_PKEY *tls_key_new(EVP_PKEY *public, struct tls_signer *, uint64_t key);

/* Who has the key: sign as asked, without waiting. */
int tls_sign_here(EVP_PKEY *whole, const struct tls_signing *,
    struct buf *signature);

#endif
