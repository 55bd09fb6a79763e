/*
 * signals.h -- which signals end a process of the server, and which it reads.
 *
 * The promise: after signal_ignore_all() no signal ends us but those that are
 * waited for; signals_read() is a descriptor that tells of SIGCHLD, SIGHUP, SIGINT
 * and SIGTERM, which do nothing else any more; signals_free() undoes that in a
 * child.
 * Not for: the worker's fibers, who know no signals.
 * Waiting: none.
 * Memory: none.
 * Errors: -1 and the trail.
 * Source: signal(7); signalfd(2).
 */
#ifndef NM_APP_SIGNALS_H
#define NM_APP_SIGNALS_H

void signal_ignore_all(void);
int signals_read(void);
void signals_free(void);

#endif
