/*
 * submit.h -- a message handed to the running server, in SMTP over its socket.
 *
 * The promise: submit_open() speaks with the server at submit.socket until it
 * knows its name; submit_send() has a message kept for all its recipients, or for
 * none: what one of them is refused for is said, and nothing is sent.  More
 * recipients than the server takes at once go in several transactions, each
 * whole.
 * Not for: the network; administration (ask.h).
 * Waiting: blocks, SUBMIT_PATIENCE_S at most for each reply; a server that is
 * not there is asked again for SUBMIT_RESTART_S, one that has no room for one
 * more conversation for SUBMIT_BUSY_S.
 * Memory: the arena given; the reader's room is part of the struct.
 * Errors: an exit status: 75 the server is not there, hung up, or cannot now;
 * 67, 68, 65, 69, 77 when it refuses; what it said is on standard error.
 * Source: RFC 5321; RFC 1870; RFC 3461; RFC 6152; RFC 6531; sysexits(3).
 */
#ifndef NM_CLI_SUBMIT_H
#define NM_CLI_SUBMIT_H

#include "cli/letter.h"
#include "wire/reply.h"

struct cli;

enum { SUBMIT_PATIENCE_S = 600, SUBMIT_BUSY_S = 30, SUBMIT_RESTART_S = 3 };

struct submit {
	struct arena *arena;
	int fd;				/* -1: not connected */
	bool is_loud;			/* the conversation on standard error */
	struct ehlo ehlo;
	struct str origin;		/* the server's name */
	size_t have, used;		/* of room */
	size_t out_n;			/* of out, not yet sent */
	bool is_deaf;			/* it takes no more */
	char room[REPLY_LINE_MOST + 2], out[32 * 1024];
};

struct submission {
	struct letter *letter;
	struct str sender;		/* mailbox; n == 0: null */
	const struct str *rcpts;
	size_t n;
	struct str name;		/* for From, when there is none */
	struct str from;		/* mailbox for From */
	struct str notify, ret, envid;	/* of DSN, as parameters; or absent */
	bool is_8bit;			/* whatever it looks like */
	bool only_ask;			/* whether it would take the recipients */
};

/* Connected, and no more: for whoever speaks himself. */
int submit_connect(struct cli *, int *fd);
int submit_open(struct submit *, struct cli *);
int submit_send(struct submit *, const struct submission *);
void submit_close(struct submit *);

#endif
