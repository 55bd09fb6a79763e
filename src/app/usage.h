/*
 * usage.h -- what was counted and learnt is written down, now and then.
 *
 * The promise: after usage_start() what a core counts of accounts and tenants
 * (policy/quota.h) is what was written when the server last stood here, but for
 * a minute before a crash, and what other servers were found to bear is what it
 * was; each minute in which something changed, and at usage_stop(), it is
 * written.
 * Not for: the counting.
 * Waiting: both yield (disk).
 * Memory: in the core's struct.
 * Errors: told as trouble; nothing waits for these files.
 * Source: policy/quota_file.h; deliver/pace_file.h.
 */
#ifndef NM_APP_USAGE_H
#define NM_APP_USAGE_H

#include "base/event.h"
#include "base/hash.h"
#include "fiber/fiber.h"
#include "policy/holder.h"

struct quota_table;
struct ready;

struct usage {
	struct quota_table *table;
	struct ready *ready;
	bool has_paces;			/* a file tells of some */
	struct config_holder *holder;
	struct event_sink *sink;
	struct hash_key key;
	unsigned index, n;		/* core, of cores */
	struct fiber *fiber, *closer;
	bool is_running, is_closing;
};

yields int usage_start(struct usage *);
yields void usage_stop(struct usage *);

#endif
