/*
 * header.h -- the header section: reading it as it streams by, writing fields.
 *
 * The promise: a header_scan is fed chunks and hands out field by field as
 * slices; a field is copied only when it straddles chunks.  The section ends at
 * the first empty line, or before the first line that is no field, where a
 * relay should put an empty line (ended_by_junk).  The `raw' of all fields, the
 * empty line if there is one, the `raw' that comes with HEADER_END, and the rest
 * of the chunk are the input, octet by octet.  However the input is cut, the
 * same comes out.  header_put() refuses control characters and folds at 78.
 * Not for: MIME structure; addresses inside fields (addrlist.h).
 * Waiting: none.
 * Memory: the carry lives in the arena given, at most HEADER_ARENA in all.  A
 * field's slices are good until the next call.
 * Errors: HEADER_TOO_BIG beyond 256 KiB or 10,000 lines (552 5.3.4);
 * HEADER_NO_MEMORY when the arena is full (452 4.3.1).  Both stick.
 * Source: RFC 5322 2.1.1, 2.2, 2.2.3, 3.6; SECURITY.md rows 16, 28, 32.
 */
#ifndef NM_WIRE_HEADER_H
#define NM_WIRE_HEADER_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	HEADER_OCTETS_MOST = 256 * 1024,
	HEADER_LINES_MOST = 10000,
	HEADER_ARENA = 640 * 1024,	/* ceiling that always suffices */
	HEADER_LINE = 78,		/* RFC 5322 2.1.1 */
	HEADER_LINE_MOST = 998,
	HEADER_HOPS_MOST = 100		/* RFC 5321 6.3 */
};

/* Fields known by name (fields.def); all others are HEADER_OTHER. */
enum header_name {
	HEADER_OTHER,
#define HEADER(name, text) HEADER_##name,
#include "wire/fields.def"
#undef HEADER
	HEADER_NAMES
};

enum header_step {
	HEADER_FIELD,		/* *out is one; call again */
	HEADER_MORE,		/* the chunk is used up */
	HEADER_END,		/* out->raw, then the chunk, are the body */
	HEADER_TOO_BIG,
	HEADER_NO_MEMORY
};

struct field {
	enum header_name known;
	struct str name;	/* as written */
	struct str value;	/* after the colon, folds and all, no last CRLF */
	struct str raw;		/* the whole, CRLF included */
};

struct header_scan {
	struct arena *arena;
	char *carry;		/* a field begun in an earlier chunk */
	size_t carry_n, carry_cap;
	bool carry_is_out;	/* it was handed out */
	bool carry_checked;	/* it has a name */
	enum header_step end;	/* HEADER_FIELD: not yet */
	bool has_empty_line;	/* the section ended by one */
	bool ended_by_junk;
	unsigned lines;
	size_t octets;		/* of the section, the empty line included */
	unsigned count[HEADER_NAMES];	/* how many of each */
};

void header_begin(struct header_scan *, struct arena *);
/* Takes from the front of *chunk. */
enum header_step header_next(struct header_scan *, struct str *chunk,
    struct field *out);
/* The message has ended: hands out what is left, then HEADER_END. */
enum header_step header_finish(struct header_scan *, struct field *out);

enum header_name header_known(struct str name);
const char *header_text(enum header_name);	/* "Message-ID" */

/* The value on one line: CRLFs before white space gone, ends trimmed. */
void field_unfold(struct str value, struct buf *out);
/* The first <...> of Message-ID and its like, without the brackets, or
 * STR_NONE. */
struct str field_msgid(struct str value);
/* Is Auto-Submitted anything but "no"?  (RFC 3834 5) */
bool field_is_auto(struct str value);

/* "Name: value\r\n", folded at white space.  False, and nothing written, when
 * the name is not ftext or the value holds CTL or a word that no line of 998
 * octets holds. */
bool header_put(struct buf *out, struct str name, struct str value);

#endif
