/*
 * tlv.h -- tag, length, value: how payloads are written.
 *
 * The promise: tlv_next() never leaves the bytes it was given and always moves
 * on; integers are little-endian without leading zero octets, 0 has none.
 * Not for: bodies.
 * Waiting: none.
 * Memory: writes into the caller's struct buf; values are slices of the input.
 * Errors: the buffer's `full'; tlv_next() is TLV_BAD when a length leads
 * outside.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_TLV_H
#define NM_SPOOL_TLV_H

#include "base/buf.h"

/* One octet of tag, three of length (little-endian), the value.  A tag from
 * 0x80 on may be skipped by who does not know it; others may not. */
enum { TLV_MAY_SKIP = 0x80, TLV_HEAD = 4, TLV_VALUE_MOST = (1 << 24) - 1 };

struct tlv { uint8_t tag; struct str value; };

enum tag {
#define TAG(name, number) TAG_##name = number,
#include "spool/tag.def"
#undef TAG
};

enum tlv_result { TLV_END, TLV_VALUE, TLV_BAD };

void tlv_put(struct buf *, uint8_t tag, struct str value);
void tlv_put_some(struct buf *, uint8_t tag, struct str value);	/* if n > 0 */
void tlv_put_u64(struct buf *, uint8_t tag, uint64_t);
/* A value made of values: open, put, close. */
size_t tlv_open(struct buf *, uint8_t tag);
void tlv_close(struct buf *, size_t opened);

/* Takes one off the front of *bytes. */
enum tlv_result tlv_next(struct str *bytes, struct tlv *out);
/* Is it a tag that may be passed over: known here, or made to be skipped? */
bool tlv_is_native(uint8_t tag);
bool tlv_u64(struct str value, uint64_t *out);	/* at most eight octets */

#endif
