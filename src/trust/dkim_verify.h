/*
 * dkim_verify.h -- who answers for a message by DKIM.
 *
 * The promise: each DKIM-Signature of a message, up to DKIM_SIGNATURES, has an
 * outcome in the order of the header, with a sentence for all that is no pass.
 * The body streams by the digest: nothing is read twice.  A signature that would
 * pass, but whose l= leaves something of the body uncovered, is DKIM_POLICY with
 * is_partial: what it does not cover anybody may have added (RFC 6376 8.2).  No
 * other outcome of one signature is DKIM_POLICY.
 * Not for: what a result means for the message (trust/dmarc.h, policy/).
 * Waiting: dkim_verify_end() yields, for the DNS.
 * Memory: the arena, also for what was decoded; outcomes live as long.
 * Errors: results.
 * Source: RFC 6376 6; RFC 8601 2.7.1; RFC 6008; SECURITY.md row 29.
 */
#ifndef NM_TRUST_DKIM_VERIFY_H
#define NM_TRUST_DKIM_VERIFY_H

#include "fiber/fiber.h"
#include "trust/digest.h"
#include "trust/quest.h"
#include "wire/dkim.h"

struct dkim_outcome {
	enum dkim_result result;
	struct str domain, selector;	/* d=, s=: A-labels, lower case; n == 0:
					 * it had none that can be read */
	struct str identity;		/* i=, or "@" d= */
	enum dkim_algorithm algorithm;
	struct str b;			/* header.b: the first 8 characters of b= */
	unsigned key_bits;		/* 0: no key was had */
	bool is_testing;		/* t=y */
	bool is_partial;		/* l= covered less than the body */
	struct str why;			/* in words, of what is no pass */
};

enum {
	DKIM_SIGNATURES = 10,		/* that are looked at; of the others one
					 * outcome tells: DKIM_POLICY */
	DKIM_DRIFT_SECONDS = 300	/* that clocks may differ, at t= and x= */
};

struct dkim_verify;

/* After the last field, before the body: reads the DKIM-Signatures of the
 * digest's fields, and wishes its hashes.  NULL: no memory. */
struct dkim_verify *dkim_verify_begin(struct digest *, struct arena *);

/* After digest_end(): keys are asked for, signatures checked.  *n outcomes; none
 * is there when the message has no signature. */
yields const struct dkim_outcome *dkim_verify_end(struct dkim_verify *,
    const struct dns_quest *, size_t *n);

#endif
