/*
 * quota_file.h -- what was sent lately outlives a restart.
 *
 * The promise: each core keeps the names it counts in a file of its own beside
 * the spools, quota.N, written aside, synced and renamed: whole, old or new.  A
 * start reads all of them, whatever the number of cores was when they were
 * written, and each core takes what is its own.  What was sent since the last
 * writing is forgotten by a crash (a minute, as app/ calls it), and by nothing
 * else.
 * Not for: anything whose loss would harm: a limit may be passed by what a
 * minute lets through.
 * Waiting: both yield (disk).
 * Memory: an arena of their own, at most QUOTA_FILE_MOST.
 * Errors: -1 and the trail; files that cannot be read count as empty.
 * Source: policy/quota.h.
 */
#ifndef NM_POLICY_QUOTA_FILE_H
#define NM_POLICY_QUOTA_FILE_H

#include "fiber/fiber.h"
#include "policy/quota.h"

enum { QUOTA_FILE_MOST = 256 * 1024 * 1024 };

/* Into the table of core `index' of n. */
yields int quota_file_read(struct quota_table *, struct str directory,
    struct hash_key, unsigned index, unsigned n);
yields int quota_file_write(const struct quota_table *, struct str directory,
    unsigned index);

#endif
