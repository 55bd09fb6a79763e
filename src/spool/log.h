/*
 * log.h -- the segments there are, in order of their numbers.
 *
 * The promise: the log is one row of numbers without gaps (a segment that was
 * lost stands as NULL), and grows at the end and shrinks at the front only, so
 * that an outcome never goes before the message it is about.
 * Not for: files (segment.h).
 * Waiting: none.
 * Memory: an array and the segments' structs, from malloc (HOUSE.md 7.7: they
 * are freed singly, at the front).
 * Errors: NULL when memory is refused.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_LOG_H
#define NM_SPOOL_LOG_H

#include "spool/segment.h"

struct log {
	struct segment **segments;	/* [0] is the front; may be NULL */
	size_t n, cap;
	uint64_t first;			/* number of the front */
};

void log_clear(struct log *);		/* closes and frees all */
/* NULL: lost, gone, or never was. */
struct segment *log_find(const struct log *, uint64_t number);
struct segment *log_front(const struct log *);	/* the first not lost */
struct segment *log_last(const struct log *);	/* NULL: empty */
/* Copies; the number must be above all there are.  NULL: no memory, or a gap
 * that cannot be. */
struct segment *log_append(struct log *, const struct segment *);
/* Takes the front (and what is lost behind it) off; the caller closes and frees
 * by segment_free(). */
struct segment *log_pop(struct log *);
/* The last one off; those lost before it too. */
struct segment *log_pop_last(struct log *);
void segment_free(struct segment *);

#endif
