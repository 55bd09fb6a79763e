/*
 * door.h -- how many clients at once, and how patient to be with them.
 *
 * The promise: who passed door_enter() is counted in all it is limited by (the
 * house, its listener, its network) until door_leave(); who did not is counted
 * in none.  A network's count lies with one core, which is asked by core_call().
 * When the house gets short of sessions, those that wait for a command lose
 * patience all at once (SECURITY.md row 25), also those that began to wait
 * before.
 * Not for: what a client may do once inside (policy/judge.h).
 * Waiting: door_enter(), door_leave(), door_rename() and door_mail() yield
 * (core_call).
 * Memory: the guest and the waiter are the session's.
 * Errors: a judgment that is not yes.
 * Source: SECURITY.md rows 25, 26; DESIGN.md section 3.
 */
#ifndef NM_SMTP_DOOR_H
#define NM_SMTP_DOOR_H

#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "policy/judge.h"
#include "smtp/server.h"

enum { DOOR_BUSY_PERCENT = 90 };

struct guest {
	struct server *server;
	const struct server_listener *listener;
	struct address client;
	uint32_t uid;			/* on a local listener */
	bool is_inside;
	bool is_counted;		/* at its network's owner */
};

/* config stays pinned for the call. */
yields struct judgment door_enter(struct guest *, const struct config *);
yields void door_leave(struct guest *, const struct config *);
/* He speaks for another, who is counted in his place. */
yields struct judgment door_rename(struct guest *, const struct config *,
    const struct address *);
/* One more MAIL of a guest. */
yields struct judgment door_mail(const struct guest *, const struct config *);

/* A session that waits for a command. */
struct waiter {
	struct link link;
	struct stream *net;
	struct mono since;
};

void door_wait(struct server *, struct waiter *, struct stream *,
    const struct config *);		/* sets the stream's deadline */
void door_waited(struct waiter *);
/* Everybody who waits has waited enough. */
void door_hurry(struct server *);

#endif
