/*
 * tls_tally.h -- what reports of TLS of a day are made of, counted.
 *
 * The promise: tls_tally_take() counts an event `tls_session' under its policy's
 * domain, in the policy that it was judged by, and a failure in the row of all
 * that are alike.  What has no room is counted in the policy's sums all the same.
 * Not for: reading the kept events (store/eventread.h), sending (app/report_post.h).
 * Waiting: none.
 * Memory: an arena of `memory' octets, until tls_tally_clear().
 * Errors: none; sessions of domains for which there is no memory are in `lost'.
 * Source: RFC 8460 4.2, 4.3, 4.4.
 */
#ifndef NM_DELIVER_TLS_TALLY_H
#define NM_DELIVER_TLS_TALLY_H

#include "base/arena.h"
#include "base/event.h"
#include "base/hash.h"
#include "base/table.h"
#include "wire/tls_rpt.h"

enum { TLS_TALLY_MOST = 16 * 1024 * 1024, TLS_TALLY_POLICIES = 16,
	TLS_TALLY_FAILURES = 1000,	/* rows of a policy */
	TLS_TALLY_TEXT = 4096 };	/* octets of a policy that are told */

struct tls_tally_failure {
	struct table_node node;
	struct tls_tally_failure *next;
	struct tls_tally_policy *policy;
	struct tls_rpt_failure is;
};

struct tls_tally_policy {
	struct tls_tally_policy *next;
	struct str name, text;		/* as the event has them */
	uint64_t good, failed;
	size_t n;
	struct tls_tally_failure *failures;
};

struct tls_tally_domain {
	struct table_node node;
	struct str name;
	uint64_t sessions;
	size_t n;
	struct tls_tally_policy *policies;
};

struct tls_tally {
	struct hash_key key;
	struct arena arena;
	struct table domains, failures;
	uint64_t lost;			/* sessions */
};

void tls_tally_init(struct tls_tally *, struct hash_key, size_t memory);
void tls_tally_clear(struct tls_tally *);

/* Other events are passed over. */
void tls_tally_take(struct tls_tally *, const struct event *);

/* Those with most sessions first, then by name; in the arena.  NULL: no memory,
 * or *n is 0. */
struct tls_tally_domain **tls_tally_domains(const struct tls_tally *,
    struct arena *, size_t *n);
struct tls_tally_domain *tls_tally_find(const struct tls_tally *, struct str);

/* For the writer: a policy as its report tells it.  False: no memory. */
bool tls_tally_policy(const struct tls_tally_domain *,
    const struct tls_tally_policy *, struct arena *, struct tls_rpt_policy *out);

#endif
