#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* Another implementation's answers for the key 0, 0: CPython 3.11, whose
 * hash() of bytes is SipHash-1-3, with PYTHONHASHSEED=0. */
static void
test_known_answers(void **state)
{
	static const struct { const char *text; uint64_t hash; } cases[] = {
		{ "a", 0x407448d2b89b1813 },
		{ "abc", 0xc03bc3a0042630f2 },
		{ "abcdefg", 0x6db12aae9070f506 },
		{ "abcdefgh", 0x3f7b849c0b8e35ea },
		{ "abcdefghi", 0xf89b34a3d11eb6e5 },
		{ "The Night Mail crossing the border", 0xfa2d549a32040969 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_true(hash_bytes((struct hash_key){ 0, 0 },
		    str_of(cases[i].text)) == cases[i].hash);
}

static void
test_every_bit_of_key_and_bytes_counts(void **state)
{
	struct hash_key k = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char bytes[24] = "the same bytes and key.";
	struct str s = { bytes, sizeof bytes };
	uint64_t h = hash_bytes(k, s);

	(void)state;
	assert_true(hash_bytes(k, s) == h);
	for (size_t i = 0; i < 8 * sizeof bytes; i++) {
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
		assert_true(hash_bytes(k, s) != h);
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
	}
	for (unsigned i = 0; i < 64; i++) {
		struct hash_key k0 = { k.k0 ^ UINT64_C(1) << i, k.k1 };
		struct hash_key k1 = { k.k0, k.k1 ^ UINT64_C(1) << i };

		assert_true(hash_bytes(k0, s) != h);
		assert_true(hash_bytes(k1, s) != h);
	}
}

static void
test_lengths_differ(void **state)
{
	static const char zeros[33];
	uint64_t seen[33];

	(void)state;
	for (size_t n = 0; n < 33; n++) {
		seen[n] = hash_bytes((struct hash_key){ 1, 2 },
		    (struct str){ zeros, n });
		for (size_t i = 0; i < n; i++)
			assert_true(seen[i] != seen[n]);
	}
}

static void
test_numbers_hash_as_their_bytes(void **state)
{
	struct hash_key k = { 3, 4 };

	(void)state;
	assert_true(hash_u64(k, 0x0807060504030201) ==
	    hash_bytes(k, STR("\x01\x02\x03\x04\x05\x06\x07\x08")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_every_bit_of_key_and_bytes_counts),
		cmocka_unit_test(test_lengths_differ),
		cmocka_unit_test(test_numbers_hash_as_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
