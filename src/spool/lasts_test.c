#include "spool/lasts.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct lasts lasts;

static int
begin(void **state)
{
	(void)state;
	lasts_begin(&lasts, LASTS_MEMORY);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	lasts_end(&lasts);
	return 0;
}

static void
note(uint64_t id, uint32_t from, uint32_t n, const char *text)
{
	char room[64];
	struct buf b = BUF_OF(room);

	for (uint32_t i = 0; i < n; i++)
		buf_le32(&b, from + i);
	assert_false(b.full);
	lasts_note(&lasts, id, buf_str(&b), str_of(text));
}

static void
expect(uint64_t id, uint32_t recipient, const char *text)
{
	struct str s = lasts_find(&lasts, id, recipient);

	assert_true(str_eq(s, str_of(text)));
}

static void
test_the_last_counts(void **state)
{
	(void)state;
	expect(1, 0, NULL);
	note(1, 0, 3, "busy");
	note(1, 1, 1, "full");
	note(2, 0, 1, "gone");
	expect(1, 0, "busy");
	expect(1, 1, "full");
	expect(1, 2, "busy");
	expect(1, 3, NULL);
	expect(2, 0, "gone");
	note(1, 0, 1, "");
	expect(1, 0, "");
	lasts_note(&lasts, 2, STR("\0\0\0"), STR("cut short"));
	expect(2, 0, "gone");
}

/* A message's hash may be another recipient's: they are told apart. */
static void
test_neighbours(void **state)
{
	(void)state;
	for (uint64_t id = 1; id < 2000; id++)
		note(id << 40 | id, (uint32_t)(id % 7), 1, id % 2 ? "a" : "b");
	for (uint64_t id = 1; id < 2000; id++)
		for (uint32_t i = 0; i < 7; i++)
			expect(id << 40 | id, i, i != id % 7 ? NULL :
			    id % 2 ? "a" : "b");
}

static void
test_texts_are_kept_once(void **state)
{
	static char text[500];
	size_t first;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	note(1, 0, 1, text);
	first = lasts.arena.used;
	for (uint64_t id = 2; id < 100; id++)
		note(id, 0, 1, text);
	assert_true(lasts.arena.used < first + 100 * 128);
}

/* What has no room is not known; what had it stays. */
static void
test_a_ceiling(void **state)
{
	char text[16];
	uint64_t known = 0;

	(void)state;
	lasts_end(&lasts);
	lasts_begin(&lasts, 64 * 1024);
	for (uint64_t id = 1; id <= 10000; id++) {
		snprintf(text, sizeof text, "%llu", (unsigned long long)id);
		note(id, 0, 1, text);
	}
	assert_true(lasts.arena.used <= 64 * 1024);
	for (uint64_t id = 1; id <= 10000; id++)
		known += lasts_find(&lasts, id, 0).n > 0;
	assert_in_range(known, 100, 5000);
	expect(1, 0, "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_last_counts),
		TEST(test_neighbours),
		TEST(test_texts_are_kept_once),
		TEST(test_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
