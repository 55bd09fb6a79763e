/*
 * spools.h -- the spools of a core: found, read into its queue, closed.
 *
 * The promise: spools_adopt() opens those of spool.path that are this core's,
 * whatever the number of cores was when they were made, and its own if there is
 * none yet; each message that has not ended is in the queue then, and what killed
 * workers is held.  spools_close() leaves them marked clean.
 * Not for: what a spool is (spool/spool.h), or its events as files (project.h).
 * Waiting: both yield.
 * Memory: up to 32 MiB for a message while it is read, given back.
 * Errors: an exit status of sysexits(3) and the trail; 0 is none.
 * Source: DESIGN.md sections 4 and 5; SECURITY.md B5.
 */
#ifndef NM_APP_SPOOLS_H
#define NM_APP_SPOOLS_H

#include "fiber/fiber.h"

struct node_core;

yields int spools_adopt(struct node_core *);
yields int spools_close(struct node_core *);

#endif
