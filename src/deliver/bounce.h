/*
 * bounce.h -- telling the sender what became of his message.
 *
 * The promise: when bounce_send() returned 0, the report is on disk in the
 * spool, or is one that must not be made: never about a report to its sender
 * (the null sender), never more than limits.bounces an hour to one domain.
 * A report that cannot be delivered is told to the admin, once.
 * Not for: deciding whether a recipient failed.
 * Waiting: yields (disk).
 * Memory: an arena of its own.
 * Errors: -1 and the trail: the spool would not take it; keep the recipients
 * and try again.
 * Source: RFC 3464; RFC 5321 4.5.5, 6.1; SECURITY.md rows 15, 16.
 */
#ifndef NM_DELIVER_BOUNCE_H
#define NM_DELIVER_BOUNCE_H

#include "deliver/delivery.h"
#include "wire/dsn.h"

/* To the sender of each, about those of the n recipients with the disposition
 * that the action tells: FAILED for DSN_FAILURE, DEFERRED for DSN_DELAY. */
yields int bounce_send(struct deliver *home, const struct config *,
    const struct delivery *, enum dsn_action);

#endif
