/*
 * content_type.h -- Content-Type and its like: a value and parameters.
 *
 * The promise: a value is read as RFC 2045 writes it, comments and folds
 * anywhere; a parameter is found whether it is a token, a quoted string, or in
 * pieces and percent signs as RFC 2231 has it.  What cannot be read is told, and
 * never guessed.
 * Not for: structure (mime.h), or what the charset of RFC 2231 means: its octets
 * are handed out as they are.
 * Waiting: none.
 * Memory: slices of the value; a parameter is written into the caller's buffer.
 * Errors: is_valid; -1 of content_param() when it is there but cannot be read
 * or does not fit.
 * Source: RFC 2045 5.1, 5.2, 6.1; RFC 2183 2; RFC 2231 3, 4.
 */
#ifndef NM_WIRE_CONTENT_TYPE_H
#define NM_WIRE_CONTENT_TYPE_H

#include "base/buf.h"

enum { CONTENT_PARAMS_MOST = 100, CONTENT_SECTIONS_MOST = 100 };

struct content_type {
	struct str type, subtype;	/* as written */
	struct str params;		/* from the first ";" on, or empty */
	bool is_valid;			/* type "/" subtype stood there */
};

struct content_type content_type_read(struct str value);
bool content_type_is(const struct content_type *, struct str type,
    struct str subtype);

/* Content-Disposition, Content-Transfer-Encoding: one token, then perhaps
 * parameters.  STR_NONE when it is no token, or more follows. */
struct str content_token(struct str value, struct str *params);

/* The parameter of that name, its value into out: 1, 0 when there is none, -1
 * when it is not readable or stands there twice. */
int content_param(struct str params, struct str name, struct buf *out);

#endif
