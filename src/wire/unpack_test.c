#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"
#include "wire/unpack.h"

enum { ROOM = 4 * 1024 * 1024 };

static struct arena arena;
static char *packed_room, *plain_room;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, UNPACK_MEMORY);
	packed_room = test_malloc(ROOM);
	plain_room = test_malloc(ROOM);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	test_free(packed_room);
	test_free(plain_room);
	return 0;
}

/* ---- packing, for the tests ---- */

static void
deflate_put(struct buf *out, struct str in, int bits)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)in.p,
		.avail_in = (uInt)in.n };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9,
	    Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (unsigned char *)out->p + out->n;
	z.avail_out = (uInt)(out->cap - out->n);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n += z.total_out;
	deflateEnd(&z);
}

enum { ENCRYPTED = 1, DESCRIPTOR = 8, MARK = 0x10000, BAD_CRC = 0x20000 };

static void
zip_member(struct buf *out, struct str name, struct str in, unsigned method,
    unsigned flags)
{
	uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)in.p,
	    (uInt)in.n);
	bool later = (flags & DESCRIPTOR) != 0;

	crc += (flags & BAD_CRC) != 0;
	buf_put(out, STR("PK\3\4"));
	buf_le16(out, 20);
	buf_le16(out, (uint16_t)flags);
	buf_le16(out, (uint16_t)method);
	buf_le32(out, 0);
	buf_le32(out, later ? 0 : crc);
	buf_le32(out, later ? 0 : (uint32_t)in.n);
	buf_le32(out, later ? 0 : (uint32_t)in.n);
	buf_le16(out, (uint16_t)name.n);
	buf_le16(out, 4);
	buf_put(out, name);
	buf_put(out, STR("\1\2\3\4"));
	if (method == 8)
		deflate_put(out, in, -15);
	else
		buf_put(out, in);
	if (later) {
		if ((flags & MARK) != 0)
			buf_put(out, STR("PK\7\10"));
		buf_le32(out, crc);
		buf_le32(out, 1);
		buf_le32(out, (uint32_t)in.n);
	}
}

/* ---- unpacking ---- */

struct result { struct str out; bool is_refused; const char *why;
	enum unpack_kind kind; };

static int
some(struct unpack *u, struct str *in, struct buf *all, bool is_end)
{
	struct str out;
	int rc;

	while ((rc = is_end ? unpack_end(u, &out) :
	    unpack_next(u, in, &out)) == 1) {
		assert_true(out.n > 0);
		buf_put(all, out);
	}
	return rc;
}

static struct result
unpack_cut(struct str in, size_t at_once)
{
	struct buf all = { .p = plain_room, .cap = ROOM };
	struct unpack *u;
	int rc = 0;

	arena_clear(&arena);
	u = unpack_begin(&arena);
	assert_non_null(u);
	while (in.n > 0 && rc == 0) {
		struct str piece = str_sub(in, 0, at_once);

		in = str_sub(in, piece.n, in.n);
		rc = some(u, &piece, &all, false);
	}
	if (rc == 0)
		rc = some(u, NULL, &all, true);
	if (rc != 0)		/* it sticks */
		assert_int_equal(some(u, &in, &all, true), -1);
	return (struct result){ buf_str(&all), rc != 0, unpack_why(u),
		unpack_kind(u) };
}

static void
comes_out(struct str packed, struct str plain, enum unpack_kind kind)
{
	for (size_t n = 1; n < 40; n += 6) {
		struct result r = unpack_cut(packed, n);

		if (r.is_refused)
			fail_msg("%s", r.why);
		assert_true(str_eq(r.out, plain));
		assert_int_equal(r.kind, kind);
	}
}

static void
is_refused(struct str packed, const char *why)
{
	for (size_t n = 1; n < 40; n += 6) {
		struct result r = unpack_cut(packed, n);

		assert_true(r.is_refused);
		if (strstr(r.why, why) == NULL)
			fail_msg("%s", r.why);
	}
}

static struct buf
packed_new(void)
{
	return (struct buf){ .p = packed_room, .cap = ROOM };
}

static void
plain(void **state)
{
	(void)state;
	comes_out(STR(""), STR(""), UNPACK_PLAIN);
	comes_out(STR("a"), STR("a"), UNPACK_PLAIN);
	comes_out(STR("PK"), STR("PK"), UNPACK_PLAIN);
	comes_out(STR("<feedback>"), STR("<feedback>"), UNPACK_PLAIN);
}

static void
gzip(void **state)
{
	struct buf b = packed_new();

	(void)state;
	deflate_put(&b, STR("<feedback>"), 31);
	comes_out(buf_str(&b), STR("<feedback>"), UNPACK_GZIP);
	deflate_put(&b, STR("</feedback>"), 31);
	comes_out(buf_str(&b), STR("<feedback></feedback>"), UNPACK_GZIP);
	buf_put(&b, STR("\r\n padding"));
	comes_out(buf_str(&b), STR("<feedback></feedback>"), UNPACK_GZIP);
	b = packed_new();
	deflate_put(&b, STR("<feedback>"), 31);
	for (size_t n = 2; n < b.n; n++)
		assert_true(unpack_cut((struct str){ b.p, n }, 5).is_refused);
	b.p[b.n - 5] ^= 1;
	is_refused(buf_str(&b), "damaged");
}

static void
zip(void **state)
{
	static const unsigned flags[] = { 0, DESCRIPTOR, DESCRIPTOR | MARK };
	struct str text = STR("<feedback> of some length </feedback>");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct buf b = packed_new();

		zip_member(&b, STR("folder/"), STR(""), 0, 0);
		zip_member(&b, STR("folder/a.xml"), text, 8, flags[i]);
		buf_put(&b, STR("PK\1\2 and whatever a directory says"));
		comes_out(buf_str(&b), text, UNPACK_ZIP);
	}
	for (unsigned bad = 0; bad < 2; bad++) {
		struct buf b = packed_new();

		zip_member(&b, STR("a.xml"), text, 0, bad * BAD_CRC);
		if (bad == 0)
			is_refused(buf_str(&b), "too early");
		buf_put(&b, STR("PK\1\2"));
		if (bad == 0)
			comes_out(buf_str(&b), text, UNPACK_ZIP);
		else
			is_refused(buf_str(&b), "checksum");
	}
}

static void
zip_refused(void **state)
{
	static const struct { unsigned method, flags; const char *why; } rows[] = {
		{ 8, ENCRYPTED, "encrypted" }, { 9, 0, "not deflate" },
		{ 0, DESCRIPTOR, "how long" }, { 8, BAD_CRC, "checksum" },
		{ 8, BAD_CRC | DESCRIPTOR, "checksum" },
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		b = packed_new();
		zip_member(&b, STR("a"), STR("text"), rows[i].method,
		    rows[i].flags);
		buf_put(&b, STR("PK\1\2"));
		is_refused(buf_str(&b), rows[i].why);
	}
	b = packed_new();
	zip_member(&b, STR("a"), STR("text"), 8, 0);
	zip_member(&b, STR("b"), STR("text"), 8, 0);
	is_refused(buf_str(&b), "several files");
	b = packed_new();
	zip_member(&b, STR("a/"), STR(""), 0, 0);
	buf_put(&b, STR("PK\1\2"));
	is_refused(buf_str(&b), "no file");
	is_refused(STR("PK\5\6 and so on"), "empty");
	b = packed_new();
	zip_member(&b, STR("a"), STR("text"), 8, 0);
	for (int i = 0; i < 100; i++)
		buf_putc(&b, 'x');
	is_refused(buf_str(&b), "cannot be read");
}

/* 42.zip, quines: what comes out is packed again. */
static void
nested(void **state)
{
	struct buf b = packed_new();
	struct str inner = STR("PK\3\4 and so on, the same again");

	(void)state;
	zip_member(&b, STR("1.zip"), inner, 8, 0);
	buf_put(&b, STR("PK\1\2"));
	is_refused(buf_str(&b), "within an archive");
	b = packed_new();
	deflate_put(&b, STR("\x1f\x8b\x08 ..."), 31);
	is_refused(buf_str(&b), "within an archive");
}

/* UNPACK_FREE octets come out of anything, and one more of nothing that is a
 * bomb. */
static void
bombs(void **state)
{
	struct buf b;

	(void)state;
	memset(plain_room, ' ', ROOM);
	b = packed_new();
	deflate_put(&b, (struct str){ plain_room, UNPACK_FREE }, 31);
	assert_false(unpack_cut(buf_str(&b), ROOM).is_refused);
	memset(plain_room, ' ', ROOM);
	b = packed_new();
	deflate_put(&b, (struct str){ plain_room, ROOM }, 31);
	assert_non_null(strstr(unpack_cut(buf_str(&b), ROOM).why, "bomb"));
	assert_true(unpack_cut(buf_str(&b), 100).out.n < 2 * UNPACK_FREE);
}

/* UNPACK_MOST, whatever went in. */
static void
too_much(void **state)
{
	struct unpack *u = unpack_begin(&arena);
	struct str in, out;
	uint64_t sum = 0;
	int rc = 1;

	(void)state;
	while (rc == 1) {
		in = (struct str){ plain_room, 1024 };
		rc = unpack_next(u, &in, &out);
		if (rc == 1)
			sum += out.n;
	}
	assert_int_equal(rc, -1);
	assert_true(sum <= UNPACK_MOST && sum > UNPACK_MOST - 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain, setup, teardown),
		cmocka_unit_test_setup_teardown(gzip, setup, teardown),
		cmocka_unit_test_setup_teardown(zip, setup, teardown),
		cmocka_unit_test_setup_teardown(zip_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(nested, setup, teardown),
		cmocka_unit_test_setup_teardown(bombs, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
