/*
 * dns_watch.h -- the DNS of own domains is looked at once a day.
 *
 * The promise: while dns.watch is on, each own domain that the Internet can know
 * is checked once a day as `nightmail dns check' does, one after the other.  What
 * has changed, twice in a row, is told by an event for each record and one mail
 * to admin that says what to do; what has not is not told.  What was told is kept
 * on disk: after a crash it may be told once more, and is never left out.
 * Not for: changing anything in the DNS.
 * Waiting: its fiber sleeps until a domain is due; dns_watch_close() yields, for
 * at most the question that is under way.
 * Memory: the list of domains, WATCH_LIST_MOST octets; WATCH_MEMORY during a
 * check.
 * Errors: events of trouble.
 * Source: policy/dns_check.h, policy/dns_state.h; RFC 3834 5.
 */
#ifndef NM_APP_DNS_WATCH_H
#define NM_APP_DNS_WATCH_H

#include "app/node.h"
#include "fiber/fiber.h"
#include "http/control.h"

struct records_ask;

enum { WATCH_FIRST_S = 600, WATCH_AGAIN_S = 3600, WATCH_DAY_S = 86400,
	WATCH_APART_S = 10 };
enum { WATCH_LIST_MOST = 16 * 1024 * 1024, WATCH_MEMORY = 32 * 1024 * 1024 };

/* A domain, and how it was. */
struct dns_watched {
	struct str name;
	struct wall at;			/* when it was looked at; us == 0: never */
	struct wall due;
	unsigned wrong;			/* things that are, as far as was told */
	bool is_open;			/* something is doubted */
};

struct dns_watch {
	struct node *node;
	/* What this machine knows of its keys and certificates, in the arena. */
	void (*facts)(void *arg, struct arena *, struct records_ask *);
	void *arg;
	struct arena arena;		/* of the list */
	const struct config *listed;	/* whose domains they are; only compared */
	size_t n;
	struct dns_watched *list;
	unsigned budget;		/* questions of the check under way */
	struct fiber *fiber;		/* NULL: it has ended */
	bool is_ending;
};

/* On core 0, when all cores accept.  facts NULL: nothing is known. */
int dns_watch_open(struct dns_watch *, struct node *,
    void (*facts)(void *, struct arena *, struct records_ask *), void *arg);
/* Harmless when it was never open. */
yields void dns_watch_close(struct dns_watch *);
/* The configuration has changed. */
void dns_watch_wake(struct dns_watch *);

struct control_dns dns_watch_control(struct dns_watch *);

#endif
