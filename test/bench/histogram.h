/*
 * histogram.h -- how long things took, to three per cent.
 *
 * The promise: every value is counted; a percentile is right to 1/32 of itself,
 * the greatest exactly.
 * Not for: negative numbers.
 * Waiting: none.
 * Memory: 15 KiB, embedded.
 * Errors: none.
 * Source: buckets of 2^k/32 as in HdrHistogram.
 */
#ifndef NM_BENCH_HISTOGRAM_H
#define NM_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BUCKETS = 60 * HISTOGRAM_STEPS };

struct histogram {
	uint64_t n, most;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *, uint64_t value);
/* The value that this share of all (0.5, 0.99) does not exceed. */
uint64_t histogram_at(const struct histogram *, double share);

#endif
