/*
 * fit.h -- one message made fit for one peer.
 *
 * The promise: after fit_open() it stands what MAIL says of the message (body,
 * is_utf8, size, in octets as they will go) and that the peer takes it so; and
 * fit_next() gives exactly these octets.  A message that the peer takes as it is
 * passes untouched.  Where he lacks 8BITMIME, BINARYMIME or SMTPUTF8 it is read
 * first, and what that shows to be needed is done: nothing, for many a message
 * holds less than its envelope says; parts written anew (wire/recode.h); or the
 * message refused, 5.6.3 for what must not be converted and 5.6.7 for a header
 * in UTF-8.  No bit is ever stripped.
 * A DKIM-Signature is no reason to refuse: RFC 6376 5.3 foresees that relays
 * convert, 6.1 that a broken signature counts as none.  Who signed it for the
 * eyes of the reader (multipart/signed) is another matter: he gets it back.
 * Not for: addresses (exchange.c).
 * Waiting: open and next yield.
 * Memory: arenas of its own, until fit_close(); half a megabyte more at most
 * while a message is converted.
 * Errors: the verdict of fit_open(); -1 of fit_next().
 * Source: RFC 1870 6.1; RFC 3030 3; RFC 6152 3; RFC 6376 5.3, 6.1; RFC 6531 3.2.
 */
#ifndef NM_SMTP_FIT_H
#define NM_SMTP_FIT_H

#include "base/arena.h"
#include "smtp/client.h"
#include "wire/disposition.h"
#include "wire/recode.h"

struct fit {
	const struct client_message *message;
	struct arena arena, recode_arena;
	struct recode *recode;		/* NULL: the octets as they are */
	enum client_body body;
	bool is_utf8;			/* needs SMTPUTF8, which is offered */
	uint64_t size;
	char *block;
	size_t room;
	struct str chunk;		/* read, and not yet given */
	bool has_ended;
};

/* DELIVERED: it fits.  Close it in any case. */
yields struct verdict fit_open(struct fit *, const struct client *,
    const struct client_message *);
void fit_close(struct fit *);

/* The next octets, at most 16 KiB: 1, 0 at the end, -1 when our copy cannot be
 * read. */
yields int fit_next(struct fit *, struct str *out);

#endif
