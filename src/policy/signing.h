/*
 * signing.h -- which domain signs a message by DKIM.
 *
 * The promise: signing_domain() names the domain whose keys sign mail from an
 * author's domain, so that DMARC finds the two aligned, or nobody: mail is signed
 * for domains of the configuration only.  Whether who submits it may write as
 * that author is asked before (intake/author.c).
 * Not for: keys (app/dkim.h).
 * Waiting: none.
 * Memory: a slice of the configuration, or of the question.
 * Errors: none.
 * Source: RFC 6376 5.1; RFC 9989 4.4 (alignment); SECURITY.md row 12.
 */
#ifndef NM_POLICY_SIGNING_H
#define NM_POLICY_SIGNING_H

#include "policy/config.h"

/* author: A-labels, lower case.  n == 0: nobody signs. */
struct str signing_domain(const struct config *, struct str author);

/* Does it have keys of its own? */
bool signing_has_keys(const struct config *, struct str domain);

#endif
