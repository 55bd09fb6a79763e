/*
 * room.h -- blocks of memory for what is on its way to the disk.
 *
 * The promise: room_take() gives a block of at least n bytes, of 8 or 64 KiB
 * mostly, from those that came back; the pool keeps few and never has more out
 * than its ceiling.
 * Not for: anything that stays.
 * Waiting: none.
 * Memory: malloc, since blocks come and go in any order (HOUSE.md 7.7).
 * Errors: NULL at the ceiling, or when memory is refused.
 * Source: HOUSE.md 7.7; SECURITY.md row 27.
 */
#ifndef NM_SPOOL_ROOM_H
#define NM_SPOOL_ROOM_H

#include <stdint.h>

#include "base/list.h"

enum { ROOM_SMALL = 8 << 10, ROOM_LARGE = 68 << 10 };

struct room {
	struct link link;		/* its owner's, while it is out */
	size_t cap;			/* bytes */
	/* its owner's affair */
	size_t n;
	uint64_t mark, at, cover;
	char bytes[];
};

struct rooms {
	struct list small, large;	/* that came back */
	size_t out, kept, ceiling;	/* bytes */
};

void rooms_init(struct rooms *, size_t ceiling);
void rooms_clear(struct rooms *);	/* none may be out */
struct room *room_take(struct rooms *, size_t n);
/* A block of just n bytes, which is not kept when it comes back: for little that
 * lies still. */
struct room *room_take_exact(struct rooms *, size_t n);
/* Is so much out that nobody should take large ones? */
bool rooms_are_short(const struct rooms *);
void room_give(struct rooms *, struct room *);		/* NULL is allowed */

#endif
