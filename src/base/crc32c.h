/*
 * crc32c.h -- CRC-32C (Castagnoli), as the spool's records carry it.
 *
 * The promise: the same bytes give the same sum on every machine; SSE 4.2 is
 * used where the processor has it (20 GB/s against 0.4).
 * Not for: anything an attacker may forge.
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: RFC 3720 appendix B.4 (test values).
 */
#ifndef NM_BASE_CRC32C_H
#define NM_BASE_CRC32C_H

#include "base/str.h"

/* Continue a sum; start with 0. */
uint32_t crc32c(uint32_t sum, struct str);

#endif
