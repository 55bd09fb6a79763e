#include "base/heap.h"

#include "base/must.h"

#include <stdlib.h>

void
heap_clear(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){ 0 };
}

static int
heap_resize(struct heap *h, size_t cap)
{
	struct heap_node **nodes = realloc(h->nodes, cap * sizeof *nodes);

	if (nodes == NULL)
		return -1;
	h->nodes = nodes;
	h->cap = cap;
	return 0;
}

static void
node_place(struct heap *h, struct heap_node *k, size_t i)
{
	h->nodes[i] = k;
	k->at = i;
}

static void
node_sift(struct heap *h, struct heap_node *k, size_t i)
{
	for (; i > 1 && h->nodes[i / 2]->key > k->key; i /= 2)
		node_place(h, h->nodes[i / 2], i);
	for (size_t c; (c = 2 * i) <= h->n; i = c) {
		if (c < h->n && h->nodes[c + 1]->key < h->nodes[c]->key)
			c++;
		if (h->nodes[c]->key >= k->key)
			break;
		node_place(h, h->nodes[c], i);
	}
	node_place(h, k, i);
}

int
heap_insert(struct heap *h, struct heap_node *k, int64_t key)
{
	must(k->at == 0);
	if (h->n + 2 > h->cap && heap_resize(h, h->cap + h->cap / 2 + 16) != 0)
		return -1;
	k->key = key;
	node_sift(h, k, ++h->n);
	return 0;
}

void
heap_remove(struct heap *h, struct heap_node *k)
{
	size_t i = k->at;
	struct heap_node *last;

	if (i == 0)
		return;
	must(i <= h->n && h->nodes[i] == k);
	k->at = 0;
	last = h->nodes[h->n--];
	if (last != k)
		node_sift(h, last, i);
	if (h->cap > 256 && h->n < h->cap / 4)
		(void)heap_resize(h, h->cap / 2);
}

struct heap_node *
heap_top(const struct heap *h)
{
	return h->n == 0 ? NULL : h->nodes[1];
}
