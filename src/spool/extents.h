/*
 * extents.h -- where the pieces of a long body stand.
 *
 * The promise: extents_put() and extents_take() agree; a segment that is not in
 * the log comes back as NULL: the piece is lost.
 * Not for: bodies of one record.
 * Waiting: none.
 * Memory: none.
 * Errors: extents_count() is -1 for bytes that are no extents.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_EXTENTS_H
#define NM_SPOOL_EXTENTS_H

#include "base/buf.h"
#include "spool/log.h"

enum { EXTENT_BYTES = 16 };

void extents_put(struct buf *, const struct extent *, size_t n);
int64_t extents_count(struct str);
void extents_take(struct str, const struct log *, struct extent *out);

#endif
