/*
 * bundle.h -- a configuration on its way from master to the worker.
 *
 * The promise: bundle_pack() makes a descriptor of all files that were read, and
 * bundle_load() the configuration of just these octets: what the worker loads is
 * what master checked.  What differs in a way that the operator wants to know (a
 * key that only a restart changes, doors and domains that are gone) is said.
 * Not for: adopting it (node_reload()).
 * Waiting: bundle_load() blocks and wants more stack than a fiber has: offload()
 * it.
 * Memory: the configuration is counted, and the caller's when it is loaded.
 * Errors: -1 and the trail.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_BUNDLE_H
#define NM_APP_BUNDLE_H

#include "policy/config.h"
#include "policy/source.h"

enum { BUNDLE_SAY = 4096 };

struct bundle {
	int fd;
	struct str path;
	const struct config *old;
	struct config *config;
	char room[BUNDLE_SAY];
	struct buf say;			/* what came of it; ends in NUL */
};

/* Who edits a file in place empties it first: that is a good configuration, and
 * would close every door. */
bool bundle_is_bare(const struct config *old, const struct config *next);
int bundle_pack(const struct source_memory *, struct arena *);
/* `old' is held by the caller until it is loaded. */
void bundle_init(struct bundle *, int fd, struct str path,
    const struct config *old);
int bundle_load(void *bundle);

#endif
