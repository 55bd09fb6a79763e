/*
 * dns_state.h -- what the DNS of a domain was when we last looked.
 *
 * The promise: dns_state_follow() makes of the last state and a report the next
 * state, and says what has changed: a record that is different twice in a row, so
 * that what flaps, and what could not be asked, is no change.  Of a domain never
 * looked at before, what is wrong is a change.
 * Not for: asking (dns_check.h), telling (app/dns_watch.h).
 * Waiting: none.
 * Memory: values; names are slices of the text or the report.
 * Errors: dns_state_read() is false for what it did not write: then nothing is
 * known.
 * Source: PRODUCT.md A.1, "mail only on change".
 */
#ifndef NM_POLICY_DNS_STATE_H
#define NM_POLICY_DNS_STATE_H

#include "base/instant.h"
#include "policy/dns_check.h"

enum { DNS_STATE_MOST = 64 * 1024 };	/* octets of its text */

/* A record, or another thing that was looked at. */
struct dns_fact {
	enum record_topic topic;
	unsigned part;
	struct str name;
	enum finding_mark mark;
	uint64_t value;			/* of what was found; 0: never told */
	uint64_t pending;		/* another that was seen once; 0: none */
};

struct dns_state {
	struct wall at;			/* us == 0: never */
	size_t n;
	struct dns_fact v[FINDINGS_MOST];
};

struct dns_change {
	const struct finding *now;
	enum finding_mark before;
	bool is_new;			/* nothing was known of it */
};

/*
 *	nightmail-dns 1 SECONDS LF
 *	TOPIC PART MARK VALUE PENDING NAME LF	for each fact
 */
bool dns_state_read(struct str text, struct dns_state *out);
void dns_state_print(const struct dns_state *, struct buf *);

/* changes has room for FINDINGS_MOST; how many. */
size_t dns_state_follow(const struct dns_state *before,
    const struct dns_report *, struct wall at, struct dns_state *next,
    struct dns_change *changes);

/* Must it be looked at again soon? */
bool dns_state_is_open(const struct dns_state *);
unsigned dns_state_wrong(const struct dns_state *);

#endif
