/*
 * deliver.h -- the delivering side of one core.
 *
 * The promise: what arrival_admit() put into the queue is tried when it is due
 * and comes to exactly one outcome for each recipient, recorded in its spool
 * before the queue forgets it; failures are reported to the sender first.
 * Not for: accepting (intake/), or choosing limits (policy/, queue/).
 * Waiting: deliver_run() is the dispatcher's fiber.  deliver_stop() yields until
 * all that is under way has ended and come home; at the deadline it takes all
 * patience with other servers back.
 * Memory: from deliver_open() to deliver_close(); a message on its way has an
 * arena of its own (DELIVERY_MEMORY).
 * Errors: NULL when memory is refused; later trouble is told as events.
 * Source: DESIGN.md sections 4 and 6; RFC 5321 4.5.4, 5, 6.1.
 */
#ifndef NM_DELIVER_DELIVER_H
#define NM_DELIVER_DELIVER_H

#include "base/hash.h"
#include "deliver/liar.h"
#include "deliver/site.h"
#include "fiber/core.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "queue/gcra.h"
#include "queue/queue.h"
#include "queue/ready.h"
#include "queue/sentinel.h"
#include "spool/spool.h"
#include "trust/tls_demand.h"

struct sts_cache;

/* A report's gate serves all domains whose names fall on it. */
enum { DELIVERY_MEMORY = 64 * 1024 * 1024, DELIVER_SPOOLS = 256,
	BOUNCE_GATES = 1024, LOCAL_SITE_MOST = 32 };

struct deliver_counts {
	uint64_t delivered, deferred, failed, expired, bounces;
	unsigned connections, locals;	/* under way now */
};

struct connection;
struct handing;
struct login;

struct deliver {
	unsigned core, n_cores;
	struct deliver *const *cores;	/* all, by index; same on all cores */
	struct intake_core *intake;	/* events, and the door for reports */
	struct config_holder *holder;
	struct spool *spools[DELIVER_SPOOLS];	/* this core's, by number */
	struct queue *queue;
	struct ready *ready;		/* other servers */
	struct ready *mailboxes;	/* and what is delivered here */
	struct queue_config *queue_config;	/* in force, ours to free */
	struct queue_config *queue_config_next;	/* of a reload under way */
	struct site_cache *sites;
	struct sts_cache *policies;	/* of other domains: MTA-STS */
	struct fiber *tender;		/* of those that are kept, while it rests */
	bool is_tending;		/* it has not ended */
	struct liars liars;
	struct sentinel *sentinel;
	struct fiber *dispatcher;
	struct fiber *stopper;
	struct list connections;
	struct connection *spare;	/* so that to look costs nothing */
	struct handing *handings[CORES_MOST];	/* being filled for them */
	unsigned n_finding;		/* destinations being looked up */
	unsigned n_overdue;		/* items being ended without a try */
	unsigned n_guests;		/* fibers sent by other cores */
	int porter_fd;			/* -1: none */
	struct login *login;		/* has the database; NULL: none */
	uint32_t own_uid, own_gid;
	bool is_stopping;
	char local_site[LOCAL_SITE_MOST];	/* site keys that this core */
	char pipe_site[LOCAL_SITE_MOST];	/*  owns: mailboxes, commands */
	struct gcra bounce_gates[BOUNCE_GATES];
	struct gcra warning_gates[BOUNCE_GATES];	/* of delay */
	struct deliver_counts counts;
	uint64_t tls[TLS_KINDS];	/* connections, and hosts put off */
	struct mono source_told;	/* trouble with one, not again before */
};

struct deliver_setup {
	unsigned core, n_cores;
	struct deliver *const *cores;
	struct intake_core *intake;
	struct config_holder *holder;
	const struct shard_map *map;
	struct hash_key key;
	int porter_fd;
	struct login *login;
	uint32_t own_uid, own_gid;
};

struct deliver *deliver_open(const struct deliver_setup *);
void deliver_close(struct deliver *);

/* Everything that is due, until deliver_stop(); a fiber of its own. */
yields void deliver_run(void *deliver);
/* Something changed: who dispatches, or waits for the end, looks again. */
void deliver_wake(struct deliver *);
/* Connections finish their message and close; then return. */
yields void deliver_stop(struct deliver *, struct mono deadline);
/* Nothing of ours is under way anywhere. */
bool deliver_is_idle(const struct deliver *);

/* A reload: what another configuration makes of the queue is made ready (-1: no
 * memory), and taken once the holder has it, or left. */
int deliver_prepare(struct deliver *, const struct config *);
void deliver_adopt(struct deliver *);
void deliver_leave(struct deliver *);

/* The spool of this core that a message belongs to; NULL: not ours. */
struct spool *deliver_spool(const struct deliver *, uint64_t id);

#endif
