#include "trust/secret.h"

#include <openssl/crypto.h>

struct secret {
	void *p;
	size_t n;
};

static void
secret_wipe(void *arg)
{
	struct secret *s = arg;

	OPENSSL_cleanse(s->p, s->n);
}

void *
secret_new(struct arena *arena, size_t n)
{
	struct secret *s = arena_new(arena, struct secret);
	void *p = arena_alloc(arena, n);

	if (s == NULL || p == NULL || arena_defer(arena, secret_wipe, s) != 0)
		return NULL;
	*s = (struct secret){ p, n };
	return p;
}

bool
secret_is(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
