/*
 * unpack.h -- what a stranger has compressed, taken out of gzip or zip.
 *
 * The promise: what it is says its first octets, never a name or a type; what is
 * neither gzip nor zip goes through as it is.  Out comes a stream, however the
 * input is cut: at most UNPACK_MOST octets, and beyond UNPACK_FREE of them at
 * most UNPACK_RATIO times what went in.  Checksums and lengths are held against
 * it.  A zip has one file (directories do not count), stored or deflated; a gzip
 * may have several members, which are one stream.  What comes out is not itself
 * gzip or zip.
 * Not for: names and times within archives, which nobody asks for; archives that
 * are trusted.
 * Waiting: none.
 * Memory: all in the arena given, UNPACK_MEMORY; *out is good until the next
 * call.
 * Errors: -1, and unpack_why() says what is wrong with it; it sticks.
 * Source: RFC 1952; RFC 1951; APPNOTE.TXT 6.3.10 4.3 (zip); SECURITY.md row 51.
 */
#ifndef NM_WIRE_UNPACK_H
#define NM_WIRE_UNPACK_H

#include "base/arena.h"

enum {
	UNPACK_MOST = 10 * 1024 * 1024,
	UNPACK_RATIO = 100,
	UNPACK_FREE = 64 * 1024,
	UNPACK_MEMORY = 128 * 1024
};

enum unpack_kind { UNPACK_PLAIN, UNPACK_GZIP, UNPACK_ZIP };

struct unpack;

struct unpack *unpack_begin(struct arena *);	/* NULL: no memory */
/* Takes from the front of *in: 1 and what came out, 0 when *in is used up. */
int unpack_next(struct unpack *, struct str *in, struct str *out);
/* Nothing comes any more: 1 and what was held back (call again), 0 when all was
 * there, -1. */
int unpack_end(struct unpack *, struct str *out);

/* Known once anything came out, or failed. */
enum unpack_kind unpack_kind(const struct unpack *);
const char *unpack_why(const struct unpack *);

#endif
