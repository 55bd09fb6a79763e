/*
 * configured.h -- where the configuration says that the server listens.
 *
 * The promise: configured_socket() reads the file that --config names, or the
 * usual one, and says nothing of what is wrong in it: the server does.
 * Not for: who needs more of the configuration than a path.
 * Waiting: blocks on the file system.
 * Memory: the path is in the command's arena.
 * Errors: STR_NONE when there is no configuration that is one.
 * Source: none.
 */
#ifndef NM_CLI_CONFIGURED_H
#define NM_CLI_CONFIGURED_H

#include "base/str.h"
#include "cli/cli.h"

enum configured { CONFIGURED_CONTROL, CONFIGURED_SUBMIT };

struct str configured_socket(struct cli *, enum configured);

#endif
