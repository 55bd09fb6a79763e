/*
 * usage.h -- what an account sent lately, as the server counts it.
 *
 * The promise: two lines on standard output, of the last hour and the last day;
 * none where no server runs: nobody else knows.
 * Not for: what it may send by what the database says (its row does).
 * Waiting: blocks, as ask.h.
 * Memory: the command's arena.
 * Errors: said on standard error.
 * Source: policy/quota.h; http/route_usage.c.
 */
#ifndef NM_CLI_USAGE_H
#define NM_CLI_USAGE_H

#include "cli/cli.h"

void usage_show(struct cli *, struct str name);

#endif
