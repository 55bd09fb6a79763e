/*
 * tail.h -- following the log, for projections of it.
 *
 * The promise: a tail gives every record of the chosen types after its place,
 * in order, once they are on disk.  Segments stay until every registered
 * projection has passed them; spool_mark() says so, durably with what is written
 * next, and after a crash spool_place() gives the last mark that survived: apply
 * each batch in one transaction together with its place, and nothing repeats.
 * Not for: finding messages.
 * Waiting: tail_next() yields; it does not wait for new records, tail_await()
 * does.
 * Memory: a window of 256 KiB per tail, from malloc, freed by tail_close(); a
 * record's slices live until the next tail_next().
 * Errors: -1 with a trail when the disk fails; damaged records were told at
 * recovery and are passed over.
 * Source: DESIGN.md section 5 (projections).
 */
#ifndef NM_SPOOL_TAIL_H
#define NM_SPOOL_TAIL_H

#include "spool/record.h"
#include "spool/spool.h"

enum { PROJECTIONS_MOST = 16 };

struct tail_place { uint64_t segment; uint64_t offset; };

/* Between open and recover: segments wait for this projection from now on. */
void spool_projection(struct spool *, unsigned number);
/* Where it stands: {0, 0} before its first mark. */
struct tail_place spool_place(const struct spool *, unsigned number);
yields int spool_mark(struct spool *, unsigned number, struct tail_place);
int mark_write(struct spool *, unsigned number);	/* again; for the keeper */

struct tail;

/* types: an OR of TAIL_OF(RECORD_x).  NULL when memory is refused. */
#define TAIL_OF(type) (1u << (type))
struct tail *tail_open(struct spool *, struct tail_place after, uint32_t types);
void tail_close(struct tail *);
/* 1: *out is the next record and *after the place behind it; 0: no more for
 * now, and *after may have moved to a later segment; -1. */
yields int tail_next(struct tail *, struct record *out, struct tail_place *after);
/* Until something was written since tail_next() said 0, or somebody wakes the
 * fiber, or the deadline.  One fiber of a spool at a time. */
yields void tail_await(struct tail *, struct mono deadline);

#endif
