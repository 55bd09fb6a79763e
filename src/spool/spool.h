/*
 * spool.h -- the log of truth: opening, recovery, health, closing.
 *
 * The promise: what a commit answered 0 for is there after any crash, whole or
 * not believed; it is struck off only by a record of its outcome.  One spool is
 * one directory, belongs to one core (all verbs run there, body.h excepted) and
 * to one process (flock).
 * Not for: what operators create (store/), nor for looking up by anything but
 * the message's id.
 * Waiting: open, recover and close yield.  The rest of this header does not.
 * Memory: about 96 bytes per message kept; 64 KiB blocks for what is not yet
 * written, at most `buffer_bytes'; all from malloc, as these live and die singly
 * (slab, blocks), freed by spool_close().
 * Errors: enum spool_trouble with a trail; trouble later on shows in
 * spool_health() and is told to the event sink.
 * Source: DESIGN.md section 5; SECURITY.md part B.
 */
#ifndef NM_SPOOL_SPOOL_H
#define NM_SPOOL_SPOOL_H

#include "base/event.h"
#include "fiber/fiber.h"
#include "spool/envelope.h"
#include "spool/kept.h"

struct spool;

enum { SPOOL_SEGMENT_LEAST = 256 << 10 };

/* Zero means the default. */
struct spool_config {
	const char *path;		/* directory; made when absent */
	unsigned node, number;		/* of this node, of this spool on it */
	uint64_t segment_bytes;		/* 64 MiB; at least 256 KiB, in 4 KiB */
	uint64_t reserve_bytes;		/* 512 MiB, a quarter of the disk if that is
					 * less, at least 5 % of it; given: just
					 * so many */
	int64_t outcome_delay_ns;	/* 10 ms: an outcome is synced within it */
	uint64_t buffer_bytes;		/* 8 MiB: records not yet written */
	uint64_t draft_bytes;		/* 256 MiB: memory of all drafts */
	struct event_sink *sink;	/* trouble is told here; NULL: nobody */
};

enum spool_trouble {
	SPOOL_FINE = 0,
	SPOOL_DISK = -1,		/* exit 75 */
	SPOOL_LOCKED = -2,		/* another instance has it: exit 78 */
	SPOOL_FOREIGN = -3		/* newer format, or not this node's: exit 78 */
};

enum spool_health {
	SPOOL_HEALTHY,
	SPOOL_NO_ROOM,		/* accept nothing (452 4.3.1), deliver on */
	SPOOL_BROKEN		/* two device errors within 60 s: accept nothing
				 * (421 4.3.2), deliver what can be read */
};

/* Lock the directory, read the superblock, find the segments. */
yields enum spool_trouble spool_open(const struct spool_config *,
    struct spool **out);

/*
 * Read the log, once, before any other verb: each message that has not ended,
 * in order of arrival.  What was damaged is in quarantine/, counted and told;
 * the rest is served.  `each' may yield but not touch the spool.
 */
yields enum spool_trouble spool_recover(struct spool *,
    yields void (*each)(void *arg, const struct kept *, const struct envelope *),
    void *arg);
/* Within `each': why a recipient was put off last; n == 0: not known. */
struct str spool_last_reply(const struct spool *, uint64_t id,
    size_t recipient);

/* Clean stop: write and sync what is under way, then free all.  No draft, pin
 * or tail may be left. */
yields enum spool_trouble spool_close(struct spool *);

/* As it was at the last look; one that is a second old makes for another. */
enum spool_health spool_health(struct spool *);

struct spool_stats {
	size_t kept;			/* messages not ended */
	size_t segments;		/* in the log, spares excluded */
	uint64_t log_bytes, live_bytes, free_bytes;
	uint64_t commits, outcomes, events, events_lost;
	uint64_t writes, syncs;		/* system calls */
	uint64_t compacted, recycled;	/* messages, segments */
	uint64_t damaged, device_errors;
	int64_t sync_ns, sync_most_ns;	/* last, longest */
};
struct spool_stats spool_stats(const struct spool *);

/* NULL when it has ended or never was. */
const struct kept *spool_find(const struct spool *, uint64_t id);

/* The message's envelope, and whether each recipient has ended (n_rcpts bytes of
 * 0 or 1); both in the arena.  With a trail: -1, it has ended, the disk failed, or
 * the arena is full; BODY_DAMAGED (body.h), it is not what was written. */
yields int spool_envelope(struct spool *, uint64_t id, struct arena *,
    struct envelope *out, const bool **ended);

#endif
