/*
 * spf_walk.h -- what a domain's SPF record costs whoever evaluates it.
 *
 * The promise: spf_walk() reads the record and all that it leads to, and counts
 * every term that asks the DNS, whoever the client is: a record within these
 * limits is within them for everybody.  Terms with macros count, and are not
 * followed, since they lead each client elsewhere.
 * Not for: judging a client (trust/spf.h).
 * Waiting: yields, for the DNS, within the quest's budget.
 * Memory: the arena's.
 * Errors: in words, in the result.
 * Source: RFC 7208 4.5, 4.6.4, 5, 6.1.
 */
#ifndef NM_TRUST_SPF_WALK_H
#define NM_TRUST_SPF_WALK_H

#include "trust/quest.h"
#include "wire/spf.h"

enum { SPF_WALK_RECORDS = 64, SPF_WALK_TERMS = 256 };

/* A term that asks the DNS. */
struct spf_cost {
	struct str domain;		/* whose record it stands in */
	struct str text;
	bool is_void;			/* it has no answer */
};

struct spf_walk {
	struct str record;		/* n == 0: there is none */
	struct str all;			/* the term that everybody else meets, as
					 * "~all"; n == 0: there is none */
	enum spf_result all_result;
	unsigned lookups, voids;
	bool has_ptr;
	bool is_whole;			/* all of it was read */
	struct str wrong;		/* the first mistake; n == 0: none */
	struct str trouble;		/* what the DNS did not say; n == 0: none */
	size_t n;
	struct spf_cost costs[SPF_WALK_TERMS];
};

yields void spf_walk(struct str domain, const struct dns_quest *,
    struct arena *, struct spf_walk *out);

#endif
