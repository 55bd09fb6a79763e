/*
 * client_inner.h -- what the files of the client share.
 *
 * The promise: client_hear_reply() is the only place where a reply is read, and
 * client_await() the only one where a deadline is set, by the phase.
 * Not for: anybody but the files of the client (client.c, exchange.c, fit.c, prove.c,
 * secure.c, transfer.c).
 * Waiting: client_hear() yields.
 * Memory: none.
 * Errors: verdicts; after trouble client->is_over.
 * Source: RFC 5321 3.8, 4.2, 4.5.3.2.
 */
#ifndef NM_SMTP_CLIENT_INNER_H
#define NM_SMTP_CLIENT_INNER_H

#include "smtp/client.h"
#include "wire/disposition.h"

enum client_phase {
#define PHASE(name, what, patience) PHASE_##name,
#include "smtp/phases.def"
#undef PHASE
	CLIENT_PHASES
};

/* What comes next has until then; may be asked for again. */
void client_await(struct client *, enum client_phase);

/* The next reply, all its lines, as a verdict: 2xx is DELIVERED.  After 421 or
 * trouble the connection is over.  `ehlo' may be NULL. */
yields struct verdict client_hear(struct client *, enum client_phase,
    struct ehlo *);

/* The same, with the reply's own words. */
yields struct verdict client_hear_reply(struct client *, enum client_phase,
    struct ehlo *, struct reply *);

/* Has the peer offered any of these, and is it believed? */
bool client_has(const struct client *, uint32_t capability_bits);

#endif
