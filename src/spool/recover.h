/*
 * recover.h -- reading the log after a start.
 *
 * The promise: after recover_read() the index is the log's picture, spares are
 * apart from the log, the end of the log is known and synced; recover_tell()
 * then gives each message that has not ended, in order of arrival.
 * Not for: anyone outside spool/ (spool_recover).
 * Waiting: both yield.
 * Memory: 24 bytes for each message met, until recover_end(); windows.
 * Errors: enum spool_trouble with a trail.
 * Source: SECURITY.md B5.
 */
#ifndef NM_SPOOL_RECOVER_H
#define NM_SPOOL_RECOVER_H

#include "spool/quarantine.h"
#include "spool/spool.h"

struct walk;

struct recover_found {
	uint64_t id;
	uint64_t source_at;		/* of its record, in what was read */
	uint32_t slot;			/* of the segment, in the log */
	bool is_sidecar;
};

struct recover {
	struct spool *spool;
	struct quarantine quarantine;
	struct recover_found *found;
	size_t n, cap;
	uint64_t sequence;		/* the highest seen */
};

yields enum spool_trouble recover_read(struct recover *, struct spool *);
yields enum spool_trouble recover_tell(struct recover *,
    yields void (*each)(void *arg, const struct kept *, const struct envelope *),
    void *arg);
yields void recover_end(struct recover *);

#endif
