/*
 * apply.h -- what a record of the log does to the picture in memory.
 *
 * The promise: applying the log's records in order gives the picture that the
 * running spool had; applying some of them twice, in order, changes nothing.
 * Not for: the running spool, which changes the picture first and then writes.
 * Waiting: none.
 * Memory: the index's.
 * Errors: enum apply_result.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_APPLY_H
#define NM_SPOOL_APPLY_H

#include "spool/record.h"
#include "spool/segment.h"

struct spool;

enum apply_result {
	APPLY_DONE,
	APPLY_MALFORMED,	/* whole, but no sense: set aside */
	APPLY_FOREIGN,		/* must be understood, and is not: exit 78 */
	APPLY_NO_MEMORY
};

enum apply_result apply_record(struct spool *, const struct record *,
    struct segment *, uint64_t at);

#endif
