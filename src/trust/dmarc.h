/*
 * dmarc.h -- does the author's domain stand behind a message?
 *
 * The promise: dmarc_check() finds the DMARC policy record that holds for the
 * author's domain by the tree walk (at most DMARC_STEPS names for a domain), says
 * whether SPF's or DKIM's domains are aligned with it, and which policy its owner
 * asks for.  Each name is asked for once in a message.
 * Not for: what is done with the message (policy/disposition.h), the grammar
 * (wire/dmarc.h).
 * Waiting: yields, for the DNS, within the quest's budget and deadline.
 * Memory: answers are in the arena; their strings live as long.
 * Errors: results; `why' says in words of anything but a pass how it came.
 * Source: RFC 9989 4.10, 5.3; RFC 9990 4; SECURITY.md row 29.
 */
#ifndef NM_TRUST_DMARC_H
#define NM_TRUST_DMARC_H

#include "trust/dkim_verify.h"
#include "trust/quest.h"
#include "wire/dmarc.h"
#include "wire/spf.h"

enum { DMARC_STEPS = 8 };

enum dmarc_result { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR,
	DMARC_PERMERROR };
const char *dmarc_result_name(enum dmarc_result);	/* "pass" */

struct dmarc_ask {
	struct str author;		/* domain of the one From, A-labels, lower
					 * case; n == 0: there is none */
	struct str spf_domain;		/* that SPF's result is about: MAIL FROM's,
					 * or HELO's when that is null */
	enum spf_result spf;
	const struct dkim_outcome *dkim;
	size_t n_dkim;
	struct dns_quest quest;
};

struct dmarc_answer {
	enum dmarc_result result;
	/* Asked for this author: p, sp or np; after t=y took one step off it, and
	 * as published. */
	enum dmarc_policy policy, published;
	const char *tag;		/* where it stands: "p", "sp", "np" */
	struct str where;		/* domain whose record it is; n == 0: none */
	struct str organization;	/* organizational domain of the author;
					 * n == 0: nobody had to know */
	struct str text;		/* the record */
	struct dmarc_record record;
	bool is_testing;
	bool is_nonexistent;		/* the author's domain is no name of the DNS;
					 * asked only when it has no record */
	bool spf_aligned, dkim_aligned;	/* passed and aligned */
	size_t dkim_index;		/* the first signature that is; when
					 * dkim_aligned */
	struct str why;
};

yields void dmarc_check(const struct dmarc_ask *, struct arena *,
    struct dmarc_answer *out);

/* The record that holds for a domain and its organizational domain, for tools
 * and reports: result is DMARC_NONE with where.n > 0 when one was found. */
yields void dmarc_discover(struct str domain, const struct dns_quest *,
    struct arena *, struct dmarc_answer *out);

/* May reports about the record at `where' go to that domain?  It may when both
 * have one organizational domain, or when it says so at
 * `where'._report._dmarc.`destination'. */
enum dmarc_consent { DMARC_CONSENT_YES, DMARC_CONSENT_NO, DMARC_CONSENT_LATER };

struct dmarc_consent_answer {
	enum dmarc_consent consent;
	bool is_external;		/* it was asked */
	struct str rua, ruf;		/* what it wants instead; n == 0: nothing */
	struct str why;			/* of no and later */
};

yields void dmarc_consent(struct str where, struct str destination,
    const struct dns_quest *, struct arena *, struct dmarc_consent_answer *out);

#endif
