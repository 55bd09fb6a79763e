/*
 * dkim_sign.h -- our signatures.
 *
 * The promise: dkim_sign() appends a DKIM-Signature for each key that its domain
 * signs with, relaxed/relaxed, over the whole body and all fields in
 * dkim_sign.def, once more often than they stand there, so that none can be added
 * behind us (RFC 6376 8.15).  RSA's stands above Ed25519's: a verifier that stops
 * at the first signature, or at one whose algorithm it does not know, mostly knows
 * RSA.  Lines have at most 78 characters.
 * Not for: who may sign for a domain (policy/signing.h), or keys (app/dkim.h).
 * Waiting: yields, for the signer.
 * Memory: a place for what is signed, from the arena, given back.
 * Errors: -1 and the trail; then nothing was appended.
 * Source: RFC 6376 3.5, 3.7, 5.4, 8.15; RFC 8301 3; RFC 8463; RFC 8058 4.
 */
#ifndef NM_TRUST_DKIM_SIGN_H
#define NM_TRUST_DKIM_SIGN_H

#include "base/instant.h"
#include "fiber/fiber.h"
#include "trust/digest.h"
#include "wire/dkim.h"

enum { DKIM_KEYS_MOST = 4, DKIM_SELECTOR_MOST = 63,
	DKIM_SIGNED_MOST = 512,		/* octets of a signature: RSA of 4096 bits */
	DKIM_INPUT_MOST = 320 * 1024 };	/* octets of what is signed: a whole
					 * header section, and more */

/* A key that signs. */
struct dkim_key_ref {
	uint64_t id;
	enum dkim_algorithm algorithm;
	char selector[DKIM_SELECTOR_MOST + 1];
};

/* Who has the private keys.  app/ gives one for each core (intake_core.signer);
 * tests have one with keys of their own. */
struct dkim_signer {
	/* The active keys of a domain (A-labels, lower case), RSA first; a domain
	 * that has none and may have some gets them, but they sign when their
	 * records are seen.  *n == 0: it does not sign for it.  -1: trouble. */
	yields int (*keys)(struct dkim_signer *, struct str domain,
	    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n);
	/* input: the canonical octets of digest_signed(),
	 * relaxed, whose last field is dkim-signature:,
	 * arc-message-signature: or arc-seal: with d=, s= and a= of that key, else
	 * it is refused.  The signature's octets are appended. */
	yields int (*sign)(struct dkim_signer *, struct str domain,
	    const struct dkim_key_ref *, struct str input,
	    struct buf *signature);
};

struct dkim_ask {
	int wish;			/* of the digest: relaxed, DIGEST_ALL */
	struct str domain;		/* d= */
	struct str identity;		/* i=; n == 0: none */
	const struct str *extra;	/* more names to be signed */
	size_t n_extra;
	int64_t life;			/* seconds to x=; 0: none */
	struct wall now;
};

/* The keys that signed; n == 0: the domain has none that does. */
struct dkim_signed {
	size_t n;
	struct dkim_key_ref keys[DKIM_KEYS_MOST];
};

/* Octets of out that always suffice. */
size_t dkim_sign_room(const struct digest *, const struct dkim_ask *);
/* After digest_end(). */
yields int dkim_sign(struct dkim_signer *, struct digest *,
    const struct dkim_ask *, struct arena *, struct buf *out,
    struct dkim_signed *);

#endif
