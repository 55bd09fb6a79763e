/*
 * look.h -- a spool opened for looking, with nothing that could change it.
 *
 * The promise: look_open() finds the superblock and the segments, says whether
 * another process holds the spool, and takes no lock for longer than that
 * question.  The struct spool has neither fibers nor recovered messages.
 * Not for: serving mail (spool_open()).
 * Waiting: look_open() yields.
 * Memory: a struct spool and its row of segments, until look_close().
 * Errors: as spool_open(), with a trail; nothing is left open then.
 * Source: SECURITY.md B5.
 */
#ifndef NM_SPOOL_LOOK_H
#define NM_SPOOL_LOOK_H

#include "fiber/fiber.h"
#include "spool/own.h"

struct look {
	struct spool *spool;
	bool was_clean;			/* stopped cleanly last time */
	bool is_in_use;			/* another process holds the lock */
	bool is_super_lost;		/* both superblocks are damaged */
};

yields enum spool_trouble look_open(struct look *, const char *path);
void look_close(struct look *);

#endif
