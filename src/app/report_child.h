/*
 * report_child.h -- a report of strangers, read where it can do no harm.
 *
 * The promise: the message is unpacked and read by a child that has nothing but
 * its descriptor and one end of a pipe: no other descriptor, no name of a file,
 * no network, no process, no signal (seccomp); REPORT_CHILD_SECONDS of processor,
 * REPORT_CHILD_OCTETS of memory of its own, REPORT_FORM_MOST octets written.  What
 * it read stands behind the message when this returns, and the child is no more.
 * Not for: believing what it wrote: who reads it checks it (report_form.h).
 * Waiting: blocks, at most REPORT_CHILD_WALL_S; in a child of the porter.
 * Memory: the child's own goes with it.
 * Errors: in the reply: PORTER_KILLED, PORTER_OVERTIME, PORTER_TROUBLE.
 * Source: SECURITY.md row 51; DESIGN.md section 7; seccomp(2), setrlimit(2).
 */
#ifndef NM_APP_REPORT_CHILD_H
#define NM_APP_REPORT_CHILD_H

#include "deliver/porter_wire.h"

enum { REPORT_CHILD_SECONDS = 2, REPORT_CHILD_WALL_S = 20,
	REPORT_CHILD_OCTETS = 24 * 1024 * 1024 };

/* message: to be read and written, by its octets' offsets; size: of the message. */
void report_child_run(int message, uint64_t size, struct porter_reply *);

#endif
