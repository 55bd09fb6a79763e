/*
 * place.h -- where mail for a user of ours is put, and as whom.
 *
 * The promise: the Maildir's path or the command, made from configuration and
 * the name of a configured user, never from octets of the wire; and the uid that
 * does it.  What an alias names is found only where the configuration has that
 * alias with that very target.  Nothing is done as root.
 * Not for: creating or writing it (deliver/, through porter where another uid
 * or a command is needed).
 * Waiting: none.
 * Memory: the path is in the caller's arena; a user's command is the
 * configuration's, an alias's the arena's.
 * Errors: -1 and the trail.
 * Source: issue "First light" 4; SECURITY.md row 14; maildir(5); Maildir++
 * (folders).
 */
#ifndef NM_POLICY_PLACE_H
#define NM_POLICY_PLACE_H

#include "policy/pipe.h"
#include "policy/route.h"

/* Commands of those who have no uid of their own. */
enum { PLACE_NOBODY = 65534 };

struct mailbox_place {
	struct str path;		/* of the Maildir; NUL-terminated */
	struct str folder;		/* of bob+folder in it, to use if it is
					 * there; or absent */
	const struct pipe *pipe;	/* instead of both; or NULL */
	uint32_t uid, gid;		/* own_uid's when !needs_porter */
	bool needs_porter;		/* another uid's, or a command */
};

/* For a route of kind ROUTE_LOCAL. */
int place_find(const struct config *, const struct route *, uint32_t own_uid,
    uint32_t own_gid, struct arena *, struct mailbox_place *out);

/* For a target of an alias: "|command" or "/path/". */
int place_of_alias(const struct config *, struct str mailbox,
    struct str target, struct arena *, struct mailbox_place *out);

/* Can any mail come to need a porter that changes no uid? */
bool place_has_commands(const struct config *);

#endif
