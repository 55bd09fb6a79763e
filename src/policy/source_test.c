#include "policy/source.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct arena arena;

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static void
fill(struct source_memory *m)
{
	source_memory_init(m, &arena);
	assert_int_equal(source_memory_file(m, STR("/c/b.yaml"), STR("B")), 0);
	assert_int_equal(source_memory_file(m, STR("/c/a.yaml"), STR("A")), 0);
	assert_int_equal(source_memory_file(m, STR("/c/x/d.yaml"), STR("D")),
	    0);
	assert_int_equal(source_memory_file(m, STR("/c/.h.yaml"), STR("H")), 0);
	assert_int_equal(source_memory_env(m, STR("NAME"), STR("v")), 0);
}

static void
expect_filled(struct source_memory *m)
{
	struct conf_source *s = &m->source;
	struct source_file file;
	struct str *paths, value;
	size_t n;

	assert_int_equal(s->read(s, STR("/c/a.yaml"), &arena, &file),
	    SOURCE_FOUND);
	assert_true(str_eq(file.bytes, STR("A")));
	assert_true(str_eq(file.name, STR("/c/a.yaml")));
	assert_int_equal(s->read(s, STR("/c/z"), &arena, &file),
	    SOURCE_ABSENT);
	assert_int_equal(s->glob(s, STR("/c/*.yaml"), &arena, &paths, &n),
	    SOURCE_FOUND);
	assert_int_equal(n, 2);
	assert_true(str_eq(paths[0], STR("/c/a.yaml")));
	assert_true(str_eq(paths[1], STR("/c/b.yaml")));
	assert_int_equal(s->env(s, STR("NAME"), &arena, &value), SOURCE_FOUND);
	assert_true(str_eq(value, STR("v")));
	assert_int_equal(s->env(s, STR("OTHER"), &arena, &value),
	    SOURCE_ABSENT);
}

static void
test_gives_what_it_has(void **state)
{
	struct source_memory m;

	(void)state;
	fill(&m);
	expect_filled(&m);
}

static enum source_status
trouble_read(struct conf_source *s, struct str path, struct arena *a,
    struct source_file *out)
{
	(void)s;
	(void)path;
	(void)a;
	(void)out;
	err_set("the disk is on fire");
	return SOURCE_TROUBLE;
}

static void
test_remembers_and_crosses(void **state)
{
	struct source_memory behind, record, other;
	struct arena far;
	char room[1024];
	struct buf b = BUF_OF(room);
	struct source_file file;

	(void)state;
	fill(&behind);
	source_record(&record, &arena, &behind.source);
	expect_filled(&record);
	record.behind = NULL;
	expect_filled(&record);		/* all answers were kept */
	behind.source.read = trouble_read;
	record.behind = &behind.source;
	assert_int_equal(record.source.read(&record.source, STR("/t"), &arena,
	    &file), SOURCE_TROUBLE);

	source_encode(&record, &b);
	assert_false(b.full);
	assert_int_equal(b.n, source_encoded_size(&record));
	arena_init(&far, 1 << 20);
	assert_int_equal(source_decode(&other, &far, buf_str(&b)), 0);
	expect_filled(&other);
	err_clear();
	assert_int_equal(other.source.read(&other.source, STR("/t"), &arena,
	    &file), SOURCE_TROUBLE);
	assert_string_equal(err_text(), "the disk is on fire");
	arena_clear(&far);
}

static void
test_refuses_what_is_cut_or_changed(void **state)
{
	struct source_memory m, other;
	struct arena far;
	char room[1024];
	struct buf b = BUF_OF(room);

	(void)state;
	fill(&m);
	source_encode(&m, &b);
	arena_init(&far, 1 << 20);
	for (size_t n = 0; n < b.n; n++) {
		assert_int_equal(source_decode(&other, &far,
		    str_sub(buf_str(&b), 0, n)), -1);
		arena_clear(&far);
	}
	room[12] = 9;				/* kind of the first item */
	assert_int_equal(source_decode(&other, &far, buf_str(&b)), -1);
	room[12] = 1;
	buf_putc(&b, 'x');
	assert_int_equal(source_decode(&other, &far, buf_str(&b)), -1);
	arena_clear(&far);
}

static void
test_tells_when_there_is_no_room(void **state)
{
	struct source_memory m;
	struct arena small;

	(void)state;
	arena_init(&small, 256);
	source_memory_init(&m, &small);
	assert_int_equal(source_memory_file(&m, STR("/a"), STR("x")), 0);
	for (int i = 0; i < 8; i++)
		(void)source_memory_file(&m, STR("/b"), STR("x"));
	assert_int_equal(source_memory_file(&m, STR("/c"), STR("x")), -1);
	arena_clear(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gives_what_it_has, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_remembers_and_crosses,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    test_refuses_what_is_cut_or_changed, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_tells_when_there_is_no_room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
