/*
 * connection.h -- a fiber that empties one destination's queue.
 *
 * The promise: connections_start() starts as many as queue/ready allows for
 * whoever waits, and outbound.connections_total for other servers (each core
 * has its share); connection_end() gives everything back and wakes whoever
 * waits for it.
 * Not for: what the fiber does: remote.c speaks SMTP, local.c fills mailboxes.
 * Waiting: none of these.
 * Memory: struct connection, from malloc (it must not move and lives as long as
 * its fiber); one spare is kept.
 * Errors: without memory fewer connections.
 * Source: DESIGN.md section 4; queue/ready.h has the states.
 */
#ifndef NM_DELIVER_CONNECTION_H
#define NM_DELIVER_CONNECTION_H

#include "deliver/deliver.h"
#include "fiber/stream.h"

/* The source of what is delivered on this machine. */
#define LOCAL_SOURCE "local"

struct connection {
	struct ready_connection ready;	/* first: known to queue/ready */
	struct link link;		/* in deliver->connections */
	struct deliver *deliver;
	struct fiber *fiber;		/* while it is idle */
	struct stream *net;		/* remote: while it stands */
	bool is_local;
	bool is_idle;			/* parked until work or the idle end */
	bool is_unwanted;		/* another site needs its permit */
};

/* True: there was more to start than there may be. */
bool connections_start(struct deliver *);
void connection_end(struct connection *);

void connections_wake(struct deliver *);	/* the idle ones */
/* Whoever waits for another server has waited enough. */
void connections_hurry(struct deliver *);

#endif
