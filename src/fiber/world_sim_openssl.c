/*
 * OpenSSL's chance in the simulated world: the seed's, so that a run with TLS is
 * the same again.  RAND_METHOD is what OpenSSL 3 calls deprecated, and asks
 * before any provider.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "fiber/world_sim_state.h"

#include "base/must.h"
#include "fiber/world.h"

#include <openssl/rand.h>

static int
chance_bytes(unsigned char *to, int n)
{
	must(n >= 0);
	world_random(to, (size_t)n);
	return 1;
}

static int
chance_seed(const void *from, int n)
{
	(void)from, (void)n;
	return 1;
}

static int
chance_add(const void *from, int n, double entropy)
{
	(void)entropy;
	return chance_seed(from, n);
}

static int
chance_status(void)
{
	return 1;
}

void
sim_openssl_begin(void)
{
	static const RAND_METHOD method = { .seed = chance_seed,
		.bytes = chance_bytes, .add = chance_add,
		.pseudorand = chance_bytes, .status = chance_status };

	must(RAND_set_rand_method(&method) == 1);
}
