/*
 * fitness.h -- is this certificate still good for what it is shown for?
 *
 * The promise: fitness_judge() finds what clients will dislike: that its time is
 * over, or has not come, or is over soon; that no certificate leads from it to
 * its issuer, or another one follows it.  Soon is FITNESS_DAYS, or a sixth of a
 * life that is shorter than twelve weeks.
 * Not for: trust in the issuer, or a key that does not fit (certificate.h).
 * Waiting: none.
 * Memory: the caller's buffer.
 * Errors: none.
 * Source: RFC 5280 4.1.2.5, 4.2.2.1, 6.1; RFC 8446 4.4.2; RFC 6125 6.4.
 */
#ifndef NM_TRUST_FITNESS_H
#define NM_TRUST_FITNESS_H

#include "trust/certificate.h"

#include <openssl/x509v3.h>

enum { FITNESS_DAYS = 14 };

enum fitness_fault {
#define FAULT(name, word, says) FITNESS_##name,
#include "trust/fitness.def"
#undef FAULT
	FITNESS_FAULTS
};

/* A bit for each fault. */
unsigned fitness_judge(const struct certificate *, struct wall now);
const char *fitness_word(enum fitness_fault);
const char *fitness_says(enum fitness_fault);

void certificate_life(const X509 *, struct wall *from, struct wall *until);
bool certificate_is_for(const X509 *, struct str name);
/* "ECDSA P-256", "RSA 2048", "Ed25519" */
void certificate_kind(const X509 *, struct buf *);
/* The common name of who issued it, or his organization. */
void certificate_issuer(const X509 *, struct buf *);
/* Its i-th DNS name; false at the end.  Borrowed. */
bool certificate_name(const GENERAL_NAMES *, int *i, struct str *);

#endif
