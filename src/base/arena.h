/*
 * arena.h -- memory with one owner, one end, and a ceiling.
 *
 * The promise: an arena belongs to a scope that the protocol already has (a
 * session, a mail transaction, one command).  Nothing in it is freed singly;
 * arena_clear() ends all of it, running what was hung on it with arena_defer()
 * newest first.  Hence return is always safe and goto is not needed.
 * Not for: things that outlive their scope or are freed singly (queue items
 * live in a slab), and not for bodies of messages (they go to the draft).
 * Waiting: none; but deferred functions run inside arena_clear().
 * Memory: blocks from malloc, up to the ceiling: a quarter of a KiB at first (or what is
 * expected), then half of what there is already, at most 16 KiB, so that little is
 * spare; the first alloc takes the first block, so an idle arena costs nothing.
 * Errors: arena_alloc() and friends return NULL (STR_NONE, -1) at the ceiling:
 * the session says 452 4.3.1 and lives on.
 * Source: HOUSE.md 7.7.
 */
#ifndef NM_BASE_ARENA_H
#define NM_BASE_ARENA_H

#include "base/str.h"

struct arena_block;
struct arena_defer;

struct arena {
	struct arena_block *blocks;	/* newest first */
	struct arena_defer *defers;	/* run newest first by arena_clear() */
	size_t used, ceiling;		/* bytes */
	size_t first;			/* of the first block; 0: few */
	bool is_wiped;			/* its end overwrites it */
};

struct arena_mark {
	struct arena_block *block;
	size_t fill;
	struct arena_defer *defers;
};

void arena_init(struct arena *, size_t ceiling);
/* For what holds secrets: nothing of it is left in freed memory. */
void arena_init_wiped(struct arena *, size_t ceiling);
void arena_clear(struct arena *);		/* may be used again */
/* What is usual in such a scope: the first block has room for it. */
void arena_expect(struct arena *, size_t size);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *, size_t size);
/* Is there room for so much below the ceiling? */
bool arena_has(const struct arena *, size_t size);
struct str arena_copy(struct arena *, struct str);
struct str arena_lower(struct arena *, struct str);	/* ASCII lower case */
struct str arena_join(struct arena *, struct str, struct str);
struct str arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
const char *arena_cstr(struct arena *, struct str);

/* Call fn(arg) when the arena is cleared (or taken back past here). */
int arena_defer(struct arena *, void (*fn)(void *), void *arg);

/* Everything allocated and deferred since the mark ends at arena_back(). */
struct arena_mark arena_mark(const struct arena *);
void arena_back(struct arena *, struct arena_mark);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
