#include "queue/backoff.h"

#include "base/must.h"
#include "base/num.h"

int64_t
backoff_wait(const struct backoff *b, unsigned failures, uint64_t hash)
{
	int64_t ns = b->first_ns;
	int64_t tenth;

	must(b->first_ns > 0 && b->first_ns <= b->cap_ns && failures > 0);
	while (--failures > 0 && ns < b->cap_ns)
		ns = ns > b->cap_ns / 2 ? b->cap_ns : 2 * ns;
	tenth = ns / 10;
	return add_sat_i64(ns - tenth,
	    (int64_t)(hash % (2 * (uint64_t)tenth + 1)));
}
