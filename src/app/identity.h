/*
 * identity.h -- what this server shows to clients that begin TLS, on each core.
 *
 * The promise: each core has a context made of the certificates that the keyring
 * told, and a line to that keyring for signing.  identity_renew() puts another
 * in its place; conversations keep the one they began with.  Tickets are made
 * with keys that are the same on all cores, made by chance, renewed every
 * IDENTITY_TICKET_HOURS, and honoured for two such times more.
 * Not for: private keys (keyring.h), or what clients are asked for (policy/).
 * Waiting: identity_renew() yields, across cores.
 * Memory: a context and a line for each core, and those still in use.
 * Errors: -1 and the trail; then what was there stays.
 * Source: DESIGN.md section 7; RFC 5077 5.5; RFC 9325 3.4.
 */
#ifndef NM_APP_IDENTITY_H
#define NM_APP_IDENTITY_H

#include "app/keyring_link.h"
#include "app/keyring_wire.h"
#include "app/node.h"
#include "fiber/core.h"
#include "fiber/tls.h"
#include "policy/config.h"
#include "trust/certificate.h"

enum { IDENTITY_TICKET_HOURS = 4, IDENTITY_MOST = 100 };

/* A certificate as it is shown, and whose it is. */
struct identity_shown {
	enum keyring_source source;
	char file[256];			/* path, or kind; "": our own */
	struct certificate cert;
};

struct identity {
	unsigned cores;
	enum tls_version least;
	int public_fd;			/* while cores take it up */
	int fds[CORES_MOST];		/* the same; -1: taken */
	unsigned char tickets[TLS_TICKET_KEYS][TLS_TICKET_KEY];
	size_t n_tickets;
	int rc;				/* of a renewal under way */
	struct keyring_link *links[CORES_MOST];	/* of each core, for other asks */
	struct identity_shown shown[IDENTITY_MOST];	/* on core 0 */
	size_t n_shown;
	unsigned renewals;		/* how often shown has changed */
	keyring_lost *lost;		/* on any core */
	void *arg;
};

/* What the keyring gave, before the cores run. */
void identity_init(struct identity *, unsigned cores, int public_fd,
    const int *fds, enum tls_version least, keyring_lost *, void *arg);
/* On each core, before it opens a door. */
int identity_take(struct identity *, struct node_core *);
/* From another keyring, on core 0.  Both are ours from here on. */
yields int identity_renew(struct identity *, struct node *, int public_fd,
    const int *fds, enum tls_version least);

/* On each core, last: its line to the keyring is let go. */
void identity_leave(struct identity *, unsigned core);

/* Newer keys for tickets, on core 0: when IDENTITY_TICKET_HOURS are over. */
yields void identity_turn(struct identity *, struct node *);

#endif
