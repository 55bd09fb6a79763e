/*
 * ask.h -- a question to the running server, over its control socket.
 *
 * The promise: ask() sends one HTTP/1.1 request and gives the answer's body
 * line by line as it comes, so that a list of millions streams.
 * Not for: more than one question at a time.
 * Waiting: blocks; for the answer to begin, at most ASK_PATIENCE seconds.
 * Memory: one line at a time, at most ASK_LINE.
 * Errors: the exit status: 0; 69 the server is not there; 77 it will not speak
 * with us; 65 when it refuses; 75 when it cannot now, does not answer, or ended
 * in the middle; what it said is on standard error.
 * Source: http/control.h; RFC 9112.
 */
#ifndef NM_CLI_ASK_H
#define NM_CLI_ASK_H

#include "cli/cli.h"

enum { ASK_LINE = 512 * 1024, ASK_PATIENCE = 100 };

struct ask {
	struct cli *cli;		/* set by ask() */
	const char *method;		/* GET, POST */
	struct str target;		/* path and query */
	int body_fd;			/* sent chunked; -1: none */
	/* Each line of a 2xx answer, without LF.  Non-zero ends it. */
	int (*line)(struct ask *, struct str);
	void *owner;
	unsigned status;		/* of the answer */
};

int ask(struct cli *, struct ask *);
/* Does a server listen there?  Says nothing. */
bool ask_is_served(struct cli *);

#endif
