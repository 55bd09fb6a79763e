#include "queue/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_the_same_octets_are_the_same_name(void **state)
{
	struct names s;
	struct name *a, *b, *c, *empty;

	(void)state;
	names_init(&s, (struct hash_key){ 1, 2 });
	a = name_take(&s, STR("example.org"));
	b = name_take(&s, STR("example.org"));
	c = name_take(&s, STR("example.net"));
	empty = name_take(&s, STR(""));
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_true(str_eq(name_str(a), STR("example.org")));
	assert_int_equal(name_str(empty).n, 0);
	assert_non_null(name_str(empty).p);
	assert_null(name_str(NULL).p);
	name_give(&s, a);
	assert_true(str_eq(name_str(b), STR("example.org")));
	assert_int_equal(s.table.n, 3);
	name_give(&s, b);
	name_give(&s, c);
	name_give(&s, empty);
	name_give(&s, NULL);
	assert_int_equal(s.table.n, 0);
	assert_int_equal(s.memory, 0);
	names_clear(&s);
}

static void
test_longest(void **state)
{
	char text[NAME_MOST];
	struct names s;
	struct name *a;

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;		/* NULs and all */
	names_init(&s, (struct hash_key){ 1, 2 });
	a = name_take(&s, (struct str){ text, sizeof text });
	assert_int_equal(a->n, NAME_MOST);
	assert_memory_equal(a->text, text, sizeof text);
	name_keep(a);
	name_give(&s, a);
	assert_int_equal(s.table.n, 1);
	name_give(&s, a);
	names_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_octets_are_the_same_name),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
