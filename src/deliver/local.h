/*
 * local.h -- messages into mailboxes and commands of this machine.
 *
 * The promise: each recipient whose route is local gets his own file in his
 * Maildir, or a run of his command, with Return-Path and Delivered-To on top and
 * no other Return-Path; those whom a rule discards or refuses come to that end.
 * A mailbox of another uid, a command, and whatever an alias names is the
 * porter's work.
 * Not for: aliases, which were expanded at acceptance.
 * Waiting: a fiber of its own, as remote.h.
 * Memory: as remote.h.
 * Errors: no space or quota: DEFERRED 4.2.2; other trouble of the disk: DEFERRED
 * 4.3.0; a user who is no more: FAILED 5.1.1.
 * Source: RFC 5321 4.4 (Return-Path), 4.5.1; maildir(5).
 */
#ifndef NM_DELIVER_LOCAL_H
#define NM_DELIVER_LOCAL_H

#include "deliver/delivery.h"
#include "policy/config.h"

/* A struct connection that was just started. */
yields void local_run(void *connection);

/* One recipient of a message that is being delivered, wherever his route leads
 * now. */
yields void local_deliver(struct delivery *, struct delivery_recipient *,
    const struct config *);

#endif
