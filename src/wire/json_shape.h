/*
 * json_shape.h -- how deep and how large JSON is, before it is read.
 *
 * The promise: json_shape() counts, without reading values: brackets within
 * brackets, and everything that becomes a value.
 * Not for: reading (jansson), nor for whether it is JSON.
 * Waiting: none.
 * Memory: none.
 * Errors: none; of what is no JSON the numbers mean nothing, and are not less
 * than what a reader finds before it stops.
 * Source: RFC 8259 2, 7, 9 (limits of depth).
 */
#ifndef NM_WIRE_JSON_SHAPE_H
#define NM_WIRE_JSON_SHAPE_H

#include "base/str.h"

struct json_shape { size_t depth, values; };

struct json_shape json_shape(struct str text);

#endif
