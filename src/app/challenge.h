/*
 * challenge.h -- the answers that an authority will come for.
 *
 * The promise: what challenge_show() put up on core 0 is found by
 * challenge_look() on any core until challenge_hide().
 * Not for: deciding what to answer (acme_order.h).
 * Waiting: challenge_look() yields, across cores.
 * Memory: who shows keeps the struct; what is looked up is copied.
 * Errors: false.
 * Source: RFC 8555 8.3; RFC 8737 3.
 */
#ifndef NM_APP_CHALLENGE_H
#define NM_APP_CHALLENGE_H

#include "base/buf.h"
#include "base/list.h"
#include "fiber/fiber.h"

struct challenge_board {
	struct list all;		/* of core 0 */
};

struct challenge {
	struct link link;
	struct str key;			/* the token; of tls-alpn-01 the name */
	struct str answer;		/* key authorization; or PEM */
	bool is_tls;
};

void challenge_board_init(struct challenge_board *);
void challenge_show(struct challenge_board *, struct challenge *);
void challenge_hide(struct challenge *);
/* By TLS a key of no octets stands for any: there is one at a time. */
yields bool challenge_look(struct challenge_board *, bool is_tls,
    struct str key, struct buf *answer);

#endif
