/*
 * draft.h -- a message on its way into the log.
 *
 * The promise: draft_commit() returns 0 only when the whole message and its
 * envelope are on disk under a successful fdatasync; whatever else happens the
 * message is not in the log.  It dies with its arena when it was not committed.
 * Not for: keeping a message in memory: beyond 64 KiB the body streams out while
 * it arrives.
 * Waiting: append, prepend, rest and commit yield; open does not.
 * Memory: the handle is in the arena; a block of 8 to 64 KiB comes from the
 * spool's pool and goes back at the end, or when draft_rest() is called: then at
 * most 2 KiB are held.  While many drafts are open all have small blocks.
 * Errors: enum draft_trouble, with a trail; it sticks: a draft in trouble takes
 * no more, and commit says it again.
 * Source: DESIGN.md section 5, laws of 250; SECURITY.md B1, B4, B5.
 */
#ifndef NM_SPOOL_DRAFT_H
#define NM_SPOOL_DRAFT_H

#include "spool/spool.h"

enum draft_trouble {
	DRAFT_FINE = 0,
	DRAFT_NO_ROOM,			/* 452 4.3.1 */
	DRAFT_DISK_FAILED,		/* 451 4.3.0 */
	DRAFT_BROKEN			/* 421 4.3.2: the spool takes no more */
};

struct draft;

/* NULL: *why says what to answer. */
struct draft *draft_open(struct spool *, struct arena *,
    enum draft_trouble *why);

/* The message's id, from the first moment (the Received field names it). */
uint64_t draft_id(const struct draft *);

yields enum draft_trouble draft_append(struct draft *, struct str bytes);
/* Nothing more is to be had for a while. */
yields enum draft_trouble draft_rest(struct draft *);
/* It will not be committed: no more of it is kept.  Append and prepend may not
 * follow. */
void draft_give_up(struct draft *);
/* Before all that is there already: what is known only behind the last octet
 * stands on top.  Octets of a later call stand before those of an earlier one.
 * Until the commit, as often as one likes; append may follow. */
yields enum draft_trouble draft_prepend(struct draft *, struct str octets);

/* Sets id and size in the envelope.  At least one recipient. */
yields enum draft_trouble draft_commit(struct draft *, struct envelope *);

/* Of a committed draft: it in the log until the next wait (NULL when all of its
 * recipients were over from the start), and how long the disk took to sync. */
const struct kept *draft_kept(const struct draft *);
int64_t draft_sync_ns(const struct draft *);

#endif
