#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <zlib.h>

#include "wire/gzip.h"

enum { BIG = 3 * 1000 * 1000 };

static size_t
unpack(struct str gz, char *to, size_t room)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)gz.p,
		.avail_in = (unsigned)gz.n, .next_out = (unsigned char *)to,
		.avail_out = (unsigned)room };
	size_t n;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	n = room - z.avail_out;
	inflateEnd(&z);
	return n;
}

static void
what_went_in_comes_out(void **state)
{
	static char in[BIG], out[BIG + 1];
	struct arena a;
	struct gzip *g;
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < BIG; i++) {
		x = x * 1103515245 + 12345;
		in[i] = (char)(i < BIG / 2 ? x >> 16 : 'a');
	}
	arena_init(&a, 8 << 20);
	g = gzip_new(&a, 4 << 20);
	assert_non_null(g);
	for (size_t i = 0, n = 1; i < BIG; i += n, n = n * 3 + 1)
		gzip_put(g, str_sub((struct str){ in, BIG }, i, n));
	gzip_put(g, STR(""));
	assert_true(gzip_end(g));
	assert_int_equal(unpack(gzip_octets(g), out, sizeof out), BIG);
	assert_memory_equal(in, out, BIG);
	arena_clear(&a);
}

static void
nothing_is_something_too(void **state)
{
	struct arena a;
	struct gzip *g;
	char out[1];

	(void)state;
	arena_init(&a, 8 << 20);
	g = gzip_new(&a, 1024);
	assert_true(gzip_end(g));
	assert_int_equal(unpack(gzip_octets(g), out, sizeof out), 0);
	arena_clear(&a);
}

/* n octets fit, n - 1 do not; and an arena that is full says so. */
static void
limits_hold(void **state)
{
	struct str text = STR("0123456789abcdefghijklmnopqrstuvwxyz");
	struct arena a;
	struct gzip *g;
	size_t n;

	(void)state;
	arena_init(&a, 8 << 20);
	g = gzip_new(&a, 1024);
	gzip_put(g, text);
	assert_true(gzip_end(g));
	n = gzip_octets(g).n;
	for (size_t most = n - 1; most <= n + 1; most++) {
		g = gzip_new(&a, most);
		gzip_put(g, text);
		assert_int_equal(gzip_end(g), most >= n);
	}
	arena_clear(&a);
	arena_init(&a, 300 * 1024);
	assert_non_null(gzip_new(&a, 1024));
	assert_null(gzip_new(&a, 1024));
	arena_clear(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_in_comes_out),
		cmocka_unit_test(nothing_is_something_too),
		cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
