#include "trust/acme.h"

#include "base/err.h"

#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct arena arena;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_clear(&arena);
	err_clear();
	return 0;
}

/* RFC 8555 7.1.1 */
#define DIRECTORY \
	"{\"newNonce\":\"https://example.com/acme/new-nonce\"," \
	"\"newAccount\":\"https://example.com/acme/new-account\"," \
	"\"newOrder\":\"https://example.com/acme/new-order\"," \
	"\"newAuthz\":\"https://example.com/acme/new-authz\"," \
	"\"revokeCert\":\"https://example.com/acme/revoke-cert\"," \
	"\"keyChange\":\"https://example.com/acme/key-change\"," \
	"\"meta\":{\"termsOfService\":\"https://example.com/acme/terms/2017-5-30\"," \
	"\"website\":\"https://www.example.com/\"," \
	"\"caaIdentities\":[\"example.com\"],\"externalAccountRequired\":false}}"

static void
test_directory(void **state)
{
	struct acme_directory d;

	(void)state;
	assert_int_equal(acme_read_directory(STR(DIRECTORY), &arena, &d), 0);
	assert_true(str_eq(d.new_order,
	    STR("https://example.com/acme/new-order")));
	assert_true(str_eq(d.key_change,
	    STR("https://example.com/acme/key-change")));
	assert_int_equal(d.renewal.n, 0);
	assert_int_equal(d.n_issuers, 1);
	assert_true(str_eq(d.issuers[0], STR("example.com")));
	assert_false(d.needs_binding);
}

static void
test_directory_refuses(void **state)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT("[]"),
		STR_INIT("null"), STR_INIT("{}"), STR_INIT("{"),
		STR_INIT("{\"newNonce\":\"http://example.com/\"}"),
		STR_INIT("{\"newNonce\":\"https://e/\\\"x\"}"),
		STR_INIT("{\"newNonce\":\"https://e/\",\"newNonce\":1}"),
		STR_INIT("{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}"),
	};
	struct acme_directory d;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(acme_read_directory(bad[i], &arena, &d), -1);
		err_clear();
	}
}

static void
test_order(void **state)
{
	struct acme_order o;

	(void)state;
	assert_int_equal(acme_read_order(STR("{\"status\":\"valid\","
	    "\"finalize\":\"https://ca/f\",\"certificate\":\"https://ca/c\","
	    "\"authorizations\":[\"https://ca/1\",\"https://ca/2\"]}"),
	    &arena, &o), 0);
	assert_int_equal(o.status, ACME_VALID);
	assert_int_equal(o.n, 2);
	assert_true(str_eq(o.authorizations[1], STR("https://ca/2")));
	assert_null(o.problem.type.p);
	/* valid, but where? */
	assert_int_equal(acme_read_order(STR("{\"status\":\"valid\","
	    "\"finalize\":\"https://ca/f\"}"), &arena, &o), -1);
	assert_int_equal(acme_read_order(STR("{\"status\":\"new\","
	    "\"finalize\":\"https://ca/f\"}"), &arena, &o), -1);
	assert_int_equal(acme_read_order(STR("{\"status\":\"invalid\","
	    "\"finalize\":\"https://ca/f\",\"error\":{\"type\":"
	    "\"urn:ietf:params:acme:error:caa\",\"detail\":\"no\\n\"}}"), &arena,
	    &o), 0);
	assert_true(str_eq(o.problem.type, STR("caa")));
	assert_true(str_eq(o.problem.detail, STR("no ")));
	assert_non_null(acme_advice(o.problem.type));
	assert_null(acme_advice(STR("else")));
}

static void
test_authorization(void **state)
{
#define AUTHORIZATION(token) STR("{\"status\":\"pending\",\"identifier\":" \
	    "{\"type\":\"dns\",\"value\":\"WWW.example.org\"},\"challenges\":[" \
	    "{\"type\":\"dns-01\",\"url\":\"https://ca/d\",\"token\":\"t1\"}," \
	    "{\"type\":\"http-01\",\"url\":\"https://ca/h\",\"token\":\"" token \
	    "\"}]}")
	struct acme_authorization z;

	(void)state;
	assert_int_equal(acme_read_authorization(AUTHORIZATION("DGyRejmCefe7"),
	    STR("http-01"), &arena, &z), 0);
	assert_true(str_eq(z.name, STR("www.example.org")));
	assert_true(str_eq(z.token, STR("DGyRejmCefe7")));
	assert_true(str_eq(z.url, STR("https://ca/h")));
	assert_int_equal(acme_read_authorization(AUTHORIZATION("x"),
	    STR("tls-alpn-01"), &arena, &z), 0);
	assert_int_equal(z.url.n, 0);
	/* a token is a path of ours, later */
	assert_int_equal(acme_read_authorization(AUTHORIZATION("../x"),
	    STR("http-01"), &arena, &z), -1);
	assert_int_equal(acme_read_authorization(AUTHORIZATION(""),
	    STR("http-01"), &arena, &z), -1);
}

static void
test_problem(void **state)
{
	struct acme_problem p;

	(void)state;
	acme_read_problem(STR("{\"type\":\"urn:ietf:params:acme:error:badNonce\","
	    "\"detail\":\"JWS has an invalid anti-replay nonce\"}"), &arena, &p);
	assert_true(str_eq(p.type, STR("badNonce")));
	acme_read_problem(STR("<html>\033[2J 502"), &arena, &p);
	assert_true(str_eq(p.type, STR("")));
	assert_true(str_eq(p.detail, STR("<html> [2J 502")));
	acme_read_problem(STR("{\"type\":\"about:blank\"}"), &arena, &p);
	assert_true(str_eq(p.type, STR("")));
}

/* RFC 9773 4.2 */
static void
test_window(void **state)
{
	static const struct str bad[] = {
		STR_INIT("{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\"}}"),
		STR_INIT("{\"suggestedWindow\":{\"start\":\"2025-01-03T04:00:00Z\","
		    "\"end\":\"2025-01-02T04:00:00Z\"}}"),
		STR_INIT("{\"suggestedWindow\":{\"start\":\"2025-13-02T04:00:00Z\","
		    "\"end\":\"2025-01-02T04:00:00Z\"}}"),
		STR_INIT("{\"suggestedWindow\":{\"start\":\"yesterday\","
		    "\"end\":\"2025-01-02T04:00:00Z\"}}"),
	};
	struct acme_window w;

	(void)state;
	assert_int_equal(acme_read_window(STR("{\"suggestedWindow\":{"
	    "\"start\":\"2025-01-02T04:00:00Z\",\"end\":"
	    "\"2025-01-03T05:00:00.5+01:00\"},\"explanationURL\":"
	    "\"https://acme.example.com/docs/ari\"}"), &arena, &w), 0);
	assert_int_equal(w.start.us, INT64_C(1735790400) * US_PER_SECOND);
	assert_int_equal(w.end.us - w.start.us, INT64_C(86400) * US_PER_SECOND);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(acme_read_window(bad[i], &arena, &w), -1);
		err_clear();
	}
}

/* RFC 9773 4.1: the key identifier and the serial number of its example. */
static void
test_cert_id(void **state)
{
	static const unsigned char keyid[] = { 0x69, 0x88, 0x5b, 0x6b, 0x87,
		0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae,
		0x2c, 0xde, 0x01, 0xc8, 0xd4 };
	AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
	BIGNUM *serial = NULL;
	X509 *x = X509_new();
	char room[ACME_CERT_ID_MOST];
	struct buf b = BUF_OF(room), c = BUF_OF(room);

	(void)state;
	assert_int_equal(acme_cert_id(x, &c), -1);
	err_clear();
	akid->keyid = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING_set(akid->keyid, keyid, sizeof keyid);
	assert_int_equal(X509_add1_ext_i2d(x, NID_authority_key_identifier, akid,
	    0, X509V3_ADD_DEFAULT), 1);
	assert_true(BN_hex2bn(&serial, "87654321") > 0);
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));
	assert_int_equal(acme_cert_id(x, &b), 0);
	assert_true(str_eq(buf_str(&b),
	    STR("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")));
	BN_free(serial);
	AUTHORITY_KEYID_free(akid);
	X509_free(x);
}

static void
test_payloads(void **state)
{
	const struct str names[] = { STR("a.test"), STR("b.test") };
	char room[1024];
	struct buf b = BUF_OF(room);

	(void)state;
	acme_put_account(&b, STR("a@b.test"), false, STR("{}"));
	assert_true(str_eq(buf_str(&b), STR("{\"termsOfServiceAgreed\":true,"
	    "\"contact\":[\"mailto:a@b.test\"],"
	    "\"externalAccountBinding\":{}}")));
	b.n = 0;
	acme_put_account(&b, STR("a@b.test"), true, STR(""));
	assert_true(str_eq(buf_str(&b), STR("{\"onlyReturnExisting\":true}")));
	b.n = 0;
	acme_put_order(&b, names, 2, STR("x.y"), STR("shortlived"));
	assert_true(str_eq(buf_str(&b), STR("{\"identifiers\":["
	    "{\"type\":\"dns\",\"value\":\"a.test\"},"
	    "{\"type\":\"dns\",\"value\":\"b.test\"}],"
	    "\"replaces\":\"x.y\",\"profile\":\"shortlived\"}")));
	b.n = 0;
	acme_put_revoke(&b, STR("\1\2\3"), 4);
	assert_true(str_eq(buf_str(&b),
	    STR("{\"certificate\":\"AQID\",\"reason\":4}")));
}

static void
test_times(void **state)
{
	const struct wall now = { INT64_C(1735790400) * US_PER_SECOND };

	(void)state;
	assert_int_equal(acme_renew_at((struct wall){ 0 }, (struct wall){
	    90 * 86400 * US_PER_SECOND }).us, 60 * 86400 * US_PER_SECOND);
	assert_int_equal(acme_retry_after(STR("120"), now), 120);
	assert_int_equal(acme_retry_after(STR("Thu, 02 Jan 2025 04:01:00 GMT"),
	    now), 61);
	assert_int_equal(acme_retry_after(STR("Thu, 02 Jan 2020 04:01:00 GMT"),
	    now), 0);
	assert_int_equal(acme_retry_after(STR_NONE, now), 0);
	assert_int_equal(acme_retry_after(STR("soon"), now), 0);
	for (uint64_t chance = 0; chance < 200; chance += 7) {
		assert_in_range(acme_pause_s(1, 0, chance), 45, 75);
		assert_in_range(acme_pause_s(2, 0, chance), 90, 150);
		assert_in_range(acme_pause_s(99, 0, chance), 64800, 108000);
		assert_int_equal(acme_pause_s(1, 3600, chance), 3600);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_directory), TEST(test_directory_refuses),
		TEST(test_order), TEST(test_authorization), TEST(test_problem),
		TEST(test_window), TEST(test_cert_id), TEST(test_payloads),
		TEST(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
