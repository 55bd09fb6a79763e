/*
 * sandbox_mask.h -- what a test takes out of a cage.
 *
 * The promise: in the server that is installed nothing is masked.  In the one
 * that test/system links for itself (NM_SANDBOX_MASK), NIGHTMAIL_MASK names one
 * entry of a list, as "WORKER.accept4": a call of that name ends its process, a
 * place of that name is not let in.
 * Not for: anything but the tables of the sandbox.
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: doc/proof.md, "Processes".
 */
#ifndef NM_APP_SANDBOX_MASK_H
#define NM_APP_SANDBOX_MASK_H

#include <stdbool.h>

#ifdef NM_SANDBOX_MASK
bool sandbox_is_masked(const char *who, const char *name);
#else
static inline bool
sandbox_is_masked(const char *who, const char *name)
{
	(void)who;
	(void)name;
	return false;
}
#endif

#endif
