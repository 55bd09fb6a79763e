/*
 * walk.h -- going through a segment's records, by its sidecar when it has one.
 *
 * The promise: walk_next() gives the records in order: from the sidecar those
 * that matter to messages, without bodies; from the segment itself all of them,
 * and the damage between.
 * Not for: following the log while it grows (tail.h).
 * Waiting: all but walk_open() and walk_close() yield.
 * Memory: a window from malloc, of 256 KiB or the largest record, until
 * walk_close(); a record's slices live until the next walk_next().
 * Errors: WALK_FAILED with a trail: the disk, or memory.  WALK_BAD_SIDECAR: walk
 * the segment instead, from its beginning; believing records twice is harmless.
 * Source: DESIGN.md section 5 (restart reads sidecars, not bodies).
 */
#ifndef NM_SPOOL_WALK_H
#define NM_SPOOL_WALK_H

#include "spool/scan.h"
#include "spool/segment.h"

struct walk {
	const struct segment *segment;
	int fd;				/* the sidecar's; -1: the segment itself */
	char *window;
	size_t cap;
	struct scan scan;		/* of the segment */
	/* of a sidecar */
	uint64_t at, left;		/* bytes; entries */
	uint64_t window_at;
	size_t window_n;
	/* of the segment, as the sidecar says */
	uint64_t end, first_sequence, sequence;
	/* of the record given */
	uint64_t record_at;		/* in the segment */
	uint64_t source_at;		/* where its header stands in what is read */
};

enum walk_result {
	WALK_RECORD, WALK_DAMAGE, WALK_END, WALK_BAD_SIDECAR, WALK_FAILED
};

/* Through the segment, up to `end'. */
int walk_open(struct walk *, const struct segment *, uint64_t end,
    bool wants_bodies);
/* Through its sidecar: WALK_RECORD when there is a good one, WALK_BAD_SIDECAR
 * when not, WALK_FAILED. */
yields enum walk_result walk_open_sidecar(struct walk *, const char *dir,
    const struct segment *);
yields enum walk_result walk_next(struct walk *, struct record *out);
/* The record at this source_at again, header and payload. */
yields enum walk_result walk_read(struct walk *, uint64_t source_at,
    struct record *out);
void walk_close(struct walk *);

#endif
