/*
 * finish.h -- values become a whole: what they mean together.
 *
 * The promise: after finish_config() without errors, names that were left out
 * are filled in, files that values name are read, other domains' names are
 * followed, and what excludes each other does not stand together.
 * Not for: single values (value.h); advice (advice.h).
 * Waiting: none.
 * Memory: the configuration's arena.
 * Errors: counted among the problems.
 * Source: PRODUCT.md B.2, B.4; RFC 5321 4.5.1.
 */
#ifndef NM_POLICY_FINISH_H
#define NM_POLICY_FINISH_H

#include "policy/load.h"
#include "policy/problem.h"

struct domain;
struct origin;
struct relay;
struct relay_keys;

void finish_config(struct load *);

/* Its parts, each in its own file. */
void finish_accounts(struct load *);
void finish_bounces(struct load *);
void finish_dns(struct load *);
void finish_auth(struct load *);
void finish_certificates(struct load *);
void finish_dkim(struct load *);
void finish_listeners(struct load *);
void finish_tls(struct load *);
void finish_verify(struct load *);
void finish_forward(struct load *);	/* after the domains */
void finish_logins(struct load *);	/* after finish_auth() and the domains */
void finish_domains(struct load *);
void finish_reports(struct load *);	/* after the domains */
void finish_pools(struct load *);	/* and their sources */
void finish_routes(struct load *);	/* after the pools */
void finish_transports(struct load *);
void finish_shaping(struct load *);
void finish_deliver_by(struct load *);
void finish_domain_by(struct load *, struct domain *);
void finish_outbound_tls(struct load *);
/* by: what people call the place of the keys. */
void finish_relay(struct load *, struct relay *, struct relay_keys *,
    struct str by, struct place);
/* Keys without a relay. */
void finish_no_relay(struct load *, const struct relay_keys *, struct place);

/* The origin of a key, or nowhere. */
struct place finish_place(const struct origin *, const char *path);
/* Does a path stand below another, or is it that? */
bool finish_is_below(struct str path, struct str above);
/* No room: told once for all. */
void finish_is_full(struct load *);

#endif
