#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/tags.h"
#include "base/buf.h"

static struct tags tags;

static bool
reads(const char *list)
{
	return tags_read(str_of(list), &tags);
}

static void
assert_tag(const char *name, const char *value)
{
	assert_true(str_eq(tags_get(&tags, name), str_of(value)));
}

/* RFC 6376 3.2 */
static void
test_lists(void **state)
{
	(void)state;
	assert_true(reads("v=1; a = rsa-sha256\t;\r\n b= x y ;c=;"));
	assert_int_equal(tags.n, 4);
	assert_tag("v", "1");
	assert_tag("a", "rsa-sha256");
	assert_tag("b", "x y");
	assert_tag("c", "");
	assert_non_null(tags_get(&tags, "c").p);
	assert_null(tags_get(&tags, "d").p);
	assert_null(tags_get(&tags, "V").p);	/* with case */
	assert_true(reads("a_1=x=y"));
	assert_tag("a_1", "x=y");
	assert_true(reads("a=1; A=2"));
	assert_true(reads("i=\303\244@x"));	/* RFC 8616 5 */
	assert_true(reads("a=1; \r\n "));
	assert_true(reads("a=1\r\n"));
	assert_true(reads("a=x\r\n\ty"));
	assert_tag("a", "x\r\n\ty");
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", " ", ";", "a", "=1", "1a=2",
		"a-b=1", "_a=1", "a=1;;b=2", ";a=1", "a=1; a=2", "a b=1",
		"a=1\r", "a=1\nb", "a=1\r\nb=2", "a=\001", "a=\177", "a=\303",
		"a=1; b", "a=x\n y", "a=x\r y" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (reads(bad[i]))
			fail_msg("'%s' was read", bad[i]);
	assert_false(tags_read(STR("a=\0;"), &tags));
	assert_false(tags_read(STR_NONE, &tags));
}

static void
test_most(void **state)
{
	char room[8 * TAGS_MOST];

	(void)state;
	for (size_t n = TAGS_MOST - 1; n <= TAGS_MOST + 1; n++) {
		struct buf b = BUF_OF(room);

		for (size_t i = 0; i < n; i++)
			buf_printf(&b, "t%zu=1;", i);
		assert_false(b.full);
		assert_int_equal(tags_read(buf_str(&b), &tags), n <= TAGS_MOST);
	}
}

static void
test_items(void **state)
{
	struct str rest = STR("a :\r\n b:: c"), item;

	(void)state;
	assert_true(tag_item(&rest, ':', &item) && str_eq(item, STR("a")));
	assert_true(tag_item(&rest, ':', &item) && str_eq(item, STR("b")));
	assert_true(tag_item(&rest, ':', &item) && item.n == 0);
	assert_true(tag_item(&rest, ':', &item) && str_eq(item, STR("c")));
	assert_false(tag_item(&rest, ':', &item));
	rest = STR("");
	assert_true(tag_item(&rest, ':', &item) && item.n == 0);
	assert_false(tag_item(&rest, ':', &item));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
