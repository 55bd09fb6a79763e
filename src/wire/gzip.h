/*
 * gzip.h -- octets made small, piece by piece.
 *
 * The promise: after gzip_end() gzip_octets() is one member of RFC 1952 that
 * unpacks to all that was put, in order, with neither name nor time in it: the
 * same octets make the same file.
 * Not for: unpacking (unpack.h), which has enemies.
 * Waiting: none; a megabyte takes about 20 ms, so whoever puts more should
 * yield between pieces.
 * Memory: 270 KiB and twice the result, at most, in the arena.
 * Errors: false from gzip_end(): the arena was full, or the result is larger
 * than `most'.
 * Source: RFC 1952; RFC 1951.
 */
#ifndef NM_WIRE_GZIP_H
#define NM_WIRE_GZIP_H

#include "base/arena.h"

struct gzip;

/* NULL: no memory. */
struct gzip *gzip_new(struct arena *, size_t most);
void gzip_put(struct gzip *, struct str);
bool gzip_end(struct gzip *);
struct str gzip_octets(const struct gzip *);

#endif
