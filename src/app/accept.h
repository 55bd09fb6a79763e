/*
 * accept.h -- from a connecting client to a session.
 *
 * The promise: what can fail comes first.  accept_plan() says which doors a
 * configuration wants, accept_prepare() binds on one core those that are new;
 * then accept_take() cannot fail: new doors get a fiber that accepts, unwanted
 * ones stop, the others change for sessions to come.  Sessions under way go on
 * with the listener they began with.
 * Not for: binding for all cores (doors.h), limits (smtp/server asks policy).
 * Waiting: accept_close() yields until the accepting fibers have ended, the
 * others do not.
 * Memory: one fiber for each open door and core; a listener lives until the last
 * session that has it is over.
 * Errors: -1 and the trail, and nothing changed.
 * Source: DESIGN.md section 3; SECURITY.md row 26.
 */
#ifndef NM_APP_ACCEPT_H
#define NM_APP_ACCEPT_H

#include "app/node.h"
#include "fiber/fiber.h"

/* Before the cores run, or on core 0; until accept_plan_end(), when each core
 * has taken or left it. */
int accept_plan(struct node *, const struct config *);
void accept_plan_end(struct node *);

/* On the core, in this order; take or leave. */
int accept_prepare(struct node_core *);
void accept_take(struct node_core *);
void accept_leave(struct node_core *);
yields void accept_close(struct node_core *);

#endif
