/*
 * buf.h -- a writer into memory of fixed size, with sticky overflow.
 *
 * The promise: bytes go in order into [p, p+cap); what does not fit sets full
 * and is dropped whole, and so is everything after it.  Write without looking,
 * look once at the end.
 * Not for: output to a peer (stream_put) or growing without a ceiling.
 * Waiting: none.
 * Memory: the caller's; buf owns nothing.
 * Errors: full is true.
 * Source: HOUSE.md rule 4, applied to memory.
 */
#ifndef NM_BASE_BUF_H
#define NM_BASE_BUF_H

#include "base/str.h"

struct buf {
	char *p;
	size_t n, cap;		/* bytes */
	bool full;
};

#define BUF_OF(array) ((struct buf){ .p = (array), .cap = sizeof(array) })

void buf_put(struct buf *, struct str);
void buf_putc(struct buf *, char);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_put_u64(struct buf *, uint64_t);		/* decimal */

/* Little-endian integers, as the spool and the processes write them. */
void buf_le16(struct buf *, uint16_t);
void buf_le32(struct buf *, uint32_t);
void buf_le64(struct buf *, uint64_t);

struct str buf_str(const struct buf *);

#endif
