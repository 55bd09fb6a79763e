/*
 * date.h -- dates in header fields.
 *
 * The promise: what we write is RFC 5322's date-time with day of week, two
 * digits of day and a numeric zone.  What we read includes the obsolete forms:
 * two-digit years, zone names, comments and folds anywhere, no seconds, no day
 * of week (a wrong one is ignored).
 * Not for: RFC 3339 (base/json.h).
 * Waiting: none; the clock and the zone are the caller's.
 * Memory: values.
 * Errors: date_parse() is false; *out is untouched.
 * Source: RFC 5322 3.3, 4.3.
 */
#ifndef NM_WIRE_DATE_H
#define NM_WIRE_DATE_H

#include "base/instant.h"

struct date {
	struct wall at;
	int zone;			/* minutes east of UTC */
	bool zone_is_known;		/* not -0000 nor a strange name */
};

struct date_text { char text[40]; };

/* "Fri, 20 Nov 2026 13:40:01 +0000".  Years 1 to 9999; beyond, clamped. */
struct date_text date_print(struct wall, int zone);
bool date_parse(struct str, struct date *out);

#endif
