/*
 * audit.h -- a whole spool, held against the law of outcomes.
 *
 * The promise: spool_audit() reads the log from its front to its end, changing
 * nothing, and gives each record to a ledger; damage is told with its place,
 * for what it hid is not proven; what a crash tore before it was synced is none.
 * Beside a running server it sees the log as it was at one instant: what comes
 * later is not looked at, and when the front goes while it reads, that front's
 * messages have ended.
 * Not for: what stands in bodies (check.h).
 * Waiting: yields (disk).
 * Memory: the ledger's, and a window of 256 KiB.
 * Errors: SPOOL_DISK or SPOOL_FOREIGN with a trail; breaches and damage are
 * counted, no error.
 * Source: DESIGN.md law 2; PRODUCT.md C (nightmail audit).
 */
#ifndef NM_SPOOL_AUDIT_H
#define NM_SPOOL_AUDIT_H

#include "spool/ledger.h"
#include "spool/spool.h"

struct audit {
	/* A breach or a damaged place. */
	void (*tell)(struct audit *, uint64_t segment, uint64_t at,
	    struct str text);
	/* After each segment; NULL: nobody looks. */
	void (*progress)(struct audit *);
	void *owner;			/* the caller's own */
	/* set by the walk */
	struct ledger_totals totals;
	uint64_t segments, segments_read, records, damaged;
	bool is_in_use;			/* another process holds the lock */
};

yields enum spool_trouble spool_audit(const char *path, struct audit *);

#endif
