/*
 * reporter.h -- in whose name reports go to other domains.
 *
 * The promise: reporter_of() says who sends reports of DMARC and TLS, from
 * reports.from or the default that its description has; the mailbox is one of
 * RFC 5321, its domain in A-labels and lower case.
 * Not for: reports to senders (deliver/bounce.h): they have no sender.
 * Waiting: none.
 * Memory: slices of the configuration, or of the arena.
 * Errors: false: no memory, or hostname is no domain.
 * Source: RFC 9990 3.1.1.3, 3.5.2; RFC 8460 4.4, 5.3.
 */
#ifndef NM_POLICY_REPORTER_H
#define NM_POLICY_REPORTER_H

#include "policy/config.h"

struct reporter {
	struct str from, domain;	/* mailbox, and its domain */
	struct str organization;
	struct str contact;		/* n == 0: none */
};

bool reporter_of(const struct config *, struct arena *, struct reporter *);

/* Is that where our reports come from? */
bool reporter_is(const struct reporter *, struct str mailbox);

#endif
