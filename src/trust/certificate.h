/*
 * certificate.h -- certificates and private keys as PEM.
 *
 * The promise: what certificate_read() and private_key_read() return is whole
 * and of a kind that TLS can use here (RSA of 2048 bits or more, ECDSA on
 * P-256 or P-384, Ed25519); a key fits a certificate when certificate_fits()
 * says so.
 * Not for: who is trusted, or serving (fiber/tls.h).
 * Waiting: none.
 * Memory: OpenSSL's; certificate_free().
 * Errors: -1 or NULL and the trail, in words for who wrote the configuration.
 * Source: RFC 7468; RFC 5280; RFC 9325 4.5.
 */
#ifndef NM_TRUST_CERTIFICATE_H
#define NM_TRUST_CERTIFICATE_H

#include "base/buf.h"
#include "base/instant.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { CERTIFICATE_PEM_MOST = 256 * 1024, CERTIFICATE_CHAIN_MOST = 16,
	CERTIFICATE_KEY_ID = 8 };

struct certificate {
	X509 *leaf;
	STACK_OF(X509) *chain;		/* without the leaf */
};

int certificate_read(struct str pem, struct certificate *out);
void certificate_free(struct certificate *);
/* All of it, back as PEM. */
int certificate_print(const struct certificate *, struct buf *out);

EVP_PKEY *private_key_read(struct str pem);
int private_key_print(EVP_PKEY *, struct buf *out);
bool certificate_fits(const struct certificate *, EVP_PKEY *);

/* The key's name between processes: the first octets of the SHA-256 of its
 * public half (RFC 7469 2.4 pins the same). */
uint64_t certificate_key_id(const struct certificate *);
uint64_t public_key_id(EVP_PKEY *);

/* A new P-256 key, and a certificate for this name that it signs itself, for
 * ten years: nobody checks it, and nobody has to renew it. */
int certificate_make(struct str hostname, struct wall now,
    struct certificate *out, EVP_PKEY **key);

#endif
