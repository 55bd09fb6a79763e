/*
 * unit.h -- durations, sizes and rates, as people write them.
 *
 * The promise: one form of each in the whole product (configuration, command
 * line, API): a number and a unit, no sign, no fraction, no space.  Printing
 * uses the largest unit that is exact, so what is printed reads back the same.
 *	duration  30s 15m 4h 5d 2w; also 500ms; 0 is 0s
 *	size      512 64K 50M 2G 1T, powers of 1024
 *	rate      100/s 60/min 10000/h 1/d; "none" is no limit
 *	date      2026-12-31 2026-12-31T18:00Z; UTC, a day from its beginning
 * Not for: numbers on the wire (base/num.h).
 * Waiting: none.
 * Memory: none, all are values.
 * Errors: false when the text is no such thing or does not fit.
 * Source: PRODUCT.md B.2, "units everywhere".
 */
#ifndef NM_POLICY_UNIT_H
#define NM_POLICY_UNIT_H

#include "base/instant.h"

/* n things in each per_ns; n == 0: no limit. */
struct rate {
	uint64_t n;
	int64_t per_ns;
};

struct unit_text { char text[32]; };

bool unit_duration(struct str, int64_t *ns);
bool unit_size(struct str, uint64_t *bytes);
bool unit_rate(struct str, struct rate *);
bool unit_date(struct str, struct wall *);

struct unit_text unit_print_duration(int64_t ns);
struct unit_text unit_print_size(uint64_t bytes);
struct unit_text unit_print_rate(struct rate);
struct unit_text unit_print_date(struct wall);

#endif
