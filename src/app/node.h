/*
 * node.h -- the whole server of one process: its cores, and what is on each.
 *
 * The promise: node_run() recovers the spools, opens the doors, serves until
 * node_stop(), drains, and leaves the spools clean.  The same code runs in the
 * world and in the simulator.
 * Not for: rights, processes, signals (worker.h, master.h).
 * Waiting: node_run() blocks until the server has ended.  node_reload() yields.
 * Memory: all of the server's, given back when node_run() returns.
 * Errors: an exit status of sysexits(3).
 * Source: DESIGN.md sections 2, 3 and 6.
 */
#ifndef NM_APP_NODE_H
#define NM_APP_NODE_H

#include "app/doors.h"
#include "app/project.h"
#include "app/report_post.h"
#include "app/usage.h"
#include "base/event.h"
#include "deliver/deliver.h"
#include "fiber/core.h"
#include "queue/shard.h"
#include "smtp/server.h"
#include "trust/srs.h"

/* Open at once: DOORS_MOST; the others are those whose sessions go on. */
enum { NODE_DOORS = 2 * DOORS_MOST };

struct node;
struct accepting;			/* accept.c: an open door of a core */

/* What one core holds. */
struct node_core {
	struct node *node;
	unsigned index;
	struct config_holder holder;
	struct spool *spools[DELIVER_SPOOLS];	/* adopted, by number */
	struct project *projects[DELIVER_SPOOLS];
	struct intake_core intake;	/* accepts into spool `index' */
	struct event_sink *sink;
	struct deliver *deliver;
	struct server server;
	struct usage usage;
	unsigned char srs[SRS_SECRET];	/* intake.srs */
	struct fiber *main;
	struct core_bell bell;		/* wakes main: it looks again */
	unsigned n_accepting;		/* doors whose fiber runs here */
	bool is_closing;		/* no door opens any more */
	bool is_over;			/* what is below may be gone */
	size_t recovered;		/* messages found at start */
	struct accepting *open[NODE_DOORS];	/* by door; NULL: closed */
	struct accepting *coming[NODE_DOORS];	/* bound, for a reload */
	struct net_end *local;		/* local_door.h; NULL: closed */
};

/* An address where clients connect, over reloads and on all cores; free when it
 * has no users. */
struct node_door {
	struct address at;
	unsigned _Atomic sessions;
	unsigned _Atomic users;		/* listeners made of it that live */
};

/* What a configuration says of a door, for as long as a core, a fiber that
 * accepts or a session has it. */
struct node_listener {
	struct server_listener is;
	struct node_door *door;
	unsigned _Atomic refs;
	char name[64];
};

struct node_setup {
	struct config *config;		/* one reference, becomes ours */
	unsigned cores;
	/* A bound socket for this address and core, or -1: bind it yourself. */
	int (*door_fd)(void *arg, const struct address *, unsigned core);
	/* The same for submit.socket, asked once on each core; -1, or NULL:
	 * there is none. */
	int (*local_fd)(void *arg, unsigned core);
	/* Once on each core, before it opens a door: fill server.tls; NULL: there
	 * is no TLS. */
	int (*tls)(void *arg, struct node_core *);
	/* A visitor of a door with role acme: speak with him and close his end.
	 * NULL: nobody answers there. */
	yields void (*acme)(void *arg, struct node_core *, struct net_end *,
	    bool is_tls);
	/* Who knows who may log in, opened; NULL: nobody does. */
	struct login *login;
	/* The sink of a core's events; called once on each core. */
	struct event_sink *(*sink)(void *arg, unsigned core);
	/* What keeps a core from starting, which is in its log too; on that core.
	 * NULL: nobody hears it. */
	void (*failed)(void *arg, const char *text);
	/* Once all cores accept, on core 0, as a fiber of its own. */
	yields void (*started)(void *arg, struct node *);
	/* On each core, when conversations are over and before spools and
	 * configuration go, on any core: what uses them ends here.  NULL: nothing
	 * does. */
	yields void (*leaving)(void *arg, unsigned core);
	/* The last thing on each core: the sink is used no more. */
	yields void (*ended)(void *arg, unsigned core);
	void *arg;
	/* What memory allows of limits.connections and limits.memory; 0: any. */
	uint64_t connections_most, memory_most;
	int porter_fd;
	uint32_t own_uid, own_gid;
};

struct node {
	const struct node_setup *setup;
	struct node_core cores[CORES_MOST];
	struct deliver *delivers[CORES_MOST];
	struct report_post reports[2];	/* by enum report_kind; of core 0 */
	struct server_house house;
	struct server_login login;
	struct shard_map map;
	struct hash_key key;
	struct node_door doors[NODE_DOORS];
	/* What the start, or a reload under way, wants of them. */
	struct node_listener *plan[NODE_DOORS];
	struct server_listener local;	/* submit.socket */
	unsigned _Atomic local_sessions;
	unsigned _Atomic arrived;	/* at the barrier */
	unsigned _Atomic generation;	/* barriers passed */
	bool _Atomic is_stopping;
	bool _Atomic is_dns_told;	/* that nothing is secure */
	bool _Atomic is_cut;		/* something did not drain in time */
	int _Atomic status;		/* worst of the cores */
	struct wall started_at;
};

int node_run(struct node *, const struct node_setup *);
void node_stop(struct node *);		/* on any core */

/* On core 0, one at a time: every core adopts it; doors open and close.  Takes
 * the caller's reference.  -1: nothing changed, on no core. */
yields int node_reload(struct node *, struct config *);

/* Something has not ended that may use what is about to go: it ends with the
 * process, and the spools are read again. */
void node_cut(struct node_core *, const char *text);

/* What went wrong, to the log of the core. */
void node_trouble(struct node_core *, const char *text);

/* All messages not ended, over the cores. */
yields size_t node_kept(struct node *);

#endif
