/*
 * worker.h -- the process in which all conversations happen.
 *
 * The promise: worker_main() recovers the spools, opens the doors it was given,
 * serves until told to stop, then drains and marks the spools clean.  It opens
 * no configuration file, starts no program and gains no right.
 * Not for: binding ports or starting processes (master.h).
 * Waiting: worker_main() returns when the process is to exit.
 * Memory: all of the server's.
 * Errors: an exit status of sysexits(3): 0 stopped, 78 a spool or configuration
 * that this version must not touch, 70 a bug, 74 the disk.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_WORKER_H
#define NM_APP_WORKER_H

#include "app/doors.h"
#include "app/keyring.h"

struct worker_setup {
	struct config *config;		/* its one reference becomes ours */
	const struct doors *doors;
	int control_fd;			/* bound Unix socket, or -1 */
	int submit_fd;			/* another, for the users; or -1 */
	int notice_fd;			/* to master */
	int porter_fd;			/* to the porter, or -1 */
	const struct keyring_process *keyring;	/* its ends become ours */
	unsigned cores;
	unsigned restarts;		/* workers before us that ended */
	const char *last_end;		/* how the last did; "": none */
	bool is_caged;			/* lay the sandbox */
};

int worker_main(const struct worker_setup *);

#endif
