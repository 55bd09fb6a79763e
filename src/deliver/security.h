/*
 * security.h -- what a connection to another server must fulfil.
 *
 * The promise: security_demand() is the one place that answers it, for one host
 * of one domain, from the configuration and from what the domain itself says;
 * what it says is never weaker than what the operator configured.  Domains whose
 * connections must not be shared have different security_site() names.
 * Not for: whether a connection fulfilled it (trust/tls_demand.h), or making
 * the connection (line.c).
 * Waiting: both yield, for the DNS, and for policies that are new.
 * Memory: what the demand points to is the configuration's, which is pinned, or
 * in the arena given.
 * Errors: -1 and a verdict: this host is not to be asked now, another may be.
 * Source: RFC 7672 2.2; RFC 8461 5; RFC 7435 3; RFC 9525 6.
 */
#ifndef NM_DELIVER_SECURITY_H
#define NM_DELIVER_SECURITY_H

#include "deliver/deliver.h"
#include "fiber/fiber.h"
#include "policy/config.h"
#include "trust/tls_demand.h"

struct security_ask {
	struct deliver *at;
	const struct config *conf;
	struct str domain;		/* whose MX was asked; n == 0: nobody's */
	const struct relay *hop;	/* the relay that is used; NULL: by MX */
	const struct relay *rule;	/* that, or the rule that says mx; or NULL */
	const struct site *site;	/* how the host was found; NULL: a socket */
	const struct site_host *host;
	const struct address *address;
	enum relay_scheme scheme;
	struct mono deadline;
};

yields int security_demand(const struct security_ask *, struct arena *,
    struct tls_demand *out, struct verdict *why);

/* What the operator wants of whoever is reached by this rule; NULL: by none. */
struct tls_wish *security_wish(const struct config *, const struct relay *rule);

/* A site's name, told apart from others that have the same hosts where a domain
 * or a rule asks for other proofs, or says who we are.  Of the question its host
 * is not looked at; without a site it is a relay's.  STR_NONE: no room. */
yields struct str security_site(const struct security_ask *, struct str site,
    struct arena *);

#endif
