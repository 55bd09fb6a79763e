#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/qp.h"

static char room[8192], back_room[8192];

static struct str
encode(struct str in, size_t at_once, size_t space)
{
	struct qp_writer w = { 0 };
	size_t n = 0;

	while (in.n > 0) {
		struct str part = str_sub(in, 0, at_once);

		in = str_sub(in, part.n, in.n);
		for (bool done = false; !done;) {
			struct buf b = { .p = room + n, .cap = space };

			done = qp_put(&w, &part, &b);
			assert_false(b.full);
			n += b.n;
		}
	}
	for (bool done = false; !done;) {
		struct buf b = { .p = room + n, .cap = space };

		done = qp_end(&w, &b);
		n += b.n;
	}
	return (struct str){ room, n };
}

static struct str
decode(struct str in, size_t at_once, unsigned *faults)
{
	struct qp_reader r = { .n = 0 };
	struct buf b = BUF_OF(back_room);

	while (in.n > 0) {
		struct str part = str_sub(in, 0, at_once);

		in = str_sub(in, part.n, in.n);
		assert_true(qp_take(&r, &part, &b));
	}
	assert_true(qp_close(&r, &b));
	*faults = r.faults;
	return buf_str(&b);
}

static void
test_written(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "plain\r\n", "plain\r\n" },
		{ "gr\xc3\xbc\xc3\x9f\r\n", "gr=C3=BC=C3=9F\r\n" },
		{ "a=b", "a=3Db" }, { "a \r\nb\t\r\n", "a=20\r\nb=09\r\n" },
		{ "a b\tc", "a b\tc" }, { "end ", "end=20" },
		{ "a\rb\nc", "a=0Db=0Ac" }, { "\r\r\n", "=0D\r\n" },
		{ "--frontier\r\n", "=2D-frontier\r\n" },
		{ "x--frontier\r\n", "x--frontier\r\n" },
		{ ".\r\n", ".\r\n" }, { "\x7f~ !", "=7F~ !" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_true(str_eq(encode(str_of(rows[i][0]), 1, 16),
		    str_of(rows[i][1])));
}

/* No line is longer than 76, and none begins like a boundary, wherever it had to
 * be broken. */
static void
lines_are_short(struct str s)
{
	while (s.n > 0) {
		size_t n = str_find(s, '\r');

		assert_in_range(n, 0, QP_LINE);
		assert_int_not_equal(s.p[0], '-');
		if (n < s.n) {
			assert_int_equal(s.p[n + 1], '\n');
			assert_true(n == 0 || (s.p[n - 1] != ' ' &&
			    s.p[n - 1] != '\t'));
		}
		s = str_sub(s, n + 2, s.n);
	}
}

static void
test_round(void **state)
{
	static const char texts[][8] = { "-", "x", " ", "\xff", "=", "x-",
		"\t-", "x \r\n", "\r", "\n", "--x y\r\n" };
	char octets[700];
	unsigned faults;

	(void)state;
	for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
		for (size_t n = 0; n < 300; n += n < 90 ? 1 : 41) {
			struct str in, out;

			for (size_t i = 0; i < n; i++)
				octets[i] = texts[t][i % strlen(texts[t])];
			in = (struct str){ octets, n };
			out = encode(in, 1 + n % 11, QP_ROOM + n % 9);
			lines_are_short(out);
			out = decode(out, 1 + n % 5, &faults);
			assert_true(str_eq(out, in));
			assert_int_equal(faults, 0);
		}
}

static void
test_read(void **state)
{
	static const struct { const char *in, *out; unsigned faults; } rows[] = {
		{ "a=\r\nb", "ab", 0 }, { "a= \t\r\nb", "ab", 0 },
		{ "a=\nb", "ab", 0 }, { "a  \r\nb", "a\r\nb", 0 },
		{ "a  ", "a", 0 }, { "a=", "a", 0 }, { "a= ", "a", 0 },
		{ "=c3=Bc", "\xc3\xbc", 0 }, { "a\rb", "a\rb", 0 },
		{ "a \rb", "a \rb", 0 }, { "a\r", "a\r", 0 },
		{ "=zz", "=zz", QP_JUNK }, { "=4z", "=4z", QP_JUNK },
		{ "=4", "=4", QP_CUT }, { "==41", "=A", QP_JUNK },
		{ "= x", "= x", QP_JUNK }, { "=4=41", "=4A", QP_JUNK },
		{ "\xff", "\xff", QP_8BIT },
		{ "=\r=41", "=\rA", QP_JUNK },
	};
	unsigned faults;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t k = 1; k < 4; k++) {
			struct str out = decode(str_of(rows[i].in), k, &faults);

			if (!str_eq(out, str_of(rows[i].out)))
				print_error("%zu: " STR_FMT "\n", i, STR_ARG(out));
			assert_true(str_eq(out, str_of(rows[i].out)));
			assert_int_equal(faults, rows[i].faults);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
