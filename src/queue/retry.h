/*
 * retry.h -- when a deferred message is tried again, and when no more.
 *
 * The promise: after the n-th try the n-th interval passes, the last one
 * repeating, give or take a share that depends on the message alone, so that
 * what came together does not return together and a run can be replayed.  The
 * last try falls on the instant of expiry, not an interval later.  Nothing
 * expires before it has both its age and its tries: a clock that jumped cannot
 * bounce mail that was never tried.  Tries are a clock of their own, which no wall
 * can put back or forth: retry_lived() reads it.
 * Not for: a destination that is down (backoff.h).
 * Waiting: none.
 * Memory: values.
 * Errors: a schedule that retry_is_sane() refuses fails a must().
 * Source: RFC 5321 4.5.4.1 (retry strategy); SECURITY.md row 45.
 */
#ifndef NM_QUEUE_RETRY_H
#define NM_QUEUE_RETRY_H

#include "base/instant.h"

enum { RETRY_INTERVALS = 32 };

struct retry {
	int64_t interval_ns[RETRY_INTERVALS];	/* each > 0 */
	size_t n;				/* at least 1 */
	unsigned jitter_percent;		/* 0..50: each way */
	unsigned min_tries;			/* before expiry; at least 1 */
};

/* 5m 15m 1h 3h 6h, 10 % jitter, two tries. */
struct retry retry_default(void);
bool retry_is_sane(const struct retry *);

/* How long to wait after `tries' tries (at least 1); `hash' is of the message.
 */
int64_t retry_wait(const struct retry *, unsigned tries, uint64_t hash);
int64_t retry_longest(const struct retry *);	/* jitter included */
/* What so many tries have taken, by the schedule: no clock is asked. */
int64_t retry_lived(const struct retry *, unsigned tries);

/* When to try again, now that `tries' tries failed. */
struct mono retry_due(const struct retry *, struct mono now, unsigned tries,
    struct mono expires, uint64_t hash);
bool retry_is_over(const struct retry *, struct mono now, unsigned tries,
    struct mono expires);

#endif
