/*
 * remote.h -- one connection to another server, and the messages over it.
 *
 * The promise: a connection is opened to the site's hosts in their order, sends
 * what ready_take() gives it for as long as there is something, stays idle for
 * outbound.idle, and ends with QUIT.  Each handoff it took is settled once.
 * Not for: mailboxes here (local.h).
 * Waiting: a fiber of its own.
 * Memory: struct connection, from malloc (it must not move and lives as long as
 * its fiber), freed by the fiber.
 * Errors: those of the site go to all that wait for it; see queue/ready.h.
 * Source: RFC 5321 3.7, 4.5.4.1, 5.1; RFC 7504 (521).
 */
#ifndef NM_DELIVER_REMOTE_H
#define NM_DELIVER_REMOTE_H

#include "deliver/deliver.h"

/* A connection under way; c was filled by ready_next_site(). */
struct connection {
	struct ready_connection ready;	/* first: known to queue/ready */
	struct link link;		/* in deliver->connections */
	struct deliver *deliver;
	struct fiber *fiber;
	bool is_idle;			/* parked until work or the idle end */
};

yields void remote_run(void *connection);

/* How sites are asked for under this configuration. */
void site_policy_make(struct site_policy *, const struct config *,
    uint16_t port);

#endif
