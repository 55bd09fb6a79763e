/*
 * gcra.h -- a rate, kept to the nanosecond.
 *
 * The promise: of a limit "n in each per_ns with a burst of b", any half-open
 * span of per_ns holds at most n + b - 1 units, and steady demand is served at
 * exactly n in per_ns, forever: fractions of nanoseconds are carried, nothing
 * drifts.  With b = 1 (the default) units are evenly spaced.
 * Not for: limits on how many at once (those are permits).
 * Waiting: none; gcra_when() says until when the caller would have to.
 * Memory: 16 bytes for each thing limited.
 * Errors: none; the arithmetic saturates.  n = 0 means no limit.  An insane
 * limit fails a must().
 * Source: ITU-T I.371, "generic cell rate algorithm" (virtual scheduling).
 */
#ifndef NM_QUEUE_GCRA_H
#define NM_QUEUE_GCRA_H

#include "base/instant.h"

struct gcra_limit {
	uint64_t n;		/* 0: no limit */
	int64_t per_ns;		/* > 0 when n > 0 */
	uint64_t burst;		/* 0 is 1 */
};

struct gcra {
	int64_t tat_ns;		/* theoretical arrival time of the next unit */
	uint64_t part;		/* and 1/n of a nanosecond */
};

/* n, burst and units stay below 2^32; per_ns is positive. */
bool gcra_is_sane(const struct gcra_limit *);

/* The earliest instant at which one unit may be taken: now, or later. */
struct mono gcra_when(const struct gcra *, const struct gcra_limit *,
    struct mono now);
/* Take n units at once if the first of them may be taken now. */
bool gcra_take(struct gcra *, const struct gcra_limit *, struct mono now,
    uint64_t n);
/* Has everything taken been paid off, so that forgetting changes nothing? */
bool gcra_is_idle(const struct gcra *, struct mono now);
/* The limit changes: debts of the old one are held to the new. */
void gcra_change(struct gcra *, const struct gcra_limit *from,
    const struct gcra_limit *to, struct mono now);

#endif
