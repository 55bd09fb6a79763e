#include "app/keyring_answer.h"

#include "policy/test_conf.h"
#include "fiber/tls_key.h"

#include <stdlib.h>
#include <unistd.h>

static struct keyring keys;
static struct config *config;
static char directory[] = "/var/tmp/keyring.XXXXXX";
static char told[KEYRING_TELL_MOST];

/* What a server signs in TLS 1.3. */
#define SPACES_16 "                "
#define HANDSHAKE SPACES_16 SPACES_16 SPACES_16 SPACES_16 \
	"TLS 1.3, server CertificateVerify\0" "01234567890123456789012345678901"

static int
set_up(void **state)
{
	(void)state;
	conf_begin();
	config = conf_of("hostname: mx.example.org\n");
	if (mkdtemp(directory) == NULL)
		return -1;
	return store_open(&keys.store, "tls.state", str_of(directory), geteuid(),
	    getegid()) == 0 && keyring_read(&keys, config) == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	static const char *const files[] = { "account.key", "account.next",
		"ecdsa.next", "ecdsa.pem", "rsa.next", "rsa.pem", "part" };

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		(void)unlinkat(keys.store.fd, files[i], 0);
	config_free(config);
	conf_end();
	return rmdir(directory);
}

/* The reply's status; its body is in `told'. */
static int
ask(enum keyring_op op, uint64_t key, const struct str *fields, size_t n,
    struct str *body)
{
	static char room[KEYRING_ASK_MOST];
	struct buf q = BUF_OF(room), out = BUF_OF(told);
	struct keyring_frame frame = { .what = (uint16_t)op, .key = key,
		.number = 7 }, reply;

	for (size_t i = 0; i < n; i++)
		keyring_put(&q, fields[i]);
	keyring_answer(&keys, &frame, buf_str(&q), &reply, &out);
	assert_int_equal(reply.number, 7);
	assert_int_equal(reply.length, out.n);
	*body = buf_str(&out);
	return reply.what;
}

static uint64_t
account(enum keyring_which which)
{
	char choice = (char)which;
	struct str field = { &choice, 1 }, body, id;
	uint64_t key = 0;

	assert_int_equal(ask(KEYRING_ACCOUNT, 0, &field, 1, &body), 0);
	assert_true(keyring_field(&body, &id));
	memcpy(&key, id.p, sizeof key);
	return key;
}

static int
sign(uint64_t key, struct str input)
{
	char scheme = TLS_SIGN_ECDSA;
	const struct str fields[] = { { &scheme, 1 }, STR("SHA256"), input };
	struct str body;

	return ask(KEYRING_SIGN, key, fields, 3, &body);
}

static int
jws(uint64_t key, struct str *body)
{
	const struct str fields[] = { STR("https://ca.test/order"), STR("n0"),
		STR("https://ca.test/acct/1"), STR("{}") };

	return ask(KEYRING_JWS, key, fields, 4, body);
}

/* A key signs for its purpose, and for that only what has its form. */
static void
test_purposes(void **state)
{
	uint64_t tls = keys.held[0].id, acme = account(KEYRING_CURRENT);
	struct str body, header64;

	(void)state;
	assert_int_equal(sign(tls, STR(HANDSHAKE)), 0);
	assert_int_equal(sign(acme, STR(HANDSHAKE)), 1);
	assert_int_equal(jws(acme, &body), 0);
	assert_true(keyring_field(&body, &header64));
	assert_int_equal(str_find_str(header64, STR("eyJ")), 0);
	assert_int_equal(jws(tls, &body), 1);
	assert_int_equal(sign(tls, STR("eyJhbGciOiJFUzI1NiJ9.e30")), 1);
	assert_int_equal(sign(tls, STR("")), 1);
	assert_int_equal(sign(tls + 1, STR(HANDSHAKE)), 1);
	assert_int_equal(sign(tls, str_sub(STR(HANDSHAKE), 1, 999)), 1);
}

static void
test_next_account(void **state)
{
	uint64_t first = account(KEYRING_CURRENT), next = account(KEYRING_NEXT);
	char choice = KEYRING_NEXT;
	struct str field = { &choice, 1 }, body;

	(void)state;
	assert_int_not_equal(first, next);
	assert_true(store_has(&keys.store, "account.next"));
	assert_int_equal(ask(KEYRING_ROLL, 0, &field, 1, &body), 0);
	assert_false(store_has(&keys.store, "account.next"));
	assert_int_equal(account(KEYRING_CURRENT), next);
	assert_int_equal(jws(first, &body), 1);
	assert_int_equal(jws(next, &body), 0);
	choice = KEYRING_NEXT_IF_THERE;
	assert_int_equal(ask(KEYRING_ACCOUNT, 0, &field, 1, &body), 1);
}

/* What is installed is for the key that was asked for. */
static void
test_installs(void **state)
{
	static char room[8192];
	struct buf pem = BUF_OF(room);
	char kind = KEYRING_ECDSA;
	struct str fields[] = { { &kind, 1 }, STR("mx.example.org") }, body;
	struct certificate other;
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(ask(KEYRING_REQUEST, 0, fields, 2, &body), 0);
	assert_true(store_has(&keys.store, "ecdsa.next"));
	assert_int_equal(certificate_make(STR("mx.example.org"),
	    (struct wall){ INT64_C(1770000000000000) }, &other, &key), 0);
	assert_int_equal(certificate_print(&other, &pem), 0);
	fields[1] = buf_str(&pem);
	assert_int_equal(ask(KEYRING_INSTALL, 0, fields, 2, &body), 1);
	assert_true(str_find_str(body, STR("another key")) < body.n);
	assert_false(store_has(&keys.store, "ecdsa.pem"));
	fields[1] = STR("no certificate");
	assert_int_equal(ask(KEYRING_INSTALL, 0, fields, 2, &body), 1);
	certificate_free(&other);
	EVP_PKEY_free(key);
}

/* A proof may shake hands and nothing else; nonsense is refused. */
static void
test_proofs(void **state)
{
	char digest[32] = { 0 };
	struct str fields[] = { STR("mx.example.org"), { digest, 32 } };
	struct certificate cert;
	struct str body, pem;

	(void)state;
	assert_int_equal(ask(KEYRING_PROVE, 0, fields, 2, &body), 0);
	assert_true(keyring_field(&body, &pem));
	assert_int_equal(certificate_read(pem, &cert), 0);
	assert_int_equal(sign(certificate_key_id(&cert), STR(HANDSHAKE)), 0);
	assert_int_equal(jws(certificate_key_id(&cert), &body), 1);
	certificate_free(&cert);
	fields[1].n = 31;
	assert_int_equal(ask(KEYRING_PROVE, 0, fields, 2, &body), 1);
	assert_int_equal(ask(KEYRING_PROVE, 0, fields, 0, &body), 1);
	assert_int_equal(ask(KEYRING_REQUEST, 0, fields, 1, &body), 1);
	assert_int_equal(ask(KEYRING_OPS, 0, fields, 0, &body), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_purposes),
		cmocka_unit_test(test_next_account),
		cmocka_unit_test(test_installs),
		cmocka_unit_test(test_proofs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
