/*
 * memory.h -- the server's allocations, counted, and refused when wanted.
 *
 * The promise: the program is linked so that what src/ asks of malloc comes by
 * here; libraries' own does not.  memory_live() is how many are not yet given
 * back, in this process.
 * Not for: the server.
 * Waiting: none.
 * Memory: none.
 * Errors: memory_refuse(n, times): the n-th from now is refused, and so many
 * after it.
 * Source: SECURITY.md row 27 (T7).
 */
#ifndef NM_SIM_MEMORY_H
#define NM_SIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

size_t memory_live(void);
uint64_t memory_asked(void);		/* so many were wanted, ever */
uint64_t memory_refused(void);		/* and so many of them refused */
void memory_refuse(uint64_t nth, uint64_t times);	/* 0: none */

#endif
