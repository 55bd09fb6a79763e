/*
 * keeper.h -- who keeps the log's house while nobody looks.
 *
 * The promise: the next segment is ready before it is needed, ids are reserved
 * before they are given, and what is dead at the front of the log goes, its file
 * recycled under a new number; the free space is known to a second.
 * Not for: anyone outside spool/; compaction is cleaner.h.
 * Waiting: keeper_first_spare(), keeper_save() and keeper_close() yield.
 * Memory: none.
 * Errors: told to the sink; the log goes on as long as there is room.
 * Source: DESIGN.md section 5; SECURITY.md B5, row 22.
 */
#ifndef NM_SPOOL_KEEPER_H
#define NM_SPOOL_KEEPER_H

#include "base/instant.h"
#include "fiber/fiber.h"

struct segment;
struct spool;

struct keeper {
	struct fiber *fiber;		/* NULL: not yet */
	struct fiber *closer;		/* waits for its end */
	bool is_running, is_stopping, is_called;
	bool is_short;			/* the last try to get room failed */
	struct mono looked_at;		/* at the free space */
	struct mono retry_at;		/* after trouble with the disk */
	uint64_t next_number;		/* of the next segment */
};

int keeper_open(struct spool *);		/* starts its fiber */
yields void keeper_close(struct spool *);
void keeper_wake(struct spool *);
/* The free space is worth a look, if the last one is a second old. */
void keeper_look(struct spool *);

/* Before the fiber runs: a spare, or a negative errno. */
yields int keeper_first_spare(struct spool *);
/* Write the superblock. */
yields int keeper_save(struct spool *);
yields int keeper_reserve_ids(struct spool *);
/* A fresh message id; 0: the disk is late with the reservation. */
uint64_t keeper_take_id(struct spool *);

/* The disk has just refused it something; it will try again in a second. */
bool keeper_is_waiting(const struct spool *);
/* The front of the log matters no longer. */
bool keeper_front_is_dead(const struct spool *);

#endif
