/*
 * dsn_read.h -- delivery status notifications, read as they stream by.
 *
 * The promise: of a message cut anywhere, with CRLF or LF, what its
 * message/delivery-status or message/global-delivery-status part says: each
 * recipient once, in order, with the fields of RFC 3464 in their types; and the
 * Message-ID and Subject of what was returned.  The part may be nested in other multiparts
 * or be the message itself; what was returned is not looked into, so a report
 * inside a report is not taken for it.  Common mistakes of others are read as
 * they were meant: no address type, angle brackets, comments, a recipient
 * without an empty line before it, empty lines within one.
 * Not for: reports in words only (bounce_read.h, which listens here); disposition
 * reports, which are told by their type; trusting what it says (RFC 3464 4: anybody can write it).
 * Waiting: none.
 * Memory: all in the arena given; strings live as long.  Lines count up to
 * DSN_LINE octets and fields up to DSN_VALUE, boundaries nest DSN_NEST deep.
 * Errors: is_cut: memory ended, DSN_TOLD_MOST recipients were passed, or a
 * boundary nested too deep; what was read before stands.
 * Source: RFC 3464 2; RFC 6522 3; RFC 6533 3, 4; RFC 2045 5; RFC 2046 5.1;
 * RFC 3463 2.
 */
#ifndef NM_WIRE_DSN_READ_H
#define NM_WIRE_DSN_READ_H

#include "base/arena.h"
#include "wire/dsn.h"
#include "wire/reason.h"

enum { DSN_LINE = 1000, DSN_VALUE = 2048, DSN_NEST = 8,
	DSN_TOLD_MOST = 1000, DSN_READ_MEMORY = 1024 * 1024 };

struct dsn_address {
	struct str type;		/* "rfc822"; absent where none was said */
	struct str text;		/* n == 0: no such field */
};

/* What is told of one recipient. */
struct dsn_told {
	struct dsn_told *next;
	struct dsn_address final, original;
	enum dsn_action action;		/* DSN_ACTIONS: none that is known */
	struct esc status;		/* of Status, or else of the diagnostic, or
					 * else the class of its code */
	struct str remote;		/* Remote-MTA's name, as all such */
	struct str diagnostic_type, diagnostic;
	int code;			/* of an SMTP reply in it; 0: none */
	const struct reason *reason;	/* of what the diagnostic says, or else
					 * of the status */
	bool is_hard;			/* the address is at fault */
	struct str log_id;
	struct wall tried_at, retry_until;	/* 0: not said */
};

struct dsn_report {
	bool is_status;			/* there was a delivery-status */
	bool is_cut;
	struct str report_type;		/* of multipart/report, lower case */
	struct str envid;
	struct str reporting, gateway, received_from;
	struct wall arrived;		/* 0: not said */
	struct str message_id;		/* of what was returned; no brackets */
	struct str subject;		/* the same; in UTF-8, not cleaned */
	size_t n;
	struct dsn_told *told;		/* first of n */
};

/* Where a field stands, and a line. */
enum dsn_where { DSN_TOP, DSN_PART_HEAD, DSN_RETURNED, DSN_FEEDBACK };

enum dsn_words { DSN_PLAIN, DSN_HTML, DSN_PREAMBLE };

/* Who hears what else there is: the fields of the message, of its parts, of what
 * was returned, and of a message/feedback-report; and its words, decoded, line by
 * line, with what stands before the first part: some forget the parts.  What is
 * given lasts until the call returns. */
struct dsn_listener {
	void (*field)(void *, enum dsn_where, struct str name,
	    struct str value);
	void (*line)(void *, enum dsn_words, struct str line);
	void *arg;
};

struct dsn_reader;

struct dsn_reader *dsn_read_begin(struct arena *);	/* NULL: no memory */
/* Before the first octet; it must last as long as the reader. */
void dsn_read_listen(struct dsn_reader *, const struct dsn_listener *);
void dsn_read(struct dsn_reader *, struct str octets);
/* The message has ended. */
const struct dsn_report *dsn_read_end(struct dsn_reader *);

#endif
