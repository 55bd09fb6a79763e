#include "spool/record.h"

#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROOM = 256 };

static size_t
record_write(char *to, struct str payload, struct str body, uint16_t flags)
{
	struct record r = { .type = RECORD_COMMIT, .flags = flags,
		.payload_n = (uint32_t)payload.n, .body_n = (uint32_t)body.n,
		.salt = 0x1122334455667788, .sequence = 7,
		.id = UINT64_C(0xfedcba9876543210), .settled = 512,
		.payload_sum = crc32c(0, payload), .body_sum = crc32c(0, body) };

	memset(to, 0, ROOM);
	record_seal(&r, to);
	memcpy(to + RECORD_HEADER, payload.p, payload.n);
	memcpy(to + RECORD_HEADER + payload.n, body.p, body.n);
	return RECORD_HEADER + payload.n + body.n;
}

static void
reads_what_was_sealed(void **state)
{
	char bytes[ROOM];
	struct record r;
	size_t n = record_write(bytes, STR("payload"), STR("the body"),
	    RECORD_MUST);

	(void)state;
	assert_int_equal(record_read((struct str){ bytes, n }, &r), RECORD_WHOLE);
	assert_int_equal(r.type, RECORD_COMMIT);
	assert_int_equal(r.flags, RECORD_MUST);
	assert_int_equal(r.sequence, 7);
	assert_true(r.id == UINT64_C(0xfedcba9876543210));
	assert_true(r.salt == 0x1122334455667788);
	assert_int_equal(r.settled, 512);
	assert_true(str_eq(r.payload, STR("payload")));
	assert_true(str_eq(r.body, STR("the body")));
}

static void
header_stands_byte_by_byte(void **state)
{
	static const char expected[] =
	    "NM\0r" "\1\2" "\1\0" "\7\0\0\0" "\10\0\0\0"
	    "\x88\x77\x66\x55\x44\x33\x22\x11" "\7\0\0\0\0\0\0\0"
	    "\x10\x32\x54\x76\x98\xba\xdc\xfe";
	char bytes[ROOM];

	(void)state;
	record_write(bytes, STR("payload"), STR("the body"), RECORD_MUST);
	assert_memory_equal(bytes, expected, 40);
	assert_memory_equal(bytes + 48, "\0\2\0\0", 4);
}

static void
every_cut_is_short(void **state)
{
	char bytes[ROOM];
	struct record r;
	size_t n = record_write(bytes, STR("payload"), STR("the body"), 0);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(record_read((struct str){ bytes, i }, &r),
		    i < 4 ? RECORD_NONE : RECORD_SHORT);
}

static void
every_flip_is_seen(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	char bytes[ROOM];
	struct record r;
	size_t n = record_write(bytes, STR("payload"), STR("the body"), 0);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof flips; k++) {
			bytes[i] = (char)(bytes[i] ^ flips[k]);
			assert_int_not_equal(record_read(
			    (struct str){ bytes, n }, &r), RECORD_WHOLE);
			bytes[i] = (char)(bytes[i] ^ flips[k]);
		}
	assert_int_equal(record_read((struct str){ bytes, n }, &r), RECORD_WHOLE);
}

static void
sidecars_copy_needs_no_body(void **state)
{
	char bytes[ROOM];
	struct record r;
	size_t n = record_write(bytes, STR("payload"), STR("the body"),
	    RECORD_BODILESS);

	(void)state;
	assert_int_equal(record_read((struct str){ bytes, n - 8 }, &r),
	    RECORD_WHOLE);
	assert_int_equal(r.body_n, 8);
	assert_null(r.body.p);
}

static void
sizes_are_aligned(void **state)
{
	(void)state;
	assert_int_equal(record_size(0, 0), 56);
	assert_int_equal(record_size(1, 0), 64);
	assert_int_equal(record_size(4, 4), 64);
	assert_int_equal(record_size(4, 5), 72);
	assert_true(record_size(UINT32_MAX, UINT32_MAX) > UINT32_MAX);
}

static void
lengths_beyond_the_limit_are_damage(void **state)
{
	char bytes[ROOM];
	struct record r;
	uint32_t sum;

	(void)state;
	record_write(bytes, STR("p"), STR("b"), 0);
	memcpy(bytes + 12, "\1\0\1\0", 4);	/* RECORD_BODY_MOST + 1 */
	sum = crc32c(0, (struct str){ bytes, 52 });
	memcpy(bytes + 52, &sum, 4);
	assert_int_equal(record_read_header((struct str){ bytes, ROOM }, &r),
	    RECORD_BAD_HEADER);
	memcpy(bytes + 12, "\0\0\1\0", 4);
	sum = crc32c(0, (struct str){ bytes, 52 });
	memcpy(bytes + 52, &sum, 4);
	assert_int_equal(record_read_header((struct str){ bytes, ROOM }, &r),
	    RECORD_WHOLE);
}

static void
types_have_names(void **state)
{
	(void)state;
	assert_string_equal(record_type_name(RECORD_MOVED), "MOVED");
	assert_null(record_type_name(0));
	assert_null(record_type_name(13));
	assert_null(record_type_name(255));
	for (uint8_t i = 1; i <= 12; i++)
		assert_non_null(record_type_name(i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_sealed),
		cmocka_unit_test(header_stands_byte_by_byte),
		cmocka_unit_test(every_cut_is_short),
		cmocka_unit_test(every_flip_is_seen),
		cmocka_unit_test(sidecars_copy_needs_no_body),
		cmocka_unit_test(sizes_are_aligned),
		cmocka_unit_test(lengths_beyond_the_limit_are_damage),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
