/*
 * body.h -- reading a kept message's body, on any core.
 *
 * The promise: while pinned, neither the message's end nor compaction takes the
 * bytes away.  No byte is handed out before the sum of its record was checked.
 * Not for: the envelope (spool_envelope).
 * Waiting: open, read and rewind's next read yield; pin and unpin do not, and
 * belong to the spool's home core.
 * Memory: none; a small record is checked in the caller's buffer, a larger one
 * is read twice.
 * Errors: body_read() is -1 with a trail when the disk fails, BODY_DAMAGED when a
 * sum is wrong: hold the message, it cannot be sent.
 * Source: DESIGN.md section 4; SECURITY.md B5, row 42.
 */
#ifndef NM_SPOOL_BODY_H
#define NM_SPOOL_BODY_H

#include "spool/record.h"
#include "spool/spool.h"

struct kept;
struct segment;

/* A value; its inside is body.c's. */
struct pin {
	struct spool *spool;
	struct kept *kept;
	const struct segment *segment;	/* of the COMMIT */
	uint32_t at;
};

/* False when the message has ended or never was. */
bool spool_pin(struct spool *, uint64_t id, struct pin *out);
void spool_unpin(struct pin *);

enum { BODY_FAILED = -1, BODY_DAMAGED = -2 };

struct body {
	const struct pin *pin;
	size_t piece;			/* being read: the chunks, then the COMMIT */
	uint32_t at;			/* next octet of it */
	struct record record;		/* its header, once read */
	bool has_record, is_checked;
};

void body_open(struct body *, const struct pin *);
/* Up to n (at least 4 KiB) next octets: how many, 0 at the end, or negative. */
yields int64_t body_read(struct body *, char *to, size_t n);
void body_rewind(struct body *);

#endif
