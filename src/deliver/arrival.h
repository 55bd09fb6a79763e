/*
 * arrival.h -- a message on disk comes into the queue.
 *
 * The promise: arrival_admit() makes one item for each destination of the
 * message's recipients, due when the message says.  Clocks that jumped while it
 * lay on disk neither expire it early nor put it off for longer than a retry: it
 * has what its tries leave of outbound.expire, at least; so a rest of the server
 * does not count.
 * Not for: refusing mail: who was told 250 is never turned away here.
 * Waiting: none.
 * Memory: an arena for the call; the queue copies.
 * Errors: -1 when memory is refused: what has no item yet stays in the spool and
 * is found at the next start.
 * Source: DESIGN.md section 4; SECURITY.md row 45.
 */
#ifndef NM_DELIVER_ARRIVAL_H
#define NM_DELIVER_ARRIVAL_H

#include "deliver/deliver.h"

/* Just accepted, or found by recovery. */
struct arrival {
	uint64_t id;
	struct str sender, tenant, stream;
	struct wall arrived, due, expires;	/* 0: not said */
	uint64_t size;
	unsigned tries, warned;
	bool is_held;
	struct wall held_since;		/* 0: not said, now */
	size_t n;
	const struct recipient *const *rcpts;	/* that have not ended */
	const struct str *reasons;	/* why each was put off last; or NULL */
};

int arrival_admit(struct deliver *, const struct arrival *);

#endif
