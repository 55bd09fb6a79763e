#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct item {
	int number;
	struct link link;
};

static int
numbers(const struct list *l)
{
	int all = 0;

	for (struct link *k = list_first(l); k != NULL; k = list_next(l, k))
		all = 10 * all + OWNER_OF(k, struct item, link)->number;
	return all;
}

static void
test_keeps_order(void **state)
{
	struct item a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
	struct list l;

	(void)state;
	list_init(&l);
	assert_true(list_is_empty(&l));
	assert_null(list_first(&l));
	assert_null(list_pop(&l));
	list_append(&l, &b.link);
	list_append(&l, &c.link);
	list_push(&l, &a.link);
	assert_int_equal(numbers(&l), 123);
	assert_true(link_is_in(&b.link));
	list_remove(&b.link);
	assert_int_equal(numbers(&l), 13);
	assert_false(link_is_in(&b.link));
	list_remove(&b.link);			/* twice does no harm */
	assert_int_equal(numbers(&l), 13);
	list_append(&l, &b.link);
	assert_int_equal(numbers(&l), 132);
	assert_ptr_equal(list_pop(&l), &a.link);
	assert_ptr_equal(list_pop(&l), &c.link);
	assert_ptr_equal(list_pop(&l), &b.link);
	assert_true(list_is_empty(&l));
	assert_false(link_is_in(&b.link));
}

static void
test_takes_all_of_another(void **state)
{
	struct item items[4] = { { .number = 1 }, { .number = 2 },
		{ .number = 3 }, { .number = 4 } };
	struct list a, b;

	(void)state;
	list_init(&a);
	list_init(&b);
	list_take_all(&a, &b);			/* nothing to nothing */
	assert_true(list_is_empty(&a));
	list_append(&b, &items[0].link);
	list_append(&b, &items[1].link);
	list_take_all(&a, &b);
	assert_int_equal(numbers(&a), 12);
	assert_true(list_is_empty(&b));
	list_take_all(&a, &b);			/* nothing to something */
	assert_int_equal(numbers(&a), 12);
	list_append(&b, &items[2].link);
	list_take_all(&a, &b);
	list_append(&a, &items[3].link);
	assert_int_equal(numbers(&a), 1234);
	list_remove(&items[2].link);
	assert_int_equal(numbers(&a), 124);
}

static void
test_members_may_go_while_walking(void **state)
{
	struct item items[9] = { 0 };
	struct link *k, *next;
	struct list l;

	(void)state;
	list_init(&l);
	for (int i = 0; i < 9; i++) {
		items[i].number = i + 1;
		list_append(&l, &items[i].link);
	}
	for (k = list_first(&l); k != NULL; k = next) {
		next = list_next(&l, k);
		if (OWNER_OF(k, struct item, link)->number % 2 == 0)
			list_remove(k);
	}
	assert_int_equal(numbers(&l), 13579);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_order),
		cmocka_unit_test(test_takes_all_of_another),
		cmocka_unit_test(test_members_may_go_while_walking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
