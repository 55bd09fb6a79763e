/*
 * secrets.h -- the secrets of a configuration, for whoever needs none of them.
 *
 * The promise: after secrets_forget() no octet of a password, of its hash, of a
 * token or of another secret is left of what this configuration holds; lengths
 * stay, so that who has a password still has one.
 * Not for: processes that log in anywhere, or anybody.
 * Waiting: none.
 * Memory: overwrites the configuration's; only for a process that has a copy of
 * its own, by fork, and nobody beside.
 * Errors: none.
 * Source: SECURITY.md C.
 */
#ifndef NM_POLICY_SECRETS_H
#define NM_POLICY_SECRETS_H

#include "policy/config.h"

void secrets_forget(const struct config *);

#endif
