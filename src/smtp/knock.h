/*
 * knock.h -- somebody wants to log in: how long he waits, what is told of it.
 *
 * The promise: each attempt is counted with the cores that count (policy/
 * attempt.h), and waits as long as they say before anything costly is done for
 * it; the reply to a failure waits too, longer each time.  What waits is a fiber,
 * never a core, and at most KNOCKS_MOST on one: beyond, and after auth.failures,
 * the conversation ends with 421 4.7.0.  Each attempt ends by one event, with the
 * true reason, in words that fail2ban's filter for Postfix reads; no event holds
 * a password or a token.
 * Whoever logged in is in the session (account, user, mechanism) until
 * session_forget().
 * Not for: AUTH's grammar and replies (smtp/auth.c), judging passwords
 * (policy/login.h).
 * Waiting: knock_begin() and the four that end it yield; the configuration may
 * have changed by then.
 * Memory: the account is copied into an arena of the session's own.
 * Errors: see each.
 * Source: SECURITY.md row 10; RFC 4954 4, 9; smtpd(8) of Postfix for the words.
 */
#ifndef NM_SMTP_KNOCK_H
#define NM_SMTP_KNOCK_H

#include "base/arena.h"
#include "base/list.h"
#include "fiber/fiber.h"
#include "policy/account.h"

struct server;
struct session;

enum { KNOCKS_MOST = 4096 };

struct knock {
	struct arena arena;		/* of the session's account */
	char *name_room;		/* of ACCOUNT_NAME_MOST octets, or NULL */
	struct str name;		/* who is tried */
	bool is_open;			/* begun, and not ended */
	bool is_trusted;
	bool is_name_counted;
	int64_t waited_ns;
	unsigned failures;		/* in this conversation */
};

/* A fiber that waits here, in its server's list. */
struct knocker {
	struct link link;
	struct fiber *fiber;
};

/* An attempt begins.  name n == 0: not told (an API key, a token).  -1: the
 * conversation is over, and 421 was said. */
yields int knock_begin(struct session *, struct str name);

/* It was good.  0: the account is the session's.  -1: he may not be here now
 * (networks, expiry), or there is no memory; then the attempt goes on, and ends
 * by knock_failed() with *why, or knock_unjudged() where *why is NULL. */
yields int knock_good(struct session *, const struct account *,
    const char *mechanism, const char **why);
/* It was not.  The reply, 535 5.7.8 or other, is the caller's, unless -1: the
 * conversation is over, and 421 was said. */
yields int knock_failed(struct session *, const char *mechanism,
    const char *why);
/* Nobody could tell (454 4.7.0), or the client gave up: not his fault.  why: for
 * the event; NULL: none. */
yields void knock_unjudged(struct session *, const char *mechanism,
    const char *why);

/* Nobody is logged in. */
void knock_forget(struct session *);
/* Those who wait have waited enough: the server stops. */
void knock_hurry(struct server *);

#endif
