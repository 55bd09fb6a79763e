/*
 * blocklist.h -- is an address on a DNS blocklist?
 *
 * The promise: blocklist_ask() says LISTED only when the list answers with an
 * address of 127/8 for the address and not for its own test point that must not
 * be listed, and CLEAN only when it lists the one that must: a list that is
 * gone, that lists everybody, or that does not answer resolvers like ours, is
 * told apart.
 * Not for: judging clients.
 * Waiting: yields, for the DNS.
 * Memory: the arena's.
 * Errors: SILENT, and why.
 * Source: RFC 5782 2.1, 2.4, 5; https://www.spamhaus.org/faqs/dnsbl-usage/
 * (127.255.255.x).
 */
#ifndef NM_TRUST_BLOCKLIST_H
#define NM_TRUST_BLOCKLIST_H

#include "fiber/fiber.h"
#include "trust/quest.h"

enum blocklist_verdict {
	BLOCKLIST_CLEAN,
	BLOCKLIST_LISTED,
	BLOCKLIST_OTHER_FAMILY,		/* it has no addresses of that family */
	BLOCKLIST_REFUSES,		/* it does not answer us */
	BLOCKLIST_BROKEN,		/* it is no list (any more) */
	BLOCKLIST_SILENT		/* the DNS has trouble */
};

struct blocklist_answer {
	enum blocklist_verdict verdict;
	struct str codes;		/* "127.0.0.2, 127.0.0.4" */
	struct str why;			/* its own words, or ours */
};

yields void blocklist_ask(struct str list, const struct address *,
    const struct dns_quest *, struct arena *, struct blocklist_answer *out);

#endif
