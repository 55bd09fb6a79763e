#include "trust/password.h"

#include "base/err.h"
#include "trust/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena arena;

static int
fits(const char *stored, const char *password)
{
	int rc = password_verify(str_of(stored), str_of(password), &arena);

	arena_clear(&arena);
	return rc;
}

#define SHA512_TEXT "$6$saltsalt$g3uPFdehVnKoLXdidvSAg1zlVgYomPr0X/xgdXSBn2" \
	"LuxZUOGgYW4IULZkguZ77fzYteIur49AGHmF9iek6Sf1"
#define SHA256_TEXT "$5$rounds=1000$saltsalt$30.yc4HsSpLTxr3NqKw4EhPINDzNTqzx" \
	"g9qelAitDW2"
#define BCRYPT_TEXT "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGe" \
	"sJ9O"
#define YESCRYPT_TEXT "$y$j75$saltsalt$GDiWx.N0C37GPHdpSsqZd3WwYyf3ltvHTfCRdU" \
	"o/yG5"
#define PBKDF2_TEXT "$1$bUnT4Pl7yFtYX0KU$5000$169c8c9311e5896ff8af974740a913a" \
	"c0dac669d"
#define ARGON2ID_TEXT "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$5xng3iiO6" \
	"E452ulEa5S6mSeNKT9Sh/GT7Pudox2FxME"

/* All of them are "sesame". */
static const char *const good[] = {
	"{SHA512-CRYPT}" SHA512_TEXT, SHA512_TEXT, "{CRYPT}" SHA512_TEXT,
	"{sha256-crypt}" SHA256_TEXT, SHA256_TEXT,
	"{BLF-CRYPT}" BCRYPT_TEXT, BCRYPT_TEXT, YESCRYPT_TEXT,
	"{CRYPT}" YESCRYPT_TEXT,
	"$gy$j75$saltsalt$LiHzG9sp0DOtd42FDyBYjyUr93.a0gNrlgneng8zPZ2",
	"{ARGON2ID}" ARGON2ID_TEXT, ARGON2ID_TEXT, "{CRYPT}" ARGON2ID_TEXT,
	"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$g1FYOFZKc"
	    "ry3y41tN00v2yosbpM/If7oIyVr9zDz7Ww",
	"{ARGON2I}$argon2i$v=19$m=64,t=3,p=1$c29tZXNhbHQ$AYs0zqKO31y"
	    "zjSJy26HegZ7DdxiH8LXz4XRmCo7aFTs",
	"$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$aYGBZ5xBB6"
	    "eaH7IbiDxM8qR7cteZabz/wL4QINp/8q4",
	"{PBKDF2}" PBKDF2_TEXT,
	"{SSHA256}5Xz1RftiibK44CwdFFOVz/ztH2By1r3TR/rSOjLsMSZOYUNs",
	"{SSHA256.HEX}e57cf545fb6289b2b8e02c1d145395cffced1f6072d6bdd347fad23"
	    "a32ec31264e61436c",
	"{SSHA512.b64}OY8e17w5Mqd/JmxIEk6CiAu3FdwXoxaGvq7CG/EQarw4JJVfqsa3aKH"
	    "qQvAJLrhAT0uT+5+07X3nI1sL+z1PdE5hQ2w=",
	"{PLAIN}sesame", "{CLEARTEXT}sesame", "{PLAIN.HEX}736573616d65",
	"{PLAIN.BASE64}c2VzYW1l",
};

static void
test_schemes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		bool is_plain;

		if (password_check(str_of(good[i]), &is_plain) != 0)
			fail_msg("%s: %s", good[i], err_text());
		assert_true(is_plain == (strstr(good[i], "{PLAIN") != NULL ||
		    strstr(good[i], "{CLEAR") != NULL));
		if (fits(good[i], "sesame") != 1)
			fail_msg("%s does not fit: %s", good[i], err_text());
		if (fits(good[i], "Sesame") != 0 || fits(good[i], "") != 0 ||
		    fits(good[i], "sesame ") != 0)
			fail_msg("%s fits all", good[i]);
	}
}

/* The last octet, and each single one before it, is looked at. */
static void
test_no_part_of_a_hash_is_enough(void **state)
{
	static const size_t kinds[] = { 0, 3, 10, 16, 17 };

	(void)state;
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		const char *text = good[kinds[k]];
		char room[PASSWORD_STORED_MOST];
		size_t n = strlen(text);

		for (size_t cut = 1; cut < 30; cut++) {
			memcpy(room, text, n + 1);
			room[n - cut] = room[n - cut] == '0' ? '1' : '0';
			if (fits(room, "sesame") == 1)
				fail_msg("%s fits", room);
			memcpy(room, text, n + 1);
			room[n - cut] = '\0';
			if (fits(room, "sesame") == 1)
				fail_msg("%s fits", room);
		}
	}
}

static const struct { const char *stored, *why; } bad[] = {
	{ "{MD5-CRYPT}$1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/", "too quick" },
	{ "$1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/", "too quick" },
	{ "{CRYPT}$1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/", "too quick" },
	{ "{DES-CRYPT}abJnggxhB/yWI", "guessed in minutes" },
	{ "abJnggxhB/yWI", "DES" },
	{ "{CRYPT}abJnggxhB/yWI", "DES" },
	{ "_J9..rasmBYk8r9AiWNc", "DES" },
	{ "{SSHA}aaaa", "too quick" }, { "{SHA}aaaa", "no salt" },
	{ "{NTLM}aaaa", "as good as the password" },
	{ "{SHA512}aaaa", "no salt" },
	{ "{NEW}abc", "{NEW} is not known" }, { "{", "{} is not known" },
	{ "{PLAIN.ROT}abc", "is not known" }, { "{PLAIN}", "empty" },
	{ "{PLAIN.HEX}7", "no hash of PLAIN" },
	{ "{PLAIN.B64}c2VzYW1", "no hash of PLAIN" },
	{ "sesame", "stands nowhere" },
	{ "$9$abc", "no hash of crypt" }, { "$6$", "no hash of crypt" },
	{ "{SHA512-CRYPT}$6$saltsalt$short", "no hash of SHA512-CRYPT" },
	{ "$6$rounds=1000001$saltsalt$g3uPFdehVnKoLXdidvSAg1zlVgY",
	    "takes too long" },
	{ "$2b$15$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O",
	    "takes too long" },
	{ "$y$jF5$saltsalt$GDiWx.N0C37GPHdpSsqZd3WwYyf3ltvHTfCRdUo/yG5",
	    "takes too long" },
	{ "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "no hash of argon2" },
	{ "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "takes too long" },
	{ "$argon2id$v=19$m=65537,t=64,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "takes too long" },
	{ "$argon2id$v=19$m=8,t=65,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcx",
	    "no hash of argon2" },
	{ "$argon2id$v=19$m=8,t=65,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "takes too long" },
	{ "$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "no hash of argon2" },
	{ "$argon2id$v=18$m=8,t=1,p=1$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "no hash of argon2" },
	{ "$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$bm90aGluZ25vdGhpbmcxMjM",
	    "no hash of argon2" },
	{ "{PBKDF2}$1$salt$0$169c8c9311e5896ff8af974740a913ac0dac669d",
	    "no hash of PBKDF2" },
	{ "{PBKDF2}$1$salt$10000001$169c8c9311e5896ff8af974740a913ac0dac669d",
	    "no hash of PBKDF2" },
	{ "{PBKDF2}$1$salt$1$169c8c9311e5896ff8af974740a913ac0dac66",
	    "no hash of PBKDF2" },
	{ "{SSHA256}5Xz1RftiibK44CwdFFOVz/ztH2By1r3TR/rSOjLsMSY=",
	    "no hash of SSHA256" },		/* without salt */
	{ "{SCRAM-SHA-256}4095,aaaa,aaaa,aaaa", "no hash of SCRAM-SHA-256" },
};

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bool is_plain;

		err_clear();
		if (password_check(str_of(bad[i].stored), &is_plain) == 0)
			fail_msg("%s is taken", bad[i].stored);
		if (strstr(err_text(), bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].stored, err_text());
		assert_int_equal(fits(bad[i].stored, "sesame"), -1);
	}
}

static void
test_limits(void **state)
{
	char longest[PASSWORD_MOST + 1], room[PASSWORD_TEXT];
	struct buf b = BUF_OF(room), none = { .p = room, .cap = 20 };
	struct str password = { longest, PASSWORD_MOST };
	char stored[PASSWORD_STORED_MOST + 1];
	bool is_plain;

	(void)state;
	memset(longest, 'x', sizeof longest);
	assert_int_equal(password_make(password, &b), 0);
	assert_int_equal(password_verify(buf_str(&b), password, &arena), 1);
	password.n--;
	assert_int_equal(password_verify(buf_str(&b), password, &arena), 0);
	password.n += 2;
	assert_int_equal(password_verify(buf_str(&b), password, &arena), 0);
	assert_int_equal(password_make(password, &b), -1);
	assert_int_equal(password_make(STR(""), &b), -1);
	assert_int_equal(password_make(STR("a\0b"), &b), -1);
	assert_int_equal(password_make(STR("abc"), &none), -1);
	assert_int_equal(password_verify(STR("{PLAIN}a"), STR("a\0b"), &arena),
	    0);
	memset(stored, 'a', sizeof stored);
	memcpy(stored, "{PLAIN}", 7);
	assert_int_equal(password_check((struct str){ stored,
	    PASSWORD_STORED_MOST }, &is_plain), 0);
	assert_int_equal(password_check((struct str){ stored,
	    PASSWORD_STORED_MOST + 1 }, &is_plain), -1);
	arena_clear(&arena);
}

static void
test_new_ones(void **state)
{
	char one[PASSWORD_TEXT], two[PASSWORD_TEXT];
	struct buf b = BUF_OF(one), c = BUF_OF(two);
	bool is_plain;

	(void)state;
	assert_int_equal(password_make(STR("sesame"), &b), 0);
	assert_int_equal(password_make(STR("sesame"), &c), 0);
	assert_false(str_eq(buf_str(&b), buf_str(&c)));
	assert_true(str_has_prefix_icase(buf_str(&b),
	    STR("$argon2id$v=19$m=19456,t=2,p=1$")));
	assert_int_equal(password_check(buf_str(&b), &is_plain), 0);
	assert_int_equal(password_verify(buf_str(&b), STR("sesame"), &arena), 1);
	assert_int_equal(password_verify(buf_str(&c), STR("sesamE"), &arena), 0);
	assert_int_equal(password_check(str_of(password_dummy), &is_plain), 0);
	assert_int_equal(fits(password_dummy, "sesame"), 0);
}

static void
test_a_verifier_of_scram_checks_a_password(void **state)
{
	struct scram_verifier v;
	char room[SCRAM_TEXT], dovecot[SCRAM_TEXT];
	struct buf b = BUF_OF(room), d = BUF_OF(dovecot);
	struct str rest, name;

	(void)state;
	assert_int_equal(scram_make(SCRAM_SHA_256, STR("sesame"),
	    STR("0123456789abcdef"), 4096, &v), 0);
	scram_print(&v, &b);
	/* "SCRAM-SHA-256$i:salt$stored:server" in Dovecot's punctuation */
	rest = buf_str(&b);
	name = str_cut(&rest, '$');
	buf_printf(&d, "{" STR_FMT "}", STR_ARG(name));
	for (size_t i = 0; i < rest.n; i++)
		buf_putc(&d, rest.p[i] == ':' || rest.p[i] == '$' ? ',' :
		    rest.p[i]);
	if (password_verify(buf_str(&d), STR("sesame"), &arena) != 1)
		fail_msg(STR_FMT ": %s", STR_ARG(buf_str(&d)), err_text());
	assert_int_equal(password_verify(buf_str(&d), STR("sesamE"), &arena), 0);
	assert_int_equal(password_verify(buf_str(&d), STR("a\x01"), &arena), 0);
}

static void
test_nobodys(void **state)
{
	(void)state;
	assert_true(password_is_none(STR("")) && password_is_none(STR("x")) &&
	    password_is_none(STR("*")) && password_is_none(STR("!")) &&
	    password_is_none(STR("!$6$a$b")) && password_is_none(STR("*LK*")));
	assert_false(password_is_none(STR("xx")) ||
	    password_is_none(STR("{PLAIN}x")));
}

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, PASSWORD_SCRATCH);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_no_part_of_a_hash_is_enough),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_new_ones),
		cmocka_unit_test(test_a_verifier_of_scram_checks_a_password),
		cmocka_unit_test(test_nobodys),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
