/*
 * slab.h -- many things of one size, by number.
 *
 * The promise: slab_take() gives zeroed room and a slot number that stays its
 * own until slab_give(); rooms never move.  Lower places of a chunk are filled
 * first and a chunk that is empty goes back, so memory falls with the load.
 * slab_at() of a slot that is not in use is NULL, for any number whatever.
 * Not for: things of various sizes (name.h for strings), or across cores.
 * Waiting: none.
 * Memory: chunks of per_chunk rooms from malloc, as the slab is an owner of
 * memory by HOUSE.md 7.7; one bit a room beside them.
 * Errors: slab_take() is NULL when memory is refused.
 * Source: HOUSE.md 7.7.
 */
#ifndef NM_QUEUE_SLAB_H
#define NM_QUEUE_SLAB_H

#include "base/list.h"

#include <stdint.h>

struct slab_chunk;

#define SLAB_NONE UINT32_MAX

struct slab {
	size_t size;			/* octets a room */
	uint32_t per_chunk;		/* power of two, at least 64 */
	struct slab_chunk **chunks;	/* NULL where one was given back */
	uint32_t n_chunks;		/* places in chunks[] */
	struct list with_room;
	size_t n;			/* rooms in use */
	size_t memory;			/* octets from malloc */
};

void slab_init(struct slab *, size_t size, uint32_t per_chunk);
void slab_clear(struct slab *);		/* all rooms end */
void *slab_take(struct slab *, uint32_t *slot);
void slab_give(struct slab *, uint32_t slot);
void *slab_at(const struct slab *, uint32_t slot);

/* The first room in use at *slot or after, and its number; NULL at the end.
 * Looks at no more than `steps' rooms: *slot is then where to go on and *steps
 * is 0. */
void *slab_walk(const struct slab *, uint32_t *slot, uint32_t *steps);

#endif
