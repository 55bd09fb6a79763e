/*
 * why_checked.h -- the event `checked' in words.
 *
 * The promise: each check has a line: its result, what it looked at, and why; then
 * the DMARC record, and what was done, by which line of the configuration.
 * Not for: other events (why_commands.c).
 * Waiting: none.
 * Memory: the command's arena.
 * Errors: what cannot be read is printed as it is.
 * Source: RFC 8601 2.7; RFC 9990 3.1.
 */
#ifndef NM_CLI_WHY_CHECKED_H
#define NM_CLI_WHY_CHECKED_H

#include "cli/cli.h"

#include <jansson.h>

void why_checked(struct cli *, const json_t *);

#endif
