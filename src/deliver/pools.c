#include "deliver/pools.h"

#include "base/must.h"
#include "policy/pool.h"
#include "queue/key.h"

#include <stdlib.h>

/* The first is of mail that no pool is for; the others as in the file. */
enum { POOL_NONE, POOLS_OF_FILE };

static size_t
pool_of(const void *about, struct str key, struct str tenant,
    struct str stream)
{
	const struct config *c = about;
	size_t mark = str_find(key, '!');
	struct pool_about m = { .rcpt_domain = key_domain(key),
		.knows_sender = mark < key.n,
		.sender_domain = str_sub(key, mark + 1, key.n),
		.tenant = tenant };
	const struct pool_rule *p = pool_find(c, &m);

	(void)stream;
	return p == NULL ? POOL_NONE :
	    (size_t)(p - c->pools) + POOLS_OF_FILE;
}

static int
pool_make(struct source_pool *to, const struct pool_rule *p)
{
	struct pool_share *shares = calloc(p->shares.n, sizeof *shares);

	must(p->shares.n > 0);
	if (shares == NULL)
		return -1;
	for (size_t i = 0; i < p->shares.n; i++)
		shares[i] = (struct pool_share){ p->shares.v[i].source,
			(unsigned)p->shares.v[i].weight };
	*to = (struct source_pool){ p->name, shares, p->shares.n };
	return 0;
}

int
pools_make(struct queue_config *q, const struct config *c)
{
	struct source_pool *pools;

	if (c->n_pools == 0)
		return 0;
	pools = calloc(c->n_pools + POOLS_OF_FILE, sizeof *pools);
	if (pools == NULL)
		return -1;
	q->pools = pools;
	q->n_pools = c->n_pools + POOLS_OF_FILE;
	q->pool_of = pool_of;
	q->about = c;
	pools[POOL_NONE] = *queue_config_no_pool();
	for (size_t i = 0; i < c->n_pools; i++)
		if (pool_make(&pools[i + POOLS_OF_FILE], &c->pools[i]) != 0)
			return -1;
	return 0;
}

void
pools_free(struct queue_config *q)
{
	for (size_t i = POOLS_OF_FILE; i < q->n_pools; i++)
		free((void *)(uintptr_t)q->pools[i].shares);
	free((void *)(uintptr_t)q->pools);
}
