#include "spool/tlv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
values_come_back_in_order(void **state)
{
	char room[128];
	struct buf b = BUF_OF(room);
	struct str s;
	struct tlv t;
	uint64_t v;

	(void)state;
	tlv_put(&b, 1, STR("one"));
	tlv_put_some(&b, 2, STR(""));
	tlv_put_u64(&b, 3, 0x01020304);
	tlv_put_u64(&b, 4, 0);
	tlv_put_u64(&b, 5, UINT64_MAX);
	s = buf_str(&b);
	assert_int_equal(s.n, 4 + 3 + 4 + 4 + 4 + 4 + 8);
	assert_int_equal(tlv_next(&s, &t), TLV_VALUE);
	assert_int_equal(t.tag, 1);
	assert_true(str_eq(t.value, STR("one")));
	assert_int_equal(tlv_next(&s, &t), TLV_VALUE);
	assert_int_equal(t.tag, 3);
	assert_true(str_eq(t.value, STR("\4\3\2\1")));
	assert_true(tlv_u64(t.value, &v) && v == 0x01020304);
	assert_int_equal(tlv_next(&s, &t), TLV_VALUE);
	assert_true(tlv_u64(t.value, &v) && v == 0);
	assert_int_equal(tlv_next(&s, &t), TLV_VALUE);
	assert_true(tlv_u64(t.value, &v) && v == UINT64_MAX);
	assert_int_equal(tlv_next(&s, &t), TLV_END);
}

static void
nested_values_know_their_length(void **state)
{
	char room[64];
	struct buf b = BUF_OF(room);
	struct str s;
	struct tlv t;
	size_t opened;

	(void)state;
	opened = tlv_open(&b, 9);
	tlv_put(&b, 1, STR("inner"));
	tlv_close(&b, opened);
	s = buf_str(&b);
	assert_int_equal(tlv_next(&s, &t), TLV_VALUE);
	assert_int_equal(t.tag, 9);
	assert_int_equal(t.value.n, TLV_HEAD + 5);
	assert_int_equal(s.n, 0);
}

static void
a_full_buffer_stays_full(void **state)
{
	char room[10];
	struct buf b = BUF_OF(room);
	size_t opened = tlv_open(&b, 9);

	(void)state;
	tlv_put(&b, 1, STR("much too long"));
	tlv_close(&b, opened);
	assert_true(b.full);
}

static void
lengths_that_lead_outside_are_bad(void **state)
{
	struct str s = STR("\1\4\0\0abc");
	struct tlv t;

	(void)state;
	assert_int_equal(tlv_next(&s, &t), TLV_BAD);
	s = STR("\1\3\0");
	assert_int_equal(tlv_next(&s, &t), TLV_BAD);
	s = STR("\1\3\0\0abc");
	assert_int_equal(tlv_next(&s, &t), TLV_VALUE);
}

static void
numbers_have_eight_octets_at_most(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(tlv_u64(STR("\1\0\0\0\0\0\0\0"), &v));
	assert_false(tlv_u64(STR("\1\0\0\0\0\0\0\0\0"), &v));
}

static void
unknown_tags_are_native_only_when_skippable(void **state)
{
	(void)state;
	assert_true(tlv_is_native(TAG_SENDER));
	assert_true(tlv_is_native(0xff));
	assert_false(tlv_is_native(0x7f));
	assert_false(tlv_is_native(0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back_in_order),
		cmocka_unit_test(nested_values_know_their_length),
		cmocka_unit_test(a_full_buffer_stays_full),
		cmocka_unit_test(lengths_that_lead_outside_are_bad),
		cmocka_unit_test(numbers_have_eight_octets_at_most),
		cmocka_unit_test(unknown_tags_are_native_only_when_skippable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
