/*
 * strip.h -- a message without its Return-Path, as it streams by.
 *
 * The promise: what comes out is what went in, octet by octet, but for the
 * fields of that name in the header section, folds and all, however the input is
 * cut.  The section ends at the first empty line.
 * Not for: content that intake/ has not made canonical; reading fields
 * (wire/header.h, which has limits: what was kept must be deliverable).
 * Waiting: none.
 * Memory: a value; slices are good until the next call.
 * Errors: none.  A name with more than STRIP_HELD octets of blanks before its
 * colon stays.
 * Source: RFC 5321 4.4 ("Return-Path"); RFC 5322 2.2.3, 4.5 (blanks).
 */
#ifndef NM_DELIVER_STRIP_H
#define NM_DELIVER_STRIP_H

#include "base/str.h"

enum { STRIP_HELD = 64 };

enum strip_state { STRIP_START, STRIP_START_CUT, STRIP_NAME, STRIP_KEEP,
	STRIP_CUT, STRIP_BODY };

struct strip {
	enum strip_state state;
	size_t n;			/* octets held back */
	char held[STRIP_HELD];
};

void strip_begin(struct strip *);
/* Takes from the front of *in.  False: it is used up. */
bool strip_next(struct strip *, struct str *in, struct str *out);
/* The message has ended: what was still held back. */
struct str strip_end(struct strip *);

#endif
