#include "queue/retry.h"

#include "base/must.h"

#define MINUTE (60 * NS_PER_SECOND)

struct retry
retry_default(void)
{
	return (struct retry){
		.interval_ns = { 5 * MINUTE, 15 * MINUTE, 60 * MINUTE,
		    180 * MINUTE, 360 * MINUTE },
		.n = 5, .jitter_percent = 10, .min_tries = 2 };
}

bool
retry_is_sane(const struct retry *r)
{
	if (r->n < 1 || r->n > RETRY_INTERVALS || r->jitter_percent > 50 ||
	    r->min_tries < 1)
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (r->interval_ns[i] <= 0)
			return false;
	return true;
}

/* How far the jitter goes each way. */
static int64_t
retry_swing(const struct retry *r, int64_t ns)
{
	return ns / 100 * (int64_t)r->jitter_percent;
}

/* The finisher of splitmix64: each try of a message draws anew. */
static uint64_t
retry_draw(uint64_t hash, unsigned tries)
{
	uint64_t z = hash + tries * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int64_t
retry_wait(const struct retry *r, unsigned tries, uint64_t hash)
{
	int64_t ns, swing;

	must(retry_is_sane(r) && tries > 0);
	ns = r->interval_ns[tries > r->n ? r->n - 1 : tries - 1];
	swing = retry_swing(r, ns);
	return add_sat_i64(ns - swing, (int64_t)(retry_draw(hash, tries) %
	    (2 * (uint64_t)swing + 1)));
}

int64_t
retry_longest(const struct retry *r)
{
	int64_t most = 0;

	must(retry_is_sane(r));
	for (size_t i = 0; i < r->n; i++)
		if (r->interval_ns[i] > most)
			most = r->interval_ns[i];
	return add_sat_i64(most, retry_swing(r, most));
}

int64_t
retry_lived(const struct retry *r, unsigned tries)
{
	int64_t ns = 0, last;

	must(retry_is_sane(r));
	for (size_t i = 0; i < r->n && i + 1 < tries; i++)
		ns = add_sat_i64(ns, r->interval_ns[i]);
	last = r->interval_ns[r->n - 1];
	if (tries <= r->n + 1)
		return ns;
	tries -= (unsigned)r->n + 1;
	return last > (INT64_MAX - ns) / tries ? INT64_MAX :
	    ns + last * tries;
}

struct mono
retry_due(const struct retry *r, struct mono now, unsigned tries,
    struct mono expires, uint64_t hash)
{
	struct mono due = mono_add(now, retry_wait(r, tries, hash));

	if (mono_is_before(now, expires))
		return mono_first(due, expires);
	return due;
}

bool
retry_is_over(const struct retry *r, struct mono now, unsigned tries,
    struct mono expires)
{
	return !mono_is_before(now, expires) && tries >= r->min_tries;
}
