#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trust/test_digest.h"

#include <openssl/sha.h>
#include <stdio.h>

static struct arena arena;
static char room[HEADER_OCTETS_MOST + 65536];

static struct digest *
fresh(void)
{
	struct digest *d;

	arena_clear(&arena);
	arena_init(&arena, DIGEST_ARENA);
	assert_non_null(d = digest_new(&arena));
	return d;
}

static bool
add(struct digest *d, struct str name, struct str raw)
{
	struct field f = { .name = name, .raw = raw };

	return digest_field(d, &f);
}

static void
assert_hash(const unsigned char got[DIGEST_OCTETS], struct str of)
{
	unsigned char wanted[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)of.p, of.n, wanted);
	assert_memory_equal(got, wanted, DIGEST_OCTETS);
}

/* ---- bodies ---- */

/* Lengths on, before and behind every octet; the body cut at every octet. */
static void
test_lengths(void **state)
{
	struct str body = STR("a  b\r\n\r\nc\r\n\r\n");
	struct str relaxed = STR("a b\r\n\r\nc\r\n"), simple = STR("a  b\r\n\r\nc\r\n");

	(void)state;
	for (size_t cut = 0; cut <= body.n; cut++)
		for (int64_t length = 0; length <= (int64_t)simple.n + 1; length++) {
			struct digest *d = fresh();
			unsigned char hash[DIGEST_OCTETS];
			uint64_t octets;
			size_t n = (size_t)length;

			assert_int_equal(digest_want(d, CANON_RELAXED, length), 0);
			assert_int_equal(digest_want(d, CANON_SIMPLE, length), 1);
			assert_int_equal(digest_want(d, CANON_SIMPLE, DIGEST_ALL), 2);
			digest_body(d, str_sub(body, 0, cut));
			digest_body(d, str_sub(body, cut, body.n));
			assert_true(digest_end(d));
			assert_true(digest_body_hash(d, 0, hash, &octets));
			assert_hash(hash, str_sub(relaxed, 0, n));
			assert_int_equal(octets, relaxed.n);
			assert_true(digest_body_hash(d, 1, hash, &octets));
			assert_hash(hash, str_sub(simple, 0, n));
			assert_int_equal(octets, simple.n);
			assert_true(digest_body_hash(d, 2, hash, NULL));
			assert_hash(hash, simple);
		}
}

static void
test_wishes(void **state)
{
	struct digest *d = fresh();
	unsigned char hash[DIGEST_OCTETS];

	(void)state;
	for (int i = 0; i < DIGEST_WISHES; i++)
		assert_int_equal(digest_want(d, CANON_SIMPLE, i), i);
	assert_int_equal(digest_want(d, CANON_SIMPLE, 3), 3);
	assert_int_equal(digest_want(d, CANON_RELAXED, 3), -1);
	assert_true(digest_end(d));
	assert_true(digest_body_hash(d, 1, hash, NULL));
	assert_hash(hash, STR("\r"));
	d = fresh();
	digest_body(d, STR("nobody asks"));
	assert_true(digest_end(d));
}

/* ---- fields ---- */

static void
assert_signed(struct digest *d, enum canon canon, struct str names,
    struct str last, size_t skip, struct str wanted)
{
	struct digest_ask ask = { canon, names, last, skip };
	struct buf out = BUF_OF(room);
	unsigned char hash[DIGEST_OCTETS];

	assert_true(digest_signed(d, &ask, &out));
	if (!str_eq(buf_str(&out), wanted))
		fail_msg("'" STR_FMT "'", STR_ARG(buf_str(&out)));
	assert_true(out.n <= digest_signed_most(d, last));
	assert_true(digest_signed_hash(d, &ask, hash));
	assert_hash(hash, wanted);
}

/* RFC 6376 5.4.2 */
static void
test_names(void **state)
{
	struct digest *d = fresh();
	struct str last = STR("D: b=x;\r\n");

	(void)state;
	test_fields(d, &arena, STR("A: 1\r\na: 2\r\nAb : 3\r\nD:  4\r\nA: 5\r\n"
	    "\r\nbody"));
	assert_int_equal(digest_fields(d), 5);
	assert_true(str_eq(digest_raw(d, 2), STR("Ab : 3\r\n")));
	assert_true(str_eq(digest_name(d, 2), STR("Ab")));
	assert_true(str_eq(digest_value(d, 2), STR(" 3")));
	assert_signed(d, CANON_RELAXED, STR("a:A :\r\n a:a:ab:c:d"), last,
	    SIZE_MAX, STR("a:5\r\na:2\r\na:1\r\nab:3\r\nd:4\r\nd:b=;"));
	assert_signed(d, CANON_SIMPLE, STR("AB:a:D"), last, 3,
	    STR("Ab : 3\r\nA: 5\r\nD: b=;"));
	assert_signed(d, CANON_SIMPLE, STR("a:a:a"), last, 1,
	    STR("A: 5\r\nA: 1\r\nD: b=;"));
	assert_signed(d, CANON_SIMPLE, STR(""), last, 0, STR("D: b=;"));
	assert_signed(d, CANON_SIMPLE, STR("::x"), last, 0, STR("D: b=;"));
}

/* Nothing is there: a header without fields. */
static void
test_nothing(void **state)
{
	struct digest *d = fresh();

	(void)state;
	assert_true(str_eq(test_fields(d, &arena, STR("\r\nx")), STR("x")));
	assert_int_equal(digest_fields(d), 0);
	assert_signed(d, CANON_RELAXED, STR("from:to"), STR("D:b="), SIZE_MAX,
	    STR("d:b="));
}

/* ---- limits ---- */

static void
test_most_fields(void **state)
{
	struct digest *d = fresh();
	struct digest_ask ask = { CANON_SIMPLE, STR("a"), STR("D:b="),
		SIZE_MAX };
	unsigned char hash[DIGEST_OCTETS];

	(void)state;
	/* 26 octets each are all that a header may have */
	for (size_t i = 0; i < HEADER_LINES_MOST; i++)
		assert_true(add(d, STR("A"), STR("A:2345678901234567890123\r\n")));
	assert_int_equal(digest_want(d, CANON_RELAXED, DIGEST_ALL), 0);
	assert_true(digest_signed_hash(d, &ask, hash));
	assert_true(digest_end(d));
	d = fresh();
	for (size_t i = 0; i < HEADER_LINES_MOST; i++)
		assert_true(add(d, STR("A"), STR("A:\r\n")));
	assert_false(add(d, STR("A"), STR("A:\r\n")));
	assert_int_equal(digest_fields(d), HEADER_LINES_MOST);
	assert_false(digest_end(d));
}

static void
test_most_octets(void **state)
{
	(void)state;
	memset(room, 'x', sizeof room);
	room[1] = ':';
	for (size_t n = HEADER_OCTETS_MOST - 1; n <= HEADER_OCTETS_MOST + 1; n++)
		assert_int_equal(add(fresh(), STR("x"),
		    (struct str){ room, n }), n <= HEADER_OCTETS_MOST);
}

/* As many names as a header has room for, of as many fields alike: it would take
 * minutes if each name looked at each field. */
static void
test_bomb(void **state)
{
	static char names[HEADER_OCTETS_MOST];
	struct digest *d = fresh();
	struct digest_ask ask = { CANON_RELAXED, { names, sizeof names },
		STR("D:b="), SIZE_MAX };
	unsigned char hash[DIGEST_OCTETS];

	(void)state;
	for (size_t i = 0; i < sizeof names; i += 2) {
		names[i] = i % 6 == 0 ? 'b' : 'a';
		names[i + 1] = ':';
	}
	for (size_t i = 0; i < HEADER_LINES_MOST; i++)
		assert_true(add(d, STR("A"), i % 2 == 0 ? STR("A: x\r\n") :
		    STR("a:\ty\r\n")));
	for (int i = 0; i < 20; i++)
		assert_true(digest_signed_hash(d, &ask, hash));
}

/* Most of a header, in names that differ in the end only. */
static void
test_long_names(void **state)
{
	struct digest *d = fresh();
	char text[900];
	struct digest_ask ask = { CANON_SIMPLE, STR_NONE, STR("D:b="),
		SIZE_MAX };
	struct buf names = BUF_OF(room), out;

	(void)state;
	memset(text, 'n', sizeof text);
	for (int i = 0; i < 250; i++) {
		snprintf(text + 800, 20, "%05d:\r\n", i);
		assert_true(add(d, (struct str){ text, 805 },
		    (struct str){ text, 808 }));
		buf_put(&names, (struct str){ text, 806 });
	}
	ask.names = buf_str(&names);
	out = (struct buf){ .p = arena_alloc(&arena, 1 << 18), .cap = 1 << 18 };
	assert_true(digest_signed(d, &ask, &out));
	assert_int_equal(out.n, 250 * 808 + 4);
}

/* An arena of any size: it says no, or it is right. */
static void
test_no_memory(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (size_t most = 0; most < 32 * 1024; most += 512) {
		struct arena small;
		struct digest *d;
		struct digest_ask ask = { CANON_SIMPLE, STR("a"), STR("D:b="),
			SIZE_MAX };
		unsigned char hash[DIGEST_OCTETS];

		arena_init(&small, most);
		d = digest_new(&small);
		if (d != NULL && add(d, STR("A"), STR("A: 1\r\n")) &&
		    digest_signed_hash(d, &ask, hash))
			assert_hash(hash, STR("A: 1\r\nD:b="));
		else
			refused++;
		arena_clear(&small);
	}
	assert_true(refused > 0 && refused < 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_most_fields),
		cmocka_unit_test(test_most_octets),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
