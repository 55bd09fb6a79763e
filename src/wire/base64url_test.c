#include "wire/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct { struct str octets, letters; } pairs[] = {
	{ STR_INIT(""), STR_INIT("") },
	{ STR_INIT("f"), STR_INIT("Zg") },
	{ STR_INIT("fo"), STR_INIT("Zm8") },
	{ STR_INIT("foo"), STR_INIT("Zm9v") },
	{ STR_INIT("foob"), STR_INIT("Zm9vYg") },
	/* RFC 7515 C */
	{ STR_INIT("\3\354\377\340\301"), STR_INIT("A-z_4ME") },
};

static void
test_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char room[32], back[32];
		struct buf b = BUF_OF(room), c = BUF_OF(back);

		base64url_put(&b, pairs[i].octets);
		assert_true(str_eq(buf_str(&b), pairs[i].letters));
		assert_int_equal(b.n, base64url_room(pairs[i].octets.n));
		assert_true(base64url_read(pairs[i].letters, &c));
		assert_true(str_eq(buf_str(&c), pairs[i].octets));
	}
}

static void
test_refuses(void **state)
{
	static const char *const bad[] = { "Z", "Zg==", "Zg=", "Zh", "Zm9",
		"Zm8+", "Zm8/", "Z m8", "Zm9vY" };
	char room[32];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf b = BUF_OF(room);

		assert_false(base64url_read(str_of(bad[i]), &b));
	}
}

static void
test_room(void **state)
{
	char room[3];
	struct buf b = BUF_OF(room), c = { .p = room, .cap = 2 };

	(void)state;
	assert_true(base64url_read(STR("Zm9v"), &b));
	assert_false(base64url_read(STR("Zm9v"), &c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
