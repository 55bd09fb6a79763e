/*
 * dovecot.h -- lines of Dovecot's auth protocol.
 *
 * The promise: what dovecot_escape() wrote is one word of a line whatever its
 * octets are, and dovecot_unescape() gives it back; dovecot_read() says what a
 * line of the server is, or that it is none.
 * Not for: the conversation (trust/dovecot_auth.h).
 * Waiting: none.
 * Memory: slices of the line; dovecot_unescape() writes into the caller's
 * buffer.
 * Errors: false for what is malformed; what is only unknown is DOVECOT_OTHER.
 * Source: Dovecot's "Auth Protocol" 1.2; lib/strescape.c of Dovecot 2.3 for
 * the escapes.
 */
#ifndef NM_WIRE_DOVECOT_H
#define NM_WIRE_DOVECOT_H

#include "base/buf.h"

enum dovecot_kind {
	DOVECOT_OTHER,			/* let by, as the protocol wants */
	DOVECOT_VERSION,		/* id: major */
	DOVECOT_MECH,			/* args: name, properties */
	DOVECOT_DONE,
	DOVECOT_OK, DOVECOT_CONT, DOVECOT_FAIL
};

/* A line; with the two bytes that end it, it fits a stream's buffer. */
enum { DOVECOT_LINE_MOST = 8192 };

struct dovecot_line {
	enum dovecot_kind kind;
	uint32_t id;			/* of the request answered */
	struct str args;		/* what follows, still escaped */
};

bool dovecot_read(struct str line, struct dovecot_line *out);

/* The next word of args as name=value, both still escaped; without "=" the
 * value is absent (p == NULL).  False at the end. */
bool dovecot_arg(struct str *args, struct str *name, struct str *value);
/* The value of the first argument of this name: absent when there is none,
 * empty when it has no value. */
struct str dovecot_find(struct str args, struct str name);

void dovecot_escape(struct str, struct buf *out);
/* False when malformed; also look at the buffer's `full'. */
bool dovecot_unescape(struct str, struct buf *out);

#endif
