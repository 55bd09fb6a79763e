/*
 * dovecot_auth.h -- a client of Dovecot's auth process.
 *
 * The promise: a struct dovecot is one core's connection, made when it is first
 * needed and made anew when it was lost; any number of requests share it, each
 * with an id of its own.  A request that has no answer by its deadline, and all
 * requests of a connection that is lost or silent, end as DIRECTORY_LATER; so
 * do new ones at once while the process is left alone (directory.h).
 * Not for: mechanisms whose verifier is ours (sasl.h).
 * Waiting: dovecot_auth() and dovecot_more() yield, to their deadline, and so do
 * dovecot_password() and dovecot_token(); dovecot_close() yields until its fiber has ended.
 * Memory: its own; a request's line is copied and wiped when it was sent.  At
 * most DOVECOT_WAITING octets wait to be sent; beyond, LATER.
 * Errors: DIRECTORY_LATER with the trail.
 * Source: Dovecot's "Auth Protocol" 1.2 (Design); RFC 4422 3.
 */
#ifndef NM_TRUST_DOVECOT_AUTH_H
#define NM_TRUST_DOVECOT_AUTH_H

#include "fiber/net.h"
#include "trust/dial.h"
#include "trust/directory.h"

enum { DOVECOT_WAITING = 256 * 1024, DOVECOT_MECHANISMS = 512 };

struct dovecot;

struct dovecot_setup {
	struct dial_target at;		/* copied */
	/* As directory.h's. */
	void (*tell)(void *arg, struct str name, struct str why);
	void *arg;
};

struct dovecot *dovecot_new(const struct dovecot_setup *);	/* or NULL */
/* No request may be under way, nor come any more. */
yields void dovecot_close(struct dovecot *);

const struct directory_health *dovecot_health(const struct dovecot *);

struct dovecot_ask {
	struct str mechanism;
	bool has_initial;
	struct str initial;		/* octets */
	struct str session;		/* a word for Dovecot's log; may be empty */
	struct str local_name;		/* the client's SNI; may be empty */
	struct address client, local;	/* ADDRESS_NONE: not known */
	bool is_private;		/* nobody can listen */
	struct str certificate;		/* the verified name; n == 0: none */
};

/* PLAIN in one step.  `ask' tells the circumstances. */
yields enum directory_says dovecot_password(struct dovecot *,
    const struct dovecot_ask *, struct str user, struct str password,
    struct mono deadline, struct arena *, struct directory_person *);

/* XOAUTH2, or OAUTHBEARER where it offers only that. */
yields enum directory_says dovecot_token(struct dovecot *,
    const struct dovecot_ask *, struct str user, struct str token,
    struct mono deadline, struct arena *, struct directory_person *);

#endif
