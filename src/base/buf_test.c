#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_fills_to_the_brim(void **state)
{
	char room[4];
	struct buf b = BUF_OF(room);

	(void)state;
	buf_put(&b, STR("abc"));
	buf_putc(&b, 'd');
	assert_false(b.full);
	assert_true(str_eq(buf_str(&b), STR("abcd")));
	buf_put(&b, STR(""));
	assert_false(b.full);
	buf_putc(&b, 'e');
	assert_true(b.full);
	assert_int_equal(b.n, 4);
}

/* What does not fit is dropped whole, and so is everything after it. */
static void
test_overflow_sticks(void **state)
{
	char room[4];
	struct buf b = BUF_OF(room);

	(void)state;
	buf_put(&b, STR("ab"));
	buf_put(&b, STR("cde"));
	assert_true(b.full);
	buf_putc(&b, 'x');
	buf_printf(&b, "y");
	buf_put_u64(&b, 1);
	buf_le16(&b, 1);
	assert_true(str_eq(buf_str(&b), STR("ab")));
}

static void
test_printf_needs_room_for_its_nul(void **state)
{
	char room[4] = "____";
	struct buf b = { .p = room, .cap = 3 };

	(void)state;
	buf_printf(&b, "%s", "ab");
	assert_true(str_eq(buf_str(&b), STR("ab")));
	buf_printf(&b, "c");
	assert_true(b.full);
	assert_int_equal(room[3], '_');
}

static void
test_numbers(void **state)
{
	char room[64];
	struct buf b = BUF_OF(room);

	(void)state;
	buf_put_u64(&b, 0);
	buf_putc(&b, ' ');
	buf_put_u64(&b, UINT64_MAX);
	assert_true(str_eq(buf_str(&b), STR("0 18446744073709551615")));
	b.n = 0;
	buf_le16(&b, 0x0102);
	buf_le32(&b, 0x03040506);
	buf_le64(&b, 0xfffefdfcfbfaf9f8);
	assert_true(str_eq(buf_str(&b), STR("\x02\x01\x06\x05\x04\x03"
	    "\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fills_to_the_brim),
		cmocka_unit_test(test_overflow_sticks),
		cmocka_unit_test(test_printf_needs_room_for_its_nul),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
