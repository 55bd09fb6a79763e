/*
 * instant.h -- two clocks, two types.
 *
 * The promise: struct mono is an absolute instant of the monotonic clock and
 * serves deadlines; struct wall is UTC since 1970 and serves disks, headers and
 * APIs.  The compiler keeps them apart; only fiber/clock.h converts.
 * Not for: durations, which are plain int64_t with the unit in the name (_ns).
 * Waiting: none.
 * Memory: none, both are values.
 * Errors: additions saturate; MONO_NEVER stays never.
 * Source: DESIGN.md section 3, "two clocks, two types".
 */
#ifndef NM_BASE_INSTANT_H
#define NM_BASE_INSTANT_H

#include "base/num.h"

struct mono { int64_t ns; };
struct wall { int64_t us; };

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)
#define US_PER_SECOND INT64_C(1000000)
#define MONO_NEVER ((struct mono){ INT64_MAX })
#define WALL_NEVER ((struct wall){ INT64_MAX })

static inline struct mono
mono_add(struct mono t, int64_t ns)
{
	return t.ns == INT64_MAX ? t : (struct mono){ add_sat_i64(t.ns, ns) };
}

static inline bool
mono_is_before(struct mono a, struct mono b)
{
	return a.ns < b.ns;
}

static inline struct mono
mono_first(struct mono a, struct mono b)
{
	return a.ns < b.ns ? a : b;
}

static inline struct wall
wall_add(struct wall t, int64_t us)
{
	return t.us == INT64_MAX ? t : (struct wall){ add_sat_i64(t.us, us) };
}

static inline bool
wall_is_before(struct wall a, struct wall b)
{
	return a.us < b.us;
}

#endif
