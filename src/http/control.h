/*
 * control.h -- the server's own door: HTTP/1.1 and JSON on a Unix socket.
 *
 * The promise: what the command line asks is answered here from the running
 * server, over all its cores, by the routes in route.def.  Root, the
 * server's own user and the members of control.group may ask anything; others
 * nothing.
 * Not for: the public API (it will use the same parser and route table).
 * Waiting: control_open() does not; each connection is a fiber of core 0.
 * control_close() waits CONTROL_GRACE_S at most, and while it does what
 * control_core names must stay on all cores.
 * Memory: an arena of CONTROL_MEMORY for each request; lists are streamed.
 * Errors: told to the client as JSON {"error": ..., "code": ...}.
 * Source: PRODUCT.md C; RFC 9110, RFC 9112; unix(7), SO_PEERCRED.
 */
#ifndef NM_HTTP_CONTROL_H
#define NM_HTTP_CONTROL_H

#include "base/json.h"
#include "base/list.h"
#include "fiber/core.h"
#include "fiber/net.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "policy/login.h"
#include "queue/queue.h"
#include "queue/ready.h"
#include "queue/sentinel.h"
#include "spool/spool.h"

struct quota_table;

enum { CONTROL_MEMORY = 1024 * 1024, CONTROL_SPOOLS = 256,
	CONTROL_GRACE_S = 2 };

/* What control may look at on one core; its verbs run there by core_call(). */
struct control_core {
	struct intake_core *intake;
	struct config_holder *holder;
	struct queue *queue;
	struct ready *ready;
	struct quota_table *quotas;
	const struct sentinel *sentinel;
	struct login *login;		/* or NULL */
	const uint64_t *tls;		/* by enum tls_kind */
	struct spool *const *spools;	/* by number, CONTROL_SPOOLS */
	void (*wake)(void *arg, unsigned core);	/* the queue was changed */
};

/* What is asked about certificates. */
enum control_tls_verb { CONTROL_TLS_RENEW, CONTROL_TLS_REVOKE,
	CONTROL_TLS_REKEY };
struct control_tls_sum {
	size_t n, faulty, failing;	/* shown; of these; not renewed */
	struct wall until;		/* when the first is over */
};
struct control_tls {
	/* Members of an object that is open. */
	void (*show)(void *tls_arg, struct json *);
	void (*sum)(void *tls_arg, struct control_tls_sum *);
	yields int (*act)(void *tls_arg, enum control_tls_verb);
	/* Members of an array that is open: those for hostname, as PEM. */
	void (*print)(void *tls_arg, struct json *, struct arena *);
	void *arg;
};

/* What is known of the DNS of own domains. */
struct control_dns {
	void (*show)(void *dns_arg, struct json *);	/* a member */
	size_t (*look)(void *dns_arg);	/* now; how many domains */
	void *arg;
};

/* What is asked about keys of DKIM.  A domain is A-labels in lower case; n == 0:
 * all of them. */
enum control_dkim_verb { CONTROL_DKIM_MAKE, CONTROL_DKIM_ROTATE,
	CONTROL_DKIM_CHECK, CONTROL_DKIM_REMOVE, CONTROL_DKIM_REMOVE_SURELY };
struct control_dkim_sum {
	size_t active, next;		/* keys */
	const char *trouble;		/* "": none */
};
struct control_dkim {
	/* Members of an object that is open. */
	yields void (*show)(void *dkim_arg, struct str domain, struct json *);
	void (*sum)(void *dkim_arg, struct control_dkim_sum *);
	yields int (*act)(void *dkim_arg, enum control_dkim_verb,
	    struct str domain, struct str selector);
	void *arg;
};

/* Reports to other domains, of mail or of TLS: what is asked. */
enum control_report_verb { CONTROL_REPORT_LOOK, CONTROL_REPORT_DOCUMENT,
	CONTROL_REPORT_SEND };
struct control_report_ask {
	enum control_report_verb verb;
	bool is_tls;
	struct str day;			/* "2026-11-21"; n == 0: today, or of
					 * what is sent yesterday */
	struct str domain;		/* n == 0: all */
};
struct control_reports {
	/* The answer goes to `give' in pieces.  -1 and the trail: there is none, or
	 * it is not whole. */
	yields int (*ask)(void *arg, const struct control_report_ask *,
	    yields int (*give)(void *to, struct str), void *to);
	void *arg;
};

struct control_setup {
	unsigned n_cores;
	struct control_core cores[CORES_MOST];
	struct wall started_at;
	uint32_t owner_uid;
	bool group_may;			/* control.group is set */
	unsigned restarts;		/* workers before this one that ended */
	const char *last_end;		/* how the last did; NULL or "": none */
	/* Read the files again; *text says what came of it. */
	yields int (*reload)(void *arg, struct arena *, struct str *text);
	void (*stop)(void *arg);
	/* Carry out a cancelling that queue_cancel() said is ours to do. */
	void (*cancel)(void *arg, unsigned core, const struct handoff *);
	void *arg;
	struct control_tls tls;		/* show NULL: there is no TLS */
	struct control_reports reports;	/* ask NULL: there are none */
	struct control_dns dns;		/* show NULL: nobody looks */
	struct control_dkim dkim;	/* show NULL: there are no keys */
};

struct control {
	struct control_setup setup;
	struct net_end *listener;
	struct list visitors;
	unsigned connections;
	struct fiber *closer;
	bool is_accepting, is_closing;
};

/* On core 0.  Takes the bound socket. */
int control_open(struct control *, int fd);
/* Requests under way are answered, or hurried to their end.  -1: one has not
 * ended, and may still look at cores: what it needs must not go.  Harmless when
 * never open. */
yields int control_close(struct control *);

#endif
