/*
 * phrase.h -- many phrases looked for in one pass.
 *
 * The promise: in a text that was made plain, each phrase that stands in it sets
 * its bit, whatever their number: the text is walked through once, and only where
 * four octets begin like a phrase are they compared.  Plain: ASCII letters are
 * small, white space and control characters are one space, and the codes with
 * which a reply's further lines begin ("550-5.1.1 ") are gone.  A space at a
 * phrase's end is the end of a word: texts are looked at with one at each end.
 * Not for: patterns (policy/bounce_rules.h has expressions).
 * Waiting: none.
 * Memory: the arena's; at most PHRASES_MOST.
 * Errors: phrases_add(): -1 when it is shorter than PHRASE_LEAST or longer than
 * PHRASE_MOST, or there is no room.
 * Source: RFC 5321 4.2.1 (replies of several lines); RFC 2034 4.
 */
#ifndef NM_WIRE_PHRASE_H
#define NM_WIRE_PHRASE_H

#include "base/arena.h"
#include "base/buf.h"

enum { PHRASE_LEAST = 4, PHRASE_MOST = 120, PHRASES_MOST = 8000,
	PHRASE_HEADS = 4096 };

struct phrase {
	struct str text;
	unsigned bit;
	uint16_t next;			/* with the same beginning; 0: none */
};

struct phrases {
	struct arena *arena;
	struct phrase *v;		/* v[0] is nobody */
	size_t n, room;
	uint16_t heads[PHRASE_HEADS];
};

/* As much of it as there is room for. */
void phrase_plain(struct str, struct buf *out);

struct phrases *phrases_new(struct arena *);	/* NULL: no memory */
int phrases_add(struct phrases *, struct str text, unsigned bit);
/* bits: of 64 each, as many as the greatest bit needs. */
void phrases_find(const struct phrases *, struct str plain, uint64_t *bits);

static inline bool
bit_is_set(const uint64_t *bits, unsigned bit)
{
	return (bits[bit / 64] >> (bit % 64) & 1) != 0;
}

#endif
