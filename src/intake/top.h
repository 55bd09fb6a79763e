/*
 * top.h -- the fields on top of a message, which are known only behind its end.
 *
 * The promise: what is written here stands in this order above our Received,
 * each part once: our DKIM-Signatures, our ARC set, Authentication-Results,
 * Received-SPF, X-Spam-Flag.  So signatures cover what was found out, and what
 * was found out covers nothing of ours.  They see the fields as they came, with
 * those that were removed, whose names we never sign.
 * Not for: what comes from it; and the fields in the middle (intake.c).
 * Waiting: top_finish(): the DNS, the keyring, the disk.
 * Memory: the mail arena.
 * Errors: -1: the message is refused, intake_commit() says why.
 * Source: RFC 8601 4, 5; RFC 8617 5.1; RFC 6376 5.6; RFC 7208 9.1.
 */
#ifndef NM_INTAKE_TOP_H
#define NM_INTAKE_TOP_H

#include "intake/inner.h"

/* Behind the last field, before the body: hashes are wished. */
int top_begin(struct intake *);

/* The content is complete.  prove, judge, then seal, then sign. */
yields int top_finish(struct intake *);

#endif
