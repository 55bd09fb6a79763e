/*
 * acme.h -- certificates that look after themselves.
 *
 * The promise: while tls.acme is agreed to, hostname and tls.acme.names have a
 * certificate of each kind that is wanted, renewed when the authority suggests
 * (RFC 9773), or at two thirds of its life; names that files have are left to
 * them.  What fails is tried again, later and later, never before the authority
 * allows it, and told in words.  And whatever is shown is watched: see
 * certificate_watch.h.
 * Not for: making the conversation (acme_talk.h) or the order (acme_order.h).
 * Waiting: its fiber sleeps until something is due; acme_revoke(), acme_rekey()
 * and acme_close() yield.
 * Memory: an arena for each conversation, ACME_MEMORY at most.
 * Errors: events; acme_control.h shows the last.
 * Source: RFC 8555; RFC 9773 4.2, 4.3; DESIGN.md section 7.
 */
#ifndef NM_APP_ACME_H
#define NM_APP_ACME_H

#include "app/certificate_watch.h"
#include "app/challenge.h"
#include "app/identity.h"
#include "fiber/permit.h"

enum { ACME_SAID_MOST = 480 };

/* The certificate of one kind of key, as far as ACME has it. */
struct acme_life {
	struct wall due;		/* when it is asked for; 0: nothing is */
	struct wall not_before;		/* not sooner, after a failure */
	unsigned failures;		/* in a row */
	char said[ACME_SAID_MOST];	/* the last failure; "": it went well */
	uint64_t advised;		/* whose advice this is: a certificate */
	struct wall advice;		/* by renewal information; 0: none */
	struct wall window_start, window_end;
	struct wall ask_again;		/* for advice */
	bool is_wished;			/* by an administrator */
	bool has_files;			/* all names are in files: nothing to do */
};

struct acme {
	struct node *node;
	struct identity *identity;
	void (*installed)(void *arg);	/* the keyring has a new one */
	void *arg;
	struct challenge_board board;
	struct certificate_watch watch;
	struct acme_life lives[KEYRING_KINDS];
	struct fiber *fiber;		/* NULL: it has ended */
	bool is_ending;
	unsigned asked;			/* commands under way */
	struct permit turn;		/* one conversation at a time: another
					 * could change the account's key */
};

/* On core 0. */
int acme_open(struct acme *, struct node *, struct identity *,
    void (*installed)(void *), void *arg);
yields void acme_close(struct acme *);
/* The configuration or the certificates have changed. */
void acme_wake(struct acme *);

/* Ask for all of them now.  -1: tls.acme is not agreed to. */
int acme_renew(struct acme *);
/* -1 and the trail. */
yields int acme_revoke(struct acme *);
yields int acme_rekey(struct acme *);

/* When shown[i] will be renewed; 0: not by us. */
struct wall acme_renews_at(const struct acme *, size_t i);

#endif
