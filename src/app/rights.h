/*
 * rights.h -- from root to the configured user.
 *
 * The promise: after rights_drop() said 0 this process is the user and group of
 * the configuration, for good, and has no capability; a server that was not
 * started by root stays who it is, and keeps none either.  Nobody talks with the
 * network as root, nor does who becomes others for it.
 * Not for: what that user may do (cage.h).
 * Waiting: blocks on the files of accounts.
 * Memory: none.
 * Errors: -1 and the trail.
 * Source: DESIGN.md section 7; capabilities(7).
 */
#ifndef NM_APP_RIGHTS_H
#define NM_APP_RIGHTS_H

#include "policy/config.h"

#include <sys/types.h>

int rights_drop(const struct config *);
/* Who that is. */
int rights_find(const struct config *, uid_t *, gid_t *);
/* Root becomes a user that no account has, with the rights to become others and no
 * other; who is not root sheds all. */
int rights_keep_becoming(void);
bool rights_may_become(void);
/* For good, with the groups of that name (NULL: none) and no rights; never
 * root. */
int rights_become(uid_t, gid_t, const char *name);

/* The environment, where secrets may stand (env:NAME): overwritten, and empty. */
void rights_forget_environment(void);

/* As many descriptors as it may have. */
void rights_take_descriptors(void);

#endif
