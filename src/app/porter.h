/*
 * porter.h -- carries mail into other people's mailboxes, and starts children.
 *
 * The promise: the porter is forked before rights are dropped and is the only
 * one that starts children.  It takes requests of fixed form: the mailbox of a
 * recipient whom it looks up in its own configuration, and a descriptor with
 * the message.  A child becomes that user and writes his Maildir or runs his
 * command; no path, uid or command comes from the worker.  A report for
 * reports.inbox is read by a child that may do nothing else (report_child.h).
 * Without root there is a porter only where the configuration has commands or such
 * an inbox, and it changes no uid.
 * Not for: mailboxes of the server's own user (deliver/local writes them).
 * Waiting: porter_stop() blocks shortly; the porter's own loop blocks in poll.
 * Whoever asks a porter that was started waits until it takes the request up.
 * Memory: one child for each delivery, at most PORTER_CHILDREN at once.
 * Errors: porter_start(): -1 and the trail, 0 when none is needed, 1 when it was
 * started.
 * Source: DESIGN.md section 7; SECURITY.md rows 14, C.
 */
#ifndef NM_APP_PORTER_H
#define NM_APP_PORTER_H

#include "policy/config.h"

#include <sys/types.h>

enum { PORTER_CHILDREN = 64 };

struct porter_process {
	pid_t pid;			/* 0: none */
	int fd;				/* the worker's end; -1: none */
};

#define PORTER_NONE ((struct porter_process){ .fd = -1 })

/* The secrets of both configurations, of which another may be NULL, are forgotten
 * in it. */
int porter_start(struct porter_process *, const struct config *,
    const struct config *another);
void porter_died(struct porter_process *);
void porter_stop(struct porter_process *);

#endif
