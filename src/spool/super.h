/*
 * super.h -- what a spool knows of itself before its log is read.
 *
 * The promise: two copies, written in turn, each with its sum: one of them is
 * always whole, and the newer whole one counts.
 * Not for: anything that changes with every message.
 * Waiting: reading and writing yield; encode and decode are pure.
 * Memory: values.
 * Errors: SUPER_DAMAGED, SUPER_FOREIGN; a negative errno from the disk.
 * Source: DESIGN.md section 5 (superblock).  The bytes stand in super.c.
 */
#ifndef NM_SPOOL_SUPER_H
#define NM_SPOOL_SUPER_H

#include "base/buf.h"
#include "fiber/fiber.h"

enum {
	SUPER_VERSION = 1,		/* what this program writes */
	SUPER_READS = 1,		/* the oldest it can read */
	SUPER_BYTES = 96, SUPER_COPIES = 2, SUPER_COPY = 4096
};

struct super {
	uint32_t version;
	uint32_t oldest_reader;		/* programs of lower version keep off */
	uint64_t generation;		/* rises by each write */
	uint64_t instance;		/* random, for good */
	uint32_t node, number;
	bool is_clean;			/* stopped with all on disk */
	uint64_t ids;			/* counters below may have been given */
	uint64_t next_segment;		/* numbers below were used */
	/* when clean: the last sequence, and where the log ends; segments above
	 * the tail are spares */
	uint64_t sequence, tail, tail_end;
};

enum super_fault { SUPER_FINE, SUPER_DAMAGED, SUPER_FOREIGN };

void super_encode(const struct super *, struct buf *out);
enum super_fault super_decode(struct str, struct super *out);

/* Both copies; the newer whole one.  -EBADMSG: none; -EPROTO: not for us. */
yields int super_read(int fd, struct super *out);
/* The next generation, in its place, synced. */
yields int super_write(int fd, struct super *);

#endif
