/*
 * resolve.h -- the DNS for commands, asked as the server of this machine asks it.
 *
 * The promise: after resolve_prepare() said 0, dns_ask() goes by the
 * configuration that --config names, or the usual one if it is there and good;
 * without one, by own recursion.
 * Not for: the server (policy/resolver.h).
 * Waiting: blocks on files.
 * Memory: the configuration is the caller's to free.
 * Errors: an exit status; why is on standard error.
 * Source: PRODUCT.md C.
 */
#ifndef NM_CLI_RESOLVE_H
#define NM_CLI_RESOLVE_H

#include "cli/cli.h"
#include "policy/config.h"

/* *out: NULL when there is none. */
int resolve_prepare(struct cli *, struct config **out);

#endif
