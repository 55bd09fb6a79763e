#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/dkim_key.h"
#include "trust/dkim_verify.h"
#include "trust/test_digest.h"
#include "wire/base64.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { NOW = 1760000000, TEXT_MOST = 512 * 1024 };

#define KEY "x._domainkey.a.example"
#define LETTER "From: bob@a.example\r\nSubject: Hi\r\n\r\nHi.\r\n"

static EVP_PKEY *ed, *rsa;
static char zone_room[TEXT_MOST], message_room[TEXT_MOST];
static struct buf zone, message;

static int
keys_make(void **state)
{
	(void)state;
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	return ed != NULL && rsa != NULL ? 0 : -1;
}

static int
keys_free(void **state)
{
	(void)state;
	EVP_PKEY_free(ed);
	EVP_PKEY_free(rsa);
	return 0;
}

static int
fresh(void **state)
{
	(void)state;
	zone = BUF_OF(zone_room);
	message = BUF_OF(message_room);
	return 0;
}

/* ---- records ---- */

static void
put_base64(struct buf *out, const unsigned char *octets, size_t n)
{
	base64_encode((struct str){ (const char *)octets, n }, out);
	assert_false(out->full);
}

/* p= of a key, as others publish it. */
static void
put_key(struct buf *out, EVP_PKEY *key)
{
	unsigned char *der = NULL, raw[32];
	size_t raw_n = sizeof raw;
	int n;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &raw_n), 1);
		put_base64(out, raw, raw_n);
		return;
	}
	n = i2d_PUBKEY(key, &der);
	assert_true(n > 0);
	put_base64(out, der, (size_t)n);
	OPENSSL_free(der);
}

static void
zone_txt(const char *text)
{
	test_zone_txt(&zone, STR(KEY), str_of(text));
}

static void
zone_key(const char *tags, EVP_PKEY *key)
{
	char room[4096 - 512];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "%s; p=", tags);
	put_key(&b, key);
	test_zone_txt(&zone, STR(KEY), buf_str(&b));
}

/* ---- signing ---- */

static size_t
sign(EVP_PKEY *key, const unsigned char hash[DIGEST_OCTETS],
    unsigned char signature[1024])
{
	size_t n = 1024;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		EVP_MD_CTX *c = EVP_MD_CTX_new();

		assert_int_equal(EVP_DigestSignInit(c, NULL, NULL, NULL, key), 1);
		assert_int_equal(EVP_DigestSign(c, signature, &n, hash,
		    DIGEST_OCTETS), 1);
		EVP_MD_CTX_free(c);
	} else {
		EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);

		assert_int_equal(EVP_PKEY_sign_init(c), 1);
		assert_int_equal(EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()), 1);
		assert_int_equal(EVP_PKEY_sign(c, signature, &n, hash,
		    DIGEST_OCTETS), 1);
		EVP_PKEY_CTX_free(c);
	}
	return n;
}

/* The letter with a signature on top, relaxed/simple, of `length' octets of its
 * body (-1: all, without l=). */
static void
letter_sign(struct str letter, const char *tags, int64_t length, EVP_PKEY *key)
{
	static char field_room[8192], names[] = "from : from:subject";
	struct buf field = BUF_OF(field_room);
	struct arena arena;
	struct digest *d;
	unsigned char hash[DIGEST_OCTETS], signature[1024];
	struct digest_ask ask = { CANON_RELAXED, STR_NONE, STR_NONE, SIZE_MAX };
	int wish;

	arena_init(&arena, 4 << 20);
	d = digest_new(&arena);
	letter = test_fields(d, &arena, letter);
	wish = digest_want(d, CANON_SIMPLE, length);
	digest_body(d, letter);
	assert_true(digest_end(d));
	assert_true(digest_body_hash(d, wish, hash, NULL));
	buf_printf(&field, "DKIM-Signature: v=1; a=%s; c=relaxed; d=a.example;"
	    " s=x; h=%s;%s\r\n", EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ?
	    "ed25519-sha256" : "rsa-sha256", names, tags);
	if (length >= 0)
		buf_printf(&field, " l=%lld;", (long long)length);
	buf_put(&field, STR(" bh="));
	put_base64(&field, hash, sizeof hash);
	buf_put(&field, STR(";\r\n b="));
	ask.names = str_of(names);
	ask.last = buf_str(&field);
	assert_true(digest_signed_hash(d, &ask, hash));
	put_base64(&field, signature, sign(key, hash, signature));
	buf_put(&field, STR("\r\n"));
	arena_clear(&arena);
	buf_put(&message, buf_str(&field));
	assert_false(message.full);
}

static void
letter_make(const char *tags, EVP_PKEY *key)
{
	message.n = 0;
	letter_sign(STR(LETTER), tags, -1, key);
	buf_put(&message, STR(LETTER));
}

/* ---- verifying ---- */

static struct {
	struct arena arena;
	unsigned budget, spent;
	int64_t patience_ms;
	const struct dkim_outcome *got;
	size_t n;
} run = { .budget = QUEST_QUESTIONS, .patience_ms = 20000 };

static yields void
run_fiber(void *arg)
{
	unsigned budget = run.budget;
	struct dns_quest quest = { .deadline = in_ms(run.patience_ms),
		.budget = &budget, .now = { NOW * US_PER_SECOND } };
	struct digest *d = digest_new(&run.arena);
	struct dkim_verify *v;
	struct str body;

	(void)arg;
	body = test_fields(d, &run.arena, buf_str(&message));
	assert_non_null(v = dkim_verify_begin(d, &run.arena));
	digest_body(d, body);
	assert_true(digest_end(d));
	run.got = dkim_verify_end(v, &quest, &run.n);
	run.spent = run.budget - budget;
}

static void
verify(void)
{
	assert_false(message.full || zone.full);
	arena_clear(&run.arena);
	arena_init(&run.arena, 16 << 20);
	sim_begin(1);
	assert_int_equal(sim_zone(zone.n > 0 ? buf_str(&zone) :
	    STR("b.example. TXT x\n")), 0);
	on_core(run_fiber);
}

static void
assert_outcome(enum dkim_result wanted, const char *why)
{
	assert_true(run.n > 0);
	if (run.got[0].result != wanted ||
	    !str_eq(run.got[0].why, str_of(why)))
		fail_msg("%s, " STR_FMT, dkim_result_name(run.got[0].result),
		    STR_ARG(run.got[0].why));
}

static void
verify_as(enum dkim_result wanted, const char *why)
{
	verify();
	assert_outcome(wanted, why);
}

static void
test_pass(void **state)
{
	(void)state;
	zone_key("v=DKIM1; k=ed25519", ed);
	letter_make("", ed);
	verify_as(DKIM_PASS, "");
	assert_int_equal(run.n, 1);
	assert_int_equal(run.spent, 1);
	assert_true(str_eq(run.got[0].domain, STR("a.example")));
	assert_true(str_eq(run.got[0].selector, STR("x")));
	assert_true(str_eq(run.got[0].identity, STR("@a.example")));
	assert_int_equal(run.got[0].algorithm, DKIM_ED25519_SHA256);
	assert_int_equal(run.got[0].b.n, DKIM_B_SHOWN);
	assert_int_equal(run.got[0].key_bits, 256);
	assert_false(run.got[0].is_testing || run.got[0].is_partial);
}

static void
test_none(void **state)
{
	(void)state;
	buf_put(&message, STR(LETTER));
	verify();
	assert_int_equal(run.n, 0);
	assert_int_equal(run.spent, 0);
}

/* What was signed, and what came. */
static void
test_changed(void **state)
{
	(void)state;
	zone_key("k=ed25519", ed);
	letter_sign(STR(LETTER), "", -1, ed);
	buf_put(&message, STR("From: bob@a.example\r\nSubject: Hi\r\n\r\nHo.\r\n"));
	verify_as(DKIM_FAIL, "the body is not what was signed (bh=)");
	assert_int_equal(run.spent, 0);
	message.n = 0;
	letter_sign(STR(LETTER), "", -1, ed);
	buf_put(&message, STR("From: bob@a.example\r\nSubject: Ho\r\n\r\nHi.\r\n"));
	verify_as(DKIM_FAIL, "the key " KEY " did not sign that");
	message.n = 0;
	letter_sign(STR(LETTER), "", -1, ed);
	buf_put(&message, STR("From: eve@a.example\r\n" LETTER));
	verify_as(DKIM_FAIL, "the key " KEY " did not sign that");
	message.n = 0;
	buf_put(&message, STR("X-Above: not signed\r\n"));
	letter_sign(STR(LETTER), "", -1, ed);
	buf_put(&message, STR("FROM:\r\n bob@a.example\r\nX-Between: y\r\n"
	    "subject:Hi\r\n\r\nHi.\r\n\r\n"));
	verify_as(DKIM_PASS, "");
}

/* RFC 6376 3.5: t= and x=, and clocks that differ by up to 300 s. */
static void
test_times(void **state)
{
	static const struct { int64_t t, x; enum dkim_result result; } rows[] = {
		{ NOW, NOW + 1, DKIM_PASS },
		{ NOW + DKIM_DRIFT_SECONDS, -1, DKIM_PASS },
		{ NOW + DKIM_DRIFT_SECONDS + 1, -1, DKIM_FAIL },
		{ -1, NOW - DKIM_DRIFT_SECONDS, DKIM_PASS },
		{ -1, NOW - DKIM_DRIFT_SECONDS - 1, DKIM_FAIL },
		{ 0, 999999999999, DKIM_PASS },
	};

	(void)state;
	zone_key("k=ed25519", ed);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char tags[100];
		struct buf b = BUF_OF(tags);

		if (rows[i].t >= 0)
			buf_printf(&b, " t=%lld;", (long long)rows[i].t);
		if (rows[i].x >= 0)
			buf_printf(&b, " x=%lld;", (long long)rows[i].x);
		buf_putc(&b, '\0');
		letter_make(tags, ed);
		verify_as(rows[i].result, rows[i].result == DKIM_PASS ? "" :
		    rows[i].x < 0 ? "it is from the future (t=)" :
		    "it has expired (x=)");
	}
}

/* RFC 6376 3.5, 8.2: "Hi.\r\n" is 5 octets. */
static void
test_length(void **state)
{
	(void)state;
	zone_key("k=ed25519", ed);
	for (int64_t l = 0; l <= 6; l++) {
		message.n = 0;
		letter_sign(STR(LETTER), "", l, ed);
		buf_put(&message, STR(LETTER));
		verify();
		assert_int_equal(run.got[0].is_partial, l < 5);
		if (l == 5)
			assert_outcome(DKIM_PASS, "");
		else if (l == 6)
			assert_outcome(DKIM_FAIL, "the body is shorter than what "
			    "was signed (l=)");
		else
			assert_int_equal(run.got[0].result, DKIM_POLICY);
	}
	message.n = 0;
	letter_sign(STR(LETTER), "", 5, ed);
	buf_put(&message, STR(LETTER "And more\r\n"));
	verify_as(DKIM_POLICY, "it leaves 10 octets of the body unsigned (l=)");
	message.n = 0;
	letter_sign(STR(LETTER), "", 5, ed);
	buf_put(&message, STR("From: bob@a.example\r\nSubject: No\r\n\r\nHi.\r\nx"));
	verify_as(DKIM_FAIL, "the key " KEY " did not sign that");
	assert_true(run.got[0].is_partial);
}

/* ---- keys ---- */

/* RFC 6376 3.6.1, 6.1.2 */
static void
test_records(void **state)
{
	static const char prefix[] = "the key " KEY " ";
	static const struct { const char *tags, *why; } rows[] = {
		{ "v=DKIM1; k=ed25519; h=sha256; s=email", NULL },
		{ "k=ed25519; t=s:y", NULL },
		{ "v=DKIM2; k=ed25519", "has a record that is none: it does not "
		    "begin with v=DKIM1" },
		{ "nonsense", "has a record that is none: it is no list of tags" },
		{ "k=ed25519; h=sha1", "is not for SHA-256 (h=)" },
		{ "k=ed25519; s=tlsrpt", "is not for mail (s=)" },
		{ "k=rsa", "is of another kind than the signature (k=)" },
		{ "v=DKIM1", "is of another kind than the signature (k=)" },
		{ "k=x", "is of another kind than the signature (k=)" },
	};

	(void)state;
	letter_make("", ed);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char why[200];

		zone.n = 0;
		zone_key(rows[i].tags, ed);
		snprintf(why, sizeof why, "%s%s", prefix, rows[i].why != NULL ?
		    rows[i].why : "");
		verify_as(rows[i].why == NULL ? DKIM_PASS : DKIM_PERMERROR,
		    rows[i].why == NULL ? "" : why);
		assert_int_equal(run.got[0].is_testing, i == 1);
	}
	zone.n = 0;
	zone_txt("v=DKIM1; k=ed25519; p=");
	verify_as(DKIM_PERMERROR, "the key " KEY " is revoked");
	zone.n = 0;
	zone_txt("v=DKIM1; p=QUJD");
	verify_as(DKIM_PERMERROR, "the key " KEY " is of another kind than the "
	    "signature (k=)");
	for (int n = 31; n <= 33; n += 2) {
		char text[100];
		struct buf b = BUF_OF(text);
		unsigned char octets[33] = { 0 };

		buf_put(&b, STR("k=ed25519; p="));
		put_base64(&b, octets, (size_t)n);
		buf_putc(&b, '\0');
		zone.n = 0;
		zone_txt(text);
		verify_as(DKIM_PERMERROR, "the key " KEY " is no Ed25519 key");
	}
}

/* t=s: i= is in d= itself. */
static void
test_strict(void **state)
{
	(void)state;
	zone_key("k=ed25519; t=s", ed);
	letter_make(" i=bob@a.example;", ed);
	verify_as(DKIM_PASS, "");
	letter_make(" i=bob@sub.a.example;", ed);
	verify_as(DKIM_PERMERROR, "the key " KEY " is not for domains below its "
	    "own (t=s)");
	zone.n = 0;
	zone_key("k=ed25519", ed);
	verify_as(DKIM_PASS, "");
	assert_true(str_eq(run.got[0].identity, STR("bob@sub.a.example")));
}

/* The DNS says no, or nothing. */
static void
test_no_key(void **state)
{
	(void)state;
	letter_make("", ed);
	verify_as(DKIM_PERMERROR, "the key " KEY " is not there");
	zone.n = 0;
	buf_put(&zone, STR(KEY ". A 192.0.2.1\n"));
	verify_as(DKIM_PERMERROR, "the key " KEY " is not there");
	zone.n = 0;
	buf_put(&zone, STR(KEY ". SERVFAIL\n"));
	verify();
	assert_int_equal(run.got[0].result, DKIM_TEMPERROR);
	assert_true(run.got[0].why.n > STR("the key " KEY
	    " could not be asked for: ").n);
	zone.n = 0;
	zone_key("k=ed25519", ed);
	run.budget = 0;
	verify_as(DKIM_TEMPERROR, "the key " KEY " could not be asked for: the "
	    "message has too many questions to the DNS");
	run.budget = 1;
	verify_as(DKIM_PASS, "");
	run.budget = QUEST_QUESTIONS;
	run.patience_ms = 0;
	verify_as(DKIM_TEMPERROR, "the key " KEY " could not be asked for: the "
	    "DNS was too slow for the message");
	run.patience_ms = 20000;
}

/* RFC 6376 6.1.2, 4: any of them may be the one. */
static void
test_many_records(void **state)
{
	(void)state;
	letter_make("", ed);
	for (int good = DKIM_RECORDS - 1; good <= DKIM_RECORDS; good++) {
		zone.n = 0;
		for (int i = 0; i < good; i++) {
			char text[40];

			snprintf(text, sizeof text, "v=spf1 ip4:192.0.2.%d", i);
			zone_txt(text);
		}
		zone_key("k=ed25519", ed);
		verify();
		assert_int_equal(run.got[0].result, good < DKIM_RECORDS ?
		    DKIM_PASS : DKIM_PERMERROR);
	}
	/* one that could have signed it tells more than one that could not */
	zone.n = 0;
	zone_key("k=ed25519", ed);
	zone_txt("k=rsa; p=QUJD");
	letter_make(" n=other;", ed);
	message.p[message.n - 1 - STR("\r\n\r\nHi.\r\n").n] = 'o';
	verify_as(DKIM_FAIL, "the key " KEY " did not sign that");
}

/* ---- RSA ---- */

static EVP_PKEY *
rsa_make(size_t bits, int primes)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(c), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(c, (int)bits), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_primes(c, primes), 1);
	assert_int_equal(EVP_PKEY_keygen(c, &key), 1);
	EVP_PKEY_CTX_free(c);
	return key;
}

/* A public key of that modulus and exponent, for what is refused unseen. */
static EVP_PKEY *
rsa_odd(int bits, int exponent_bits)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	BIGNUM *n = BN_new(), *e = BN_new();
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	BN_set_bit(n, bits - 1);
	BN_set_bit(n, 0);
	BN_set_bit(e, exponent_bits - 1);
	BN_set_bit(e, 0);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
	params = OSSL_PARAM_BLD_to_param(b);
	assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
	assert_int_equal(EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params),
	    1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	BN_free(n);
	BN_free(e);
	return key;
}

/* RFC 8301 3.2.  Keys of several primes are made sooner, and are checked alike. */
static void
test_rsa_sizes(void **state)
{
	static const struct { size_t bits; int primes; const char *why; } rows[] = {
		{ 1023, 2, "the key " KEY " has less than 1024 bits" },
		{ 1024, 2, "" },
		{ 1032, 2, "" },
		{ 4096, 4, "" },
	};
	EVP_PKEY *key;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		key = rsa_make(rows[i].bits, rows[i].primes);
		zone.n = 0;
		zone_key("v=DKIM1", key);
		letter_make("", key);
		verify_as(rows[i].why[0] == '\0' ? DKIM_PASS : DKIM_PERMERROR,
		    rows[i].why);
		assert_int_equal(run.got[0].key_bits, rows[i].bits);
		EVP_PKEY_free(key);
	}
	key = rsa_odd(4097, 17);
	zone.n = 0;
	zone_key("k=rsa", key);
	letter_make("", rsa);
	verify_as(DKIM_PERMERROR, "the key " KEY " has more than 4096 bits");
	EVP_PKEY_free(key);
}

static void
test_rsa_exponents(void **state)
{
	static const struct { int bits; bool is_fine; } rows[] = { { 1, false },
		{ 2, true }, { 64, true }, { 65, false }, { 1000, false } };

	(void)state;
	letter_make("", rsa);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		EVP_PKEY *key = rsa_odd(1024, rows[i].bits);

		zone.n = 0;
		zone_key("k=rsa", key);
		if (rows[i].is_fine)
			verify_as(DKIM_FAIL, "the key " KEY " did not sign that");
		else
			verify_as(DKIM_PERMERROR, "the key " KEY " has an "
			    "exponent that nobody uses");
		EVP_PKEY_free(key);
	}
}

static void
zone_der(const unsigned char *der, size_t n)
{
	char text[2048];
	struct buf b = BUF_OF(text);

	buf_put(&b, STR("k=rsa; p="));
	put_base64(&b, der, n);
	buf_putc(&b, '\0');
	zone.n = 0;
	zone_txt(text);
}

/* Both forms of a key; and what is neither. */
static void
test_rsa_forms(void **state)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	unsigned char *der = NULL, longer[1024] = { 0 };
	int n = i2d_PublicKey(rsa, &der);

	(void)state;
	assert_true(n > 0 && (size_t)n < sizeof longer);
	letter_make("", rsa);
	zone_der(der, (size_t)n);
	verify_as(DKIM_PASS, "");
	memcpy(longer, der, (size_t)n);
	zone_der(longer, (size_t)n + 1);
	verify_as(DKIM_PERMERROR, "the key " KEY " is no RSA key");
	zone_der(longer, (size_t)n - 1);
	verify_as(DKIM_PERMERROR, "the key " KEY " is no RSA key");
	OPENSSL_free(der);
	der = NULL;
	n = i2d_PUBKEY(rsa, &der);
	memcpy(longer, der, (size_t)n);
	zone_der(longer, (size_t)n + 1);
	verify_as(DKIM_PERMERROR, "the key " KEY " is no RSA key");
	zone_der(longer, (size_t)n - 1);
	verify_as(DKIM_PERMERROR, "the key " KEY " is no RSA key");
	longer[3 + 1] ^= 1;		/* the length of the algorithm */
	zone_der(longer, (size_t)n);
	verify_as(DKIM_PERMERROR, "the key " KEY " is no RSA key");
	OPENSSL_free(der);
	der = NULL;
	n = i2d_PUBKEY(ec, &der);
	zone_der(der, (size_t)n);
	verify_as(DKIM_PERMERROR, "the key " KEY " is no RSA key");
	OPENSSL_free(der);
	EVP_PKEY_free(ec);
}

/* ---- many ---- */

/* One key is asked for once, whatever the number of signatures. */
static void
test_many(void **state)
{
	(void)state;
	zone_key("k=ed25519", ed);
	for (size_t n = DKIM_SIGNATURES - 1; n <= DKIM_SIGNATURES + 2; n++) {
		message.n = 0;
		for (size_t i = 0; i < n; i++)
			letter_sign(STR(LETTER), "", (int64_t)(i % 2 == 0 ? 5 : -1),
			    ed);
		buf_put(&message, STR(LETTER));
		verify();
		assert_int_equal(run.spent, 1);
		assert_int_equal(run.n, n <= DKIM_SIGNATURES ? n :
		    DKIM_SIGNATURES + 1);
		for (size_t i = 0; i < n && i < DKIM_SIGNATURES; i++)
			assert_int_equal(run.got[i].result, DKIM_PASS);
	}
	assert_int_equal(run.got[DKIM_SIGNATURES].result, DKIM_POLICY);
	assert_true(str_eq(run.got[DKIM_SIGNATURES].why,
	    STR("2 more signatures were not looked at")));
	assert_int_equal(run.got[DKIM_SIGNATURES].domain.n, 0);
}

/* A header full of signatures, each with another length. */
static void
test_bomb(void **state)
{
	size_t n = 0;

	(void)state;
	zone_key("k=ed25519", ed);
	while (message.n < HEADER_OCTETS_MOST - 1024) {
		letter_sign(STR(LETTER), "", (int64_t)(n++ % 6), ed);
	}
	buf_put(&message, STR(LETTER));
	verify();
	assert_int_equal(run.n, DKIM_SIGNATURES + 1);
	assert_int_equal(run.spent, 1);
}

/* Signatures that are none, before and behind one that is. */
static void
test_mixed(void **state)
{
	(void)state;
	zone_key("k=ed25519", ed);
	buf_put(&message, STR("DKIM-Signature: nonsense\r\n"));
	letter_sign(STR(LETTER), "", -1, ed);
	buf_put(&message, STR("dkim-signature : v=1; a=rsa-sha1; d=b.example;"
	    " s=y; h=from; b=QUJD; bh=QUJD\r\n" LETTER));
	verify();
	assert_int_equal(run.n, 3);
	assert_outcome(DKIM_PERMERROR, "it is no list of tags");
	assert_int_equal(run.got[1].result, DKIM_PASS);
	assert_int_equal(run.got[2].result, DKIM_PERMERROR);
	assert_true(str_eq(run.got[2].domain, STR("b.example")));
	assert_int_equal(run.got[2].algorithm, DKIM_RSA_SHA1);
	assert_int_equal(run.spent, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pass, fresh),
		cmocka_unit_test_setup(test_none, fresh),
		cmocka_unit_test_setup(test_changed, fresh),
		cmocka_unit_test_setup(test_times, fresh),
		cmocka_unit_test_setup(test_length, fresh),
		cmocka_unit_test_setup(test_records, fresh),
		cmocka_unit_test_setup(test_strict, fresh),
		cmocka_unit_test_setup(test_no_key, fresh),
		cmocka_unit_test_setup(test_many_records, fresh),
		cmocka_unit_test_setup(test_rsa_sizes, fresh),
		cmocka_unit_test_setup(test_rsa_exponents, fresh),
		cmocka_unit_test_setup(test_rsa_forms, fresh),
		cmocka_unit_test_setup(test_many, fresh),
		cmocka_unit_test_setup(test_bomb, fresh),
		cmocka_unit_test_setup(test_mixed, fresh),
	};

	return cmocka_run_group_tests(tests, keys_make, keys_free);
}
