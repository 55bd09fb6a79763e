/*
 * check.h -- looking at a spool without touching it.
 *
 * The promise: reads every byte of the log, changes none, and tells each record
 * (dump), each damaged place, and each message that has not ended.
 * Not for: repair; recovery repairs.
 * Waiting: yields (disk).
 * Memory: the index of the messages seen, freed at the end.
 * Errors: SPOOL_DISK or SPOOL_FOREIGN with a trail; damage is counted, no error.
 * A spool in use may be looked at: its last segment is then still being written.
 * Source: PRODUCT.md C (nightmail spool check, dump); SECURITY.md B5.
 */
#ifndef NM_SPOOL_CHECK_H
#define NM_SPOOL_CHECK_H

#include "spool/spool.h"

struct check {
	/* One line of text without newline. */
	void (*line)(struct check *, struct str);
	void *owner;			/* the caller's own */
	/* set by the walk */
	uint64_t segments, records, bytes, live, damaged, sidecars_bad;
	bool was_clean;			/* stopped cleanly last time */
	bool is_in_use;			/* another process holds the lock */
};

/* Damage, live messages, sums. */
yields enum spool_trouble spool_check(const char *path, struct check *);
/* Each record as one line, too. */
yields enum spool_trouble spool_dump(const char *path, struct check *);

#endif
