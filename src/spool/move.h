/*
 * move.h -- one message on its way to the end of the log.
 *
 * The promise: what move_start() gave the writer says what memory knows of the
 * message at the moment its place in the order is fixed; move_end() believes the
 * new place only when it is synced and nobody holds a pin.
 * Not for: deciding what to move (cleaner.h).
 * Waiting: move_start() and move_end() yield; between them others can be started.
 * Memory: rooms of the spool's, given back by move_end().
 * Errors: -1 with a trail; the message stays where it was.
 * Source: DESIGN.md section 5 (compaction).
 */
#ifndef NM_SPOOL_MOVE_H
#define NM_SPOOL_MOVE_H

#include "fiber/fiber.h"
#include "spool/room.h"
#include "spool/writer.h"

struct move {
	struct spool *spool;
	uint64_t id;
	struct segment *from;		/* what is to be emptied */
	struct segment *segment;	/* where its record stood */
	uint32_t at;
	struct entry entry;
	struct room *old, *fresh;	/* the record as it was; head and payload */
	size_t state_at, ended_n;	/* in the payload; octets of bits */
	struct extent *extents;		/* where its chunks stand now */
	size_t n_extents;
	bool is_started;
};

/* 0: given to the writer. */
yields int move_start(struct move *, struct spool *, uint64_t id,
    struct segment *from);
/* 0: it stands there now, or needs to stand nowhere any more. */
yields int move_end(struct move *);

/* A CHUNK of message `id' written again; *to holds a reference.  */
yields int move_chunk(struct spool *, uint64_t id, struct extent from,
    struct extent *to);

#endif
