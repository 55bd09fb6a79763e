/*
 * memory.h -- memory that nobody else comes to see.
 *
 * The promise: after memory_lock() what the process has, and what it allocates
 * later, does not come into swap; after memory_hide() it is in no core dump, and
 * others of its user can neither read nor trace it.
 * Not for: wiping what is freed (arena_init_wiped(), OPENSSL_cleanse()).
 * Waiting: none.
 * Memory: memory_lock() keeps 8 MiB of addresses for later, which cost nothing
 * until they are used.
 * Errors: a limit that is too small (RLIMIT_MEMLOCK) is told at standard error,
 * and nothing is locked.  A change of identity makes a process visible again: hide
 * it behind that.
 * Source: mlockall(2); prctl(2) PR_SET_DUMPABLE; SECURITY.md C.
 */
#ifndef NM_APP_MEMORY_H
#define NM_APP_MEMORY_H

/* With as many rights as there are. */
void memory_lock(void);
void memory_hide(void);

#endif
