#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "fiber/tls_key.h"

#include <openssl/pem.h>

static struct stream client, server;
static struct tls_context *shown, *asking;
static int accepted;
static unsigned left, asked;
static EVP_PKEY *hidden;
static bool is_gone;

/* Somewhere else, and slow. */
static yields int
slow_sign(struct tls_signer *s, uint64_t key, const struct tls_signing *what,
    struct buf *out)
{
	(void)s;
	assert_int_equal(key, 7);
	asked++;
	fiber_sleep(in_ms(5));
	return is_gone ? err_set("nobody signs") :
	    tls_sign_here(hidden, what, out);
}

static struct tls_signer signer = { slow_sign };

static void
accepting(void *arg)
{
	(void)arg;
	accepted = tls_accept(&server, shown);
	left--;
}

static yields int
shake(void)
{
	int rc;

	make_pair(&client, &server);
	left = 1;
	assert_int_equal(fiber_go("accept", accepting, NULL), 0);
	rc = tls_connect(&client, asking, STR("mx.test"));
	while (left > 0)
		fiber_sleep(in_ms(1));
	return rc;
}

static void
close_both(void)
{
	stream_close(&client);
	stream_close(&server);
}

static struct tls_identity
hide(struct tls_identity *whole)
{
	struct tls_identity id = { .leaf = whole->leaf };

	hidden = whole->key;
	id.key = tls_key_new(X509_get0_pubkey(whole->leaf), &signer, 7);
	assert_non_null(id.key);
	return id;
}

static yields void
try_kind(const char *kind, enum tls_least least)
{
	static const struct tls_client_setup plain;
	struct tls_identity whole = test_identity(kind, "mx.test");
	struct tls_identity id = hide(&whole);
	struct tls_facts facts;
	struct str line;
	enum line_ending ending;

	asked = 0;
	assert_non_null(shown = tls_server_new(&(struct tls_server_setup){
	    .identities = &id, .n = 1, .least = least }));
	assert_non_null(asking = tls_client_new(&plain));
	assert_int_equal(shake(), 0);
	assert_int_equal(accepted, 0);
	assert_int_equal(asked, 1);
	tls_facts(&client, &facts);
	assert_int_equal(X509_cmp(facts.peer, whole.leaf), 0);
	stream_put(&client, STR("NOOP\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(stream_line(&server, 100, &line, &ending), 0);
	close_both();
	is_gone = true;			/* the handshake fails, not the core */
	assert_int_equal(shake(), -1);
	assert_int_equal(accepted, -1);
	is_gone = false;
	close_both();
	tls_drop(shown);
	tls_drop(asking);
	EVP_PKEY_free(id.key);
	test_identity_free(&whole);
}

/* A client whose key is elsewhere shows who he is. */
static yields void
try_client(const char *kind)
{
	struct tls_identity host = test_identity("EC", "mx.test"),
		whole = test_identity(kind, "client.test"), id = hide(&whole);
	struct tls_facts facts;

	asked = 0;
	assert_non_null(shown = tls_server_new(&(struct tls_server_setup){
	    .identities = &host, .n = 1, .asks_client = true }));
	assert_non_null(asking = tls_client_new(&(struct tls_client_setup){
	    .identity = &id }));
	assert_int_equal(shake(), 0);
	assert_int_equal(accepted, 0);
	assert_int_equal(asked, 1);
	tls_facts(&server, &facts);
	assert_int_equal(X509_cmp(facts.peer, whole.leaf), 0);
	close_both();
	is_gone = true;
	assert_int_equal(shake(), -1);
	is_gone = false;
	close_both();
	tls_drop(shown);
	tls_drop(asking);
	EVP_PKEY_free(id.key);
	test_identity_free(&whole);
	test_identity_free(&host);
}

static void
body_kinds(void *arg)
{
	(void)arg;
	try_client("EC");
	try_client("RSA");
	try_client("ED25519");
	try_kind("EC", TLS_LEAST_1_2);
	try_kind("RSA", TLS_LEAST_1_2);
	try_kind("ED25519", TLS_LEAST_1_2);
	try_kind("EC", TLS_LEAST_1_3);
}

static void
test_kinds(void **state)
{
	(void)state;
	on_core(body_kinds);
}

/* A certificate and a key that do not belong together are refused. */
static void
test_stranger(void **state)
{
	struct tls_identity a = test_identity("EC", "a.test"),
		b = test_identity("EC", "b.test"), id = { .leaf = a.leaf };

	(void)state;
	id.key = tls_key_new(X509_get0_pubkey(b.leaf), &signer, 7);
	assert_non_null(id.key);
	assert_null(tls_server_new(&(struct tls_server_setup){
	    .identities = &id, .n = 1 }));
	EVP_PKEY_free(id.key);
	test_identity_free(&a);
	test_identity_free(&b);
}

/* A key is used as what it is, and for no other scheme. */
static void
test_schemes(void **state)
{
	static const char *const kinds[] = { "RSA", "EC", "ED25519" };
	static const bool fits[3][4] = { { true, true, false, false },
		{ false, false, true, false }, { false, false, false, true } };
	char room[TLS_SIGNATURE_MOST];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct tls_identity id = test_identity(kinds[i], "mx.test");

		for (unsigned scheme = 0; scheme < 4; scheme++) {
			struct tls_signing what = { (enum tls_scheme)scheme,
				"SHA256", STR("sign me") };
			struct buf b = { .p = room, .cap = sizeof room };

			assert_int_equal(tls_sign_here(id.key, &what, &b),
			    fits[i][scheme] ? 0 : -1);
			assert_int_equal(b.n > 0, fits[i][scheme]);
		}
		test_identity_free(&id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_schemes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
