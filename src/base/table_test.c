#include "base/table.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { NODES = 1000 };

struct entry {
	struct table_node node;
	uint64_t key;
	bool seen;
};

static struct entry entries[NODES];

/* Eight keys share each hash, so chains and table_again() are used. */
static uint64_t
hash_of(uint64_t key)
{
	return hash_u64((struct hash_key){ 1, 2 }, key / 8);
}

static struct entry *
find(const struct table *t, uint64_t key)
{
	struct table_node *k = table_find(t, hash_of(key));

	while (k != NULL && ((struct entry *)(void *)k)->key != key)
		k = table_again(k);
	return (struct entry *)(void *)k;
}

static void
test_finds_what_is_in(void **state)
{
	struct table t = { 0 };

	(void)state;
	assert_null(table_find(&t, 7));
	for (uint64_t i = 0; i < NODES; i++) {
		entries[i].key = i;
		assert_int_equal(table_insert(&t, &entries[i].node, hash_of(i)), 0);
	}
	assert_int_equal(t.n, NODES);
	assert_true(t.n_buckets >= NODES);
	for (uint64_t i = 0; i < NODES; i++)
		assert_ptr_equal(find(&t, i), &entries[i]);
	assert_null(find(&t, NODES + 8));
	for (uint64_t i = 0; i < NODES; i += 3)
		table_remove(&t, &entries[i].node);
	for (uint64_t i = 0; i < NODES; i++)
		assert_ptr_equal(find(&t, i), i % 3 == 0 ? NULL : &entries[i]);
	table_clear(&t);
	assert_null(table_find(&t, hash_of(1)));
}

static void
test_walks_each_once_and_may_remove(void **state)
{
	struct table t = { 0 };
	struct table_walk w = { 0 };
	struct table_node *k;
	size_t n = 0;

	(void)state;
	assert_null(table_walk(&t, &w));
	for (uint64_t i = 0; i < NODES; i++)
		assert_int_equal(table_insert(&t, &entries[i].node, hash_of(i)), 0);
	w = (struct table_walk){ 0 };
	while ((k = table_walk(&t, &w)) != NULL) {
		struct entry *e = (struct entry *)(void *)k;

		assert_false(e->seen);
		e->seen = true;
		n++;
		table_remove(&t, k);
	}
	assert_int_equal(n, NODES);
	assert_int_equal(t.n, 0);
	table_clear(&t);
}

/* At each size, each is found: growing moves some entries every time. */
static void
test_finds_all_at_each_size(void **state)
{
	struct table t = { 0 };

	(void)state;
	for (uint64_t n = 0; n < 300; n++) {
		entries[n].key = n;
		assert_int_equal(table_insert(&t, &entries[n].node,
		    hash_of(n)), 0);
		assert_int_equal(t.n_buckets, n + 1);
		for (uint64_t i = 0; i <= n; i++)
			assert_ptr_equal(find(&t, i), &entries[i]);
	}
	for (uint64_t n = 0; n < 300; n++) {
		table_remove(&t, &entries[n].node);
		for (uint64_t i = 0; i < 300; i++)
			assert_ptr_equal(find(&t, i),
			    i <= n ? NULL : &entries[i]);
	}
	table_clear(&t);
}

static void
test_gives_room_back(void **state)
{
	struct table t = { 0 };
	size_t room;

	(void)state;
	for (uint64_t i = 0; i < NODES; i++) {
		entries[i].key = i;
		assert_int_equal(table_insert(&t, &entries[i].node, hash_of(i)), 0);
	}
	room = t.room;
	for (uint64_t i = 10; i < NODES; i++)
		table_remove(&t, &entries[i].node);
	assert_true(t.n_buckets >= NODES);	/* a walk may be under way */
	for (uint64_t i = 10; i < 200; i++) {
		assert_int_equal(table_insert(&t, &entries[i].node, hash_of(i)), 0);
		for (uint64_t k = 0; k < NODES; k += 7)
			assert_ptr_equal(find(&t, k),
			    k < 10 || k == i ? &entries[k] : NULL);
		table_remove(&t, &entries[i].node);
	}
	assert_true(t.n_buckets < 64 && t.room <= room / 4);
	/* and grows again */
	for (uint64_t i = 10; i < NODES; i++)
		assert_int_equal(table_insert(&t, &entries[i].node, hash_of(i)), 0);
	for (uint64_t i = 0; i < NODES; i++)
		assert_ptr_equal(find(&t, i), &entries[i]);
	table_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_what_is_in),
		cmocka_unit_test(test_finds_all_at_each_size),
		cmocka_unit_test(test_walks_each_once_and_may_remove),
		cmocka_unit_test(test_gives_room_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
