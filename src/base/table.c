#include "base/table.h"

#include "base/must.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 16 };

void
table_clear(struct table *t)
{
	free(t->buckets);
	*t = (struct table){ 0 };
}

static struct table_node **
bucket_of(const struct table *t, uint64_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

static int
table_grow(struct table *t)
{
	size_t n = t->n_buckets == 0 ? BUCKETS_FIRST : 2 * t->n_buckets;
	struct table old = *t;
	struct table_node *k;

	t->buckets = calloc(n, sizeof(struct table_node *));
	if (t->buckets == NULL) {
		*t = old;
		return -1;
	}
	t->n_buckets = n;
	for (size_t i = 0; i < old.n_buckets; i++)
		while ((k = old.buckets[i]) != NULL) {
			old.buckets[i] = k->next;
			k->next = *bucket_of(t, k->hash);
			*bucket_of(t, k->hash) = k;
		}
	free(old.buckets);
	return 0;
}

int
table_insert(struct table *t, struct table_node *k, uint64_t hash)
{
	if (t->n >= t->n_buckets && table_grow(t) != 0 && t->n_buckets == 0)
		return -1;
	k->hash = hash;
	k->next = *bucket_of(t, hash);
	*bucket_of(t, hash) = k;
	t->n++;
	return 0;
}

void
table_remove(struct table *t, struct table_node *k)
{
	struct table_node **at;

	must(t->n > 0);
	for (at = bucket_of(t, k->hash); *at != k; at = &(*at)->next)
		must(*at != NULL);
	*at = k->next;
	k->next = NULL;
	t->n--;
}

static struct table_node *
same_hash(struct table_node *k, uint64_t hash)
{
	while (k != NULL && k->hash != hash)
		k = k->next;
	return k;
}

struct table_node *
table_find(const struct table *t, uint64_t hash)
{
	return t->n == 0 ? NULL : same_hash(*bucket_of(t, hash), hash);
}

struct table_node *
table_again(const struct table_node *k)
{
	return same_hash(k->next, k->hash);
}

struct table_node *
table_walk(const struct table *t, struct table_walk *w)
{
	struct table_node *k;

	while (w->next == NULL && w->bucket < t->n_buckets)
		w->next = t->buckets[w->bucket++];
	k = w->next;
	if (k != NULL)
		w->next = k->next;
	return k;
}
