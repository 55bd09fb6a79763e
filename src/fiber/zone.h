/*
 * zone.h -- a zone's text that stands in for the DNS.
 *
 * The promise: zone_read() understands the whole text or none of it.  Then
 * zone_answer() says what a resolver would have said about these names: with
 * CNAMEs followed inside the text, wildcards (RFC 4592), names that exist only
 * because others stand below them, and the words SERVFAIL, NXDOMAIN, TIMEOUT
 * and SECURE.  What the text does not mention does not exist.
 * Not for: asking; dns_ask() does, and honours TIMEOUT by waiting.
 * Waiting: none.
 * Memory: an arena in struct zone, ZONE_MOST at most; zone_clear() ends it.
 * Answers are copied into the caller's arena.
 * Errors: zone_read() is -1 with "line N: ..." in the trail; answers beyond
 * DNS_RECORDS, CNAME loops and a full arena are DNS_TROUBLE with a trail.
 * Source: RFC 1035 5.1; RFC 2308; RFC 4592; RFC 6698 2.2; the words: dns.h.
 */
#ifndef NM_FIBER_ZONE_H
#define NM_FIBER_ZONE_H

#include "base/table.h"
#include "fiber/dns.h"

enum { ZONE_MOST = 256 * 1024 * 1024, ZONE_TTL = 3600 };

struct zone {
	struct arena arena;
	struct table names;
	uint32_t ttl;			/* of denials */
};

int zone_read(struct zone *, struct str text);
void zone_clear(struct zone *);

/* False: the zone says TIMEOUT, no answer will ever come. */
bool zone_answer(const struct zone *, struct str name, enum dns_type,
    struct arena *, struct dns_answer *out);

#endif
