/*
 * dkim_import.h -- a key of somebody else's becomes ours.
 *
 * The promise: dkim_import() puts the private key of a file into dkim.state,
 * whole, for nobody but the server's user, as one whose record is still to be
 * seen; the server finds it there.  No key ever goes through a socket.
 * Not for: asking the server (dkim_commands.c).
 * Waiting: blocks on the disk.
 * Memory: the command's arena; what was read is wiped.
 * Errors: an exit status; what was wrong is on standard error.
 * Source: trust/dkim_pair.h.
 */
#ifndef NM_CLI_DKIM_IMPORT_H
#define NM_CLI_DKIM_IMPORT_H

#include "cli/cli.h"

/* dir: dkim.state.  domain: A-labels, lower case. */
int dkim_import(struct cli *, struct str dir, struct str domain,
    struct str selector, struct str file);

#endif
