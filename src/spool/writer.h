/*
 * writer.h -- group commit: one fdatasync for all who wait.
 *
 * The promise: records reach the log in the order they were given (those nobody
 * waits for first); an entry's fiber wakes when its record is written, or synced
 * if it asked; never two fdatasyncs at once.  A record nobody waits for is
 * written at once and synced with the next commit or within outcome_delay_ns;
 * until it is synced it is kept in memory, and written again when the disk fails.
 * Not for: anyone outside spool/.
 * Waiting: writer_wait(), writer_wait_room() and writer_drain() yield.
 * Memory: entries live with who waits; the others in slips of 64 KiB, at most
 * config.buffer_bytes.
 * Errors: a negative errno for entries; -1 when no slip can be had.
 * Source: DESIGN.md section 5; SECURITY.md B1, B5, row 43.
 */
#ifndef NM_SPOOL_WRITER_H
#define NM_SPOOL_WRITER_H

#include "base/list.h"
#include "fiber/offload.h"
#include "spool/record.h"
#include "spool/room.h"
#include "spool/segment.h"

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
	struct list lazy;		/* slips (struct room) to be written */
	struct list unsynced;		/* slips written */
	struct list room_waiters;
	struct list written_waiters;
	struct rooms rooms;		/* of slips */
	struct str parts[BATCH_PARTS];	/* of the batch being written */
	uint64_t sequence;		/* the last given */
	uint64_t synced;		/* so many of index.given are on disk */
	uint64_t written;		/* so many are in the page cache */
	struct mono sync_due;		/* MONO_NEVER: nothing lazy is unsynced */
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

enum lazy_class { LAZY_EVENT, LAZY_OUTCOME };
/* -1: no room for this class (half of it is for events).  At most
 * WRITER_LAZY_MOST bytes of payload. */
enum { WRITER_LAZY_MOST = 32 << 10 };
int writer_lazy(struct spool *, enum record_type, uint64_t id,
    struct str payload, enum lazy_class);
yields void writer_wait_room(struct spool *);

/* Until the lazy records given so far are written, or the deadline. */
yields void writer_wait_written(struct spool *, struct mono deadline);

/* Until all that was given so far is on disk.  0, or -1 when it cannot be. */
yields int writer_drain(struct spool *);
void writer_wake(struct spool *);

#endif
