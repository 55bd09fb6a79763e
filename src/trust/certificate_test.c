#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "trust/certificate.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static char room[8192], key_room[8192];

static struct str
printed(const struct certificate *c)
{
	struct buf b = BUF_OF(room);

	assert_int_equal(certificate_print(c, &b), 0);
	return buf_str(&b);
}

static struct str
printed_key(EVP_PKEY *k)
{
	struct buf b = BUF_OF(key_room);

	assert_int_equal(private_key_print(k, &b), 0);
	return buf_str(&b);
}

static void
make(const char *name, struct certificate *c, EVP_PKEY **key)
{
	struct wall now = { INT64_C(1795000000) * 1000000 };

	assert_int_equal(certificate_make(str_of(name), now, c, key), 0);
}

static void
test_round_trip(void **state)
{
	struct certificate a, b;
	EVP_PKEY *key, *again;

	(void)state;
	make("mx.example.org", &a, &key);
	assert_int_equal(certificate_read(printed(&a), &b), 0);
	assert_int_equal(X509_cmp(a.leaf, b.leaf), 0);
	assert_int_equal(sk_X509_num(b.chain), 0);
	assert_non_null(again = private_key_read(printed_key(key)));
	assert_true(certificate_fits(&b, again));
	assert_true(certificate_key_id(&a) == certificate_key_id(&b));
	assert_int_equal(X509_check_host(b.leaf, "mx.example.org", 0, 0, NULL),
	    1);
	assert_int_equal(X509_check_host(b.leaf, "example.org", 0, 0, NULL), 0);
	certificate_free(&a);
	certificate_free(&b);
	EVP_PKEY_free(key);
	EVP_PKEY_free(again);
}

static void
test_does_not_fit(void **state)
{
	struct certificate a, b;
	EVP_PKEY *of_a, *of_b;

	(void)state;
	make("a.test", &a, &of_a);
	make("b.test", &b, &of_b);
	assert_true(certificate_fits(&a, of_a));
	assert_false(certificate_fits(&a, of_b));
	assert_true(certificate_key_id(&a) != certificate_key_id(&b));
	certificate_free(&a);
	certificate_free(&b);
	EVP_PKEY_free(of_a);
	EVP_PKEY_free(of_b);
}

/* Those behind the first are its chain; what is malformed there is told. */
static void
test_chain(void **state)
{
	struct certificate a, b, both;
	EVP_PKEY *of_a, *of_b;
	static char text[8192];
	struct buf t = BUF_OF(text);

	(void)state;
	make("a.test", &a, &of_a);
	make("b.test", &b, &of_b);
	buf_put(&t, printed(&a));
	buf_put(&t, STR("some words between\n"));
	buf_put(&t, printed(&b));
	assert_int_equal(certificate_read(buf_str(&t), &both), 0);
	assert_int_equal(sk_X509_num(both.chain), 1);
	assert_int_equal(X509_cmp(sk_X509_value(both.chain, 0), b.leaf), 0);
	certificate_free(&both);
	t.n -= 40;
	assert_int_equal(certificate_read(buf_str(&t), &both), -1);
	assert_non_null(strstr(err_text(), "malformed"));
	certificate_free(&a);
	certificate_free(&b);
	EVP_PKEY_free(of_a);
	EVP_PKEY_free(of_b);
}

static void
test_refused(void **state)
{
	static char big[CERTIFICATE_PEM_MOST + 1];
	struct certificate c;
	EVP_PKEY *weak = EVP_RSA_gen(1024), *p521 = EVP_EC_gen("P-521");

	(void)state;
	assert_int_equal(certificate_read(STR(""), &c), -1);
	assert_int_equal(certificate_read(STR("-----BEGIN CERTIFICATE-----\nAA"
	    "==\n-----END CERTIFICATE-----\n"), &c), -1);
	assert_int_equal(certificate_read((struct str){ big, sizeof big }, &c),
	    -1);
	assert_null(private_key_read(STR("no key")));
	assert_null(private_key_read(printed_key(weak)));
	assert_non_null(strstr(err_text(), "2048"));
	assert_null(private_key_read(printed_key(p521)));
	EVP_PKEY_free(weak);
	EVP_PKEY_free(p521);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_does_not_fit),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
