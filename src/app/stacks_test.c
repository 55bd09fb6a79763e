/*
 * stacks_test.c -- what others' code takes of a fiber's stack at its worst.
 *
 * Each path runs alone on a core of its own; the fiber's stack is fresh, so what
 * was touched of it is the path's.  A path that goes deeper than STACK_WORST
 * fails.  NIGHTMAIL_STACKS=1 prints a row for each.  Sanitizers have frames of
 * their own: there it only runs.
 *
 * What does not run on fibers: libfyaml, argon2, crypt, SQLite, libcurl
 * (offload, lanes); libunbound (the core's own stack); expat, zlib's inflate and
 * reports in JSON (a process of their own).
 */
#include "fiber/test_core.h"

/* A hostile server does what no setup can say. */
#include "fiber/tls.c"

#include "fiber/stack.h"
#include "fiber/test_tls.h"
#include "fiber/world_sim.h"
#include "policy/bounce_rules.h"
#include "trust/certificate.h"
#include "trust/client_cert.h"
#include "trust/dkim_pair.h"
#include "trust/dkim_verify.h"
#include "trust/json_in.h"
#include "trust/jwt.h"
#include "trust/saslprep.h"
#include "trust/test_digest.h"
#include "wire/base64.h"
#include "wire/gzip.h"
#include "wire/idna.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdio.h>

enum { STACK_WORST = 48 * 1024, HUGE_BITS = 16384, HUGE = HUGE_BITS / 8,
	TOKEN = 8192 / 8,
	CHAIN = 14, NAMES = 300 };

static struct stream one, other;
static EVP_PKEY *small, *large;		/* of 2048 and 4096 bits */
static const struct bounce_rules *expressions;
static struct arena rules;
static bool is_over;

/* ---- certificates that cost the most to look at ---- */

/* A public key of RSA that nobody has the other half of. */
static EVP_PKEY *
huge_key(void)
{
	BIGNUM *n = BN_new(), *e = BN_new();
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_rand(n, HUGE_BITS, BN_RAND_TOP_ONE,
	    BN_RAND_BOTTOM_ODD), 1);
	assert_true(BN_hex2bn(&e, "FFFFFFFFFFFFFFFF") > 0);
	assert_true(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e));
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
	assert_int_equal(EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY,
	    params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(c);
	BN_free(n);
	BN_free(e);
	return key;
}

static void
name_fill(X509_NAME *name, unsigned who)
{
	char text[64];

	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(text, sizeof text, "part %u of %u", i, who);
		X509_NAME_add_entry_by_txt(name, i == 0 ? "CN" : "OU",
		    MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
	}
}

static void
extension_put(X509 *x, int nid, const char *text)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

	assert_non_null(ext);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

static void
names_put(X509 *x, int nid, const char *kind)
{
	static char text[NAMES * 40];
	struct buf b = BUF_OF(text);

	for (unsigned i = 0; i < NAMES; i++)
		buf_printf(&b, "%s%s:a%u.deep.example", i > 0 ? "," : "", kind,
		    i);
	buf_putc(&b, '\0');
	extension_put(x, nid, text);
}

/* A signature as long as the issuer's key wants it, of nobody. */
static void
signature_put(X509 *x)
{
	unsigned char octets[HUGE];
	const ASN1_BIT_STRING *old;
	union { const ASN1_BIT_STRING *was; ASN1_BIT_STRING *is; } s;

	memset(octets, 0x5a, sizeof octets);
	octets[0] = 0;
	assert_true(X509_sign(x, small, EVP_sha256()) > 0);
	X509_get0_signature(&old, NULL, x);
	s.was = old;
	assert_int_equal(ASN1_BIT_STRING_set(s.is, octets, sizeof octets), 1);
}

static X509 *
certificate_new(unsigned who, EVP_PKEY *key)
{
	X509 *x = X509_new();
	time_t now = (time_t)(clock_wall().us / 1000000);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), who + 1);
	X509_time_adj_ex(X509_getm_notBefore(x), 0, -60, &now);
	X509_time_adj_ex(X509_getm_notAfter(x), 1, 0, &now);
	name_fill(X509_get_subject_name(x), who);
	name_fill(X509_get_issuer_name(x), who + 1);
	X509_set_pubkey(x, key);
	if (who > 0)
		extension_put(x, NID_basic_constraints, "CA:TRUE");
	if (who == 0)
		names_put(x, NID_subject_alt_name, "DNS");
	if (who == 1)
		names_put(x, NID_name_constraints, "permitted;DNS");
	signature_put(x);
	return x;
}

/* The leaf has a real key; whoever stands above it has a huge one. */
static struct tls_identity
huge_identity(void)
{
	EVP_PKEY *huge = huge_key();
	struct tls_identity id = { .key = EVP_EC_gen("P-256"),
		.chain = sk_X509_new_null() };

	id.leaf = certificate_new(0, id.key);
	for (unsigned i = 1; i <= CHAIN; i++)
		sk_X509_push(id.chain, certificate_new(i, huge));
	EVP_PKEY_free(huge);
	return id;
}

static void
huge_free(struct tls_identity *id)
{
	sk_X509_pop_free(id->chain, X509_free);
	test_identity_free(id);
}

/* ---- handshakes ---- */

static struct tls_context *server_side, *client_side;
static bool asks_client;

static yields void
accepting(void *arg)
{
	(void)arg;
	one.deadline = in_ms(3600 * 1000);
	(void)(asks_client ? tls_accept_asking(&one, server_side) :
	    tls_accept(&one, server_side));
	err_clear();
	is_over = true;
}

static yields void
connecting(void *arg)
{
	struct tls_facts facts;

	(void)arg;
	other.deadline = in_ms(3600 * 1000);
	if (tls_connect(&other, client_side, STR("mx.test")) == 0) {
		tls_facts(&other, &facts);
		assert_non_null(facts.cipher);
	}
	err_clear();
}

/* `deep' is measured; the other end has a fiber, too, whose depth is known by
 * its own path. */
static yields void
shake(const struct tls_server_setup *server, const struct tls_client_setup *client)
{
	is_over = false;
	asks_client = server->asks_client;
	server_side = tls_server_new(server);
	client_side = tls_client_new(client);
	make_pair(&one, &other);
	assert_int_equal(fiber_go("server", accepting, NULL), 0);
	connecting(NULL);
	while (!is_over)
		fiber_sleep(in_ms(100));
	stream_close(&one);
	stream_close(&other);
	tls_drop(server_side);
	tls_drop(client_side);
}

static yields void
path_server_chain(void *arg)
{
	struct tls_identity id = huge_identity();
	X509_STORE *anchors = X509_STORE_new();

	(void)arg;
	assert_int_equal(X509_STORE_add_cert(anchors,
	    sk_X509_value(id.chain, CHAIN - 1)), 1);
	shake(&(struct tls_server_setup){ .identities = &id, .n = 1 },
	    &(struct tls_client_setup){ .anchors = anchors });
	X509_STORE_free(anchors);
	huge_free(&id);
}

static yields void
path_client_chain(void *arg)
{
	struct tls_identity shown = test_identity("RSA", "mx.test");
	struct tls_identity id = huge_identity();

	(void)arg;
	shake(&(struct tls_server_setup){ .identities = &shown, .n = 1,
	    .asks_client = true }, &(struct tls_client_setup){
	    .identity = &id });
	huge_free(&id);
	test_identity_free(&shown);
}

/* A group for DHE of so many bits, which need not be a prime's. */
static EVP_PKEY *
dhe_group(int bits)
{
	BIGNUM *p = BN_new(), *g = BN_new();
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_rand(p, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD),
	    1);
	assert_int_equal(BN_set_word(g, 2), 1);
	assert_true(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_FFC_P, p) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_FFC_G, g));
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
	assert_int_equal(EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEY_PARAMETERS,
	    params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(c);
	BN_free(p);
	BN_free(g);
	return key;
}

/* TLS 1.2 with a group of the server's choice.  -1: refused. */
static yields int
shake_dhe(int bits)
{
	struct tls_identity shown = test_identity("RSA", "mx.test");
	int rc;

	is_over = asks_client = false;
	server_side = tls_server_new(&(struct tls_server_setup){
	    .identities = &shown, .n = 1 });
	client_side = tls_client_new(&(struct tls_client_setup){ NULL });
	SSL_CTX_set_max_proto_version(server_side->ssl, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(server_side->ssl, "DHE-RSA-AES128-GCM-SHA256");
	SSL_CTX_set_dh_auto(server_side->ssl, 0);
	assert_int_equal(SSL_CTX_set0_tmp_dh_pkey(server_side->ssl,
	    dhe_group(bits)), 1);
	make_pair(&one, &other);
	assert_int_equal(fiber_go("server", accepting, NULL), 0);
	other.deadline = in_ms(3600 * 1000);
	rc = tls_connect(&other, client_side, STR(""));
	err_clear();
	stream_close(&other);
	while (!is_over)
		fiber_sleep(in_ms(100));
	stream_close(&one);
	tls_drop(server_side);
	tls_drop(client_side);
	test_identity_free(&shown);
	return rc;
}

static yields void
path_dhe(void *arg)
{
	(void)arg;
	assert_int_equal(shake_dhe(DHE_BITS_MOST), 0);
	assert_int_equal(shake_dhe(DHE_BITS_MOST + 8), -1);
}

static yields void
path_certificates(void *arg)
{
	static char room[CERTIFICATE_PEM_MOST], names[4096];
	struct tls_identity id = huge_identity();
	struct certificate cert = { id.leaf, id.chain }, again;
	struct buf pem = BUF_OF(room), b = BUF_OF(names);

	(void)arg;
	assert_int_equal(certificate_print(&cert, &pem), 0);
	assert_int_equal(certificate_read(buf_str(&pem), &again), 0);
	client_cert_names(again.leaf, &b);
	assert_false(client_cert_leads(again.leaf, again.chain, buf_str(&pem),
	    clock_wall()));
	err_clear();
	certificate_free(&again);
	huge_free(&id);
}

/* ---- signatures of mail, tokens ---- */

static yields void
path_dkim(void *arg)
{
	static char room[1024];
	struct buf out = BUF_OF(room);
	EVP_PKEY *key;

	(void)arg;
	assert_int_equal(dkim_key_sign(large, STR("a header"), &out), 0);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	out.n = 0;
	assert_int_equal(dkim_key_sign(key, STR("a header"), &out), 0);
	EVP_PKEY_free(key);
}

static yields void
path_dkim_check(void *arg)
{
	static char zone[8192], text[8192];
	struct buf z = BUF_OF(zone), m = BUF_OF(text);
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(large, &der);
	struct dkim_verify *v;
	struct digest *d;
	struct arena a;
	struct str body;
	size_t n_outcomes;
	unsigned budget = QUEST_QUESTIONS;
	struct dns_quest quest = { .deadline = in_ms(5000), .budget = &budget,
		.now = clock_wall() };
	const struct dkim_outcome *got;

	(void)arg;
	arena_init(&a, 1 << 20);
	buf_printf(&m, "v=DKIM1; k=rsa; p=");
	base64_encode((struct str){ (const char *)der, (size_t)n }, &m);
	test_zone_txt(&z, STR("x._domainkey.a.example"), buf_str(&m));
	assert_int_equal(sim_zone(buf_str(&z)), 0);
	m.n = 0;
	buf_printf(&m, "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=x;"
	    " h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=");
	for (int i = 0; i < 683; i++)
		buf_putc(&m, 'A');
	buf_put(&m, STR("=\r\nFrom: bob@a.example\r\n\r\n"));
	d = digest_new(&a);
	body = test_fields(d, &a, buf_str(&m));
	assert_non_null(v = dkim_verify_begin(d, &a));
	digest_body(d, body);
	digest_end(d);
	got = dkim_verify_end(v, &quest, &n_outcomes);
	assert_int_equal(n_outcomes, 1);
	assert_int_equal(got->key_bits, 4096);
	arena_clear(&a);
	OPENSSL_free(der);
}

static yields void
path_tokens(void *arg)
{
	static char text[32768], deep[64];
	struct buf b = BUF_OF(text), d = BUF_OF(deep);
	struct arena a;
	const char *why;
	struct str payload;
	struct jwks *keys;

	(void)arg;
	arena_init(&a, 1 << 20);
	/* the largest modulus that may be named, and a token under it */
	buf_put(&b, STR("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""));
	for (unsigned i = 0; i < TOKEN * 4 / 3; i++)
		buf_putc(&b, 'x');
	buf_put(&b, STR("Q\"}]}"));		/* odd */
	keys = jwks_read(buf_str(&b));
	b.n = 0;
	buf_put(&b, STR("eyJhbGciOiJSUzI1NiJ9.e30."));
	for (unsigned i = 0; i < (TOKEN * 4 + 2) / 3; i++)
		buf_putc(&b, 'A');
	assert_non_null(keys);
	assert_int_not_equal(jwt_signed(buf_str(&b), keys, &a, &payload, &why),
	    JWT_FINE);
	jwks_free(keys);
	for (unsigned i = 0; i < JSON_IN_DEPTH - 1; i++)
		buf_put(&d, STR("["));
	for (unsigned i = 0; i < JSON_IN_DEPTH - 1; i++)
		buf_put(&d, STR("]"));
	b.n = 0;
	buf_put(&b, STR("{\"a\":"));
	buf_put(&b, buf_str(&d));
	buf_put(&b, STR(",\"b\":1e308,\"c\":\"\\u0041\"}"));
	json_decref(json_read(buf_str(&b)));
	err_clear();
	arena_clear(&a);
}

/* ---- texts ---- */

static yields void
path_names(void *arg)
{
	static char room[8192], text[8192];
	struct buf b = BUF_OF(text), out = BUF_OF(room);

	(void)arg;
	/* as many letters as a domain may have, each with marks to put in order */
	for (unsigned i = 0; i < 60; i++)
		buf_put(&b, i % 12 == 11 ? STR(".") : STR("a\xcc\xa8\xcc\x81"));
	(void)idna_ascii(buf_str(&b), &out);
	b.n = out.n = 0;
	for (unsigned i = 0; i < 500; i++)
		buf_put(&b, STR("\xef\xb7\xba"));	/* grows eighteenfold */
	(void)saslprep(buf_str(&b), SASLPREP_QUERY, &out);
	b.n = out.n = 0;
	for (unsigned i = 0; i < 200; i++)
		buf_put(&b, STR("a\xcc\xa8\xcc\x81"));
	(void)saslprep(buf_str(&b), SASLPREP_STORED, &out);
}

static yields void
path_gzip(void *arg)
{
	static char octets[100000];
	struct gzip *g;
	struct arena a;

	(void)arg;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (char)(i * i >> 7);
	arena_init(&a, 8 << 20);
	assert_non_null(g = gzip_new(&a, 1 << 20));
	gzip_put(g, (struct str){ octets, sizeof octets });
	assert_true(gzip_end(g));
	arena_clear(&a);
}

/* Expressions that go on as long as they are let, over all that is looked at. */
static yields void
path_expressions(void *arg)
{
	static char text[2 * BOUNCE_TEXT];
	struct bounce_reply reply = { .host = STR("mx.example"),
		.text = { text, sizeof text } };

	(void)arg;
	memset(text, 'a', sizeof text);
	assert_int_equal(bounce_judge(expressions, &reply).reason->class,
	    REASON_unknown);
}

/* ---- all of them ---- */

struct way { const char *name; yields void (*fn)(void *); };

static const struct way paths[] = {
	{ "handshake, as client: 14 certificates of RSA 16384", path_server_chain },
	{ "handshake, as server: the same from the client", path_client_chain },
	{ "handshake, as client: DHE of 4096 bits, and more refused", path_dhe },
	{ "certificates read, looked at, led to anchors", path_certificates },
	{ "DKIM: RSA of 4096 bits and Ed25519 sign", path_dkim },
	{ "DKIM: a signature of RSA 4096 checked", path_dkim_check },
	{ "tokens: RSA of 8192 bits, JSON as deep as may be", path_tokens },
	{ "names: IDNA, SASLprep", path_names },
	{ "gzip", path_gzip },
	{ "expressions without an end", path_expressions },
};
static const struct way *path;
static size_t deepest;

static yields void
path_run(void *arg)
{
	path->fn(arg);
	is_over = true;
}

static yields void
measure(void *arg)
{
	(void)arg;
	is_over = false;
	assert_int_equal(fiber_go(path->name, path_run, NULL), 0);
	fiber_sleep(in_ms(3600 * 1000));
	assert_true(is_over);
	fiber_yield();
	deepest = fiber_stats().stack_high;
}

/* libfyaml and PCRE2's compiler do not run on fibers. */
static void
expressions_make(void)
{
	struct source_file file = { .name = STR("r.yaml"), .bytes = STR("rules:\n"
	    "  - { class: spam, expression: '(((((((a|b)+)+)+)+)+)+)+$' }\n"
	    "  - { class: spam, expression: '^ (?:(?<x>a(?&x)?b|a)+)+c' }\n") };
	struct problems problems;
	struct arena scratch;

	problems_init(&problems);
	arena_init(&rules, 1 << 24);
	arena_init(&scratch, 1 << 24);
	expressions = bounce_rules_read(&rules, &scratch, &problems, &file);
	assert_non_null(expressions);
	assert_non_null(bounce_rules_builtin());
	arena_clear(&scratch);
	problems_clear(&problems);
}

static int
keys_make(void **state)
{
	(void)state;
	expressions_make();
	small = EVP_RSA_gen(2048);
	large = EVP_RSA_gen(4096);
	return small != NULL && large != NULL ? 0 : -1;
}

static int
keys_free(void **state)
{
	(void)state;
	EVP_PKEY_free(small);
	EVP_PKEY_free(large);
	arena_clear(&rules);
	return 0;
}

static void
no_path_needs_more_than_three_quarters_of_a_stack(void **state)
{
	bool shows = getenv("NIGHTMAIL_STACKS") != NULL;

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		path = &paths[i];
		sim_begin(1);
		on_core(measure);
		if (shows)
			print_message("%6zu  %s\n", deepest, path->name);
		if (STACK_KIB == 64 && deepest > STACK_WORST)
			fail_msg("%s: %zu octets of stack", path->name, deepest);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    no_path_needs_more_than_three_quarters_of_a_stack),
	};

	return cmocka_run_group_tests(tests, keys_make, keys_free);
}
