/*
 * addrlist.h -- address lists in header fields.
 *
 * The promise: From, To, Cc, Reply-To and their like come apart into mailboxes
 * and groups, by RFC 5322's grammar with its obsolete forms (comments and
 * folding anywhere, routes, empty members), iteratively and in linear time.
 * What cannot be read is one BAD item up to the next comma.
 * Not for: the envelope (address.h is strict).
 * Waiting: none.
 * Memory: slices of the input where they are contiguous, else copies in the
 * arena given.
 * Errors: items of kind ADDRLIST_BAD; ADDRLIST_NO_MEMORY ends the walk.
 * Source: RFC 5322 3.2.2 to 3.2.5, 3.4, 4.4; RFC 6854; RFC 6532.
 */
#ifndef NM_WIRE_ADDRLIST_H
#define NM_WIRE_ADDRLIST_H

#include "base/arena.h"

enum { ADDRLIST_COMMENT_DEPTH = 100 };

enum addrlist_kind {
	ADDRLIST_MAILBOX,
	ADDRLIST_GROUP,			/* name: */
	ADDRLIST_GROUP_END,		/* ; */
	ADDRLIST_BAD,
	ADDRLIST_NO_MEMORY
};

struct addrlist_item {
	enum addrlist_kind kind;
	struct str raw;			/* of the input, trimmed */
	struct str name;		/* display name or group's, unquoted, or a
					 * comment behind a bare address; may be
					 * absent; not decoded (RFC 2047) */
	struct str local, domain;	/* unquoted; domain keeps its brackets */
};

struct addrlist {
	struct str rest;
	struct arena *arena;
	bool in_group;
};

void addrlist_begin(struct addrlist *, struct str value, struct arena *);
bool addrlist_next(struct addrlist *, struct addrlist_item *out);

#endif
