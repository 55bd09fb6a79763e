#include "fiber/random.h"

#include "base/must.h"
#include "fiber/world.h"

void
random_bytes(void *to, size_t n)
{
	world_random(to, n);
}

uint64_t
random_u64(void)
{
	uint64_t v;

	world_random(&v, sizeof v);
	return v;
}

/* Numbers from the uneven rest at the top are thrown away. */
uint64_t
random_below(uint64_t n)
{
	uint64_t v, rest;

	must(n > 0);
	rest = (UINT64_MAX - n + 1) % n;
	do
		v = random_u64();
	while (v < rest);
	return v % n;
}

struct hash_key
random_hash_key(void)
{
	struct hash_key k;

	world_random(&k, sizeof k);
	return k;
}
