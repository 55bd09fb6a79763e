/*
 * server.h -- one SMTP conversation, from the banner to the goodbye.
 *
 * The promise: server_session() speaks RFC 5321 with whoever connected until
 * one side has enough, and gives everything back.  A 250 after the dot means
 * intake_commit() said that the message is on disk.  Nothing a client sends
 * makes it wait longer than its deadlines, hold more than its arenas, or answer
 * other than states.def and replies.def say.
 * Not for: accepting connections (app/), LMTP.
 * Waiting: server_session() and what it calls; the rest does not.
 * Memory: the session lives on its fiber's stack and in two arenas with the
 * ceilings of the configuration (session 64 KiB, mail 256 KiB); the second is
 * empty outside a transaction.  The configuration is pinned from MAIL to the
 * end of the transaction.  Servers and houses are the caller's.
 * Errors: told to the client and to the events; none are returned.
 * Source: RFC 5321; RFC 1870; RFC 2034; RFC 2920; RFC 6152; SECURITY.md part A.
 */
#ifndef NM_SMTP_SERVER_H
#define NM_SMTP_SERVER_H

#include "base/list.h"
#include "fiber/net.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "policy/attempt.h"
#include "policy/limit.h"
#include "policy/quota.h"
#include "policy/login.h"

struct server;

/* Who knows who may log in: policy/login.h, or what tests put in its place. */
struct server_login {
	struct login *login;
	/* Does anybody know such? */
	bool (*takes)(const struct config *, enum login_kind);
	yields enum login_result (*check)(struct login *,
	    const struct login_ask *, struct arena *, struct account *out,
	    const char **why);
	yields enum login_result (*verifier)(struct login *,
	    const struct login_ask *, struct arena *,
	    struct login_verifiers *out);
	void (*proved)(struct login *, const struct login_verifiers *, size_t);
};

/* What the servers of all cores share; filled before the first connection. */
struct server_house {
	struct hash_key key;		/* of the limit tables */
	unsigned n;			/* cores that count clients */
	struct server *cores[CORES_MOST];
	/* ETRN: have what waits for a domain (and all below it) tried now; how
	 * many that are, or -1 when not all cores could be told. */
	yields int64_t (*flush)(void *flush_arg, struct str domain,
	    bool is_below);
	void *flush_arg;
	const struct server_login *login;	/* NULL: nobody logs in */
	uint64_t connections_most;	/* what memory allows, below limits; 0: any */
	uint64_t memory_most;		/* the same of limits.memory */
	unsigned _Atomic sessions;	/* at once, all cores, all listeners */
};

/* A place where clients connect, as a configuration has it.  Sessions on any
 * core read it without asking: it never changes, a reload makes another. */
struct server_listener {
	struct str name;		/* in events */
	enum listener_role role;
	enum listener_tls tls;
	enum listener_certificates certificates;	/* of clients */
	bool is_local;			/* a Unix socket: the kernel says who comes */
	uint64_t connections;		/* at once; 0: any number */
	unsigned _Atomic *sessions;	/* of all that were made of this place */
};

/* One core's SMTP server; each core makes its own. */
struct server {
	struct server_house *house;
	struct intake_core *intake;
	struct config_holder *configs;
	struct limit_table *limits;	/* of the networks this core counts */
	struct attempt_table *attempts;	/* failed logins, the same way */
	struct quota_table *quotas;	/* of accounts and tenants */
	struct list knockers;		/* fibers that wait for a failed login */
	size_t n_knockers;
	struct tls_context *tls;	/* NULL: there is no TLS */
	struct list waiting;		/* sessions that wait for a command */
	uint64_t memory;		/* octets in arenas of sessions */
	unsigned sessions;		/* now */
	unsigned sessions_most;		/* of all cores: descriptors allow it, and
					 * memory */
	bool is_busy;			/* short of sessions: patience is too */
	bool is_shut;
	struct {			/* since the start */
		uint64_t connections, turned_away, commands, errors, messages;
	} counts;
};

/* -1 when memory is refused. */
int server_open(struct server *, struct server_house *, struct intake_core *,
    struct config_holder *);
void server_close(struct server *);		/* after its last session */

/* Speak with the client at `end', which is closed on return.  The listener
 * outlives the call. */
yields void server_session(struct server *, const struct server_listener *,
    struct net_end *end, const struct address *client);

/* Stop: sessions hear 421 4.3.2 instead of their next command, those that wait
 * for one at once.  A message under way is still taken. */
void server_shut(struct server *);

#endif
