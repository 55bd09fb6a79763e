/*
 * place.h -- where a local mailbox lies, and whose it is.
 *
 * The promise: the Maildir's path made from configuration and the name of a
 * configured user, never from octets of the wire; and the uid that owns it.
 * Not for: creating or writing it (deliver/, through porter where another uid
 * is needed).
 * Waiting: none.
 * Memory: the path is in the caller's arena.
 * Errors: -1 and the trail, when the arena is full.
 * Source: issue "First light" 4; SECURITY.md row 14; maildir(5).
 */
#ifndef NM_POLICY_PLACE_H
#define NM_POLICY_PLACE_H

#include "policy/route.h"

struct mailbox_place {
	struct str path;		/* of the Maildir; NUL-terminated */
	uint32_t uid, gid;		/* own_uid's when !needs_porter */
	bool needs_porter;		/* it belongs to another uid */
};

/* For a route of kind ROUTE_LOCAL. */
int place_find(const struct config *, const struct route *, uint32_t own_uid,
    uint32_t own_gid, struct arena *, struct mailbox_place *out);

#endif
