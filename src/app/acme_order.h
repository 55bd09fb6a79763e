/*
 * acme_order.h -- from an order to a certificate in the keyring.
 *
 * The promise: when acme_order_run() said 0, the keyring keeps a new certificate
 * for these names with a new key of that kind.  Before anything is asked for,
 * CAA says whether the authority may; before a challenge is called ready, its
 * answer is up, and it is taken down after.
 * Not for: when (acme.h).
 * Waiting: yields, at most ACME_ORDER_MINUTES for each name and for the order.
 * Memory: the talk's arena.
 * Errors: -1 and the trail, with the name that is concerned.
 * Source: RFC 8555 7.4, 7.5, 8.1-8.3; RFC 8737; RFC 8659; RFC 9773 5.
 */
#ifndef NM_APP_ACME_ORDER_H
#define NM_APP_ACME_ORDER_H

#include "app/acme_talk.h"
#include "app/challenge.h"
#include "app/keyring_wire.h"

enum { ACME_ORDER_MINUTES = 10 };

struct acme_wanted {
	enum keyring_kind kind;
	const struct str *names;
	size_t n;
	struct str replaces;		/* acme_cert_id(), or n == 0 */
};

yields int acme_order_run(struct acme_talk *, struct challenge_board *,
    const struct acme_wanted *);

#endif
