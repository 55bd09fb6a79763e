#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/phrase.h"

static void
texts_become_plain(void **state)
{
	static const struct { const char *from, *to; } rows[] = {
		{ "", "" },
		{ " \r\n\t", "" },
		{ "User  UNKNOWN\r\n", "user unknown" },
		{ "550-5.1.1 No such\r\n550-5.1.1 User\r\n550 5.1.1 here",
		    "no such user here" },
		{ "550-no\n550-such", "no such" },
		{ "see 450-5678", "see 450-5678" },
		{ "x550-no", "x550-no" },
		{ "650-no", "650-no" },
		{ "550-", "" },
		{ "Gr\xc3\xbc\xc3\x9f" "e", "gr\xc3\xbc\xc3\x9f" "e" },
	};
	char room[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(room);

		phrase_plain(str_of(rows[i].from), &b);
		if (!str_eq(buf_str(&b), str_of(rows[i].to)))
			fail_msg("row %zu: " STR_FMT, i, STR_ARG(buf_str(&b)));
	}
}

static void
texts_end_where_room_does(void **state)
{
	char room[3];
	struct buf b = BUF_OF(room);

	(void)state;
	phrase_plain(STR("abcdef"), &b);
	assert_true(str_eq(buf_str(&b), STR("abc")) && !b.full);
}

static void
phrases_are_found(void **state)
{
	struct arena a;
	struct phrases *p;
	uint64_t bits[2] = { 0, 0 };

	(void)state;
	arena_init(&a, 1024 * 1024);
	p = phrases_new(&a);
	assert_non_null(p);
	assert_int_equal(phrases_add(p, STR("User Unknown"), 0), 0);
	assert_int_equal(phrases_add(p, STR("user"), 1), 0);
	assert_int_equal(phrases_add(p, STR("user u"), 64), 0);
	assert_int_equal(phrases_add(p, STR("user unknown!"), 65), 0);
	assert_int_equal(phrases_add(p, STR("known"), 2), 0);
	assert_int_equal(phrases_add(p, STR("abc"), 3), -1);
	phrases_find(p, STR("no user unknown"), bits);
	assert_true(bits[0] == 7 && bits[1] == 1);
	assert_true(bit_is_set(bits, 64) && !bit_is_set(bits, 65));
	bits[0] = bits[1] = 0;
	assert_int_equal(phrases_add(p, STR(" tls "), 4), 0);
	phrases_find(p, STR(" startls tlsa tls\r "), bits);
	assert_int_equal(bits[0], 0);
	phrases_find(p, STR(" no tls here "), bits);
	assert_int_equal(bits[0], 16);
	bits[0] = 0;
	phrases_find(p, STR("use"), bits);
	phrases_find(p, STR(""), bits);
	assert_true(bits[0] == 0 && bits[1] == 0);
	arena_clear(&a);
}

static void
phrases_have_limits(void **state)
{
	char text[PHRASE_MOST + 2];
	struct phrases *p;
	struct arena a;

	(void)state;
	memset(text, 'x', sizeof text);
	arena_init(&a, 4 * 1024 * 1024);
	p = phrases_new(&a);
	assert_int_equal(phrases_add(p, (struct str){ text, PHRASE_MOST }, 0), 0);
	assert_int_equal(phrases_add(p, (struct str){ text, PHRASE_MOST + 1 },
	    0), -1);
	for (size_t i = 1; i < PHRASES_MOST; i++)
		assert_int_equal(phrases_add(p, STR("more"), 1), 0);
	assert_int_equal(phrases_add(p, STR("more"), 1), -1);
	arena_clear(&a);
	arena_init(&a, 20 * 1024);
	p = phrases_new(&a);
	for (size_t i = 0; i < 1000 && phrases_add(p, STR("full"), 0) == 0; i++)
		assert_true(i < 999);
	arena_clear(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_plain),
		cmocka_unit_test(texts_end_where_room_does),
		cmocka_unit_test(phrases_are_found),
		cmocka_unit_test(phrases_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
