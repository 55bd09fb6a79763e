/*
 * arc.h -- the chain of those who handled a message before, and our link of it.
 *
 * The promise: arc_verify_end() tells what RFC 8617 5.2 makes of the sets that a
 * message came with, and who sealed each; the newest message signature and every
 * seal were checked when it says pass.  No more is asked of the DNS than the
 * quest allows: what cannot be asked fails the chain (5.2.1).  arc_seal() writes
 * the next set, over the message as the digest has it.
 * Not for: whether a sealer is believed (policy/disposition.h); the grammar
 * (wire/arc.h).
 * Waiting: arc_verify_end(), for the DNS; arc_seal(), for the signer.
 * Memory: the arena of arc_verify_begin(); buffers of the size of the header
 * section while they work.
 * Errors: NULL, -1 and the trail: no memory, or no signature was to be had.
 * Source: RFC 8617 4, 5; RFC 8601 2.2; RFC 6376 3.5; SECURITY.md row 29.
 */
#ifndef NM_TRUST_ARC_H
#define NM_TRUST_ARC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/instant.h"
#include "fiber/fiber.h"
#include "wire/arc.h"

struct digest;				/* trust/digest.h */
struct dkim_signer;			/* trust/dkim_sign.h */
struct dns_quest;			/* trust/quest.h */

/* What one who handled it left: all three fields, by instance. */
struct arc_set {
	size_t at[ARC_KINDS];		/* which of the digest's fields */
	struct str seal_domain, seal_selector;	/* d=, s= of ARC-Seal, lower
						 * case, A-labels */
	struct str signature_domain;	/* d= of ARC-Message-Signature */
	bool signs_author;		/* its h= has From */
	struct str cv;			/* what the chain was to him: "pass" */
	struct str results;		/* what he found, behind "i=1;": authserv-id
					 * and all (wire/authres.h reads it) */
};

struct arc_answer {
	enum arc_result result;
	unsigned n;			/* sets; 0 when they are no chain.  Of one
					 * that failed they are hearsay */
	unsigned oldest_pass;		/* 5.2: the lowest instance whose message
					 * signature still holds; 0: all do */
	struct arc_set *sets;		/* 0: instance 1 */
	unsigned newest;		/* highest instance that was seen; 0: none */
	bool is_closed;			/* whoever sealed last said cv=fail */
	struct str why;			/* of a fail, in words */
};

struct arc_verify;

/* After the last field, before the body: finds the sets among the digest's
 * fields and wishes the hashes it needs. */
struct arc_verify *arc_verify_begin(struct digest *, struct arena *);
/* After digest_end(). */
yields void arc_verify_end(struct arc_verify *, const struct dns_quest *,
    struct arc_answer *);

/*
 * Of a chain that passed: the oldest set of those that, counted from the newest,
 * were sealed by one of these domains (*.a.example: any below it) without a gap;
 * what it says came of a message that nobody else had in between.  NULL: the
 * newest is not by them, or does not sign From.
 */
const struct arc_set *arc_first_trusted(const struct arc_answer *,
    const struct str *domains, size_t n);

/* What a set is made of. */
struct arc_seal_ask {
	struct str domain;		/* whose keys */
	struct str authserv_id;
	struct str results;		/* resinfo behind it: "spf=pass ..." */
	struct wall now;
	struct str names;		/* h=; n == 0: those that matter and are
					 * there */
};

enum { ARC_RESULTS_MOST = 15 * 1024, ARC_SEAL_MOST = 24 * 1024 };

/*
 * "ARC-Seal, ARC-Message-Signature, ARC-Authentication-Results" of the next
 * instance, appended: they go on top; ARC_SEAL_MOST octets suffice.  wish: what
 * digest_want() gave for the whole relaxed body.  The seal of a chain that failed
 * covers nothing but its own set (5.1.2).  0, also when there is nothing to add:
 * the last sealer closed the chain (5.1, 2), or it has 50 sets, or the domain has
 * no RSA key that signs.  (RFC 8617 has one set of signatures for each instance,
 * and what validators know is rsa-sha256: a set by Ed25519 alone would fail the
 * chain of everybody before us.)
 */
yields int arc_seal(struct dkim_signer *, struct digest *, int wish,
    const struct arc_answer *, const struct arc_seal_ask *, struct buf *out);

#endif
