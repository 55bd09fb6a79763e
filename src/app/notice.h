/*
 * notice.h -- what master and worker tell each other.
 *
 * The promise: a notice is one packet of fixed size with magic, version, kind
 * and at most one descriptor; whoever receives checks all of it and treats the
 * sender as hostile.  Nothing in it is a path, a command or code.
 * Not for: mail, or talk between cores.
 * Waiting: both calls block; master polls first, a worker receives on a lane.
 * Memory: values; a received descriptor belongs to the receiver.
 * Errors: -1 and the trail; NOTICE_GONE when the other side has closed.
 * Source: DESIGN.md section 7; unix(7), SCM_RIGHTS.
 */
#ifndef NM_APP_NOTICE_H
#define NM_APP_NOTICE_H

#include "base/str.h"

enum notice_kind {
#define NOTICE(name, from, says) NOTICE_##name,
#include "app/notice.def"
#undef NOTICE
	NOTICE_KINDS
};

enum { NOTICE_TEXT = 480, NOTICE_GONE = -2 };

struct notice {
	uint32_t magic;
	uint16_t version, kind;
	uint32_t number;		/* of a core, a generation, a result */
	uint32_t length;		/* of text, in octets */
	char text[NOTICE_TEXT];
	int fd;				/* received or to send; -1: none */
};

/* Two ends; whoever sends by the first waits `patience_s' for the other at most. */
int notice_pair(int pair[2], int patience_s);
struct notice notice_make(enum notice_kind, uint32_t number, struct str text);
struct str notice_text(const struct notice *);
int notice_send(int socket, const struct notice *);
int notice_receive(int socket, struct notice *);	/* 0, -1, NOTICE_GONE */

#endif
