/*
 * saslprep.h -- names and passwords in the one form they are compared in.
 *
 * The promise: two spellings of the same characters become the same octets:
 * other spaces a space, soft hyphens and their like nothing, then NFKC.  What has
 * control characters, what no character is, or mixes directions of writing
 * in ways that could deceive, is refused; so is what becomes empty.
 * Not for: domains (wire/idna.h), local parts of addresses.
 * Waiting: none; libidn takes memory for what is not ASCII.
 * Memory: writes into the caller's buffer; some characters become longer.
 * Errors: false when it is refused, or does not fit.
 * Source: RFC 4013; RFC 3454 7; RFC 4616 2; RFC 5802 5.1; RFC 8265 4.2 (which
 * agrees wherever clients of today can tell).
 */
#ifndef NM_TRUST_SASLPREP_H
#define NM_TRUST_SASLPREP_H

#include "base/buf.h"

/* RFC 3454 7: what is kept must be of characters that Unicode 3.2 knew, what is
 * compared with it may have others. */
enum saslprep_use { SASLPREP_STORED, SASLPREP_QUERY };

bool saslprep(struct str, enum saslprep_use, struct buf *out);

#endif
