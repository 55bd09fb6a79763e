/*
 * accept.h -- from a connecting client to a session.
 *
 * The promise: accept_open() makes this core's doors those of the node: new
 * ones get a fiber that accepts, unwanted ones stop; sessions under way go on.
 * Not for: binding (doors.h), limits (smtp/server asks policy).
 * Waiting: accept_open() does not yield; accept_close() yields until the
 * accepting fibers have ended.
 * Memory: one fiber for each open door and core.
 * Errors: -1 and the trail: a door could not be opened.
 * Source: DESIGN.md section 3; SECURITY.md row 26.
 */
#ifndef NM_APP_ACCEPT_H
#define NM_APP_ACCEPT_H

#include "app/node.h"

/* Which doors the configuration wants; on core 0. */
int accept_doors(struct node *, const struct config *);
int accept_open(struct node_core *);
yields void accept_close(struct node_core *);

#endif
