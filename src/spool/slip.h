/*
 * slip.h -- records nobody waits for, from memory to disk.
 *
 * The promise: they reach the log in the order they were given, outcomes at once,
 * events with what is written next and within SLIP_PATIENCE_NS.  Until a sync
 * that began after they were written has succeeded they are kept in memory, and
 * given again when the disk fails.  While a sync is under way they do not wait
 * for its end longer than a millisecond: the scribe writes them meanwhile, so
 * that kill -9 does not take them back.
 * Not for: anyone outside spool/; records somebody waits for are entries
 * (writer.h).
 * Waiting: writer_wait_room(), writer_wait_written(), scribe_close() and
 * scribe_wait() yield.
 * Memory: slips of 64 KiB, pooled, at most config.buffer_bytes, half of it for
 * events.
 * Errors: writer_lazy() is -1 when no slip can be had.
 * Source: DESIGN.md section 5; SECURITY.md B3.
 */
#ifndef NM_SPOOL_SLIP_H
#define NM_SPOOL_SLIP_H

#include "base/instant.h"
#include "spool/record.h"
#include "spool/room.h"
#include "fiber/fiber.h"

struct segment;
struct spool;

#define SLIP_UNWRITTEN UINT64_MAX
#define SLIP_PATIENCE_NS (5 * NS_PER_MS)

struct slips {
	struct list lazy;		/* slips (struct room) to be written */
	struct list unsynced;		/* placed, in order; by the scribe some are
					 * still being written */
	struct list waiters;		/* for room */
	struct list written_waiters;
	struct rooms rooms;
	struct mono since;		/* the oldest in `lazy' was given then */
	struct mono write_due;		/* `lazy' is written then, if not before */
	struct mono sync_due;		/* MONO_NEVER: nothing is unsynced */
	struct mono later_due;		/* the same, of what was placed while a
					 * sync was under way that may miss it */
	uint64_t syncs;			/* begun so far */
	uint64_t written;		/* so many of index.given kill -9 cannot take
					 * back */
	uint64_t synced;		/* so many are on disk */
	uint64_t freed;			/* the highest that is, others perhaps not */
	/* the scribe */
	struct fiber *scribe, *closer;
	bool is_running, is_stopping;
	bool is_writing;		/* one slip, the rest of the log goes on */
	int failed;			/* its write did: the writer deals with it */
};

void slips_init(struct slips *, size_t ceiling);
void slips_clear(struct slips *);

/* Nothing is lazy any more: nothing is due. */
void slips_taken(struct slips *);

/* Fix the place in the order of all its records: at the segment's end. */
void slip_place(struct spool *, struct segment *, struct room *);
/* Sync number `sync', of a segment written up to `end', has succeeded: let go
 * what it covers; how much of the segment is settled. */
uint64_t slips_covered(struct spool *, const struct segment *, uint64_t sync,
    uint64_t end);
/* Some were written: who waits for that may go on. */
void slips_written(struct slips *);
/* What is not surely on disk waits again, before what came later. */
void slips_again(struct slips *);

enum lazy_class { LAZY_EVENT, LAZY_OUTCOME };
enum { WRITER_LAZY_MOST = 32 << 10 };	/* octets of payload */

int writer_lazy(struct spool *, enum record_type, uint64_t id,
    struct str payload, enum lazy_class);
yields void writer_wait_room(struct spool *);
/* Until what was given so far is written, or the deadline. */
yields void writer_wait_written(struct spool *, struct mono deadline);

int scribe_open(struct spool *);	/* starts its fiber */
yields void scribe_close(struct spool *);
/* Until it writes nothing: its segment may be sealed then. */
yields void scribe_wait(struct spool *);

#endif
