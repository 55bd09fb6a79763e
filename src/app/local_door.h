/*
 * local_door.h -- from a user of this machine to a session.
 *
 * The promise: whoever connects to submit.socket gets a session that knows his
 * uid from the kernel.  Every core accepts from the one socket, which master
 * bound and which no reload changes.
 * Not for: clients of the network (accept.h).
 * Waiting: local_door_open() does not; the fiber it starts ends by
 * local_door_close(), and accept_close() waits for it.
 * Memory: one fiber for each core.
 * Errors: -1 and the trail.
 * Source: unix(7), SO_PEERCRED; PRODUCT.md A.1.
 */
#ifndef NM_APP_LOCAL_DOOR_H
#define NM_APP_LOCAL_DOOR_H

#include "app/node.h"

int local_door_open(struct node_core *);
void local_door_close(struct node_core *);

#endif
