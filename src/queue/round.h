/*
 * round.h -- whose turn it is: deficit round robin with a small reserve.
 *
 * The promise: among turns that always have something, each gets its quantum's
 * part of the cost served, to within one largest cost and one quantum, however
 * costs differ.  A turn that is alone is served at once.  Urgent turns are
 * served first while the reserve lasts: it grows by one each time and a turn
 * out of order costs ROUND_RESERVE, so they gain at most one in ROUND_RESERVE
 * beyond their own part, and ROUND_SAVED in a row.
 * Not for: rates and permits (gcra.h, ready.h).
 * Waiting: none.
 * Memory: none; entries and turns are their owners'.
 * Errors: none; misuse fails a must().
 * Source: Shreedhar and Varghese, "Efficient fair queuing using deficit round
 * robin", 1995.
 */
#ifndef NM_QUEUE_ROUND_H
#define NM_QUEUE_ROUND_H

#include "base/list.h"

#include <stdint.h>

enum { ROUND_RESERVE = 8, ROUND_SAVED = 4, ROUND_COST_MOST = 128 };

struct round_entry {
	struct link link;
	struct turn *turn;
	uint32_t cost;			/* 1..ROUND_COST_MOST */
};

struct turn {
	struct link in_ring, in_urgent;
	struct list entries;		/* first come first */
	uint32_t quantum;		/* at least 1; may change any time */
	uint32_t credit;
	bool is_urgent;
};

struct round {
	struct list ring, urgent;	/* turns that have entries */
	struct turn *current;		/* has had its quantum this time */
	uint32_t reserve;
	size_t n;			/* entries */
};

void round_init(struct round *);
void turn_init(struct turn *, uint32_t quantum, bool is_urgent);

void round_add(struct round *, struct turn *, struct round_entry *);
/* Some entry that waits, or NULL. */
struct round_entry *round_peek(const struct round *);
/* The next, removed, or NULL.  Its turn may have become empty. */
struct round_entry *round_take(struct round *);
/* Any, removed, nobody being charged; or NULL. */
struct round_entry *round_drop(struct round *);

#endif
