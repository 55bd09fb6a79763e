/*
 * near.h -- how far apart two names are, to ask "did you mean".
 *
 * The promise: near_distance() is the number of edits (insert, delete, replace,
 * swap of neighbours; ASCII case is none) between two names; near_least() how
 * many may lie between a name and what was meant.
 * Not for: searching; names of more than NEAR_MOST octets are near nothing.
 * Waiting: none.
 * Memory: a table of 1 KiB on the stack.
 * Errors: SIZE_MAX: too long to compare.
 * Source: PRODUCT.md B.2.
 */
#ifndef NM_BASE_NEAR_H
#define NM_BASE_NEAR_H

#include "base/str.h"

enum { NEAR_MOST = 32 };

size_t near_distance(struct str, struct str);
size_t near_least(struct str name);

#endif
