#include "queue/shard.h"

#include "base/hash.h"
#include "base/must.h"

/* Fixed: all nodes of a cluster must agree.  Whoever chooses site names to meet
 * in one shard gains a busy core, no more. */
static const struct hash_key shard_key = { 0x6e696768746d6169, 1024 };

void
shard_map_spread(struct shard_map *m, unsigned n_cores)
{
	must(n_cores > 0 && n_cores <= SHARDS);
	for (unsigned i = 0; i < SHARDS; i++)
		m->owner[i] = (uint16_t)(i % n_cores);
}

unsigned
shard_of(struct str source, struct str site)
{
	uint64_t h = hash_bytes(shard_key, source);

	h = hash_u64((struct hash_key){ shard_key.k0, h },
	    hash_bytes(shard_key, site));
	return (unsigned)(h % SHARDS);
}

unsigned
shard_owner(const struct shard_map *m, unsigned shard)
{
	must(shard < SHARDS);
	return m->owner[shard];
}
