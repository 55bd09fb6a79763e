/*
 * mime.h -- the structure of a message, while it streams by.
 *
 * The promise: a message is cut into header fields, bodies of parts, and what
 * stands between them; all `raw' that comes out, in its order, is the input,
 * octet by octet, however that was cut.  Multiparts and message/rfc822 are
 * walked into; whatever a stranger writes, there are at most MIME_PARTS_MOST
 * parts and MIME_DEPTH_MOST multiparts one in the other: what lies deeper is one
 * body (is_odd), what comes later lies between.
 * Not for: messages whose header fields alone are of interest (header.h);
 * decoding (base64.h, qp.h).
 * Waiting: none.
 * Memory: struct mime (4 KiB) is the caller's, no thing for a stack; header
 * fields lie in the arena given, at most MIME_ARENA.  `raw' is good until the
 * next call, mime->part until the next part.
 * Errors: MIME_FAILED when a header section is larger than header.h takes, or
 * the arena is full; it sticks.
 * Source: RFC 2045 5, 6; RFC 2046 5.1, 5.2; RFC 6532 3.7; SECURITY.md row 28.
 */
#ifndef NM_WIRE_MIME_H
#define NM_WIRE_MIME_H

#include "wire/content_type.h"
#include "wire/header.h"

enum {
	MIME_PARTS_MOST = 1000,
	MIME_DEPTH_MOST = 20,
	MIME_BOUNDARY_MOST = 120,	/* RFC 2046 5.1.1 has 70 */
	MIME_LINE_MOST = 256,		/* of a delimiter, with its padding */
	MIME_VALUE_MOST = 16 * 1024,	/* of Content-Type; longer is odd */
	MIME_QUEUE = 3,
	MIME_ARENA = HEADER_ARENA + 3 * MIME_VALUE_MOST
};

enum mime_step {
	MIME_MORE,		/* the chunk is used up */
	MIME_FIELD,		/* out->field; out->raw is its raw */
	MIME_HEADED,		/* out->raw is the empty line, or nothing; what
				 * mime->part says is known */
	MIME_BODY,		/* octets of a leaf's body */
	MIME_BETWEEN,		/* delimiters, preambles, epilogues */
	MIME_END,
	MIME_FAILED
};

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

/* RFC 2045 6.1 */
enum mime_encoding {
	MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QP, MIME_BASE64, MIME_UNKNOWN
};

struct mime_part {
	unsigned index;			/* 0: the message itself */
	unsigned root;			/* of the message that it belongs to */
	enum mime_kind kind;
	enum mime_encoding encoding;
	struct content_type type;	/* as written, or by default */
	bool has_type, has_encoding, has_version;
	bool has_empty_line;
	bool is_sealed;			/* within multipart/signed or /encrypted */
	bool is_odd;			/* can be read in more ways than one, or
					 * has no readable boundary */
};

struct mime_level {
	char boundary[MIME_BOUNDARY_MOST];
	unsigned n;
	unsigned root;
	bool is_digest, is_sealed;
};

struct mime_token {
	enum { MIME_NOTHING, MIME_TEXT, MIME_EOL, MIME_DELIMITER } kind;
	struct str text;
	unsigned level;
	bool is_last;
};

struct mime {
	struct arena *arena;
	struct arena_mark mark;
	struct mime_part part;
	enum { MIME_IN_HEADER, MIME_IN_BODY, MIME_IN_BETWEEN } state;
	enum mime_step end;		/* MIME_MORE: not yet */
	struct header_scan scan;
	struct str feed;		/* what the scan has not taken of token */
	struct mime_token token;	/* being looked at */
	struct mime_token queue[MIME_QUEUE];	/* before what follows: a header's junk */
	bool begins;			/* a part, with the next call */
	unsigned next_root;		/* its root */
	bool eol;			/* a CRLF is held: a delimiter's, or not */
	/* the line that is being cut */
	char hold[MIME_LINE_MOST];
	unsigned hold_n;
	bool in_line, has_cr, owes_eol;
	unsigned parts, depth;
	struct mime_level levels[MIME_DEPTH_MOST];
};

struct mime_out {
	struct str raw;
	struct field field;
};

void mime_begin(struct mime *, struct arena *);
enum mime_step mime_next(struct mime *, struct str *chunk,
    struct mime_out *out);
/* The message has ended: hands out what is left, then MIME_END. */
enum mime_step mime_finish(struct mime *, struct mime_out *out);

#endif
