/*
 * master.h -- starts the others, holds the doors, reads nothing from outside.
 *
 * The promise: master_run() loads the configuration, binds every listening
 * address, starts a porter (when mailboxes of other users need one) and a
 * worker, and keeps a worker running: one that dies is replaced, sooner or
 * later by how often it dies.  SIGHUP or a worker's wish reloads: all files are
 * read and checked first, and a bad file leaves the old configuration in force.
 * SIGTERM and SIGINT stop the worker cleanly.
 * Not for: mail.  No byte of the network reaches this process.
 * Waiting: returns when the server has stopped.
 * Memory: one configuration and the sockets; the rest is the worker's.
 * Errors: an exit status of sysexits(3), said on standard error.
 * Source: DESIGN.md section 7; SECURITY.md C; sd_notify(3).
 */
#ifndef NM_APP_MASTER_H
#define NM_APP_MASTER_H

#include "base/str.h"

struct master_options {
	struct str config;		/* path; n == 0: built-in defaults */
	bool is_caged;			/* lay the worker's sandbox */
};

int master_run(const struct master_options *);

#endif
