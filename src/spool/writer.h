/*
 * writer.h -- group commit: one fdatasync for all who wait.
 *
 * The promise: records reach the log in the order they were given (those nobody
 * waits for first, slip.h); an entry's fiber wakes when its record is written, or
 * synced if it asked; never two fdatasyncs at once.  What nobody waits for is
 * synced with the next commit or within outcome_delay_ns.
 * Not for: anyone outside spool/.
 * Waiting: writer_wait(), writer_drain() and writer_close() yield.
 * Memory: entries live with who waits for them.
 * Errors: a negative errno for entries.
 * Source: DESIGN.md section 5; SECURITY.md B1, B5, row 43.
 */
#ifndef NM_SPOOL_WRITER_H
#define NM_SPOOL_WRITER_H

#include "base/list.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/slip.h"

struct lane;

struct spool;

enum { BATCH_PARTS = 256, BATCH_BYTES = 4 << 20 };

/* One record somebody waits for. */
struct entry {
	/* set by the owner; seven spare bytes behind the last part */
	struct record record;		/* type, flags, lengths, sums, id */
	char *head;			/* header's place, payload, and the body
					 * too when `body' is NULL */
	char *body;
	bool wants_sync, may_use_reserve;
	/* called when its place in the order is fixed: may rewrite the payload
	 * (and its sum) in its length; does not wait */
	void (*at_last)(struct entry *);
	void *owner;
	/* set by the writer */
	struct link link;
	struct fiber *fiber;
	bool is_done;
	int result;
	struct segment *segment;	/* with a reference, when result is 0 */
	uint64_t at;
	int64_t sync_ns;
};

struct writer {
	struct lane *lane;
	struct fiber *fiber;		/* NULL: not running */
	struct fiber *closer;		/* waits for all to be on disk, or its end */
	struct list entries;		/* waiting */
	struct slips slips;
	struct str parts[BATCH_PARTS];	/* of the batch being written */
	uint64_t sequence;		/* the last given */
	struct mono retry_at, failed_at;
	unsigned n_failed;		/* batches in a row */
	bool is_running, is_stopping, is_called;
	bool is_stuck;			/* what waits cannot be written now */
	bool is_draining;		/* sync at once */
	bool wants_spare;		/* the keeper should hurry */
	bool is_at_work;
};

void writer_init(struct writer *, size_t ceiling);
/* The first spare becomes the current segment, which is sealed.  -1: memory. */
int writer_take_spare(struct spool *);
int writer_open(struct spool *);	/* starts its fiber */
yields void writer_close(struct spool *);	/* ends it; drain first */

void writer_submit(struct spool *, struct entry *);
yields int writer_wait(struct entry *);
void entry_release(struct spool *, struct entry *);	/* its reference */

/* Until all that was given so far is on disk.  0, or -1 when it cannot be. */
yields int writer_drain(struct spool *);
void writer_wake(struct spool *);

/* Fix a record's place in the order; writes its header. */
void record_place(struct writer *, struct segment *, struct record *, char *head);

#endif
