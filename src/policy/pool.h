/*
 * pool.h -- which sources mail leaves by.
 *
 * The promise: pool_find() is a pure function of the configuration and of whose
 * mail goes where: of the rules of `route' that match, the pool of the first
 * that has one; else the pool called default; else none.
 * Not for: choosing among a pool's sources (queue/), or connecting (deliver/).
 * Waiting: none; but what they return points into the configuration.
 * Memory: none.
 * Errors: NULL where there is no such thing.
 * Source: DESIGN.md section 4; PRODUCT.md B.4 (sources, pools, route).
 */
#ifndef NM_POLICY_POOL_H
#define NM_POLICY_POOL_H

#include "policy/config.h"

/* A message's, as far as a pool may depend on it. */
struct pool_about {
	struct str rcpt_domain;		/* lower case */
	bool knows_sender;		/* else no rule asks for him */
	struct str sender_domain;	/* n == 0: the null sender */
	struct str tenant;
};

/* NULL: mail leaves from outbound.bind, as outbound.ehlo. */
const struct pool_rule *pool_find(const struct config *,
    const struct pool_about *);
const struct pool_rule *pool_named(const struct config *, struct str name);
const struct source_rule *source_named(const struct config *, struct str name);

/* The nth address that others may see of a source, 0 first, and the name said
 * there; false: there are no more. */
struct source_address { const struct address *at; struct str ehlo; };
bool source_address(const struct config *, size_t nth, struct source_address *);

#endif
