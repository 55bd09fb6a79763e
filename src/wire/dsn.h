/*
 * dsn.h -- delivery status notifications, written.
 *
 * The promise: the pieces, in the order of the functions below, make a whole
 * multipart/report: header, words for a person in his language that say what
 * happened and what to do, delivery-status with every field that RFC 3464 has
 * for what is known, and the frame for the returned header or message.
 * Recipients come one by one, so that no buffer need hold them all: DSN_PIECE
 * suffices for each call.  What is not ASCII is labelled, in the forms of RFC
 * 6533 when the message was SMTPUTF8, and encoded so that the report can go to
 * any server, unless its own recipient needs SMTPUTF8 anyway.
 * Not for: deciding whether a report is sent (never for <>), or to whom;
 * reading reports (dsn_read.h).
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: `full' of the buffer.
 * Source: RFC 3464 2; RFC 6522 3, 4; RFC 6533 3, 4; RFC 3461 4.3, 5.2, 6;
 * RFC 3834 3.1.6, 5; RFC 5321 4.5.5, 6.1; RFC 2045 6.7.
 */
#ifndef NM_WIRE_DSN_H
#define NM_WIRE_DSN_H

#include "base/instant.h"
#include "wire/disposition.h"
#include "wire/words.h"

/* With names, addresses and ids within their limits. */
enum { DSN_PIECE = 4096 };

enum dsn_action {
#define DSN_ACTION(name, word, words) DSN_##name,
#include "wire/dsn.def"
#undef DSN_ACTION
	DSN_ACTIONS
};

/* What is returned of the message. */
enum dsn_return { DSN_NOTHING, DSN_HEADER, DSN_WHOLE };

struct dsn {
	enum dsn_action action;		/* the subject's and the first words' */
	enum language language;		/* of the first part and the subject */
	struct str host;		/* Reporting-MTA, and in the words */
	struct str postmaster;		/* whom to ask: "postmaster@host" */
	struct str to;			/* the sender of the message */
	struct str message_id;		/* of the report, no brackets */
	struct str in_reply_to;		/* of the message, no brackets; or absent */
	struct str envid;		/* decoded; absent: none */
	struct str boundary;		/* 1..60 of [0-9A-Za-z_=.-], never in text;
					 * with "=_" in it, never in an encoded
					 * part either */
	struct str queue_id;		/* our name for the message */
	struct str helo, client;	/* who brought it; or absent */
	struct wall arrived, now;
	int zone;
	enum dsn_return returns;
	bool is_for_admin;		/* about a message of the null sender */
	bool is_global;			/* the message came by SMTPUTF8 */
	bool is_wide;			/* so does the report leave: 8 bits */
};

struct dsn_recipient {
	enum dsn_action action;
	struct str final;		/* "bob@example.org" */
	struct str original;		/* ORCPT "rfc822;bob@a.example" decoded; or
					 * absent: then no such field */
	struct str given;		/* what the client said; or absent */
	struct str remote;		/* host that said it; absent: we did */
	struct verdict verdict;
	struct wall tried_at;		/* 0: never */
	struct wall retry_until;	/* for delays; 0: none */
};

/* The parts of a report, and what octets one holds. */
enum dsn_part { DSN_PART_WORDS, DSN_PART_STATUS, DSN_PART_RETURNED };
enum dsn_octets { DSN_ASCII, DSN_UTF8, DSN_OCTETS };
enum dsn_encoding { DSN_7BIT, DSN_8BIT, DSN_QUOTED };

const char *dsn_word(enum dsn_action);	/* "failed" */

enum dsn_octets dsn_octets(enum dsn_octets so_far, struct str);
/* How the octets of a part must leave. */
enum dsn_encoding dsn_encoding(const struct dsn *, enum dsn_part,
    enum dsn_octets);
/* Whole lines, or the last of a part, as quoted-printable; n octets become so
 * many at most. */
void dsn_quote(struct buf *, struct str);
size_t dsn_quoted_most(size_t n);

/* Up to the first part; `returned' is how the returned part leaves. */
void dsn_begin(struct buf *, const struct dsn *, enum dsn_encoding returned);
/* A delimiter and the head of a part; then come its octets. */
void dsn_part(struct buf *, const struct dsn *, enum dsn_part,
    enum dsn_octets);
void dsn_end(struct buf *, const struct dsn *);

/* Octets of DSN_PART_WORDS. */
void dsn_greet(struct buf *, const struct dsn *);
void dsn_tell(struct buf *, const struct dsn *, const struct dsn_recipient *);
void dsn_help(struct buf *, const struct dsn *);

/* Octets of DSN_PART_STATUS. */
void dsn_status(struct buf *, const struct dsn *);	/* per message */
void dsn_status_of(struct buf *, const struct dsn *,
    const struct dsn_recipient *);

#endif
