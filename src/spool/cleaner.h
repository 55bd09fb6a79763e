/*
 * cleaner.h -- sidecars for full segments, and compaction at the front.
 *
 * The promise: a sealed segment gets its sidecar; the front segment, when it is
 * mostly dead, suspect, or the log is much longer than what lives in it, is
 * emptied: what lives is written again at the end, and believed there only when
 * synced.  A pinned message stays where it is until the pin is back.
 * Not for: anyone outside spool/.
 * Waiting: cleaner_close() yields.
 * Memory: a window of 256 KiB while it works.
 * Errors: told to the sink; it tries again later.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_CLEANER_H
#define NM_SPOOL_CLEANER_H

#include "base/instant.h"
#include "fiber/fiber.h"

struct spool;

struct cleaner {
	struct fiber *fiber, *closer;
	bool is_running, is_stopping, is_called;
	struct mono retry_at;		/* after trouble, or a pin in the way */
};

int cleaner_open(struct spool *);
yields void cleaner_close(struct spool *);
void cleaner_wake(struct spool *);
/* Wake it if there is something to do. */
void cleaner_look(struct spool *);

#endif
