/*
 * draft_own.h -- what compaction may see of a draft.
 *
 * The promise: unless it is committing, its extents may be moved: they are the
 * only word on where its chunks stand.
 * Not for: anyone outside spool/.
 * Waiting: none.
 * Memory: the first member of struct draft, in the mail's arena.
 * Errors: none.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_DRAFT_OWN_H
#define NM_SPOOL_DRAFT_OWN_H

#include "base/list.h"
#include "spool/segment.h"

struct spool;

struct draft_own {
	struct link link;		/* in spool.drafts */
	struct spool *spool;
	uint64_t id;
	struct extent *extents;
	size_t n_extents;
	bool is_committing;
};

#endif
