/*
 * dns_check.h -- does the DNS have what a domain needs?
 *
 * The promise: dns_check() asks the DNS for each record that a domain should
 * have (records.h), and for what others see of this machine, and says of each in
 * one sentence how it is, and what mends it: of a record, its line.  What could
 * not be asked is UNKNOWN, never wrong.  The same DNS gives the same findings,
 * in the same order.
 * Not for: when a domain's registration ends: no registry is asked.
 * Waiting: yields: the DNS, HTTPS for MTA-STS, a connection to port 25; each
 * thing has ten seconds, all have `deadline'.
 * Memory: the arena's.
 * Errors: false: no memory.
 * Source: PRODUCT.md A.1; RFC 7208 4.6.4; RFC 6376 3.6; RFC 9989; RFC 8461;
 * RFC 8460; RFC 7672; RFC 5782; RFC 1912 2.1.
 */
#ifndef NM_POLICY_DNS_CHECK_H
#define NM_POLICY_DNS_CHECK_H

#include "fiber/fiber.h"
#include "policy/records.h"

enum finding_mark {
	MARK_WELL,
	MARK_HINT,			/* it works; it could be better */
	MARK_WRONG,
	MARK_UNKNOWN,			/* it could not be asked */
	FINDING_MARKS
};
const char *finding_mark_word(enum finding_mark);	/* "warning" */
const char *finding_mark_sign(enum finding_mark);	/* "~", of UTF-8 */

enum { FINDINGS_MOST = 160, CHECK_QUESTIONS = 600, CHECK_SECONDS = 120 };

struct finding {
	enum record_topic topic;
	enum finding_mark mark;
	unsigned part;			/* of several with this topic and name */
	struct str name;		/* what it is about: a name of the DNS, an
					 * address, a list */
	struct str expected;		/* n == 0: nothing in particular */
	struct str found;		/* n == 0: nothing */
	struct str says;		/* a sentence without its end */
	struct str mend;		/* the line to publish, or what to do; n == 0:
					 * nothing is to be done */
};

struct dns_report {
	struct str domain;
	size_t n;
	struct finding v[FINDINGS_MOST];
	unsigned marks[FINDING_MARKS];	/* how many of each */
};

struct dns_check_ask {
	struct records_ask records;	/* is_signed is found out */
	struct str anchors;		/* PEM, for HTTPS; p == NULL: the system's */
	unsigned *budget;		/* questions; NULL: CHECK_QUESTIONS.  At 0
					 * nothing more is asked */
	bool skips_host;		/* the machine was looked at already */
	struct mono deadline;
};

yields bool dns_check(const struct dns_check_ask *, struct arena *,
    struct dns_report *out);

#endif
