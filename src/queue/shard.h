/*
 * shard.h -- which core owns a destination.
 *
 * The promise: (source, site) falls into one of SHARDS shards, the same on each
 * core, node and day; each shard has exactly one owner in a map, and a map
 * spread over n cores gives none more than one shard above another.
 * Not for: owning messages: a message stays with the core that accepted it.
 * Waiting: none.
 * Memory: a map is 2 KiB, read-only once cores see it.
 * Errors: none.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_QUEUE_SHARD_H
#define NM_QUEUE_SHARD_H

#include "base/str.h"

enum { SHARDS = 1024 };

struct shard_map {
	uint16_t owner[SHARDS];
};

void shard_map_spread(struct shard_map *, unsigned n_cores);
unsigned shard_of(struct str source, struct str site);
unsigned shard_owner(const struct shard_map *, unsigned shard);

#endif
