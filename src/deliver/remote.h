/*
 * remote.h -- one connection to another server, and the messages over it.
 *
 * The promise: a connection is opened to the site's hosts in their order, sends
 * what ready_take() gives it for as long as there is something, stays idle for
 * outbound.idle, and ends with QUIT.  Each handoff it took is settled once.
 * Not for: mailboxes here (local.h).
 * Waiting: a fiber of its own.
 * Memory: on its fiber's stack; struct connection is connection.c's.
 * Errors: those of the site go to all that wait for it; see queue/ready.h.
 * Source: RFC 5321 3.7, 4.5.3.1.10, 4.5.4.1, 5.1; RFC 7504 (521).
 */
#ifndef NM_DELIVER_REMOTE_H
#define NM_DELIVER_REMOTE_H

#include "deliver/delivery.h"
#include "policy/config.h"

/* A struct connection that was just started. */
yields void remote_run(void *connection);

/* One recipient over a connection of his own, which ends with it: where a reload
 * has changed how a message that is already on its way goes on. */
yields void remote_deliver_one(struct delivery *, struct delivery_recipient *,
    const struct relay *, const struct config *);

#endif
