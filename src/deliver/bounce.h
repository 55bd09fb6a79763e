/*
 * bounce.h -- telling the sender what became of his message.
 *
 * The promise: when bounce_send() returned 0, the report is on disk in the
 * spool, or is one that must not be made, and an event said why.  None is made
 *   - for a recipient whose NOTIFY does not ask for it: never for NEVER; failure
 *     and delay by default, success only when asked for;
 *   - to the null sender, which is how reports and other automatic mail say
 *     that nobody must answer; the admin is told instead, once, so that reports
 *     about reports end there;
 *   - of a delay, when the message says it is automatic or a list's
 *     (Auto-Submitted, Precedence, List-Id) and NOTIFY does not ask for it.
 *     Its failure is reported: list managers live on those;
 *   - more than limits.bounces to one domain that is not ours, or of delay to
 *     any.
 * Not for: deciding whether a recipient failed.
 * Waiting: yields (disk).
 * Memory: an arena of its own.
 * Errors: -1 and the trail: the spool would not take it; keep the recipients
 * and try again.
 * Source: RFC 3461 4.1, 5.2, 6; RFC 3464; RFC 3834 2, 5; RFC 5321 4.5.5, 6.1;
 * RFC 6533 4; SECURITY.md rows 15, 16.
 */
#ifndef NM_DELIVER_BOUNCE_H
#define NM_DELIVER_BOUNCE_H

#include "deliver/delivery.h"
#include "fiber/fiber.h"
#include "wire/dsn.h"

/* To the sender of each, about those of the n recipients with the disposition
 * that the action tells: FAILED for DSN_FAILURE, DEFERRED for DSN_DELAY,
 * DELIVERED for DSN_SUCCESS and DSN_RELAY. */
yields int bounce_send(struct deliver *home, const struct config *,
    const struct delivery *, enum dsn_action);

#endif
