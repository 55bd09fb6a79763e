/*
 * pace_file.h -- what sites were found to bear outlives a restart.
 *
 * The promise: each core keeps the paces of its sites in a file beside the
 * spools, pace.N: written aside, synced and renamed, so whole, old or new.  A
 * start reads all of them, whatever the number of cores was, and each core takes
 * those of sites that it owns.  A crash forgets what was learnt since the last
 * writing (a minute, as app/ calls it): it is learnt again by a few refusals,
 * which is why it is no record in the spool.
 * Not for: anything whose loss would harm.
 * Waiting: both yield (disk).
 * Memory: an arena of their own, at most PACE_FILE_MOST; sites beyond it are not
 * written.
 * Errors: -1 and the trail; files and lines that cannot be read count as empty.
 * Source: queue/pace.h.
 */
#ifndef NM_DELIVER_PACE_FILE_H
#define NM_DELIVER_PACE_FILE_H

#include "base/str.h"
#include "fiber/fiber.h"

enum { PACE_FILE_MOST = 16 * 1024 * 1024 };

struct ready;

/* is_there: a file tells of a site. */
yields int pace_file_read(struct ready *, struct str directory, bool *is_there);
/* Nothing is written while nothing was learnt and no file tells otherwise. */
yields int pace_file_write(const struct ready *, struct str directory,
    unsigned index, bool *is_there);

#endif
