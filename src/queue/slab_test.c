#include "queue/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct thing { uint64_t a, b, c; };

enum { MOST = 1000 };

static uint32_t slots[MOST];

static void
test_rooms_are_zeroed_aligned_and_stay(void **state)
{
	static struct thing *things[MOST];
	struct slab s;

	(void)state;
	slab_init(&s, sizeof(struct thing), 64);
	for (unsigned i = 0; i < MOST; i++) {
		things[i] = slab_take(&s, &slots[i]);
		assert_non_null(things[i]);
		assert_int_equal((uintptr_t)things[i] % 16, 0);
		assert_true(things[i]->a == 0 && things[i]->c == 0);
		*things[i] = (struct thing){ i, i, i };
	}
	assert_int_equal(s.n, MOST);
	for (unsigned i = 0; i < MOST; i++) {
		assert_ptr_equal(slab_at(&s, slots[i]), things[i]);
		assert_int_equal(things[i]->b, i);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(slots[i], slots[j]);
	}
	slab_clear(&s);
	assert_int_equal(s.memory, 0);
}

static void
test_slots_not_in_use_are_null(void **state)
{
	struct slab s;
	uint32_t slot;

	(void)state;
	slab_init(&s, 24, 64);
	assert_null(slab_at(&s, 0));
	assert_null(slab_at(&s, SLAB_NONE));
	assert_non_null(slab_take(&s, &slot));
	assert_non_null(slab_at(&s, slot));
	for (uint32_t i = 0; i < 1000; i++)
		if (i != slot)
			assert_null(slab_at(&s, i));
	slab_give(&s, slot);
	assert_null(slab_at(&s, slot));
	slab_clear(&s);
}

static void
test_memory_falls_with_the_load(void **state)
{
	uint32_t again;
	struct slab s;
	size_t peak, one;

	(void)state;
	slab_init(&s, 100, 64);
	assert_non_null(slab_take(&s, &slots[0]));
	one = s.memory;
	for (unsigned i = 1; i < MOST; i++)
		assert_non_null(slab_take(&s, &slots[i]));
	peak = s.memory;
	assert_true(peak > 10 * one);
	for (unsigned i = 0; i < MOST; i++)
		slab_give(&s, slots[i]);
	assert_int_equal(s.n, 0);
	assert_true(s.memory < 2 * one);
	assert_true(s.memory > 0);		/* the last one stays */
	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(slab_take(&s, &again));
		slab_give(&s, again);
	}
	assert_true(s.memory < 2 * one);
	slab_clear(&s);
}

static void
test_walk_sees_what_is_in_use(void **state)
{
	uint32_t steps, at, n = 0, calls = 0;
	struct slab s;

	(void)state;
	slab_init(&s, 8, 64);
	steps = 10;
	at = 0;
	assert_null(slab_walk(&s, &at, &steps));
	for (unsigned i = 0; i < MOST; i++)
		*(uint64_t *)slab_take(&s, &slots[i]) = i;
	/* Leave every 97th: whole chunks between are empty. */
	for (unsigned i = 0; i < MOST; i++)
		if (i % 97 != 0)
			slab_give(&s, slots[i]);
	for (at = 0;; calls++) {
		uint64_t *room;

		steps = 3;
		while ((room = slab_walk(&s, &at, &steps)) != NULL) {
			assert_int_equal(at, slots[*room]);
			assert_int_equal(*room % 97, 0);
			at++;
			n++;
		}
		if (steps > 0)
			break;
	}
	assert_int_equal(n, (MOST + 96) / 97);
	assert_true(calls >= 3);
	slab_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rooms_are_zeroed_aligned_and_stay),
		cmocka_unit_test(test_slots_not_in_use_are_null),
		cmocka_unit_test(test_memory_falls_with_the_load),
		cmocka_unit_test(test_walk_sees_what_is_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
