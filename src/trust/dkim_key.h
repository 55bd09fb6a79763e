/*
 * dkim_key.h -- did the key of that name sign this?
 *
 * The promise: dkim_key_check() asks the DNS for the record of a selector, once
 * for each name in a message, and checks a signature over a hash by what it
 * says: any of several records may be the one.  Nothing else than RSA of
 * DKIM_BITS_LEAST to DKIM_BITS_MOST bits with SHA-256, and Ed25519, is ever a
 * pass.
 * Not for: what is hashed (digest.h), and whether the signature itself is fine
 * (wire/dkim.h); DKIM-Signatures as a whole are dkim_verify.h's.
 * Waiting: yields, for the DNS.
 * Memory: the arena.
 * Errors: results; `why' says of all but a pass what was wrong.
 * Source: RFC 6376 3.6, 6.1.2, 6.1.3; RFC 8301 3; RFC 8463 3, 4.
 */
#ifndef NM_TRUST_DKIM_KEY_H
#define NM_TRUST_DKIM_KEY_H

#include "fiber/fiber.h"
#include "trust/quest.h"
#include "wire/dkim.h"

enum { DKIM_BITS_LEAST = 1024, DKIM_BITS_MOST = 4096, DKIM_RECORDS = 8 };

/* What a message's keys were answered so far. */
struct dkim_keys;
struct dkim_keys *dkim_keys_new(struct arena *);	/* NULL: no memory */

struct dkim_key_answer {
	enum dkim_result result;
	unsigned key_bits;		/* 0: no key was had */
	bool is_testing;		/* t=y */
	struct str why;			/* n == 0: pass */
};

/* The signature was read (wire/dkim.h); hash is of all that it signs. */
yields void dkim_key_check(struct dkim_keys *, const struct dns_quest *,
    const struct dkim_signature *, const unsigned char hash[DKIM_HASH],
    struct dkim_key_answer *out);

#endif
