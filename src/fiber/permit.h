/*
 * permit.h -- a counted right to do something, waited for in order.
 *
 * The promise: at most `most' permits are out at once; who asked first is
 * served first.
 * Not for: rates (queue/gcra.h) or limits across cores.
 * Waiting: permit_take() yields.
 * Memory: the waiters' links live on their stacks.
 * Errors: permit_take() is -1 at the deadline.
 * Source: HOUSE.md 7.5 (take/give).
 */
#ifndef NM_FIBER_PERMIT_H
#define NM_FIBER_PERMIT_H

#include "base/list.h"
#include "fiber/fiber.h"

struct permit {
	size_t most, out;
	struct list waiters;
};

void permit_init(struct permit *, size_t most);
bool permit_try(struct permit *);
yields int permit_take(struct permit *, struct mono deadline);
void permit_give(struct permit *);

#endif
