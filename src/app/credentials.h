/*
 * credentials.h -- what a worker has to show, and looks after.
 *
 * The promise: the certificates that are shown (identity.h), another keyring when
 * master starts one, tickets' keys that turn, and the fibers that renew
 * (acme.h) and look after keys of DKIM (dkim.h), together from
 * credentials_open() to credentials_close().
 * Not for: private keys.
 * Waiting: credentials_renew(), credentials_visit() and credentials_close()
 * yield.
 * Memory: one for a worker.
 * Errors: -1 and the trail; a renewal's by an event.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_CREDENTIALS_H
#define NM_APP_CREDENTIALS_H

#include "app/acme.h"
#include "app/dkim.h"
#include "app/keyring_link.h"
#include "fiber/core.h"
#include "policy/config.h"


struct credentials {
	struct identity identity;
	struct acme acme;
	struct dkim dkim;
	struct node *node;
	int fds[CORES_MOST];		/* lines to a keyring that comes */
	struct fiber *turner;		/* of tickets; NULL: it has ended */
	bool is_ending;
};

void credentials_init(struct credentials *, unsigned cores, int public_fd,
    const int *fds, enum tls_version least, keyring_lost *, void *arg);
/* The configuration is another. */
void credentials_wake(struct credentials *);
/* On core 0, when all cores accept. */
int credentials_open(struct credentials *, struct node *,
    void (*kept)(void *), void *arg);
yields void credentials_close(struct credentials *);

/* From another keyring: a line for each core, then what it shows. */
void credentials_line(struct credentials *, unsigned core, int fd);
yields void credentials_renew(struct credentials *, int public_fd);

/* At a door with role acme. */
yields void credentials_visit(struct credentials *, struct node_core *,
    struct net_end *, bool is_tls);

#endif
