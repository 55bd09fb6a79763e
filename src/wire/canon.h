/*
 * canon.h -- what of a message is hashed.
 *
 * The promise: canon_field() and canon_body_*() make of a field, and of a body
 * that streams by, what RFC 6376 3.4 says, the same however the body was cut.
 * Lines end with CRLF; a CR or LF alone is an octet like others.
 * Not for: hashing (trust/digest.h).
 * Waiting: none.
 * Memory: a body's state is a value of fixed size, and all that is held back is
 * counted.  Octets for `take' are good while it runs.
 * Errors: none; canon_field() sets the buffer's `full'.
 * Source: RFC 6376 3.4, 3.7.
 */
#ifndef NM_WIRE_CANON_H
#define NM_WIRE_CANON_H

#include "base/buf.h"

enum canon { CANON_SIMPLE, CANON_RELAXED };
enum { CANONS = 2, CANON_ROOM = 512 };

const char *canon_name(enum canon);	/* "relaxed" */

/* To whom canonical octets go, in pieces. */
struct canon_sink {
	void (*take)(void *arg, struct str octets);
	void *arg;
};

/* raw: a whole field.  CRLF is added where it has none.  It is never longer than
 * raw and a CRLF. */
void canon_field(enum canon, struct str raw, struct buf *out);
void canon_field_to(enum canon, struct str raw, struct canon_sink);

/* A signature's own field: the value of its b= is empty, with the white space
 * around, and no CRLF ends it. */
void canon_signature(enum canon, struct str raw, struct buf *out);
void canon_signature_to(enum canon, struct str raw, struct canon_sink);

/* Small pieces gathered for a sink. */
struct canon_out {
	struct canon_sink sink;
	size_t n;
	uint64_t octets;		/* of all pieces */
	char room[CANON_ROOM];
};

struct canon_body {
	enum canon canon;
	bool has_cr;			/* the last octet was a CR */
	bool has_space;			/* white space, not in `out' yet */
	uint64_t lines;			/* CRLFs that are not in `out' yet */
	struct canon_out out;		/* out.octets: how long it became */
};

void canon_body_begin(struct canon_body *, enum canon, struct canon_sink);
void canon_body_put(struct canon_body *, struct str octets);
void canon_body_end(struct canon_body *);

#endif
