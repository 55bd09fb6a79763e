#include "base/table.h"

#include "base/must.h"

#include <stdlib.h>

/* So many buckets an insert gives back at most. */
enum { BUCKETS_FIRST = 16, MERGES = 8 };

void
table_clear(struct table *t)
{
	free(t->buckets);
	*t = (struct table){ 0 };
}

/* The largest power of two that is at most n. */
static size_t
power_within(size_t n)
{
	return (size_t)1 << (63 - __builtin_clzll(n));
}

/* Litwin's linear hashing: a bucket that was not split off yet is still part of
 * the one a power of two below. */
static struct table_node **
bucket_of(const struct table *t, uint64_t hash)
{
	size_t level = power_within(t->n_buckets);
	size_t i = hash & (2 * level - 1);

	return &t->buckets[i < t->n_buckets ? i : i - level];
}

static int
table_room(struct table *t, size_t room)
{
	struct table_node **buckets;

	if (room <= t->room)
		return 0;
	room = room < BUCKETS_FIRST ? BUCKETS_FIRST : 2 * room;
	buckets = realloc(t->buckets, room * sizeof(struct table_node *));
	if (buckets == NULL)
		return -1;
	t->buckets = buckets;
	t->room = room;
	return 0;
}

/* One more bucket takes its entries out of the one that held them. */
static int
table_split(struct table *t)
{
	size_t i = t->n_buckets;
	struct table_node *k, **rest;

	if (table_room(t, i + 1) != 0)
		return -1;
	t->buckets[i] = NULL;
	if (t->n_buckets++ == 0)
		return 0;
	rest = &t->buckets[i - power_within(i)];
	while ((k = *rest) != NULL) {
		if (bucket_of(t, k->hash) != &t->buckets[i]) {
			rest = &k->next;
			continue;
		}
		*rest = k->next;
		k->next = t->buckets[i];
		t->buckets[i] = k;
	}
	return 0;
}

/* The last bucket goes back into the one that it was split off. */
static void
table_merge(struct table *t)
{
	size_t i = t->n_buckets - 1;
	struct table_node **end;

	must(t->n_buckets > BUCKETS_FIRST);
	end = &t->buckets[i - power_within(i)];
	while (*end != NULL)
		end = &(*end)->next;
	*end = t->buckets[i];
	t->n_buckets--;
}

static void
table_shrink(struct table *t)
{
	struct table_node **buckets;

	for (unsigned m = 0; m < MERGES && t->n_buckets > BUCKETS_FIRST &&
	    t->n < t->n_buckets / 4; m++)
		table_merge(t);
	if (t->n_buckets > t->room / 8 || t->room <= BUCKETS_FIRST)
		return;
	buckets = realloc(t->buckets, t->room / 4 * sizeof(struct table_node *));
	if (buckets == NULL)
		return;			/* it stays as large as it is */
	t->buckets = buckets;
	t->room /= 4;
}

int
table_insert(struct table *t, struct table_node *k, uint64_t hash)
{
	if (t->n < t->n_buckets / 4)
		table_shrink(t);
	if (t->n >= t->n_buckets && table_split(t) != 0 && t->n_buckets == 0)
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
