/*
 * index.h -- the messages that have not ended, by id.
 *
 * The promise: memory's picture of the log: each message, where its record
 * stands, which recipients have ended.  The same functions serve the running
 * spool and recovery, so both come to the same picture.
 * Not for: whoever is outside spool/ (kept.h).
 * Waiting: none.
 * Memory: struct kept in chunks of 64 KiB, given back when empty; what few
 * messages need beyond (many recipients, many extents) singly from malloc: they
 * live and die in any order (HOUSE.md 7.7).
 * Errors: NULL or -1 when memory is refused.
 * Source: DESIGN.md sections 4 and 5.
 */
#ifndef NM_SPOOL_INDEX_H
#define NM_SPOOL_INDEX_H

#include "base/list.h"
#include "base/table.h"
#include "spool/kept.h"
#include "spool/segment.h"

enum kept_flags {
	KEPT_HELD = 1,
	KEPT_OVER = 2		/* all recipients have ended; here for its pins */
};

struct kept_more {
	struct link link;		/* in index.more */
	struct kept *kept;
	size_t n_extents;
	struct extent *extents;		/* behind the bits */
	uint64_t bits[];
};

struct kept {
	struct table_node node;		/* hash: the id itself, ours to choose */
	struct segment *segment;	/* of its COMMIT or MOVED */
	struct kept_more *more;		/* NULL: the bits below are enough */
	struct wall due, held_since;	/* 0: not said */
	uint32_t at;			/* offset / RECORD_ALIGN */
	uint32_t size;			/* of the record / RECORD_ALIGN */
	uint32_t payload_n;
	uint32_t n, n_ended;		/* recipients */
	uint32_t bits;
	uint32_t pins;
	uint16_t attempts;
	uint8_t warned;
	uint8_t flags;
};

enum { KEPT_INLINE = 32 };

/* The value of the tag HELD: 0, 1 (of builds that did not tell since when), or
 * since when. */
enum { HELD_UNKNOWN = 1 };
uint64_t held_number(const struct kept *);
struct wall held_wall(uint64_t number);

struct index {
	struct table table;
	struct list chunks;		/* with room */
	struct list more;
	size_t n;			/* not over */
	uint64_t live_bytes;
	uint64_t given;			/* records given to the writer so far that
					 * nobody waits for */
	uint64_t id_most;		/* highest counter seen */
};

int index_init(struct index *);
void index_clear(struct index *);

/* Room for a message of so many recipients and extents, not yet in the index:
 * whoever writes it has it before, so that nothing can fail after. */
struct kept *kept_new(struct index *, uint64_t id, uint32_t recipients,
    size_t extents);
void kept_drop(struct index *, struct kept *);	/* one that is not in it */

struct kept_place {
	struct segment *segment;
	uint64_t at;
	uint32_t payload_n, body_n;
};
/* Enter it; the extents were filled in.  Takes references on its segments. */
void index_insert(struct index *, struct kept *, struct kept_place);
/* Held since then (0: nobody knows), or no more; who is held stays held since
 * the first time. */
void kept_set_held(struct kept *, bool is_held, struct wall since);
/* It stands elsewhere now; its extents were changed by whoever moved them. */
void index_move(struct index *, struct kept *, struct kept_place);

/* Any, also one that is over and pinned; NULL. */
struct kept *index_find(const struct index *, uint64_t id);

/* False when it had ended before, or there is no such recipient. */
bool kept_end(struct kept *, size_t recipient);
void kept_end_all(struct kept *);
/* When all have ended it counts no more; when no pin is left either it goes,
 * with its references. */
void index_settle(struct index *, struct kept *);

/* References on a segment, and what its records weigh. */
void segment_take(struct index *, struct segment *, uint64_t bytes);
void segment_give(struct index *, struct segment *, uint64_t bytes);

#endif
