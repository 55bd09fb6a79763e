/*
 * base64.h -- octets as letters, as they stream by or at once.
 *
 * The promise: what base64_put() and base64_end() write is read back the same by
 * base64_take() and base64_close(), however either is cut; it has lines of at
 * most 76 octets, each with its CRLF.  The reader passes over what is not of the
 * alphabet and tells of it, and stops at "=".  base64_encode() and
 * base64_decode() are for a protocol's words: one line, and strict.
 * Not for: the alphabet of URLs.
 * Waiting: none.
 * Memory: writes into the caller's buffer, as much as there is room for.
 * Errors: `faults' of the reader.
 * Source: RFC 2045 6.8; RFC 4648 4.
 */
#ifndef NM_WIRE_BASE64_H
#define NM_WIRE_BASE64_H

#include "base/buf.h"

enum { BASE64_LINE = 76 };

struct base64_writer {
	unsigned char held[3];
	unsigned n;			/* of held */
	unsigned column;
};

/* Start with {0}.  Takes from *in; false when out has no room for more (make
 * some, at least 8 octets, and call again). */
bool base64_put(struct base64_writer *, struct str *in, struct buf *out);
/* What is left, and the last line's CRLF: at most 6 octets. */
bool base64_end(struct base64_writer *, struct buf *out);

enum {
	BASE64_JUNK = 1,	/* octets of no meaning, besides white space */
	BASE64_CUT = 2,		/* it ends within a group, or has bits too many */
	BASE64_MORE = 4		/* something follows the end */
};

struct base64_reader {
	uint32_t bits;
	unsigned n;			/* letters of the group so far */
	bool has_ended;			/* "=" was read */
	unsigned faults;
};

/* Start with {0}.  False when out has no room (at least 3 octets). */
bool base64_take(struct base64_reader *, struct str *in, struct buf *out);
/* Nothing comes any more: the last octets of a group without "=". */
bool base64_close(struct base64_reader *, struct buf *out);

/* All at once, in one line. */
void base64_encode(struct str, struct buf *out);
/* Whole groups of the alphabet and nothing else, "=" at the end only and never
 * too little or too much of it, no bits left over.  False when it is not that,
 * or does not fit. */
bool base64_decode(struct str, struct buf *out);

#endif
