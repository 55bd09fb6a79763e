/* scram_test.c -- verifiers, and the one form of names and passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "trust/saslprep.h"
#include "trust/scram.h"
#include "trust/secret.h"

static const unsigned char key[32] = "no key at all, but 32 octets..";

static void
test_round(void **state)
{
	struct scram_verifier made, back;
	char room[SCRAM_TEXT];
	struct buf b = BUF_OF(room);

	(void)state;
	assert_int_equal(scram_make(SCRAM_SHA_256, STR("pencil"),
	    STR("0123456789abcdef"), SCRAM_ROUNDS_LEAST, &made), 0);
	scram_print(&made, &b);
	assert_false(b.full);
	assert_true(scram_read(buf_str(&b), &back));
	assert_memory_equal(&made, &back, sizeof made);
	assert_int_equal(scram_make(SCRAM_SHA_1, STR("pencil"),
	    (struct str){ (const char *)key, 32 }, 5000, &made), 0);
	b = BUF_OF(room);
	scram_print(&made, &b);
	assert_true(scram_read(buf_str(&b), &back));
	assert_memory_equal(&made, &back, sizeof made);
}

/* The longest salt fits SCRAM_TEXT. */
static void
test_longest(void **state)
{
	static const char salt[SCRAM_SALT_MOST];
	struct scram_verifier v;
	char room[SCRAM_TEXT];
	struct buf b = BUF_OF(room);

	(void)state;
	scram_false(key, STR("x"), &v);
	v.salt_n = SCRAM_SALT_MOST;
	memcpy(v.salt, salt, sizeof salt);
	v.rounds = SCRAM_ROUNDS_MOST;
	scram_print(&v, &b);
	assert_false(b.full);
	assert_true(scram_read(buf_str(&b), &v));
}

#define KEYS "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void
test_read(void **state)
{
	static const struct { const char *text; bool is; } rows[] = {
		{ "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS, true },
		{ "scram-sha-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS, true },
		{ "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi"
		    "4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxS"
		    "rmfPwDl2dU=", true },
		{ "SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS, false },
		{ "SCRAM-SHA-256$10000001:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS,
		    false },
		{ "SCRAM-SHA-256$x:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS, false },
		{ "SCRAM-SHA-256$4096:$" KEYS, false },
		{ "SCRAM-SHA-256$4096:W22Za$" KEYS, false },
		{ "SCRAM-SHA-512$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS, false },
		{ "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS, false },
		{ "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEYS "x",
		    false },
		{ "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==", false },
		{ "{SCRAM-SHA-256", false }, { "", false },
	};
	struct scram_verifier v;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (scram_read(str_of(rows[i].text), &v) != rows[i].is)
			fail_msg("%s", rows[i].text);
}

/* RFC 7677 3: what its example's password leads to, in the form of RFC 5803. */
static void
test_known(void **state)
{
	struct scram_verifier made, read;
	static const unsigned char salt[16] = { 0x5b, 0x6d, 0x99, 0x68, 0x9d,
		0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa,
		0x81 };

	(void)state;
	assert_true(scram_read(STR("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
	    "$" KEYS), &read));
	assert_int_equal(scram_make(SCRAM_SHA_256, STR("pencil"), (struct str){
	    (const char *)salt, 16 }, 4096, &made), 0);
	assert_memory_equal(&made, &read, sizeof made);
}

static void
test_false(void **state)
{
	struct scram_verifier a, b, c;
	unsigned char other[32] = { 1 };

	(void)state;
	scram_false(key, STR("ann"), &a);
	scram_false(key, STR("ann"), &b);
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(a.rounds, SCRAM_ROUNDS);
	assert_int_equal(a.salt_n, SCRAM_SALT);
	scram_false(key, STR("bob"), &c);
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT);
	assert_memory_not_equal(&a.stored, &c.stored, sizeof a.stored);
	scram_false(other, STR("ann"), &c);
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT);
}

static void
test_password(void **state)
{
	struct scram_verifier v;

	(void)state;
	assert_int_equal(scram_make(SCRAM_SHA_256, STR(""), STR("s"), 4096, &v),
	    -1);
	assert_true(strstr(err_text(), "password") != NULL);
	assert_int_equal(scram_make(SCRAM_SHA_256, STR("a\nb"), STR("s"), 4096,
	    &v), -1);
}

/* RFC 4013 3, and what it leaves to say. */
static void
test_saslprep(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "I\xc2\xadX", "IX" }, { "user", "user" }, { "USER", "USER" },
		{ "\xc2\xaa", "a" }, { "\xe2\x85\xa8", "IX" },
		{ "\x07", NULL }, { "\xd8\xa7\x31", NULL }, { "", NULL },
		{ "a\xc2\xa0z", "a z" }, { "\xc2\xad", NULL }, { "\xff", NULL },
		{ "e\xcc\x81", "\xc3\xa9" }, { "a\x7f", NULL },
	};
	char room[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(room);
		bool is = saslprep(str_of(rows[i].in), SASLPREP_STORED, &b);

		assert_int_equal(is, rows[i].out != NULL);
		if (is)
			assert_true(str_eq(buf_str(&b), str_of(rows[i].out)));
	}
}

static void
test_saslprep_unassigned(void **state)
{
	struct str key_emoji = STR("\xf0\x9f\x94\x91");
	char room[64];
	struct buf b = BUF_OF(room);

	(void)state;
	assert_false(saslprep(key_emoji, SASLPREP_STORED, &b));
	assert_true(saslprep(key_emoji, SASLPREP_QUERY, &b));
	assert_true(str_eq(buf_str(&b), key_emoji));
	b = BUF_OF(room);
	b.cap = 3;
	assert_false(saslprep(key_emoji, SASLPREP_QUERY, &b));
	b = BUF_OF(room);
	b.cap = 3;
	assert_true(saslprep(STR("abc"), SASLPREP_STORED, &b));
	b.n = 0;
	assert_false(saslprep(STR("abcd"), SASLPREP_STORED, &b));
}

/* Wiped when the arena goes back, while it is still ours to look. */
static void
test_secret(void **state)
{
	static const char word[] = "canary-canary-canary";
	struct arena arena;
	struct arena_mark mark;
	struct str s;
	char *was;

	(void)state;
	arena_init(&arena, 4096);
	assert_non_null(arena_alloc(&arena, 16));
	mark = arena_mark(&arena);
	was = secret_new(&arena, sizeof word - 1);
	memcpy(was, word, sizeof word - 1);
	s = (struct str){ was, sizeof word - 1 };
	assert_true(str_eq(s, str_of(word)));
	arena_back(&arena, mark);
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(was[i], 0);
	arena_clear(&arena);
	assert_true(secret_is(STR("abc"), STR("abc")));
	assert_false(secret_is(STR("abc"), STR("abd")));
	assert_false(secret_is(STR("abc"), STR("ab")));
	assert_true(secret_is(STR(""), STR_NONE));
	arena_init(&arena, 8);
	assert_null(secret_new(&arena, 8));
	arena_clear(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_false),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_saslprep),
		cmocka_unit_test(test_saslprep_unassigned),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
