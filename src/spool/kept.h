/*
 * kept.h -- a message in the log that has not ended, as memory knows it.
 *
 * The promise: 88 bytes a message and 8 to 16 of the table, more only for bodies
 * of several records or more than 32 recipients.
 * Not for: its envelope (spool_envelope) and its body (body.h).
 * Waiting: none; but a pointer to it does not survive a wait unless pinned.
 * Memory: in a slab of the spool's, freed when all recipients have ended and
 * all pins are back.
 * Errors: none here.
 * Source: DESIGN.md sections 4 and 5.
 */
#ifndef NM_SPOOL_KEPT_H
#define NM_SPOOL_KEPT_H

#include "base/instant.h"

#include <stdbool.h>

struct kept;

uint64_t kept_id(const struct kept *);
size_t kept_recipients(const struct kept *);	/* of its envelope */
size_t kept_left(const struct kept *);		/* that have not ended */
bool kept_has_ended(const struct kept *, size_t recipient);
bool kept_is_held(const struct kept *);
struct wall kept_held_since(const struct kept *);	/* 0: not, or not known */
unsigned kept_attempts(const struct kept *);
unsigned kept_warned(const struct kept *);	/* warnings of delay so far */
struct wall kept_due(const struct kept *);	/* 0: at once */

#endif
