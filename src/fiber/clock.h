/*
 * clock.h -- what time it is, and the only bridge between the two clocks.
 *
 * The promise: clock_mono() never goes back; both are read once per turn of the
 * core loop, so two reads between waits agree and cost nothing.
 * Not for: measuring short pieces of work (clock_mono_exact).
 * Waiting: none.
 * Memory: none.
 * Errors: conversions saturate; recovery clamps: an instant converted from disk
 * is never later than now + the given most.
 * Source: DESIGN.md section 3; SECURITY.md row 45.
 */
#ifndef NM_FIBER_CLOCK_H
#define NM_FIBER_CLOCK_H

#include "base/instant.h"

struct mono clock_mono(void);
struct wall clock_wall(void);
struct mono clock_mono_exact(void);		/* reads the clock now */

/* When the wall will show w, as far as is known now; at most most_ns away and
 * never in the past. */
struct mono clock_mono_at(struct wall w, int64_t most_ns);
struct wall clock_wall_at(struct mono);

#endif
