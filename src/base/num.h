/*
 * num.h -- numbers from text and from bytes, with their limits.
 *
 * The promise: a number is either exactly what the text says or refused; no
 * wrap, no sign, no spaces, no locale.
 * Not for: durations, sizes and rates in configuration (policy/unit.h).
 * Waiting: none.
 * Memory: none.
 * Errors: false when the text is not a number or above max.
 * Source: SECURITY.md D1.3.
 */
#ifndef NM_BASE_NUM_H
#define NM_BASE_NUM_H

#include "base/str.h"

/* 1*DIGIT, at most max. */
bool parse_u64(struct str, uint64_t max, uint64_t *out);

/* Take little-endian integers off the front of s.  False when too short. */
bool take_le16(struct str *s, uint16_t *out);
bool take_le32(struct str *s, uint32_t *out);
bool take_le64(struct str *s, uint64_t *out);
bool take_bytes(struct str *s, size_t n, struct str *out);

/* Saturating: never wraps. */
uint64_t add_sat(uint64_t a, uint64_t b);
int64_t add_sat_i64(int64_t a, int64_t b);

#endif
