/*
 * config.h -- what the queue must know of the configuration.
 *
 * The promise: a plain value, immutable while a queue uses it; queue_config_
 * default() is sane and whole.  A reload makes another and hands it to
 * queue_configure() and ready_configure(), which let go of the old one.
 * Not for: parsing (policy/), or what differs from try to try (deliver/).
 * Waiting: none.
 * Memory: the caller's, arrays and strings too, until the queue was given
 * another or was closed.
 * Errors: queue_config_is_sane() is false; the queue refuses by must().
 * Source: PRODUCT.md B.4.3 (shaping); DESIGN.md section 4.
 */
#ifndef NM_QUEUE_CONFIG_H
#define NM_QUEUE_CONFIG_H

#include "base/hash.h"
#include "queue/backoff.h"
#include "queue/gcra.h"
#include "queue/retry.h"
#include "queue/shard.h"

enum priority { PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_URGENT, PRIORITIES };

/* What one (source, site) may be asked to bear. */
struct site_limits {
	unsigned connections;		/* at once; at least 1 */
	unsigned per_connection;	/* messages; 0: any number */
	unsigned recipients;		/* of a transaction; 0: any number */
	struct gcra_limit rate;		/* messages; n = 0: any number */
	struct gcra_limit opens;	/* connections */
	struct gcra_limit rcpts;	/* recipients; those of a message leave
					 * together, and the next waits */
	bool is_fixed;			/* nothing is learnt of replies */
};

struct site_rule {
	struct str site;		/* the whole key, or ... */
	bool is_word;			/* ... its first word */
	struct site_limits limits;
};

/* Who sends for a pool, and how often in relation to the others. */
struct pool_share {
	struct str source;
	unsigned weight;		/* 1..POOL_WEIGHT_MOST */
};
struct source_pool {
	struct str name;
	const struct pool_share *shares;
	size_t n;			/* 1..POOL_SHARES_MOST */
};
enum { POOL_WEIGHT_MOST = 10000, POOL_SHARES_MOST = 256 };

/* A tenant's or stream's part of each site, in relation to others. */
struct flow_weight {
	struct str tenant, stream;	/* p == NULL: any */
	unsigned weight;		/* 1..FLOW_WEIGHT_MOST */
};
enum { FLOW_WEIGHT_MOST = 256, QUEUE_ITEMS_MOST = 1 << 30,
	QUEUE_WARNINGS_MOST = 32 };

struct queue_config {
	struct hash_key key;		/* secret, the same for a process */
	const struct shard_map *map;	/* the same on all cores */
	struct retry retry;
	int64_t warn_ns[QUEUE_WARNINGS_MOST];	/* delay warnings after ... */
	size_t n_warnings;
	int64_t put_off_ns;	/* QUEUE_PUT_OFF: our own trouble */
	int64_t hold_most_ns;	/* held for longer, a message expires */
	struct backoff domain_backoff;	/* DNS trouble */
	struct backoff site_backoff;	/* no connection */
	struct site_limits limits;	/* where no rule is */
	const struct site_rule *rules;	/* first match */
	size_t n_rules;
	const struct flow_weight *weights;	/* first match; else 1 */
	size_t n_weights;
	const struct source_pool *pools;
	size_t n_pools;		/* 0: one pool, one source, both "default" */
	/* Which of them mail of a tenant's stream leaves by for a domain: below
	 * n_pools; NULL: the first.  Pure. */
	size_t (*pool_of)(const void *about, struct str domain,
	    struct str tenant, struct str stream);
	const void *about;
	size_t items_most;	/* beyond, queue_is_full() */
	size_t away_most;	/* handed out by one core at a time */
};

/* map is NULL in it: the caller sets map and key. */
struct queue_config queue_config_default(void);
bool queue_config_is_sane(const struct queue_config *);
/* How many of the warnings an age has passed. */
unsigned queue_config_warnings(const struct queue_config *, int64_t age_ns);
const struct site_limits *queue_config_limits(const struct queue_config *,
    struct str site);
unsigned queue_config_weight(const struct queue_config *, struct str tenant,
    struct str stream);
/* Of mail without one: its source is "default", and so is its name. */
const struct source_pool *queue_config_no_pool(void);
const struct source_pool *queue_config_pool(const struct queue_config *,
    struct str domain, struct str tenant, struct str stream);

#endif
