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

struct extent;

struct pin {
	struct spool *spool;
	uint64_t id;
	uint64_t size;			/* of the body; UINT64_MAX: in its record */
	const struct extent *extents;
	size_t n_extents;
};

/* False when the message has ended or never was. */
bool spool_pin(struct spool *, uint64_t id, struct pin *out);
void spool_unpin(struct pin *);

enum { BODY_FAILED = -1, BODY_DAMAGED = -2 };

struct body {
	const struct pin *pin;
	size_t extent;			/* being read */
	uint32_t at;			/* next byte of its body */
	struct record record;		/* its header, once read and checked */
	bool is_checked;
};

void body_open(struct body *, const struct pin *);
/* Up to n (at least 4 KiB) next octets: how many, 0 at the end, or negative. */
yields int64_t body_read(struct body *, char *to, size_t n);
void body_rewind(struct body *);

#endif
