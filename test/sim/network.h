/*
 * network.h -- several servers of ours in one world, and everybody else.
 *
 * The promise: machine 0 is the folk: clients, other servers, strangers of every
 * kind and the weather, which live as long as the world.  Machines 1 to n are
 * servers of ours, each with its own process, disk, clock, address 192.0.2.i,
 * configuration and crashes.  Mail enters at any of them and goes by relays,
 * smarthosts, aliases, LMTP and reports from one to the next.
 * Not for: one server alone (town.h).
 * Waiting: as town.h.
 * Memory: the ledger, in shared memory.
 * Errors: broken laws are told on stderr.
 * Source: DESIGN.md section 10; SECURITY.md B (T4, T5, T8, T9), A45, A46, A49.
 */
#ifndef NM_SIM_NETWORK_H
#define NM_SIM_NETWORK_H

#include "town.h"

enum {
	NETWORK_SERVERS = 4,		/* of ours, at most */
	NETWORK_MESSAGES = 40, NETWORK_CONFIG = 16 * 1024,
	NETWORK_KEPT = 4096, NETWORK_TROUBLES = 512
};

/* What the policy of a server is, drawn from the seed. */
struct network_server {
	char ip[16], name[16];
	char config[NETWORK_CONFIG], aliases[NETWORK_CONFIG * 2];
	unsigned cores;
	bool must_hide;			/* it sends no mail in clear text */
	/* of its lives */
	uint64_t refuse_nth, refuse_times;	/* an order: memory.h */
	unsigned lives;
	bool is_up;
	size_t kept;			/* messages, when it last looked */
	int64_t looked;			/* by the world's clock */
};

/* When something stood between a server and others: a crash, a cut, a silent
 * host; or between others and everybody: NETWORK_OTHERS. */
enum { NETWORK_OTHERS = NETWORK_SERVERS + 1 };
struct network_trouble { unsigned server; int64_t from, to; };

struct network_ledger {
	unsigned n;			/* servers */
	struct network_server servers[NETWORK_SERVERS + 1];	/* from 1 */
	bool is_calm, is_stopping;
	bool has_disk_faults, has_host_faults;
	bool has_tls;			/* servers of ours offer STARTTLS; in bad
					 * weather not in each of their lives */
	bool has_memory_faults;
	bool has_reloads;		/* many */
	unsigned jumper;		/* a server that never crashes, and
					 * whose wall jumps by months */
	/* each message that a server of ours took: on disk, and when */
	size_t n_kept;
	struct { uint64_t id; unsigned server; int64_t at; }
	    kept[NETWORK_KEPT];
	size_t n_troubles;
	struct network_trouble troubles[NETWORK_TROUBLES];
	unsigned clients;		/* of the folk, not yet done */
	int64_t ended;			/* the world's clock */
};

extern struct network_ledger *network_ledger;
extern const struct town network_town;

/* network_plan.c: names, configurations, what is planned for recipients */
void network_furnish(void);
void network_plan(struct town_message *, unsigned number);

/* network_folk.c: machine 0 */
void network_folk_live(void *);
/* network_evil.c: on its core */
void network_evil_open(void);
void network_evil_close(void);
yields void network_stranger(void);	/* a hostile client comes by once */
/* network_games.c: one that begins TLS and plays with it */
yields void network_gamester(void);
/* network_weather.c: as long as it is bad, on the folk's core */
yields void network_weather(void);

/* network_disk.c: by a server, on its disk; is_last: when all is over */
void network_disk_look(unsigned server, bool is_last);

/* From now on, for a server or NETWORK_OTHERS. */
void network_trouble(unsigned server, int64_t until);
/* network_law.c */
bool network_copies_are_right(const struct town_rcpt *);
unsigned network_reports_most(void);

#endif
