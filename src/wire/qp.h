/*
 * qp.h -- quoted-printable, written and read as it streams by.
 *
 * The promise: what qp_put() and qp_end() write is read back the same by
 * qp_take() and qp_close(), however either is cut.  It is text: CRLF stays a line
 * end, all else that is not printable ASCII is "=XX"; lines have at most 76
 * octets, no white space at their ends, and none begins with "-", so that no
 * boundary comes into being.
 * Not for: octets that are no lines (base64.h); the Q of encoded words.
 * Waiting: none.
 * Memory: writes into the caller's buffer, as much as there is room for.
 * Errors: `faults' of the reader.
 * Source: RFC 2045 6.7; RFC 2046 5.1.1.
 */
#ifndef NM_WIRE_QP_H
#define NM_WIRE_QP_H

#include "base/buf.h"

enum { QP_LINE = 76, QP_ROOM = 16 };

struct qp_writer {
	char held;			/* SP, TAB or CR, whose end decides */
	unsigned column;
};

/* Start with {0}.  Takes from *in; false when out has no room for more (make
 * some, at least QP_ROOM octets, and call again). */
bool qp_put(struct qp_writer *, struct str *in, struct buf *out);
/* What was held back. */
bool qp_end(struct qp_writer *, struct buf *out);

enum {
	QP_JUNK = 1,		/* "=" before neither hex digits nor a line end */
	QP_8BIT = 2,		/* octets above 127, passed as they are */
	QP_CUT = 4		/* it ends in the middle of "=XX" */
};

struct qp_reader {
	char held[QP_LINE + 4];		/* "=X", "=  ", or white space and CR */
	unsigned n;
	unsigned faults;
};

/* Start with {0}.  False when out has no room (at least sizeof held). */
bool qp_take(struct qp_reader *, struct str *in, struct buf *out);
bool qp_close(struct qp_reader *, struct buf *out);

#endif
