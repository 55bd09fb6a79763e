#include "histogram.h"

/* Below 64 each value has its bucket; above, 32 of them share a power of two. */
static unsigned
bucket_of(uint64_t value)
{
	unsigned k;

	if (value < 2 * HISTOGRAM_STEPS)
		return (unsigned)value;
	k = 63 - (unsigned)__builtin_clzll(value) - 5;
	return k * HISTOGRAM_STEPS + (unsigned)(value >> k);
}

static uint64_t
bucket_end(unsigned bucket)
{
	unsigned k;

	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;
	k = bucket / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(bucket - k * HISTOGRAM_STEPS + 1) << k) - 1;
}

void
histogram_add(struct histogram *h, uint64_t value)
{
	h->n++;
	h->bucket[bucket_of(value)]++;
	if (value > h->most)
		h->most = value;
}

uint64_t
histogram_at(const struct histogram *h, double share)
{
	uint64_t before = 0, wanted = (uint64_t)((double)h->n * share);

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		before += h->bucket[i];
		if (before > wanted || (before == h->n && h->n > 0))
			return bucket_end(i) < h->most ? bucket_end(i) : h->most;
	}
	return 0;
}
