/*
 * dkim_pair.h -- a key of DKIM, with what must be known of it, as a file.
 *
 * The promise: what dkim_pair_print() writes dkim_pair_read() reads: lines that
 * say whose it is and how it stands, then the key as PEM, which other programs
 * find there too (RFC 7468 2: text may stand before).  RSA has 1024 to 4096 bits,
 * anything else is Ed25519.
 * Not for: where files are (app/keyring_dkim.h), or signing for TLS.
 * Waiting: none; making RSA takes tenths of a second.
 * Memory: OpenSSL's; dkim_pair_free().  Whoever read a text wipes it.
 * Errors: -1 or NULL and the trail, in words that have nothing of the key.
 * Source: RFC 6376 3.3.3, 3.6.1; RFC 8301 3.2; RFC 8463; RFC 7468; RFC 8410.
 */
#ifndef NM_TRUST_DKIM_PAIR_H
#define NM_TRUST_DKIM_PAIR_H

#include "trust/dkim_published.h"
#include "trust/dkim_sign.h"

#include <openssl/evp.h>

enum {
	DKIM_PAIR_MOST = 16 * 1024,	/* octets of a file */
	DKIM_PAIR_NAME = 256,		/* of its name, with a NUL */
	DKIM_DOMAIN_MOST = 253,
	DKIM_PUBLIC_MOST = 600,		/* octets: RSA of 4096 bits */
	DKIM_BITS_MADE = 2048, DKIM_BITS_FINE = 2048
};

struct dkim_pair {
	char domain[DKIM_DOMAIN_MOST + 1];	/* A-labels, lower case */
	char selector[DKIM_SELECTOR_MOST + 1];
	enum dkim_algorithm algorithm;
	enum dkim_state state;
	int64_t made, since;		/* seconds */
	EVP_PKEY *key;
};

/* A domain and a selector of labels that the DNS can have together? */
bool dkim_pair_names_fit(struct str domain, struct str selector);
/* "DOMAIN.SELECTOR.key" */
void dkim_pair_file(const struct dkim_pair *, char name[DKIM_PAIR_NAME]);

int dkim_pair_make(struct str domain, struct str selector, enum dkim_algorithm,
    int64_t now, struct dkim_pair *out);
int dkim_pair_read(struct str text, struct dkim_pair *out);
int dkim_pair_print(const struct dkim_pair *, struct buf *out);
void dkim_pair_free(struct dkim_pair *);

/* Somebody else's file: PKCS #1 or #8, as opendkim-genkey and openssl write
 * them.  NULL and the trail. */
EVP_PKEY *dkim_key_import(struct str pem, enum dkim_algorithm *);
unsigned dkim_key_bits(EVP_PKEY *);
/* What p= is (RFC 6376 3.6.1, RFC 8463 4.2), before base64. */
int dkim_key_public(EVP_PKEY *, struct buf *out);
/* Over the SHA-256 of the input. */
int dkim_key_sign(EVP_PKEY *, struct str input, struct buf *out);

#endif
