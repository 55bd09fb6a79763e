/*
 * received.h -- the Received field: writing ours, reading others'.
 *
 * The promise: ours follows RFC 5321 4.4 to the letter, whatever the peer said
 * at HELO: what could break the syntax is replaced.  `with' tells what was
 * really used.  Reading takes the clauses out of any order and any server's
 * taste and never fails: what is not there is absent.
 * Not for: trust; all but the topmost fields are hearsay.
 * Waiting: none.
 * Memory: slices of the value.
 * Errors: none; `full' of the buffer when writing.
 * Source: RFC 5321 4.4; RFC 3848; RFC 6531 4.3; RFC 8314 4.3 (tls clause).
 */
#ifndef NM_WIRE_RECEIVED_H
#define NM_WIRE_RECEIVED_H

#include "base/buf.h"
#include "wire/date.h"

/* Which words go behind "with". */
enum {
	WITH_EXTENDED = 1,		/* EHLO was said */
	WITH_TLS = 2,
	WITH_AUTH = 4,
	WITH_LMTP = 8,
	WITH_UTF8 = 16			/* MAIL said SMTPUTF8 */
};
const char *received_with(unsigned flags);	/* "ESMTPSA" */

struct received {
	struct str helo;	/* as said; absent: no from clause */
	struct str host;	/* verified name; absent: unknown */
	struct str ip;		/* text without brackets; may be absent */
	struct str by;
	struct str userid;	/* of this machine, digits; or absent */
	struct str with;	/* received_with(), or "HTTP", "local" */
	struct str tls;		/* cipher suite's name (RFC 8314 4.3); or absent */
	struct str id;
	struct str rcpt;	/* only when there is one recipient */
	struct wall at;
	int zone;
};

/* "Received: from ...\r\n", folded.  RECEIVED_MOST octets suffice for a HELO, a
 * host, an id and a recipient within their limits. */
enum { RECEIVED_MOST = 2048 };
void received_write(struct buf *out, const struct received *);

struct received_read {
	struct str from;	/* the word after from: usually the HELO name */
	struct str helo;	/* said in a comment: (HELO x) */
	struct str host;	/* in the comment, before the address */
	struct str ip;		/* without brackets and IPv6: */
	struct str by, via, with, id, rcpt, tls, cipher;
	struct date date;
	bool has_date;
};

void received_read(struct str value, struct received_read *out);

#endif
