/*
 * porter_run.h -- a command that takes a message on its standard input.
 *
 * The promise: porter_run() starts the program without a shell, as whoever
 * calls it, with no descriptor but 0, 1 and 2, default signals and a session
 * of its own; feeds it the message with LF at the ends of lines, hears its
 * words up to the room there is, and returns when it has ended or was killed,
 * with all of its process group, at the time limit or because nobody asks any
 * longer.  It may leave children behind when it ends by itself: they are not
 * waited for.
 * Not for: root, or a process that does anything else (it is the porter's
 * child, one for each message).
 * Waiting: blocks until the command has ended.
 * Memory: 4 KiB on the stack.
 * Errors: PORTER_TROUBLE with errno and words in the reply; otherwise what the
 * command said.
 * Source: execve(2); pidfd_open(2); setsid(2).
 */
#ifndef NM_APP_PORTER_RUN_H
#define NM_APP_PORTER_RUN_H

#include "deliver/porter_wire.h"

struct porter_run {
	const char *const *argv;	/* argv[0] is the program's path */
	const char *const *environ;
	const char *home;		/* or NULL */
	int message;			/* a descriptor that can be read at any
					 * place, not to be believed otherwise */
	uint64_t size;
	int asker;			/* when this is closed the command is killed */
	int64_t most_ms;
};

void porter_reply_trouble(struct porter_reply *, int error, const char *text);
void porter_run(const struct porter_run *, struct porter_reply *);

#endif
