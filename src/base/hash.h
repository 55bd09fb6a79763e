/*
 * hash.h -- SipHash-1-3, keyed, so that strangers cannot choose collisions.
 *
 * The promise: the same bytes and key give the same number on every machine.
 * Not for: integrity of what is on disk (crc32c.h) or secrets.
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef NM_BASE_HASH_H
#define NM_BASE_HASH_H

#include "base/str.h"

struct hash_key { uint64_t k0, k1; };

uint64_t hash_bytes(struct hash_key, struct str);
uint64_t hash_u64(struct hash_key, uint64_t);

#endif
