/*
 * security.h -- what a connection to another server must fulfil.
 *
 * The promise: security_demand() is the one place that answers it, for one host
 * of one domain, from the configuration and from what the domain itself says.
 * What it says of a domain is never weaker than what the operator configured.
 * Not for: whether a connection fulfilled it (trust/tls_demand.h), or making
 * the connection (remote.c).
 * Waiting: none.
 * Memory: what the demand points to is the configuration's, which is pinned, or
 * in the arena given.
 * Errors: -1 and a verdict: this host is not to be asked now, another may be.
 * Source: RFC 7672 2.2; RFC 8461 5; RFC 7435 3.
 */
#ifndef NM_DELIVER_SECURITY_H
#define NM_DELIVER_SECURITY_H

#include "deliver/site.h"
#include "policy/config.h"
#include "trust/tls_demand.h"

struct security_ask {
	const struct config *conf;
	struct str domain;		/* the mail's, or the relay's host */
	const struct relay *hop;	/* the route's; NULL: by MX */
	const struct site *site;	/* how the host was found; NULL: a socket */
	const struct site_host *host;
	struct mono deadline;
};

int security_demand(const struct security_ask *, struct arena *,
    struct tls_demand *out, struct verdict *why);

#endif
