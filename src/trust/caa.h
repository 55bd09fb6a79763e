/*
 * caa.h -- may this authority certify this name?
 *
 * The promise: caa_check() asks the DNS as the authority will, from the name up
 * to the top, and judges the first set of records that it finds; what cannot be
 * asked is no permission.  *why says it in words.
 * Not for: wildcards (issuewild), or telling anybody (iodef).
 * Waiting: caa_check() yields, to the deadline.
 * Memory: the caller's arena.
 * Errors: CAA_TROUBLE.
 * Source: RFC 8659 3, 4; RFC 8657 3, 4.
 */
#ifndef NM_TRUST_CAA_H
#define NM_TRUST_CAA_H

#include "base/buf.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"

enum caa_verdict { CAA_FREE, CAA_REFUSED, CAA_TROUBLE };

struct caa_ask {
	const struct str *issuers;	/* the authority's names for CAA */
	size_t n;
	struct str account;		/* its URI */
	struct str method;		/* "http-01" */
};

/* A set of records of one name. */
enum caa_verdict caa_judge(const struct dns_record *, size_t n,
    const struct caa_ask *, struct buf *why);
yields enum caa_verdict caa_check(struct str name, const struct caa_ask *,
    struct arena *, struct mono deadline, struct buf *why);

#endif
