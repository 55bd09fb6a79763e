#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/base64.h"

static char room[4096], back_room[4096];

/* `at_once' octets in, `space' octets of room at a time. */
static struct str
encode(struct str in, size_t at_once, size_t space)
{
	struct base64_writer w = { 0 };
	size_t n = 0;

	while (in.n > 0) {
		struct str part = str_sub(in, 0, at_once);

		in = str_sub(in, part.n, in.n);
		for (bool done = false; !done;) {
			struct buf b = { .p = room + n, .cap = space };

			done = base64_put(&w, &part, &b);
			assert_false(b.full);
			n += b.n;
		}
	}
	for (bool done = false; !done;) {
		struct buf b = { .p = room + n, .cap = space };

		done = base64_end(&w, &b);
		n += b.n;
	}
	return (struct str){ room, n };
}

static struct str
decode(struct str in, size_t at_once, unsigned *faults)
{
	struct base64_reader r = { 0 };
	struct buf b = BUF_OF(back_room);

	while (in.n > 0) {
		struct str part = str_sub(in, 0, at_once);

		in = str_sub(in, part.n, in.n);
		assert_true(base64_take(&r, &part, &b));
	}
	assert_true(base64_close(&r, &b));
	*faults = r.faults;
	return buf_str(&b);
}

/* RFC 4648 10 */
static void
test_vectors(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==\r\n" },
		{ "fo", "Zm8=\r\n" }, { "foo", "Zm9v\r\n" },
		{ "foob", "Zm9vYg==\r\n" }, { "fooba", "Zm9vYmE=\r\n" },
		{ "foobar", "Zm9vYmFy\r\n" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_true(str_eq(encode(str_of(rows[i][0]), 99, 99),
		    str_of(rows[i][1])));
}

static void
test_round(void **state)
{
	char octets[600];
	struct str in, out;
	unsigned faults;

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (char)(i * 7 + i / 256);
	for (size_t n = 0; n < sizeof octets; n += n < 120 ? 1 : 37) {
		in = (struct str){ octets, n };
		out = encode(in, 1 + n % 13, 6 + n % 5);
		for (size_t at = 0, end; at < out.n; at = end + 2) {
			end = at + str_find(str_sub(out, at, out.n), '\r');
			assert_in_range(end - at, 1, BASE64_LINE);
			assert_int_equal(out.p[end + 1], '\n');
		}
		assert_true(str_eq(decode(out, 1 + n % 7, &faults), in));
		assert_int_equal(faults, 0);
	}
}

static void
test_faults(void **state)
{
	static const struct { const char *in, *out; unsigned faults; } rows[] = {
		{ "Zm9v", "foo", 0 }, { " Z\tm\r\n9 v ", "foo", 0 },
		{ "Zm9vYg", "foob", BASE64_CUT }, { "Zm9vY", "foo", BASE64_CUT },
		{ "Zh==", "f", BASE64_CUT }, { "Zm9=", "fo", BASE64_CUT },
		{ "Z===", "", BASE64_CUT }, { "=", "", BASE64_CUT },
		{ "Zm*9v", "foo", BASE64_JUNK },
		{ "Zm9v\xc3\xbc", "foo", BASE64_JUNK },
		{ "Zg==Zg==", "f", BASE64_MORE }, { "-_-_", "", BASE64_JUNK },
	};
	unsigned faults;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(str_eq(decode(str_of(rows[i].in), 2, &faults),
		    str_of(rows[i].out)));
		assert_int_equal(faults, rows[i].faults);
	}
}

/* RFC 4648 10 at once; and nothing but that. */
static void
test_at_once(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=",
		"Zm8", "Zm8==", "=", "==", "====", "=AAA", "AAA=BBB=", "Zg==Zg==",
		"Zm9v\n", "Zm 9", "Zm9v=", "Zm9v====", "Zm-_", "Zm9v\xc3\xa9x" };
	static const char nul[4] = { 'Z', 'm', '\0', 'v' };
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		b = BUF_OF(room);
		base64_encode(str_of(rows[i][0]), &b);
		assert_true(str_eq(buf_str(&b), str_of(rows[i][1])));
		b = BUF_OF(room);
		b.cap = strlen(rows[i][0]);
		assert_true(base64_decode(str_of(rows[i][1]), &b));
		assert_true(str_eq(buf_str(&b), str_of(rows[i][0])));
		if (b.cap == 0)
			continue;
		b.n = 0;
		b.cap--;
		assert_false(base64_decode(str_of(rows[i][1]), &b));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		b = BUF_OF(room);
		assert_false(base64_decode(str_of(bad[i]), &b));
	}
	b = BUF_OF(room);
	assert_false(base64_decode((struct str){ nul, 4 }, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
