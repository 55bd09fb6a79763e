/*
 * original.h -- what a report brings back of the message it is about.
 *
 * The promise: the whole message, when that was wanted and it is small enough;
 * else its header section, at most ORIGINAL_HEADER octets of it, cut between
 * lines; nothing when the disk does not give it back.  What its header says of
 * its name, its language and of who wrote it is known afterwards.
 * Not for: messages for delivery (spool/body.h, a piece at a time).
 * Waiting: original_read() yields (disk).
 * Memory: all in the arena given.
 * Errors: -1: no memory.  A body that cannot be read is no error: its sender is
 * told all the same.
 * Source: RFC 3461 4.3, 6.2; RFC 3834 5; RFC 2369; RFC 2919; RFC 3282.
 */
#ifndef NM_DELIVER_ORIGINAL_H
#define NM_DELIVER_ORIGINAL_H

#include "deliver/delivery.h"
#include "wire/dsn.h"

enum { ORIGINAL_HEADER = 64 * 1024 };

struct original {
	enum dsn_return returns;
	struct str octets;		/* what is returned */
	enum dsn_octets kind;		/* of them */
	struct str message_id;		/* without brackets; or absent */
	enum language language;		/* asked for; LANGUAGES: none of ours */
	bool is_automatic;		/* a program's, a list's or in bulk */
};

/* whole: the message, if it has at most `most' octets. */
yields int original_read(struct original *, const struct delivery *,
    struct arena *, bool whole, uint64_t most);

#endif
