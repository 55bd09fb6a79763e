/*
 * memory.h -- the server's allocations, counted, and refused when wanted.
 *
 * The promise: the program is linked so that what src/ asks of malloc comes by
 * here; libraries' own does not.  memory_live() is how many are not yet given
 * back, in this process.  After memory_spoil() what is new is not zeros, what is
 * given back is overwritten and lies for a while, a block that grows is always
 * another one; who writes to what he gave back fails a must().
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
void memory_spoil(void);
void memory_bury(void);			/* all that lies there, looked at */

#endif
