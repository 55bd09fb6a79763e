/*
 * srs.h -- senders of mail that is sent on, rewritten so that they come back.
 *
 * The promise: srs_rewrite() makes of a sender an address of ours that holds him
 * and a hash by our secret; srs_take_back() gives him back, for SRS_AGE_DAYS, and
 * of an address that we did not write it gives nobody: nothing can be sent through
 * it to where it did not come from.  Who shares the secrets may write what we
 * take, and the other way round.
 * Not for: when a sender is rewritten (intake/forward.h), the letters
 * (wire/srs.h).
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: false, or what srs_take_back() says.
 * Source: as wire/srs.h; RFC 2104; RFC 5321 4.5.3.1.1.
 */
#ifndef NM_TRUST_SRS_H
#define NM_TRUST_SRS_H

#include "base/instant.h"

struct buf;

enum {
	SRS_AGE_DAYS = 21,
	SRS_HASH = 4,			/* letters that we write */
	SRS_SECRET = 32,		/* octets of the one we make */
	SRS_EPOCH_DAYS = 32		/* each has a secret of its own, made of it */
};

/*
 * given: what the operator says; the first signs, all are taken.  Without any,
 * what is made of `made' for the epoch signs; it is taken in either case.
 */
struct srs_keys {
	const struct str *given;
	size_t n_given;
	const unsigned char *made;	/* SRS_SECRET octets; NULL: none */
};

bool srs_can_sign(const struct srs_keys *);

/* local (without quotes) at domain becomes a local part for us; false when it
 * would be too long for RFC 5321. */
bool srs_rewrite(const struct srs_keys *, struct wall now, struct str local,
    struct str domain, struct buf *out);

enum srs_verdict {
	SRS_GOOD,			/* *out is whose it is */
	SRS_OTHER,			/* not of this form */
	SRS_BAD,			/* meant to be, and cannot be read */
	SRS_FORGED,			/* nobody here wrote it, or the secret is
					 * gone */
	SRS_EXPIRED
};
/* Of a local part, without quotes; *out is a mailbox as text. */
enum srs_verdict srs_take_back(const struct srs_keys *, struct wall now,
    struct str local, struct buf *out);

#endif
