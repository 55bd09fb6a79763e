/*
 * spf.h -- may this host send mail with that domain's name?
 *
 * The promise: spf_check() is RFC 7208's check_host(), for the sender's domain,
 * or for the HELO name when there is no sender.  At most SPF_LOOKUPS terms that
 * ask the DNS, SPF_VOIDS of them in vain, SPF_NAMES names of one answer, and no
 * question beyond the budget or the deadline: then it is a permerror or a
 * temperror, and nobody waited longer.
 * Not for: the grammar (wire/spf.h), what a result means (policy/).
 * Waiting: yields, for the DNS.
 * Memory: the answer and what was read on the way are in the arena.
 * Errors: results; `why' says of an error what was wrong, with whose record.
 * Source: RFC 7208 4, 5, 6; RFC 8616 4; SECURITY.md row 29.
 */
#ifndef NM_TRUST_SPF_H
#define NM_TRUST_SPF_H

#include "fiber/net.h"
#include "trust/quest.h"
#include "wire/spf.h"

enum { SPF_LOOKUPS = 10, SPF_VOIDS = 2, SPF_NAMES = 10 };

struct spf_ask {
	struct address client;
	struct str helo;		/* as told, A-labels */
	struct str local, domain;	/* of the reverse path; domain.n == 0:
					 * it is null, HELO's name is meant */
	struct str receiver;		/* our name, for explanations */
	struct dns_quest quest;
	bool wants_explanation;
};

struct spf_answer {
	enum spf_result result;
	struct str domain;		/* that was checked */
	struct str term;		/* that decided; n == 0: none did */
	struct str explanation;		/* of a fail; n == 0: none is given */
	struct str why;			/* of an error */
	unsigned lookups, voids;
};

yields void spf_check(const struct spf_ask *, struct arena *,
    struct spf_answer *out);

#endif
