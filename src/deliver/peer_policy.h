/*
 * peer_policy.h -- what a domain itself asks of TLS to its hosts.
 *
 * The promise: peer_policy_demand() makes a demand stronger by what the domain
 * says under DNSSEC (DANE) or, where it says nothing there, by its MTA-STS
 * policy; never weaker, and never by silence that nobody vouches for.  DANE goes
 * first.  Domains of the same hosts whose demands may differ have different
 * peer_policy_site() words.
 * Not for: what the operator wants (security.h).
 * Waiting: both yield: DNS, and HTTPS where a policy is new.
 * Memory: the arena's.
 * Errors: -1 and a verdict: this host is not to be asked now; the demand says
 * what a report is to say.
 * Source: RFC 7672 2.2, 3.2; RFC 8461 2, 4, 5; RFC 8460 4.
 */
#ifndef NM_DELIVER_PEER_POLICY_H
#define NM_DELIVER_PEER_POLICY_H

#include "deliver/site.h"
#include "deliver/sts.h"
#include "policy/config.h"
#include "trust/tls_demand.h"
#include "wire/disposition.h"

struct intake_core;

struct peer_policy_ask {
	const struct config *conf;
	struct sts_cache *policies;
	struct intake_core *intake;	/* for what an administrator is told */
	struct str domain;		/* whose policy it is: the mail's, or the
					 * relay's host */
	const struct site *site;
	const struct site_host *host;	/* NULL: all of the site's */
	uint16_t port;
	struct mono deadline;
	const bool *is_over;		/* of peer_policy_tend(): it ends then */
};

yields int peer_policy_demand(const struct peer_policy_ask *, struct arena *,
    struct tls_demand *, struct verdict *why);

/* "", " dane", " dane for a.example", " sts 0123456789abcdef". */
yields struct str peer_policy_site(const struct peer_policy_ask *,
    struct arena *);

/* Policies that are kept, and grow old; on one core, once in a while. */
yields void peer_policy_tend(const struct peer_policy_ask *);

#endif
