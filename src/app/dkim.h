/*
 * dkim.h -- keys of DKIM that look after themselves.
 *
 * The promise: a domain that is to sign and has no key gets some on first use; a
 * key signs when its record was seen in the DNS, never before; then the one
 * before it retires, and is gone dkim.retire later.  While dkim.rotate is set,
 * keys that are older get a successor.  Each step is an event, and is asked for
 * by the control socket (dkim_control.h).
 * Not for: private keys (keyring_dkim.h), nor what is signed (intake/sign.c).
 * Waiting: its fiber sleeps until something is due; what yields says so.
 * Memory: an arena of what the keyring lists, DKIM_MEMORY at most.
 * Errors: -1 and the trail; of the fiber, dkim_trouble() has the last.
 * Source: RFC 6376 3.6, 6.1.2, C.1 (rotation); DESIGN.md section 7.
 */
#ifndef NM_APP_DKIM_H
#define NM_APP_DKIM_H

#include "app/dkim_signer.h"
#include "app/identity.h"
#include "fiber/core.h"
#include "fiber/permit.h"
#include "trust/dkim_published.h"

enum {
	DKIM_MEMORY = 64 * 1024 * 1024,
	DKIM_WANTS = 64,		/* domains that wait for keys; more of
					 * them ask again */
	DKIM_TROUBLE_MOST = 400
};

struct dkim_known {
	struct dkim_published is;
	struct wall next;		/* when the DNS is asked; 0: now */
};

struct dkim {
	struct node *node;
	struct identity *identity;
	struct dkim_core cores[CORES_MOST];
	struct core_bell forget[CORES_MOST];	/* what these remember */
	struct arena arena;		/* of `known' */
	struct dkim_known *known;
	size_t n;
	char wants[DKIM_WANTS][DKIM_DOMAIN_MOST + 1];
	size_t n_wants;
	char trouble[DKIM_TROUBLE_MOST];	/* "": none */
	struct permit turn;		/* who changes something: one at a time */
	struct fiber *fiber;		/* NULL: it has ended */
	struct wall told;		/* that there is trouble */
	uint64_t reads;			/* of the list */
	bool is_ending;
	bool is_called;			/* the fiber, while it was at work */
	bool is_stale;			/* the list is to be read again */
};

/* Before the cores run: each has a signer. */
void dkim_init(struct dkim *, struct identity *);
struct dkim_signer *dkim_signer_of(struct dkim *, unsigned core);
/* On core 0, when all cores accept. */
int dkim_open(struct dkim *, struct node *);
yields void dkim_close(struct dkim *);
/* The keyring is another, or the configuration. */
void dkim_wake(struct dkim *);


/* ---- commands: a domain in A-labels, lower case; n == 0: each ---- */

/* What the keyring has; not waiting for who is at it. */
yields void dkim_look(struct dkim *);
/* Keys for a domain that has none. */
yields int dkim_ensure(struct dkim *, struct str domain);
/* A successor to each of its keys, unless there is one. */
yields int dkim_rotate(struct dkim *, struct str domain);
/* Ask the DNS now, and let those sign whose record is there. */
yields int dkim_check(struct dkim *, struct str domain);
/* A key that signs is dropped only when is_sure. */
yields int dkim_remove(struct dkim *, struct str domain, struct str selector,
    bool is_sure);

#endif
