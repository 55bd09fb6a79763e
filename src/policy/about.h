/*
 * about.h -- which domains others' reports may be about.
 *
 * The promise: about_us() is true of own domains, of reports.about, and of names
 * below either.
 * Not for: whose mail is delivered here (domain.h).
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: RFC 9990 3.1.2: reports come about the domain whose record it is.
 */
#ifndef NM_POLICY_ABOUT_H
#define NM_POLICY_ABOUT_H

#include "policy/config.h"

/* domain in any case, A-labels. */
bool about_us(const struct config *, struct str domain);

#endif
