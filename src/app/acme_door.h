/*
 * acme_door.h -- the door for authorities: it answers challenges, nothing else.
 *
 * The promise: by HTTP a GET of a token that is up is answered with its key
 * authorization, all else with 404, nothing is redirected; by TLS who offers
 * acme-tls/1 and nothing else sees the certificate that proves, and then the
 * end.  Either is over in ACME_DOOR_SECONDS.
 * Not for: mail.
 * Waiting: acme_door_visit() yields.
 * Memory: on the visitor's fiber; closes the end.
 * Errors: the visitor's.
 * Source: RFC 8555 8.3; RFC 8737 3, 4; RFC 9112.
 */
#ifndef NM_APP_ACME_DOOR_H
#define NM_APP_ACME_DOOR_H

#include "app/challenge.h"
#include "app/keyring_link.h"
#include "fiber/net.h"

enum { ACME_DOOR_SECONDS = 10 };

/* link: of this core. */
yields void acme_door_visit(struct challenge_board *, struct keyring_link *link,
    struct net_end *, bool is_tls);

#endif
