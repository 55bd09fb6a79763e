/*
 * elsewhere.h -- a core's clients of the places that know users.
 *
 * The promise: elsewhere_take() gives the clients that this configuration wants,
 * made when they are first needed; after a reload others are made, and the old
 * ones end when the last who asks them is done.  That a place is down is told
 * once, by the first core that finds out, and that it is back by the first for
 * which it is.
 * Not for: what their answers mean (login_elsewhere.c).
 * Waiting: elsewhere_take(), elsewhere_give() and elsewhere_end() yield.
 * Memory: its own; the clients keep their configuration.
 * Errors: elsewhere_new() is NULL without memory; a client that could not be made
 * is NULL, and the trail says why.
 * Source: trust/directory.h; DESIGN.md section 3 (configuration is swapped).
 */
#ifndef NM_POLICY_ELSEWHERE_H
#define NM_POLICY_ELSEWHERE_H

#include "fiber/fiber.h"
#include "policy/config.h"
#include "trust/directory.h"

#include <stdatomic.h>

struct elsewhere_report;

/* Dovecot, the issuer, and the servers of LDAP. */
enum { ELSEWHERE_DOVECOT, ELSEWHERE_OAUTH, ELSEWHERE_LDAP,
	ELSEWHERE_PLACES = ELSEWHERE_LDAP + 8 };

/* Of a process: which places are down. */
struct elsewhere_board {
	bool _Atomic down[ELSEWHERE_PLACES];
	/* On the core that found out; why is absent when it is back.  NULL:
	 * nobody. */
	void (*tell)(void *arg, struct str name, struct str why);
	void *arg;
};

struct dovecot;
struct ldap;
struct oauth;

struct elsewhere_clients {
	struct config *config;		/* kept */
	unsigned users;
	bool is_old;			/* ends when nobody uses it */
	struct dovecot *dovecot;	/* NULL: not asked, or not made */
	struct ldap *ldap;
	struct oauth *oauth;
	struct ldap_setup *ldap_setup;	/* the configuration's, and who is told */
	struct oauth_setup *oauth_setup;
	struct elsewhere_report *reports;
};

struct elsewhere;

struct elsewhere *elsewhere_new(struct elsewhere_board *);
yields void elsewhere_end(struct elsewhere *);	/* nobody asks */

yields struct elsewhere_clients *elsewhere_take(struct elsewhere *,
    const struct config *);
yields void elsewhere_give(struct elsewhere *, struct elsewhere_clients *);

/* A place that is down, as this core knows it; NULL beyond the last. */
const struct directory_health *elsewhere_down(const struct elsewhere *,
    size_t i);

#endif
