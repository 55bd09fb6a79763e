/*
 * json_in.h -- JSON of strangers, read on a fiber.
 *
 * The promise: json_read() gives jansson's value of an object that is not nested
 * deeper than JSON_IN_DEPTH (so that the stack is enough), has no name twice and
 * no NUL in its strings; or NULL.
 * Not for: JSON out (base/json.h).
 * Waiting: none.
 * Memory: jansson's; json_decref().  Its hashes are seeded from our own chance:
 * in the cage it finds none.
 * Errors: NULL and the trail.
 * Source: RFC 8259; RFC 8725 3.11; RFC 7515 4 (names once).
 */
#ifndef NM_TRUST_JSON_IN_H
#define NM_TRUST_JSON_IN_H

#include "base/str.h"

#include <jansson.h>

enum { JSON_IN_DEPTH = 16 };

json_t *json_read(struct str text);

/* The string of that name; absent when there is none.  A slice of the value. */
struct str json_word(const json_t *, const char *name);

#endif
