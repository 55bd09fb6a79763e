#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { CEILING = 64 * 1024 };

static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, CEILING);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static void
test_gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	assert_int_equal(arena.used, 0);	/* an idle arena costs nothing */
	for (size_t size = 0; size < 300; size++) {
		char *p = arena_alloc(&arena, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xa5, size);
	}
	assert_in_range(arena.used, 300 * 299 / 2, CEILING);
}

/* n - 1 and n octets fit under a ceiling of n, one more does not. */
static void
test_ceiling(void **state)
{
	(void)state;
	assert_non_null(arena_alloc(&arena, CEILING - 1));
	arena_clear(&arena);
	assert_non_null(arena_alloc(&arena, CEILING));
	assert_int_equal(arena.used, CEILING);
	assert_null(arena_alloc(&arena, 1));
	arena_clear(&arena);
	assert_null(arena_alloc(&arena, CEILING + 1));
	assert_int_equal(arena.used, 0);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_non_null(arena_alloc(&arena, 1));	/* it lives on */
}

static void
note_nothing(void *arg)
{
	(void)arg;
	fail_msg("a refused defer ran");
}

/* It says what arena_alloc() would, and takes nothing. */
static void
test_has_room(void **state)
{
	const size_t had = 4096;

	(void)state;
	assert_true(arena_has(&arena, CEILING));
	assert_false(arena_has(&arena, CEILING + 1));
	assert_false(arena_has(&arena, SIZE_MAX));
	assert_int_equal(arena.used, 0);
	assert_non_null(arena_alloc(&arena, CEILING - had));
	for (size_t n = had - 1; n <= had + 1; n++) {
		struct arena_mark mark = arena_mark(&arena);
		bool has = arena_has(&arena, n);

		assert_int_equal(has, n <= had);
		assert_int_equal(arena_alloc(&arena, n) != NULL, has);
		arena_back(&arena, mark);
	}
}

/* What is expected is one block; nothing more is spare than half of it all. */
static void
test_expect(void **state)
{
	(void)state;
	arena_expect(&arena, 3000);
	assert_non_null(arena_alloc(&arena, 16));
	assert_int_equal(arena.used, 3000);
	assert_non_null(arena_alloc(&arena, 2900));
	assert_int_equal(arena.used, 3000);
	assert_non_null(arena_alloc(&arena, 100));
	assert_int_equal(arena.used, 4500);
	arena_clear(&arena);
	assert_non_null(arena_alloc(&arena, 1));	/* and the next time */
	assert_int_equal(arena.used, 3000);
	arena_clear(&arena);
	arena_expect(&arena, 0);
	assert_non_null(arena_alloc(&arena, 1));
	assert_int_equal(arena.used, 224);
}

/* Small pieces reach the ceiling too, and never pass it. */
static void
test_ceiling_in_small_pieces(void **state)
{
	size_t n = 0;

	(void)state;
	while (arena_alloc(&arena, 16) != NULL)
		n += 16;
	assert_in_range(n, CEILING / 2, CEILING);
	assert_int_equal(arena.used, CEILING);
	assert_null(arena_copy(&arena, STR("x")).p);
	assert_null(arena_lower(&arena, STR("x")).p);
	assert_null(arena_join(&arena, STR("x"), STR("y")).p);
	assert_null(arena_printf(&arena, "%d", 7).p);
	assert_null(arena_cstr(&arena, STR("x")));
	assert_int_equal(arena_defer(&arena, note_nothing, NULL), -1);
}

static void
test_back_ends_what_came_after(void **state)
{
	struct arena_mark empty = arena_mark(&arena), m;
	struct str kept = arena_copy(&arena, STR("kept"));
	size_t used;
	char *p;

	(void)state;
	m = arena_mark(&arena);
	used = arena.used;
	p = arena_alloc(&arena, 8);
	*p = 'x';
	arena_back(&arena, m);
	assert_ptr_equal(arena_alloc(&arena, 8), p);
	assert_int_equal(*p, 0);
	for (int i = 0; i < 1000; i++) {
		assert_non_null(arena_alloc(&arena, 5000));
		arena_back(&arena, m);
	}
	assert_int_equal(arena.used, used);
	assert_true(str_eq(kept, STR("kept")));
	arena_back(&arena, empty);
	assert_int_equal(arena.used, 0);
}

static char order[8];

static void
note(void *arg)
{
	char *word = arg;

	assert_int_equal(order[strlen(order)], '\0');
	order[strlen(order)] = *word;
}

static void
test_defers_run_newest_first(void **state)
{
	struct arena_mark m;
	char letters[] = "abcd";

	(void)state;
	memset(order, 0, sizeof order);
	assert_int_equal(arena_defer(&arena, note, &letters[0]), 0);
	m = arena_mark(&arena);
	assert_int_equal(arena_defer(&arena, note, &letters[1]), 0);
	assert_int_equal(arena_defer(&arena, note, &letters[2]), 0);
	arena_back(&arena, m);
	assert_string_equal(order, "cb");
	assert_int_equal(arena_defer(&arena, note, &letters[3]), 0);
	arena_clear(&arena);
	assert_string_equal(order, "cbda");
	arena_clear(&arena);
	assert_string_equal(order, "cbda");
}

static void
test_strings(void **state)
{
	char bytes[] = "Ab\0C";
	struct str s = { bytes, 4 }, copy;

	(void)state;
	copy = arena_copy(&arena, s);
	bytes[0] = 'x';
	assert_true(str_eq(copy, STR("Ab\0C")));
	assert_non_null(arena_copy(&arena, STR("")).p);
	assert_true(str_eq(arena_lower(&arena, copy), STR("ab\0c")));
	assert_true(str_eq(arena_join(&arena, copy, STR("D")), STR("Ab\0CD")));
	assert_true(str_eq(arena_join(&arena, STR_NONE, STR_NONE), STR("")));
	assert_true(str_eq(arena_printf(&arena, "%s-%d", "a", 7), STR("a-7")));
	assert_string_equal(arena_cstr(&arena, STR("abc")), "abc");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_gives_zeroed_aligned_memory),
		TEST(test_ceiling),
		TEST(test_has_room),
		TEST(test_ceiling_in_small_pieces),
		TEST(test_expect),
		TEST(test_back_ends_what_came_after),
		TEST(test_defers_run_newest_first),
		TEST(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
