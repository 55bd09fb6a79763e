#include "policy/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static char printed[32768];

static const char *
print(const struct problems *ps)
{
	struct buf b = BUF_OF(printed);

	problems_print(ps, &b);
	buf_putc(&b, '\0');
	assert_false(b.full);
	return printed;
}

static struct place
place(unsigned line, unsigned column, unsigned width, const char *text)
{
	return (struct place){ STR("t.yaml"), str_of(text), line, column,
		width };
}

static void
test_has_the_form_of_compilers(void **state)
{
	struct problems ps;

	(void)state;
	problems_init(&ps);
	problem_add(&ps, PROBLEM_ERROR, place(3, 3, 5, "  retri: [5m, 15m]"),
	    "unknown key '%s'; did you mean '%s'?", "queue.retri", "retry");
	assert_string_equal(print(&ps),
	    "t.yaml:3:3: error: unknown key 'queue.retri'; did you mean "
	    "'retry'?\n"
	    "  retri: [5m, 15m]\n"
	    "  ^~~~~\n");
	problems_clear(&ps);
}

static void
test_comes_in_the_order_of_lines(void **state)
{
	struct problems ps;

	(void)state;
	problems_init(&ps);
	problem_add(&ps, PROBLEM_WARNING, place(7, 1, 1, "g"), "three");
	problem_add(&ps, PROBLEM_ERROR, place(2, 5, 1, "bbbbb"), "two");
	problem_add(&ps, PROBLEM_HINT, place(2, 1, 2, "bbbbb"), "one");
	assert_string_equal(print(&ps),
	    "t.yaml:2:1: hint: one\nbbbbb\n^~\n"
	    "t.yaml:2:5: error: two\nbbbbb\n    ^\n"
	    "t.yaml:7:1: warning: three\ng\n^\n");
	assert_int_equal(ps.counts[PROBLEM_ERROR], 1);
	assert_int_equal(ps.counts[PROBLEM_WARNING], 1);
	assert_int_equal(ps.counts[PROBLEM_HINT], 1);
	problems_clear(&ps);
	assert_int_equal(ps.n, 0);
}

static void
test_stands_nowhere(void **state)
{
	struct problems ps;

	(void)state;
	problems_init(&ps);
	problem_add(&ps, PROBLEM_HINT, (struct place){ .line = 0 }, "hm");
	problem_add(&ps, PROBLEM_ERROR, (struct place){ .file = STR("x") },
	    "no such file");
	assert_string_equal(print(&ps), "hint: hm\nx: error: no such file\n");
	problems_clear(&ps);
}

static void
test_shows_no_control_characters(void **state)
{
	struct problems ps;

	(void)state;
	problems_init(&ps);
	problem_add(&ps, PROBLEM_ERROR, place(1, 1, 1, "a\033[31m\tb"),
	    "bad '\033'");
	assert_string_equal(print(&ps),
	    "t.yaml:1:1: error: bad '?'\na?[31m b\n^\n");
	problems_clear(&ps);
}

static void
test_keeps_a_hundred_and_counts_the_rest(void **state)
{
	struct problems ps;

	(void)state;
	problems_init(&ps);
	for (unsigned i = 0; i < PROBLEMS_MOST; i++)
		problem_add(&ps, PROBLEM_ERROR, place(i + 1, 1, 1, "x"), "no");
	assert_int_equal(ps.n, PROBLEMS_MOST);
	assert_null(strstr(print(&ps), "more"));
	problem_add(&ps, PROBLEM_ERROR, place(500, 1, 1, "x"), "no");
	assert_int_equal(ps.n, PROBLEMS_MOST);
	assert_int_equal(ps.counts[PROBLEM_ERROR], PROBLEMS_MOST + 1);
	assert_non_null(strstr(print(&ps), "(and 1 more)\n"));
	problems_clear(&ps);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has_the_form_of_compilers),
		cmocka_unit_test(test_comes_in_the_order_of_lines),
		cmocka_unit_test(test_stands_nowhere),
		cmocka_unit_test(test_shows_no_control_characters),
		cmocka_unit_test(test_keeps_a_hundred_and_counts_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
