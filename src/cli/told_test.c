#include "cli/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include <cmocka.h>

static struct cli cli;
static struct ask question = { .cli = &cli };
static unsigned n_said;

static int
begin(void **state)
{
	(void)state;
	cli.json = false;
	n_said = 0;
	arena_init(&cli.arena, 64 * 1024);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&cli.arena);
	return 0;
}

static void
say(struct cli *c, const json_t *j)
{
	assert_ptr_equal(c, &cli);
	assert_string_equal(told_text(j, "name"), "alice");
	assert_non_null(arena_alloc(&c->arena, 20 * 1024));
	n_said++;
}

static void
values(void **state)
{
	json_t *j = told_read(STR("{\"name\":\"a\\u001b[2Jb\",\"n\":42,\"big\":"
	    "9007199254740993,\"none\":null}"));

	(void)state;
	assert_non_null(j);
	assert_string_equal(told_text(j, "name"), "a\033[2Jb");
	assert_string_equal(told_visible(&cli, j, "name"), "a?[2Jb");
	assert_int_equal(told_number(j, "n"), 42);
	assert_true(told_number(j, "big") == INT64_C(9007199254740993));
	json_decref(j);
}

/* What is not there, or of another kind, is nothing. */
static void
absent(void **state)
{
	json_t *j = told_read(STR("{\"n\":\"42\",\"name\":42,\"none\":null}"));
	static const char *const keys[] = { "name", "none", "other" };

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		assert_string_equal(told_text(j, keys[i]), "");
		assert_string_equal(told_visible(&cli, j, keys[i]), "");
	}
	assert_int_equal(told_number(j, "n"), 0);
	assert_int_equal(told_number(j, "other"), 0);
	json_decref(j);
	assert_string_equal(told_text(NULL, "name"), "");
	assert_int_equal(told_number(NULL, "n"), 0);
}

static void
not_json(void **state)
{
	static const char *const lines[] = { "", "{", "{}x", "\xff",
		"{\"a\":1,}", "alice" };

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		assert_null(told_read(str_of(lines[i])));
		assert_int_equal(told_say(&question, str_of(lines[i]), say),
		    EX_DATAERR);
	}
	assert_int_equal(n_said, 0);
}

/* A list of millions takes no more memory than one of its lines. */
static void
many(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(told_say(&question,
		    STR("{\"name\":\"alice\"}"), say), 0);
	assert_int_equal(n_said, 100);
}

/* With --json a line goes on as it came, whatever is in it. */
static void
as_it_came(void **state)
{
	(void)state;
	cli.json = true;
	assert_int_equal(told_say(&question, STR("# {"), say), 0);
	assert_int_equal(n_said, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values, begin, end),
		cmocka_unit_test_setup_teardown(absent, begin, end),
		cmocka_unit_test_setup_teardown(not_json, begin, end),
		cmocka_unit_test_setup_teardown(many, begin, end),
		cmocka_unit_test_setup_teardown(as_it_came, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
