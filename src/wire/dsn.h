/*
 * dsn.h -- delivery status notifications, written.
 *
 * The promise: the parts, in the order of the functions below, make a whole
 * multipart/report: header, words for a person that say what happened and what
 * to do, message/delivery-status with every mandatory field, and the frame for
 * the returned header or message.  Recipients come one by one, so that no
 * buffer need hold them all: DSN_PIECE suffices for each call.
 * Not for: deciding whether a report is sent (never for <>), or to whom.
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: `full' of the buffer.
 * Source: RFC 3464 2; RFC 6522 3; RFC 3461 5.2, 6; RFC 3834 3.1.6, 5;
 * RFC 5321 4.5.5, 6.1.
 */
#ifndef NM_WIRE_DSN_H
#define NM_WIRE_DSN_H

#include "base/instant.h"
#include "wire/disposition.h"

/* With names, addresses and ids within their limits. */
enum { DSN_PIECE = 4096 };

enum dsn_action {
#define DSN_ACTION(name, word, subject) DSN_##name,
#include "wire/dsn.def"
#undef DSN_ACTION
	DSN_ACTIONS
};

struct dsn {
	enum dsn_action action;		/* the subject's and the first words' */
	struct str host;		/* Reporting-MTA, and in the words */
	struct str postmaster;		/* whom to ask: "postmaster@host" */
	struct str to;			/* the sender of the message */
	struct str message_id;		/* of the report, no brackets */
	struct str in_reply_to;		/* of the message, no brackets; or absent */
	struct str envid;		/* decoded; absent: none */
	struct str boundary;		/* 1..60 of [0-9A-Za-z_=.-], never in text */
	struct str queue_id;		/* our name for the message */
	struct wall arrived, now;
	int zone;
	bool returns_whole;		/* message/rfc822, else only its header */
	bool has_8bit;			/* what is returned has octets above 127 */
};

struct dsn_recipient {
	enum dsn_action action;
	struct str final;		/* "bob@example.org" */
	struct str original;		/* ORCPT "rfc822;bob@a.example" decoded; or
					 * absent */
	struct str remote;		/* host that said it; absent: we did */
	struct verdict verdict;
	struct wall tried_at;		/* 0: never */
	struct wall retry_until;	/* for delays; 0: none */
};

void dsn_begin(struct buf *, const struct dsn *);	/* header, first words */
void dsn_tell(struct buf *, const struct dsn *, const struct dsn_recipient *);
void dsn_status(struct buf *, const struct dsn *);	/* per message */
void dsn_status_of(struct buf *, const struct dsn *,
    const struct dsn_recipient *);
void dsn_return(struct buf *, const struct dsn *);	/* now the caller's octets */
void dsn_end(struct buf *, const struct dsn *);

#endif
