/*
 * tlsa.h -- the TLSA records of a host, if DNSSEC vouches for them.
 *
 * The promise: tlsa_find() asks for them only where the hosts' names and their
 * addresses are secure; what is insecure counts as absent, and an answer that is
 * bogus or did not come never does.
 * Not for: what the records name (trust/dane.h).
 * Waiting: tlsa_find() yields while DNS is asked.
 * Memory: the arena's.
 * Errors: TLSA_TROUBLE, with the reason in the trail: this host is not to be
 * asked now.
 * Source: RFC 7672 2.1, 2.2.1 to 2.2.3; RFC 7671 7; RFC 6698 3.
 */
#ifndef NM_DELIVER_TLSA_H
#define NM_DELIVER_TLSA_H

#include "deliver/site.h"
#include "trust/tls_demand.h"

struct arena;

enum { TLSA_MOST = 32 };

enum tlsa_status {
	TLSA_ABSENT,
	TLSA_FOUND,		/* at least one can be used */
	TLSA_USELESS,		/* there are some, and none can be used */
	TLSA_TROUBLE
};

struct tlsa_answer {
	enum tlsa_status status;
	struct str base;		/* the host's name that they hang on */
	size_t n;
	const struct tlsa *list;	/* the usable ones */
	struct str text;		/* all: "3 1 1 8cb0...", a line each */
};

yields void tlsa_find(const struct site *, const struct site_host *,
    uint16_t port, struct arena *, struct mono deadline,
    struct tlsa_answer *out);

#endif
