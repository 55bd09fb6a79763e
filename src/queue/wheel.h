/*
 * wheel.h -- what waits for its time, any number of it, without a sort.
 *
 * The promise: wheel_pop() gives those whose time has come, none before, in
 * order of time by the tick (about 1 ms; wheel_round() says which instants there
 * are).  Adding and removing cost the same for any number and cannot fail.
 * Not for: order within a tick.
 * Waiting: none.
 * Memory: 8 KiB a wheel; the entries are their owners'.
 * Errors: none; misuse fails a must().
 * Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987.
 */
#ifndef NM_QUEUE_WHEEL_H
#define NM_QUEUE_WHEEL_H

#include "base/instant.h"
#include "base/list.h"

enum { WHEEL_LEVELS = 8, WHEEL_SLOTS = 64, WHEEL_TICK_BITS = 20 };

/* May serve other lists with the same link while it is in no wheel. */
struct wheel_entry {
	struct link link;
	struct mono due;
};

struct wheel {
	uint64_t tick;			/* all before it was popped */
	uint64_t used[WHEEL_LEVELS];	/* bits: may hold something */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *);

/* The instant of a wheel at or next after t; MONO_NEVER stays. */
struct mono wheel_round(struct mono t);

/* e->due becomes wheel_round(due); remove it by list_remove(&e->link). */
void wheel_add(struct wheel *, struct wheel_entry *e, struct mono due);

/*
 * The next entry that is due, removed; NULL: none now, or *steps is used up
 * (each entry returned or moved to a finer level is one).
 */
struct wheel_entry *wheel_pop(struct wheel *, struct mono now,
    uint32_t *steps);

/* No entry is due before this; it may be earlier than the first is due. */
struct mono wheel_next_at(const struct wheel *);

#endif
