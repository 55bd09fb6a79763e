#include "fiber/test_core.h"

#include "base/buf.h"
#include "base/err.h"
#include "trust/jwt.c"
#include "wire/base64url.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>

static struct arena arena;

/* ---- what the RFCs show ---- */

/* RFC 7515 A.2.1, the public half */
static const char rfc7515_rsa[] = "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNi"
    "uSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4"
    "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bS"
    "f63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4"
    "uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethF"
    "kMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}";
/* A.2.1 */
static const char rfc7515_rs256[] = "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B"
    "h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ"
    "LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
    "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/* A.3.1 */
static const char rfc7515_ec[] = "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
static const char rfc7515_es256[] = "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
    "UJqPP3-Kg6NU1Q";
/* A.1: HS256, and A.5: none */
static const char rfc7515_hs256[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
static const char rfc7515_none[] = "eyJhbGciOiJub25lIn0."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ.";
/* RFC 8037 A.2, A.4 */
static const char rfc8037_okp[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
static const char rfc8037_eddsa[] = "eyJhbGciOiJFZERTQSJ9."
    "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7"
    "sVvpAr_MuM0KAg";

static struct jwks *
keys_of(const char *const *keys, size_t n)
{
	static char text[8192];
	struct buf b = BUF_OF(text);

	buf_put(&b, STR("{\"keys\":["));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&b, ',');
		buf_put(&b, str_of(keys[i]));
	}
	buf_put(&b, STR("]}"));
	assert_false(b.full);
	return jwks_read(buf_str(&b));
}

static void
body_rfcs(void *arg)
{
	static const char *const keys[] = { rfc7515_rsa, rfc7515_ec,
		rfc8037_okp };
	static const struct { const char *token; enum jwt_verdict is; } cases[]
	    = {
		{ rfc7515_rs256, JWT_FINE }, { rfc7515_es256, JWT_FINE },
		{ rfc8037_eddsa, JWT_FINE }, { rfc7515_hs256, JWT_REFUSED },
		{ rfc7515_none, JWT_REFUSED },
	};
	const struct jwt_rules rules = { .issuer = STR("joe"), .claim =
		STR("iss") };
	struct jwks *all = keys_of(keys, 3), *ec = keys_of(keys + 1, 1);
	struct jwt_facts facts;
	struct str payload;
	const char *why;

	(void)arg;
	arena_init(&arena, 1024 * 1024);
	assert_int_equal(all->n, 3);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(jwt_signed(str_of(cases[i].token), all, &arena,
		    &payload, &why), cases[i].is);
	assert_int_equal(jwt_signed(str_of(rfc8037_eddsa), all, &arena, &payload,
	    &why), JWT_FINE);
	assert_true(str_eq(payload, STR("Example of Ed25519 signing")));
	assert_int_equal(jwt_signed(str_of(rfc7515_rs256), ec, &arena, &payload,
	    &why), JWT_UNKNOWN_KEY);
	/* RFC 7519 3.1's claims: until 1300819380 */
	assert_int_equal(jwt_check(str_of(rfc7515_rs256), all, &rules,
	    (struct wall){ 1300819379 * US_PER_SECOND }, &arena, &facts),
	    JWT_FINE);
	assert_true(str_eq(facts.name, STR("joe")));
	assert_int_equal(facts.expires.us, 1300819380 * US_PER_SECOND);
	assert_int_equal(jwt_check(str_of(rfc7515_rs256), all, &rules,
	    (struct wall){ (1300819380 + JWT_LEEWAY_S) * US_PER_SECOND - 1 },
	    &arena, &facts), JWT_FINE);
	assert_int_equal(jwt_check(str_of(rfc7515_rs256), all, &rules,
	    (struct wall){ (1300819380 + JWT_LEEWAY_S) * US_PER_SECOND },
	    &arena, &facts), JWT_REFUSED);
	assert_string_equal(facts.why, "an expired token");
	jwks_free(all);
	jwks_free(ec);
	arena_clear(&arena);
}

static void
test_rfcs(void **state)
{
	(void)state;
	on_core(body_rfcs);
}

/* Each octet of a token changed: none is fine. */
static void
body_changed(void *arg)
{
	static const char *const keys[] = { rfc7515_ec };
	struct jwks *set = keys_of(keys, 1);
	char token[sizeof rfc7515_es256];
	struct str payload;
	const char *why;

	(void)arg;
	for (size_t i = 0; i + 1 < sizeof token; i++) {
		arena_init(&arena, 64 * 1024);
		memcpy(token, rfc7515_es256, sizeof token);
		token[i] = token[i] == 'A' ? 'B' : 'A';
		assert_int_not_equal(jwt_signed(str_of(token), set, &arena,
		    &payload, &why), JWT_FINE);
		arena_clear(&arena);
	}
	jwks_free(set);
}

static void
test_changed(void **state)
{
	(void)state;
	on_core(body_changed);
}

/* ---- tokens of our own ---- */

static void
sign_put(struct buf *b, EVP_PKEY *key, struct str text, bool is_pss)
{
	unsigned char sig[1024], raw[64];
	size_t n = sizeof sig;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p;
	bool is_ec = EVP_PKEY_is_a(key, "EC");

	assert_int_equal(EVP_DigestSignInit(c, &p, EVP_PKEY_is_a(key, "ED25519")
	    ? NULL : EVP_sha256(), NULL, key), 1);
	if (is_pss) {
		EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(c, sig, &n, (const unsigned char *)
	    text.p, text.n), 1);
	EVP_MD_CTX_free(c);
	if (is_ec) {
		const unsigned char *at = sig;
		ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)n);

		BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + 32, 32);
		ECDSA_SIG_free(s);
		base64url_put(b, (struct str){ (char *)raw, sizeof raw });
	} else
		base64url_put(b, (struct str){ (char *)sig, n });
}

static struct str
token_make(EVP_PKEY *key, const char *header, const char *claims)
{
	struct buf b = { .p = arena_alloc(&arena, 16384), .cap = 16384 };

	base64url_put(&b, str_of(header));
	buf_putc(&b, '.');
	base64url_put(&b, str_of(claims));
	struct str text = buf_str(&b);
	buf_putc(&b, '.');
	sign_put(&b, key, text, strstr(header, "PS256") != NULL);
	assert_false(b.full);
	return buf_str(&b);
}

static void
number_put(struct buf *b, const char *name, EVP_PKEY *key, const char *param)
{
	unsigned char room[1024];
	BIGNUM *n = NULL;
	int len;

	assert_int_equal(EVP_PKEY_get_bn_param(key, param, &n), 1);
	len = BN_bn2bin(n, room);
	BN_free(n);
	buf_printf(b, "\"%s\":\"", name);
	base64url_put(b, (struct str){ (char *)room, (size_t)len });
	buf_put(b, STR("\","));
}

static const char *
rsa_jwk(EVP_PKEY *key, const char *more)
{
	struct buf b = { .p = arena_alloc(&arena, 4096), .cap = 4095 };

	buf_put(&b, STR("{"));
	number_put(&b, "n", key, "n");
	number_put(&b, "e", key, "e");
	buf_printf(&b, "%s\"kty\":\"RSA\"}", more);
	return b.p;
}

enum { NOW = 1800000000 };

static const struct jwt_rules rules = { .issuer = STR_INIT("https://i.test"),
	.audience = STR_INIT("mail"), .scope = STR_INIT("smtp  send"),
	.claim = STR_INIT("email") };

#define WHO "\"iss\":\"https://i.test\",\"aud\":\"mail\"," \
	"\"scope\":\"a smtp send\",\"email\":\"bob@a.test\""

static void
body_claims(void *arg)
{
	static const struct { const char *claims; enum jwt_verdict is; } cases[]
	    = {
		{ "{" WHO ",\"exp\":1800000000}", JWT_FINE },
		{ "{" WHO ",\"exp\":1800000000.5,\"nbf\":1,\"iat\":1}",
		    JWT_FINE },
		{ "{" WHO ",\"exp\":1e300}", JWT_FINE },
		{ "{" WHO "}", JWT_REFUSED },
		{ "{" WHO ",\"exp\":\"1800000000\"}", JWT_REFUSED },
		{ "{" WHO ",\"exp\":-1}", JWT_REFUSED },
		{ "{" WHO ",\"exp\":1799999940}", JWT_REFUSED },
		{ "{" WHO ",\"exp\":1799999941}", JWT_FINE },
		{ "{" WHO ",\"exp\":1900000000,\"nbf\":1800000060}", JWT_FINE },
		{ "{" WHO ",\"exp\":1900000000,\"nbf\":1800000061}",
		    JWT_REFUSED },
		{ "{" WHO ",\"exp\":1900000000,\"iat\":1800000061}",
		    JWT_REFUSED },
		{ "{" WHO ",\"exp\":1900000000,\"nbf\":\"x\"}", JWT_REFUSED },
		{ "{" WHO ",\"exp\":1900000000,\"exp\":1900000000}",
		    JWT_REFUSED },
		{ "{" WHO ",\"exp\":1900000000,\"email_verified\":false}",
		    JWT_REFUSED },
		{ "{" WHO ",\"exp\":1900000000,\"email_verified\":true}",
		    JWT_FINE },
		{ "{\"iss\":\"https://i.test/\",\"aud\":\"mail\",\"scope\":"
		    "\"smtp send\",\"email\":\"b\",\"exp\":1900000000}",
		    JWT_REFUSED },
		{ "{\"aud\":\"mail\",\"scope\":\"smtp send\",\"email\":\"b\","
		    "\"exp\":1900000000}", JWT_REFUSED },
		{ "{\"iss\":\"https://i.test\",\"aud\":[\"x\",\"mail\"],"
		    "\"scp\":[\"send\",\"smtp\"],\"email\":\"b\","
		    "\"exp\":1900000000}", JWT_FINE },
		{ "{\"iss\":\"https://i.test\",\"aud\":[\"x\",7],"
		    "\"scp\":\"send smtp\",\"email\":\"b\",\"exp\":1900000000}",
		    JWT_REFUSED },
		{ "{\"iss\":\"https://i.test\",\"scope\":\"smtp send\","
		    "\"email\":\"b\",\"exp\":1900000000}", JWT_REFUSED },
		{ "{\"iss\":\"https://i.test\",\"aud\":\"mail\",\"email\":"
		    "\"b\",\"scope\":\"smtp\",\"exp\":1900000000}",
		    JWT_LACKS_SCOPE },
		{ "{\"iss\":\"https://i.test\",\"aud\":\"mail\",\"sub\":"
		    "\"b\",\"scope\":\"smtp send\",\"exp\":1900000000}",
		    JWT_REFUSED },
		{ "{\"iss\":\"https://i.test\",\"aud\":\"mail\",\"email\":"
		    "\"b\\nc\",\"scope\":\"smtp send\",\"exp\":1900000000}",
		    JWT_REFUSED },
		{ "{\"iss\":\"https://i.test\",\"aud\":\"mail\",\"email\":"
		    "\"b\\u0000c\",\"scope\":\"smtp send\",\"exp\":1900000000}",
		    JWT_REFUSED },
		{ "[]", JWT_REFUSED }, { "", JWT_REFUSED },
		{ "{" WHO ",\"exp\":1900000000}x", JWT_REFUSED },
	};
	EVP_PKEY *key = EVP_RSA_gen(2048);
	const char *jwk;
	struct jwks *set;
	struct jwt_facts facts;

	(void)arg;
	arena_init(&arena, 4 * 1024 * 1024);
	jwk = rsa_jwk(key, "");
	assert_non_null(set = keys_of(&jwk, 1));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum jwt_verdict v = jwt_check(token_make(key,
		    "{\"alg\":\"RS256\",\"typ\":\"at+JWT\"}", cases[i].claims),
		    set, &rules, (struct wall){ NOW * US_PER_SECOND }, &arena,
		    &facts);

		if (v != cases[i].is)
			fail_msg("%s: %d, %s", cases[i].claims, (int)v,
			    facts.why);
		assert_int_equal(facts.why == NULL, v == JWT_FINE);
	}
	/* What an issuer says of a token need not have all of it. */
	assert_int_equal(jwt_claims(STR("{\"email\":\"b\",\"scope\":"
	    "\"smtp send\"}"), &rules, false, (struct wall){ 1 }, &arena,
	    &facts), JWT_FINE);
	assert_int_equal(jwt_claims(STR("{\"email\":\"b\",\"scope\":"
	    "\"smtp send\",\"aud\":\"x\"}"), &rules, false, (struct wall){ 1 },
	    &arena, &facts), JWT_REFUSED);
	jwks_free(set);
	EVP_PKEY_free(key);
	arena_clear(&arena);
}

static void
test_claims(void **state)
{
	(void)state;
	on_core(body_claims);
}

static void
body_headers(void *arg)
{
	static const struct { const char *header; enum jwt_verdict is; } cases[]
	    = {
		{ "{\"alg\":\"RS256\"}", JWT_FINE },
		{ "{\"alg\":\"RS256\",\"kid\":\"k1\"}", JWT_FINE },
		{ "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
		    JWT_FINE },
		{ "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":"
		    "\"application/at+jwt\"}", JWT_FINE },
		{ "{\"alg\":\"PS256\",\"kid\":\"k1\"}", JWT_FINE },
		{ "{\"alg\":\"RS256\",\"kid\":\"k2\"}", JWT_UNKNOWN_KEY },
		/* of that name, but for PS256 only; and for encryption only */
		{ "{\"alg\":\"RS256\",\"kid\":\"ps\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"PS256\",\"kid\":\"ps\"}", JWT_FINE },
		{ "{\"alg\":\"RS256\",\"kid\":\"enc\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"RS256\",\"kid\":\"wrap\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"RS256\",\"kid\":\"other\"}", JWT_REFUSED },
		{ "{\"alg\":\"RS256\",\"kid\":7}", JWT_REFUSED },
		{ "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", JWT_REFUSED },
		{ "{\"alg\":\"RS256\",\"typ\":7}", JWT_REFUSED },
		{ "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", JWT_REFUSED },
		{ "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", JWT_REFUSED },
		{ "{\"alg\":\"rs256\"}", JWT_REFUSED },
		{ "{\"alg\":\"none\"}", JWT_REFUSED },
		{ "{\"alg\":\"RS512\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\"}", JWT_UNKNOWN_KEY },
		{ "{}", JWT_REFUSED }, { "x", JWT_REFUSED },
	};
	EVP_PKEY *key = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048);
	const char *jwk[5];
	struct jwks *set;
	struct jwt_facts facts;

	(void)arg;
	arena_init(&arena, 4 * 1024 * 1024);
	jwk[0] = rsa_jwk(key, "\"kid\":\"k1\",\"use\":\"sig\",");
	jwk[1] = rsa_jwk(key, "\"kid\":\"ps\",\"alg\":\"PS256\","
	    "\"key_ops\":[\"verify\"],");
	jwk[2] = rsa_jwk(key, "\"kid\":\"enc\",\"use\":\"enc\",");
	jwk[3] = rsa_jwk(key, "\"kid\":\"wrap\",\"key_ops\":[\"wrapKey\"],");
	jwk[4] = rsa_jwk(other, "\"kid\":\"other\",");
	assert_non_null(set = keys_of(jwk, 5));
	assert_int_equal(set->n, 3);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum jwt_verdict v = jwt_check(token_make(key, cases[i].header,
		    "{" WHO ",\"exp\":1900000000}"), set, &rules,
		    (struct wall){ NOW * US_PER_SECOND }, &arena, &facts);

		if (v != cases[i].is)
			fail_msg("%s: %d, %s", cases[i].header, (int)v,
			    facts.why);
	}
	jwks_free(set);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	arena_clear(&arena);
}

static void
test_headers(void **state)
{
	(void)state;
	on_core(body_headers);
}

/* The public key, taken for a secret in common. */
static void
body_confusion(void *arg)
{
	static const char *const keys[] = { rfc7515_rsa };
	struct jwks *set = keys_of(keys, 1);
	struct buf b = { .cap = 4096 };
	unsigned char mac[32];
	unsigned n = sizeof mac;
	struct jwt_facts facts;

	(void)arg;
	arena_init(&arena, 64 * 1024);
	b.p = arena_alloc(&arena, b.cap);
	base64url_put(&b, STR("{\"alg\":\"HS256\"}"));
	buf_putc(&b, '.');
	base64url_put(&b, STR("{" WHO ",\"exp\":1900000000}"));
	HMAC(EVP_sha256(), rfc7515_rsa, sizeof rfc7515_rsa - 1,
	    (unsigned char *)b.p, b.n, mac, &n);
	buf_putc(&b, '.');
	base64url_put(&b, (struct str){ (char *)mac, n });
	assert_int_equal(jwt_check(buf_str(&b), set, &rules, (struct wall){
	    NOW * US_PER_SECOND }, &arena, &facts), JWT_REFUSED);
	jwks_free(set);
	arena_clear(&arena);
}

static void
test_confusion(void **state)
{
	(void)state;
	on_core(body_confusion);
}

static void
body_forms(void *arg)
{
	static const char *const keys[] = { rfc7515_ec };
	static const char *const cases[] = { "", ".", "..", "...", "a.b", "a.b.c.d",
		"eyJhbGciOiJFUzI1NiJ9.e30.", "eyJhbGciOiJFUzI1NiJ9.e30.AA",
		"eyJhbGciOiJFUzI1NiJ9.e30=.AA", "eyJhbGciOiJFUzI1NiJ9 .e30.AA",
		"eyJhbGciOiJFUzI1NiJ9.e31.AA", "eyJhbGciOiJFUzI1NiJ9.e30.A",
		"eyJhbGciOiJFUzI1NiJ9.e30.AB" };
	static char big[JWT_MOST + 1];
	struct jwks *set = keys_of(keys, 1);
	struct str payload;
	const char *why;

	(void)arg;
	arena_init(&arena, 1024 * 1024);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_not_equal(jwt_signed(str_of(cases[i]), set, &arena,
		    &payload, &why), JWT_FINE);
	memset(big, '.', sizeof big);
	assert_int_equal(jwt_signed((struct str){ big, sizeof big }, set, &arena,
	    &payload, &why), JWT_REFUSED);
	memset(big, 'A', sizeof big);
	big[2] = big[4] = '.';
	assert_int_equal(jwt_signed((struct str){ big, JWT_MOST }, set, &arena,
	    &payload, &why), JWT_REFUSED);
	jwks_free(set);
	arena_clear(&arena);
}

static void
test_forms(void **state)
{
	(void)state;
	on_core(body_forms);
}

static void
body_keys(void *arg)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"keys\":7}", "{\"keys\":[]}",
		"{\"keys\":[7]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}",
		/* a point that is not on the curve; a curve not taken */
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
		"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
	};
	static char deep[200];
	EVP_PKEY *small = EVP_RSA_gen(1024);
	const char *jwk;
	struct buf b;

	(void)arg;
	arena_init(&arena, 1024 * 1024);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_null(jwks_read(str_of(bad[i])));
	jwk = rsa_jwk(small, "");
	assert_null(keys_of(&jwk, 1));
	for (size_t n = 14; n <= 16; n++) {
		b = BUF_OF(deep);
		buf_put(&b, STR("{\"x\":"));
		for (size_t i = 0; i < n; i++)
			buf_putc(&b, '[');
		for (size_t i = 0; i < n; i++)
			buf_putc(&b, ']');
		buf_put(&b, STR(",\"keys\":[]}"));
		assert_null(jwks_read(buf_str(&b)));
		assert_int_equal(strstr(err_text(), "too deep") != NULL,
		    n > 15);
	}
	EVP_PKEY_free(small);
	arena_clear(&arena);
}

static void
test_keys(void **state)
{
	(void)state;
	on_core(body_keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfcs),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_confusion),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
