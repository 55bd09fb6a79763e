/*
 * probe_domain.h -- where a domain's mail goes, and how it wants to come.
 *
 * The promise: probe_domain_find() knows the MX hosts in the order in which they
 * are tried, and the MTA-STS policy as it is served now, not as somebody keeps
 * it; what is wrong with either is said in sentences.
 * Not for: delivering (deliver/site.h, deliver/sts.h).
 * Waiting: yields: the DNS, and HTTPS for the policy.
 * Memory: the arena's.
 * Errors: what is wrong is a finding.
 * Source: RFC 5321 5.1; RFC 7505; RFC 8461 3.
 */
#ifndef NM_CLI_PROBE_DOMAIN_H
#define NM_CLI_PROBE_DOMAIN_H

#include "cli/probe.h"
#include "fiber/fiber.h"
#include "wire/mta_sts.h"

enum { PROBE_HOSTS = 16 };

struct probe_mx { uint16_t preference; struct str host; };

struct probe_domain {
	struct probe notes;		/* its findings */
	struct str name;
	size_t n;
	struct probe_mx hosts[PROBE_HOSTS];
	bool is_secure, is_implied;	/* implied: no MX, the domain itself */
	struct sts_policy *policy;	/* or NULL */
};

/* anchors: PEM, for HTTPS; absent: the system's. */
yields void probe_domain_find(struct probe_domain *, struct arena *,
    struct str name, struct str anchors, int64_t patience);
void probe_domain_print(const struct probe_domain *);
int probe_domain_json(const struct probe_domain *);

#endif
