/*
 * sts.h -- the MTA-STS policies of domains, kept on disk.
 *
 * The promise: sts_find() knows the policy that is to be applied to a domain:
 * the one that its host serves now, or the last one until its max_age has
 * passed, whatever became of the DNS and of the host meanwhile; it survives a
 * restart.  A file of the cache is whole or not there.  sts_tend() renews what
 * is older than a day, before it ends, and removes what has ended.
 * Not for: applying a policy (deliver/security.h).
 * Waiting: sts_find() yields: the DNS, the disk, and for what is new or changed
 * HTTPS for a minute at most.  Several who ask for the same domain wait for one
 * answer.  sts_tend() yields long.
 * Memory: an entry for each domain asked for, at most STS_KEPT on a core, from
 * malloc; at most STS_FILES policies on disk.  What is found is the arena's.
 * Errors: what keeps a policy from being had is a trouble and a sentence; then
 * there is none, or the last one.  An administrator is told where a policy that
 * holds cannot be renewed, or kept (RFC 8461 3.3).
 * Source: RFC 8461 3.1, 3.3, 5.1, 10.
 */
#ifndef NM_DELIVER_STS_H
#define NM_DELIVER_STS_H

#include "base/arena.h"
#include "fiber/fiber.h"
#include "trust/tls_demand.h"
#include "wire/mta_sts.h"

enum { STS_KEPT = 4096, STS_FILES = 100000, STS_WHY_MOST = 200 };

struct sts_found {
	bool is_there;			/* a policy, maybe of mode none */
	struct sts_policy *policy;
	struct str text;		/* as it was served */
	enum tls_result trouble;	/* FINE: none */
	char why[STS_WHY_MOST];		/* of the trouble */
};

struct sts_setup {
	struct str directory;
	struct str anchors;		/* PEM; n == 0: the system's */
	void (*tell)(void *arg, const char *text);	/* an administrator; or
					 * NULL */
	void *arg;
	const bool *is_over;		/* sts_tend() ends when it is set; or NULL */
};

struct sts_cache;
struct sts_cache *sts_open(void);	/* one per core */
void sts_close(struct sts_cache *);

/* -1: no memory, and nothing is known. */
yields int sts_find(struct sts_cache *, const struct sts_setup *,
    struct str domain, struct arena *, struct sts_found *out);

/* Once in a while, on one core. */
yields void sts_tend(struct sts_cache *, const struct sts_setup *);

#endif
