#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/ber.h"

/* RFC 4511 leaves the length's form open; X.690 8.1.3.5 lets it be long. */
static void
test_written_is_read(void **state)
{
	char room[600], text[300];
	struct buf b = BUF_OF(room);
	struct str rest, content;
	unsigned char tag;
	uint32_t n;
	size_t at;

	(void)state;
	memset(text, 'x', sizeof text);
	at = ber_open(&b, BER_SEQUENCE);
	ber_put(&b, BER_OCTETS, (struct str){ text, sizeof text });
	ber_put_number(&b, BER_INTEGER, 0);
	ber_put_number(&b, BER_INTEGER, 127);
	ber_put_number(&b, BER_INTEGER, 128);
	ber_put_number(&b, BER_ENUMERATED, INT32_MAX);
	ber_put_boolean(&b, true);
	ber_close(&b, at);
	assert_false(b.full);
	rest = buf_str(&b);
	assert_int_equal(ber_length(rest, sizeof room), b.n);
	assert_true(ber_take_tag(&rest, BER_SEQUENCE, &content));
	assert_int_equal(rest.n, 0);
	rest = content;
	assert_true(ber_take_tag(&rest, BER_OCTETS, &content));
	assert_int_equal(content.n, sizeof text);
	assert_true(ber_take_number(&rest, BER_INTEGER, &n) && n == 0);
	assert_true(ber_take_number(&rest, BER_INTEGER, &n) && n == 127);
	assert_true(ber_take_number(&rest, BER_INTEGER, &n) && n == 128);
	assert_false(ber_take_number(&rest, BER_INTEGER, &n));
	assert_true(ber_take_number(&rest, BER_ENUMERATED, &n));
	assert_int_equal(n, INT32_MAX);
	assert_true(ber_take(&rest, &tag, &content));
	assert_int_equal(tag, BER_BOOLEAN);
	assert_false(ber_take(&rest, &tag, &content));
}

static void
test_limits(void **state)
{
	static const struct { const char *octets; size_t n; int64_t length; }
	    cases[] = {
		{ "", 0, 0 },
		{ "\x30", 1, 0 },
		{ "\x30\x00", 2, 2 },
		{ "\x30\x7f", 2, 129 },
		{ "\x30\x80", 2, -1 },		/* indefinite */
		{ "\x30\x81", 2, 0 },
		{ "\x30\x81\x80", 3, 131 },
		{ "\x30\x82\x03\xe4", 4, 1000 },	/* 996 + 4 = most */
		{ "\x30\x82\x03\xe5", 4, -1 },
		{ "\x30\x84\xff\xff\xff\xff", 6, -1 },
		{ "\x30\x85\x00\x00\x00\x00\x01", 7, -1 },
		{ "\x1f\x81\x01\x00", 4, -1 },	/* a tag of two octets */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(ber_length((struct str){ cases[i].octets,
		    cases[i].n }, 1000), cases[i].length);
}

static void
test_cut_short(void **state)
{
	struct str s = { "\x04\x03" "ab", 4 }, content;
	unsigned char tag;
	uint32_t n;

	(void)state;
	assert_false(ber_take(&s, &tag, &content));
	assert_int_equal(s.n, 4);		/* nothing was taken */
	s = (struct str){ "\x02\x01\xff", 3 };	/* -1 */
	assert_false(ber_take_number(&s, BER_INTEGER, &n));
	s = (struct str){ "\x02\x00", 2 };
	assert_false(ber_take_number(&s, BER_INTEGER, &n));
	s = (struct str){ "\x02\x05\x00\x80\x00\x00\x00", 7 };
	assert_false(ber_take_number(&s, BER_INTEGER, &n));
	s = (struct str){ "\x02\x05\x00\x7f\xff\xff\xff", 7 };
	assert_true(ber_take_number(&s, BER_INTEGER, &n));
	assert_int_equal(n, INT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_is_read),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
