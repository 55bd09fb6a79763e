/*
 * random.h -- bytes nobody can guess, the same ones again in the simulator.
 *
 * The promise: random_bytes() is getrandom() in the world and the seed's stream
 * in the simulator; it never fails and never blocks after boot.
 * Not for: message ids (they count).
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: DESIGN.md law 4.
 */
#ifndef NM_FIBER_RANDOM_H
#define NM_FIBER_RANDOM_H

#include "base/hash.h"

void random_bytes(void *to, size_t n);
uint64_t random_u64(void);
uint64_t random_below(uint64_t n);		/* 0 .. n-1, n > 0 */
struct hash_key random_hash_key(void);

#endif
