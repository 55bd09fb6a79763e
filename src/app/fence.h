/*
 * fence.h -- which files and neighbours a process still reaches (Landlock).
 *
 * The promise: behind fence_worker() a process reads and writes below the given
 * directories, reads what it was given to read and the few places of
 * fence_place.def, and opens no other file; makes no node, device or symbolic
 * link, truncates nothing and starts nothing elsewhere.  Behind fence_keyring() it
 * reaches the files of the directories that it has open, and no other.  Both bind
 * no port of TCP but one that the kernel picks, connect to no abstract socket and
 * signal nobody outside, as far as the kernel knows these (levels 4 and 6).
 * Not for: which calls may be made at all (sandbox.h).
 * Waiting: none; call it before any thread is started.
 * Memory: none kept.
 * Errors: -1 and the trail; a kernel below level 2 lays nothing, and is no error.
 * Source: landlock(7); SECURITY.md C.
 */
#ifndef NM_APP_FENCE_H
#define NM_APP_FENCE_H

#include "app/sandbox.h"

/* *level: what the kernel gives; 0: nothing. */
int fence_worker(const struct sandbox_paths *, int *level);
int fence_keyring(const int *dirs, size_t n);

#endif
