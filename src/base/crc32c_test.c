/* The whole .c, to reach both ways of counting on one machine. */
#include "crc32c.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* RFC 3720 B.4; the CRC is sent least significant octet first there. */
static const struct { const char octets[48]; size_t n; uint32_t sum; } cases[] = {
	{ { 0 }, 32, 0x8a9136aa },
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	    32, 0x62a8ab43 },
	{ "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	  "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
	    32, 0x46dd794e },
	{ "\x1f\x1e\x1d\x1c\x1b\x1a\x19\x18\x17\x16\x15\x14\x13\x12\x11\x10"
	  "\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x06\x05\x04\x03\x02\x01\x00",
	    32, 0x113fdb5c },
	{ { 0x01, (char)0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14,
	    [31] = 0x18, [32] = 0x28, [40] = 0x02 }, 48, 0xd9963a56 },
	{ "123456789", 9, 0xe3069283 },
	{ "", 0, 0 },
};

static void
test_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str s = { cases[i].octets, cases[i].n };

		assert_int_equal(crc32c(0, s), cases[i].sum);
		assert_int_equal(~crc_portable(~UINT32_C(0), s), cases[i].sum);
	}
}

/* In one piece or in two, by the processor or by hand. */
static void
test_all_ways_agree(void **state)
{
	char bytes[64];
	struct str s = { bytes, sizeof bytes };
	uint32_t whole;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 37 + 11);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		whole = crc32c(0, str_sub(s, 0, n));
		assert_int_equal(whole, ~crc_portable(~UINT32_C(0),
		    str_sub(s, 0, n)));
		for (size_t cut = 0; cut <= n; cut++)
			assert_int_equal(whole, crc32c(crc32c(0,
			    str_sub(s, 0, cut)), str_sub(s, cut, n - cut)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_all_ways_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
