#include "trust/jws.h"

#include "base/err.h"
#include "wire/base64url.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* RFC 7638 3.1 */
#define RFC7638_KEY \
	"{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAF" \
	"bWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjh" \
	"Mstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY3" \
	"68QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-b" \
	"FTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8" \
	"awapJzKnqDKgw\"}"

static void
test_thumbprint(void **state)
{
	char room[JWS_THUMBPRINT];
	struct buf b = BUF_OF(room);

	(void)state;
	jws_thumbprint(STR(RFC7638_KEY), &b);
	assert_false(b.full);
	assert_true(str_eq(buf_str(&b),
	    STR("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")));
}

/* The key of RFC 7515 A.3, and another that is RSA. */
static EVP_PKEY *
key_of_rfc(void)
{
	static const char x64[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
	static const char y64[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
	static const char d64[] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
	char point[65] = { 4 }, d[32];
	struct buf xy = { .p = point + 1, .cap = 64 }, db = BUF_OF(d);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *k = NULL;
	OSSL_PARAM *params;
	BIGNUM *n;

	assert_true(base64url_read(str_of(x64), &xy) &&
	    base64url_read(str_of(y64), &xy) &&
	    base64url_read(str_of(d64), &db));
	n = BN_bin2bn((unsigned char *)d, sizeof d, NULL);
	assert_true(OSSL_PARAM_BLD_push_utf8_string(bld,
	    OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point, sizeof point) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, n) == 1);
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_true(EVP_PKEY_fromdata_init(c) == 1 && EVP_PKEY_fromdata(c, &k,
	    EVP_PKEY_KEYPAIR, params) == 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(c);
	BN_free(n);
	return k;
}

static void
test_prints_keys(void **state)
{
	char room[JWS_KEY_MOST];
	struct buf b = BUF_OF(room);
	EVP_PKEY *ec = key_of_rfc(), *rsa = EVP_RSA_gen(2048);

	(void)state;
	assert_int_equal(jws_key_print(ec, &b), 0);
	assert_true(str_eq(buf_str(&b), STR("{\"crv\":\"P-256\",\"kty\":\"EC\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}")));
	assert_string_equal(jws_alg(ec), "ES256");
	b = BUF_OF(room);
	assert_int_equal(jws_key_print(rsa, &b), 0);
	assert_int_equal(str_find_str(buf_str(&b),
	    STR("{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"")), 0);
	assert_int_equal(b.n, 29 + 342 + 2);
	assert_string_equal(jws_alg(rsa), "RS256");
	b.n = 0;
	b.cap = 100;
	assert_int_equal(jws_key_print(rsa, &b), -1);
	err_clear();
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
}

/* RFC 7515 A.3: what is there verifies with our key, and so does ours. */
static bool
verifies(EVP_PKEY *k, struct str input, struct str signature64)
{
	char raw[512];
	struct buf b = BUF_OF(raw);
	ECDSA_SIG *s = ECDSA_SIG_new();
	unsigned char *der = NULL;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool fine;
	int n;

	assert_true(base64url_read(signature64, &b));
	if (EVP_PKEY_is_a(k, "EC")) {
		assert_int_equal(b.n, 64);
		ECDSA_SIG_set0(s, BN_bin2bn((unsigned char *)raw, 32, NULL),
		    BN_bin2bn((unsigned char *)raw + 32, 32, NULL));
		n = i2d_ECDSA_SIG(s, &der);
	} else {
		n = (int)b.n;
		der = OPENSSL_memdup(raw, b.n);
	}
	fine = EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, k) == 1 &&
	    EVP_DigestVerify(c, der, (size_t)n, (const unsigned char *)input.p,
	    input.n) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(s);
	EVP_MD_CTX_free(c);
	return fine;
}

#define HEADER64 "eyJhbGciOiJFUzI1NiJ9"
#define PAYLOAD64 \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt" \
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static void
test_signs(void **state)
{
	EVP_PKEY *keys[] = { key_of_rfc(), EVP_RSA_gen(2048) };

	(void)state;
	assert_true(verifies(keys[0], STR(HEADER64 "." PAYLOAD64),
	    STR("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
	    "pmWQxfKTUJqPP3-Kg6NU1Q")));
	for (size_t i = 0; i < 2; i++) {
		char room[512];
		struct buf b = BUF_OF(room);

		assert_int_equal(jws_sign(keys[i], STR(HEADER64), STR(PAYLOAD64),
		    &b), 0);
		assert_true(verifies(keys[i], STR(HEADER64 "." PAYLOAD64),
		    buf_str(&b)));
		assert_false(verifies(keys[i], STR(HEADER64 "."), buf_str(&b)));
		b.n = 0;
		assert_int_equal(jws_sign(keys[i], STR(HEADER64), STR(""), &b),
		    0);
		assert_true(verifies(keys[i], STR(HEADER64 "."), buf_str(&b)));
		EVP_PKEY_free(keys[i]);
	}
}

/* RFC 7515 A.1 */
static void
test_macs(void **state)
{
	char secret[64], room[64];
	struct buf s = BUF_OF(secret), b = BUF_OF(room);

	(void)state;
	assert_true(base64url_read(STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQ"
	    "Lr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"), &s));
	assert_int_equal(jws_mac(buf_str(&s),
	    STR("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"), STR(PAYLOAD64),
	    &b), 0);
	assert_true(str_eq(buf_str(&b),
	    STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
}

static void
test_header(void **state)
{
	struct jws_header h = { .alg = "ES256", .nonce = STR("a-Z_9"),
		.url = STR("https://ca.test/new?x=1"),
		.kid = STR("https://ca.test/acct/1"), .key = STR("{}") };
	static char room[JWS_HEADER_MOST];
	struct buf b = BUF_OF(room);

	(void)state;
	assert_int_equal(jws_header_print(&h, &b), 0);
	assert_true(str_eq(buf_str(&b), STR("{\"alg\":\"ES256\","
	    "\"nonce\":\"a-Z_9\",\"kid\":\"https://ca.test/acct/1\","
	    "\"url\":\"https://ca.test/new?x=1\"}")));
	h.kid = h.nonce = STR_NONE;
	b.n = 0;
	assert_int_equal(jws_header_print(&h, &b), 0);
	assert_true(str_eq(buf_str(&b), STR("{\"alg\":\"ES256\",\"jwk\":{},"
	    "\"url\":\"https://ca.test/new?x=1\"}")));
}

static void
test_header_refuses(void **state)
{
	const struct jws_header bad[] = {
		{ "ES256", STR("a b"), STR("https://ca.test/"), STR("k"), STR_NONE },
		{ "ES256", STR("a\"b"), STR("https://ca.test/"), STR("k"), STR_NONE },
		{ "ES256", STR("a"), STR("https://ca.test/\",\"x\":\""), STR("k"),
		    STR_NONE },
		{ "ES256", STR("a"), STR("https://ca.test/\n"), STR("k"), STR_NONE },
		{ "ES256", STR("a"), STR("https://ca.test/"), STR("k\\"), STR_NONE },
		{ "ES256", STR("a"), STR(""), STR("k"), STR_NONE },
		{ "ES256", STR("a"), STR("https://ca.test/"), STR_NONE, STR_NONE },
	};
	static char room[JWS_HEADER_MOST];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf b = BUF_OF(room);

		assert_int_equal(jws_header_print(&bad[i], &b), -1);
		err_clear();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thumbprint),
		cmocka_unit_test(test_prints_keys),
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_header_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
