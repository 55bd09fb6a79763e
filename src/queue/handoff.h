/*
 * handoff.h -- a message on its way from its home to a site's owner.
 *
 * The promise: a handoff says all that a delivery needs to begin; whoever holds
 * one owes the home exactly one queue_settle() by `ref', whatever happens.
 * Not for: recipients and bodies: ask the spool by id.
 * Waiting: none.
 * Memory: a value that may cross cores.  Its strings belong to the home queue
 * and stay where they are, unchanged, until the item is settled by other than
 * DUTY_EXPIRE and DUTY_CANCEL: read them on any core till then, not after.
 * Errors: none.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_QUEUE_HANDOFF_H
#define NM_QUEUE_HANDOFF_H

#include "base/instant.h"


/* An item: a message's recipients in one domain. */
struct queue_ref {
	uint64_t id;		/* of the message */
	uint32_t slot;
};

struct handoff {
	struct queue_ref ref;
	uint16_t home, owner;		/* cores */
	uint16_t shard;
	uint8_t priority;		/* enum priority */
	unsigned warned;		/* warnings of delay so far */
	uint32_t n_rcpts;
	unsigned tries;			/* before this one */
	uint64_t size;			/* octets, to 4 GiB */
	struct mono arrived, due, expires;
	struct str domain, tenant, stream;
	struct str site, pool, source;	/* p == NULL without a known site */
};

#endif
