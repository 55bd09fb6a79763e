/*
 * keyring.h -- the process that holds the private keys.
 *
 * The promise: keyring_start() forks a process that reads the keys of tls.key
 * with master's rights, checks that they belong to the certificates, sheds all
 * rights, and from then on answers the cores of the worker: it signs, each key
 * for its own purpose, and makes and keeps keys for ACME in tls.state and for
 * DKIM in dkim.state.  Nobody
 * else has the keys; what is public about them is in public_fd.  Without any
 * certificate it makes one for hostname that is signed by itself.
 * Not for: certificates of others, or trust.
 * Waiting: keyring_start() blocks until the keys are read, or KEYRING_SECONDS.
 * Memory: keys are locked in memory where that is allowed, and in no core dump.
 * Errors: -1 and the trail, which says what is wrong with which file.
 * Source: DESIGN.md section 7; SECURITY.md row 39, C.
 */
#ifndef NM_APP_KEYRING_H
#define NM_APP_KEYRING_H

#include "policy/config.h"

#include <sys/types.h>

enum { KEYRING_SECONDS = 20, KEYRING_PUBLIC_MOST = 16 * 1024 * 1024 };

struct keyring_process {
	pid_t pid;			/* 0: none */
	unsigned n;
	int fds[CORES_MOST];		/* the cores' ends */
	int public_fd;			/* keyring_tell_shown() */
};

#define KEYRING_NONE ((struct keyring_process){ .public_fd = -1 })

/* In the new process, when the keys are read: rights are shed as the worker does,
 * and whatever else came by the fork is forgotten. */
typedef int keyring_shed(void *arg, const struct config *);
int keyring_start(struct keyring_process *, const struct config *,
    unsigned cores, keyring_shed *, void *arg, bool is_caged);
/* The ends are given to the worker, or nobody: closes ours.  The process ends
 * when nobody has an end of it any more. */
void keyring_let_go(struct keyring_process *);
/* What the files of tls look like now: another number, other files. */
uint64_t keyring_look(const struct config *);

#endif
