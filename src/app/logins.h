/*
 * logins.h -- the login dispatcher of a worker, from before its cage.
 *
 * The promise: a database that is there is open when the cage is laid, so that
 * the worker needs no right to its directory; mail goes on without one that is
 * damaged, and an event tells of it.
 * Not for: who may log in (policy/login.h).
 * Waiting: logins_open() and logins_close() block: before the cores run, and
 * after.
 * Memory: the worker's.
 * Errors: kept, and told.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_LOGINS_H
#define NM_APP_LOGINS_H

#include "app/node.h"
#include "base/err.h"
#include "policy/login.h"

struct logins {
	struct login login;
	char trouble[ERR_ROOM];		/* to be told; "": none */
};

void logins_open(struct logins *, const struct config *);
bool logins_have_database(const struct logins *);
void logins_tell(const struct logins *, struct intake_core *);
/* Unless sessions that did not drain may still ask. */
void logins_close(struct logins *, const struct node *);

#endif
