/*
 * bounce_words.h -- a report without form, read as a person would.
 *
 * The promise: of the words of a report, the addresses that it speaks of as
 * recipients, in order, each once, and with each the lines that stand with it:
 * what was said.  Addresses of who writes, of who is written to and of who helps
 * are none; the copy of the message that follows is not looked into, but for
 * where it begins.
 * Not for: reports with a delivery-status (dsn_read.h).
 * Waiting: none.
 * Memory: results point into the words, replies lie in the arena.
 * Errors: NULL: there is no room.
 * Source: what Postfix, Exim, Sendmail, qmail, Exchange, Domino, and those who
 * wrote their own, send.
 */
#ifndef NM_WIRE_BOUNCE_WORDS_H
#define NM_WIRE_BOUNCE_WORDS_H

#include "base/arena.h"
#include "wire/bounce_read.h"

/* Addresses that are nobody's who was written to, and those that are. */
struct bounce_known {
	struct str from, to;		/* of the report: field values */
	struct str original_to;		/* of what was returned: a field value */
	struct str failed;		/* X-Failed-Recipients, and its like */
};

/* Where the copy of the message begins in the words; .n when nowhere. */
size_t bounce_words_copy(struct str words);
/* The next address in *s, which is cut behind it; where it stood is at *at. */
bool bounce_words_address(struct str *s, struct str *address);
/* The recipients, and what was said. */
struct bounce_told *bounce_words_read(struct arena *, struct str words,
    const struct bounce_known *, size_t *n);
/* What was said of this one: a slice of the words; n == 0: nothing of its own. */
struct str bounce_words_of(struct str words, struct str address);
/* The command it answers, as servers and their reports say it. */
enum bounce_phase bounce_words_phase(struct str words);
bool bounce_words_has(struct str s, const char *const *phrases);

#endif
