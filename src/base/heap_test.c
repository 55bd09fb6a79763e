#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <cmocka.h>

enum { NODES = 400, STEPS = 20000, KEYS = 97 };

static uint64_t seed = 1;

static size_t
below(size_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(seed >> 33) % n;
}

static int64_t
least_key(const struct heap_node *nodes, size_t n)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < n; i++)
		if (nodes[i].at != 0 && nodes[i].key < least)
			least = nodes[i].key;
	return least;
}

static void
test_agrees_with_a_plain_search(void **state)
{
	static struct heap_node nodes[NODES];
	struct heap h = { 0 };
	size_t in = 0;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		struct heap_node *k = &nodes[below(NODES)];

		if (k->at == 0) {
			assert_int_equal(heap_insert(&h, k,
			    (int64_t)below(KEYS) - KEYS / 2), 0);
			in++;
		} else if (below(3) > 0) {
			heap_remove(&h, k);
			in--;
		}
		assert_int_equal(h.n, in);
		if (in == 0)
			assert_null(heap_top(&h));
		else
			assert_true(heap_top(&h)->key == least_key(nodes, NODES));
	}
	heap_clear(&h);
}

static void
test_sorts(void **state)
{
	static struct heap_node nodes[NODES];
	struct heap h = { 0 };
	int64_t last = INT64_MIN;

	(void)state;
	assert_null(heap_top(&h));
	for (size_t i = 0; i < NODES; i++)
		assert_int_equal(heap_insert(&h, &nodes[i], (int64_t)below(KEYS)), 0);
	for (struct heap_node *k; (k = heap_top(&h)) != NULL;) {
		assert_true(k->key >= last);
		last = k->key;
		heap_remove(&h, k);
		assert_int_equal(k->at, 0);
		heap_remove(&h, k);		/* absent: no harm */
	}
	assert_int_equal(h.n, 0);
	assert_true(h.cap <= 256);		/* and the memory went back */
	heap_clear(&h);
	assert_null(h.nodes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_a_plain_search),
		cmocka_unit_test(test_sorts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
