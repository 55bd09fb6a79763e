/*
 * timestamp.h -- instants as RFC 3339 writes them: "2026-01-02T04:00:00Z".
 *
 * The promise: timestamp_read() takes a date with a time and a zone, from 1970
 * on; fractions of a second are passed over.
 * Not for: dates of mail (date.h); writing (base/json.h).
 * Waiting: none.
 * Memory: values.
 * Errors: false.
 * Source: RFC 3339 5.6.
 */
#ifndef NM_WIRE_TIMESTAMP_H
#define NM_WIRE_TIMESTAMP_H

#include "base/instant.h"

bool timestamp_read(struct str, struct wall *out);

#endif
