/*
 * backoff.h -- how long to leave alone what does not answer.
 *
 * The promise: first, twice that, four times that, ... up to a cap; give or
 * take a tenth that depends on who is left alone.  Never more than the cap and
 * a tenth.
 * Not for: one message's schedule (retry.h).
 * Waiting: none.
 * Memory: values.
 * Errors: none; the arithmetic saturates.
 * Source: RFC 5321 4.5.4.1 (hosts that are down are not tried each time).
 */
#ifndef NM_QUEUE_BACKOFF_H
#define NM_QUEUE_BACKOFF_H

#include <stdint.h>


struct backoff {
	int64_t first_ns, cap_ns;	/* 0 < first <= cap */
};

/* After the failures-th failure in a row (at least 1). */
int64_t backoff_wait(const struct backoff *, unsigned failures, uint64_t hash);

#endif
