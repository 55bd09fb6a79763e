#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_reads_characters(void **state)
{
	static const struct { struct str octets; size_t n; uint32_t code; } cases[] = {
		{ { "\0", 1 }, 1, 0x0 },
		{ { "\x7f", 1 }, 1, 0x7f },
		{ { "\xc2\x80", 2 }, 2, 0x80 },
		{ { "\xdf\xbf", 2 }, 2, 0x7ff },
		{ { "\xe0\xa0\x80", 3 }, 3, 0x800 },
		{ { "\xed\x9f\xbf", 3 }, 3, 0xd7ff },
		{ { "\xee\x80\x80", 3 }, 3, 0xe000 },
		{ { "\xef\xbf\xbf", 3 }, 3, 0xffff },
		{ { "\xf0\x90\x80\x80", 4 }, 4, 0x10000 },
		{ { "\xf4\x8f\xbf\xbf", 4 }, 4, 0x10ffff },
		{ { "ab", 2 }, 1, 'a' },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint32_t code = 0xbad;

		assert_int_equal(utf8_next(cases[i].octets, &code), cases[i].n);
		assert_int_equal(code, cases[i].code);
	}
}

/* RFC 3629 3 and 4: overlong forms, surrogates, too far, cut off, stray. */
static void
test_refuses_malformed(void **state)
{
	static const struct str cases[] = {
		{ NULL, 0 }, { "\x80", 1 }, { "\xbf", 1 }, { "\xc0\x80", 2 },
		{ "\xc1\xbf", 2 }, { "\xe0\x9f\xbf", 3 }, { "\xed\xa0\x80", 3 },
		{ "\xf0\x8f\xbf\xbf", 4 }, { "\xf4\x90\x80\x80", 4 },
		{ "\xf5\x80\x80\x80", 4 }, { "\xff", 1 }, { "\xc3", 1 },
		{ "\xe2\x82", 2 }, { "\xf0\x9f\x93", 3 }, { "\xc3\x28", 2 },
		{ "\xe2\x82\x28", 3 }, { "\xe2\x28\x82", 3 },
		{ "\xf0\x9f\x93\x28", 4 },
	};
	uint32_t code = 0xbad;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(utf8_next(cases[i], &code), 0);
	assert_int_equal(code, 0xbad);
}

static void
test_visible(void **state)
{
	static const uint32_t seen[] = { ' ', '~', 0xa0, 0xe4, 0x20ac, 0x200a,
		0x2010, 0x2027, 0x202f, 0xfffd, 0x1f4e7 };
	static const uint32_t hidden[] = { 0, '\t', '\n', '\r', 0x1b, 0x7f,
		0x85, 0x9b, 0xad, 0x200b, 0x200f, 0x2028, 0x2029, 0x202e, 0x2066,
		0xfeff, 0xfffe, 0xffff, 0x1fffe, 0xe0041, 0x10ffff };

	(void)state;
	for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
		assert_true(utf8_is_visible(seen[i]));
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		assert_false(utf8_is_visible(hidden[i]));
}

static void
test_plain(void **state)
{
	char text[] = "a ~";

	(void)state;
	assert_int_equal(utf8_plain(STR_NONE), 0);
	assert_int_equal(utf8_plain(STR("a ~")), 3);
	for (int c = 0; c < 256; c++) {
		text[1] = (char)c;
		assert_int_equal(utf8_plain((struct str){ text, 3 }),
		    c >= ' ' && c <= '~' ? 3 : 1);
	}
}

/* What is put is read back, at every length's ends. */
static void
test_put(void **state)
{
	static const uint32_t codes[] = { 1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff,
		0xe000, 0xffff, 0x10000, 0x10ffff };

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		char room[UTF8_MOST];
		struct buf b = BUF_OF(room);
		uint32_t code = 0;

		utf8_put(&b, codes[i]);
		assert_false(b.full);
		assert_int_equal(utf8_next(buf_str(&b), &code), b.n);
		assert_int_equal(code, codes[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_reads_characters),
		cmocka_unit_test(test_refuses_malformed),
		cmocka_unit_test(test_visible),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
