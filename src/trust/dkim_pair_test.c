#include "trust/dkim_pair.h"

#include "base/err.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static char text[DKIM_PAIR_MOST];

static void
pairs_come_back(void **state)
{
	static const enum dkim_algorithm kinds[] = { DKIM_RSA_SHA256,
		DKIM_ED25519_SHA256 };
	char file[DKIM_PAIR_NAME];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct buf b = BUF_OF(text);
		struct dkim_pair made, back;

		assert_int_equal(dkim_pair_make(STR("a.example"), STR("s1"),
		    kinds[i], 1770000000, &made), 0);
		made.state = DKIM_RETIRING;
		made.since = 1770000999;
		assert_int_equal(dkim_pair_print(&made, &b), 0);
		assert_int_equal(dkim_pair_read(buf_str(&b), &back), 0);
		assert_string_equal(back.domain, "a.example");
		assert_string_equal(back.selector, "s1");
		assert_int_equal(back.state, DKIM_RETIRING);
		assert_int_equal(back.made, 1770000000);
		assert_int_equal(back.since, 1770000999);
		assert_int_equal(back.algorithm, kinds[i]);
		assert_int_equal(EVP_PKEY_eq(made.key, back.key), 1);
		dkim_pair_file(&back, file);
		assert_string_equal(file, "a.example.s1.key");
		dkim_pair_free(&made);
		dkim_pair_free(&back);
	}
}

static void
names_are_checked(void **state)
{
	static char long_label[64], most[200];

	(void)state;
	memset(long_label, 'a', sizeof long_label);
	assert_true(dkim_pair_names_fit(STR("a.example"), STR("2026-11.x")));
	assert_true(dkim_pair_names_fit(STR("xn--bcher-kva.example"),
	    STR("_s")));
	assert_true(dkim_pair_names_fit(STR("a.example"),
	    (struct str){ long_label, 63 }));
	assert_false(dkim_pair_names_fit(STR("a.example"),
	    (struct str){ long_label, 64 }));
	assert_false(dkim_pair_names_fit(STR("A.example"), STR("s")));
	assert_false(dkim_pair_names_fit(STR("a..example"), STR("s")));
	assert_false(dkim_pair_names_fit(STR("a.example."), STR("s")));
	assert_false(dkim_pair_names_fit(STR("../../etc"), STR("s")));
	assert_false(dkim_pair_names_fit(STR("a/b"), STR("s")));
	assert_false(dkim_pair_names_fit(STR("a.example"), STR("")));
	assert_false(dkim_pair_names_fit(STR(""), STR("s")));
	assert_false(dkim_pair_names_fit(STR("a.example"), STR("-s")));
	/* 253 with "._domainkey." between */
	for (size_t i = 0; i < sizeof most; i++)
		most[i] = i % 50 == 49 ? '.' : 'b';
	assert_true(dkim_pair_names_fit((struct str){ most, 199 },
	    (struct str){ long_label, 42 }));
	assert_false(dkim_pair_names_fit((struct str){ most, 199 },
	    (struct str){ long_label, 43 }));
}

static void
nonsense_is_no_pair(void **state)
{
	static const char head[] = "nightmail-dkim-key: 1\ndomain: a.example\n"
	    "selector: s\nstate: next\nmade: 1\nsince: 1\n";
	static const char *const bad[] = { "", "x", head,
		"nightmail-dkim-key: 2\n",
		"nightmail-dkim-key: 1\ndomain: ../a\nselector: s\n",
		"nightmail-dkim-key: 1\ndomain: a.example\nselector: s\n"
		    "state: gone\nmade: 1\nsince: 1\n",
		"nightmail-dkim-key: 1\ndomain: a.example\nselector: s\n"
		    "state: next\nmade: -1\nsince: 1\n",
	};
	struct dkim_pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(dkim_pair_read(str_of(bad[i]), &pair), -1);
		assert_null(pair.key);
		assert_true(strlen(err_text()) > 10);
		err_clear();
	}
}

/* A key as others write it. */
static struct str
pem_of(EVP_PKEY *key, bool is_traditional)
{
	BIO *b = BIO_new(BIO_s_mem());
	struct buf out = BUF_OF(text);
	char *p;
	long n;

	assert_int_equal(is_traditional ?
	    PEM_write_bio_PrivateKey_traditional(b, key, NULL, NULL, 0, NULL,
	    NULL) : PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL,
	    NULL), 1);
	n = BIO_get_mem_data(b, &p);
	buf_put(&out, (struct str){ p, (size_t)n });
	BIO_free(b);
	EVP_PKEY_free(key);
	return buf_str(&out);
}

static bool
imports(struct str pem, enum dkim_algorithm algorithm)
{
	enum dkim_algorithm got = DKIM_RSA_SHA1;
	EVP_PKEY *key = dkim_key_import(pem, &got);

	err_clear();
	EVP_PKEY_free(key);
	return key != NULL && got == algorithm;
}

static void
keys_of_others_are_taken(void **state)
{
	(void)state;
	assert_true(imports(pem_of(EVP_RSA_gen(2048), true), DKIM_RSA_SHA256));
	assert_true(imports(pem_of(EVP_RSA_gen(1024), false), DKIM_RSA_SHA256));
	assert_true(imports(pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
	    false), DKIM_ED25519_SHA256));
	assert_false(imports(pem_of(EVP_RSA_gen(768), true), DKIM_RSA_SHA256));
	assert_false(imports(pem_of(EVP_EC_gen("P-256"), false),
	    DKIM_RSA_SHA256));
	assert_false(imports(STR("-----BEGIN PRIVATE KEY-----\nAAAA\n"
	    "-----END PRIVATE KEY-----\n"), DKIM_RSA_SHA256));
	assert_false(imports(STR(""), DKIM_RSA_SHA256));
}

static void
public_halves(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(4096);
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char room[DKIM_PUBLIC_MOST];
	struct buf b = BUF_OF(room);

	(void)state;
	assert_int_equal(dkim_key_public(rsa, &b), 0);
	assert_int_equal(b.n, 550);
	b.n = 0;
	assert_int_equal(dkim_key_public(ed, &b), 0);
	assert_int_equal(b.n, 32);
	assert_int_equal(dkim_key_bits(rsa), 4096);
	b.n = 0;
	assert_int_equal(dkim_key_sign(rsa, STR("x"), &b), 0);
	assert_int_equal(b.n, 512);
	b.n = 0;
	assert_int_equal(dkim_key_sign(ed, STR("x"), &b), 0);
	assert_int_equal(b.n, 64);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_come_back),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(nonsense_is_no_pair),
		cmocka_unit_test(keys_of_others_are_taken),
		cmocka_unit_test(public_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
