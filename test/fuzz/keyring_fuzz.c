/*
 * keyring_fuzz.c -- a worker that is no longer ours asks the keyring.
 *
 * Input: requests; of each one octet says what is asked, one which key, one how
 * many fields, and for each field one how long it is, then its octets; or, when
 * the first octet is above 127, the body is what follows, of so many octets.
 *
 * Each has one answer that fits; what is told holds nothing of a private key; and
 * a key of one purpose gives nothing that passes for another's.
 */
#include "fuzz.h"

#include "app/keyring_answer.h"
#include "base/err.h"
#include "policy/test_conf.h"

#include <openssl/core_names.h>
#include <stdlib.h>
#include <unistd.h>

enum { REQUESTS_MOST = 8, SECRET_MOST = 64 };

static struct keyring keys;
static char directory[] = "/dev/shm/keyring.XXXXXX";
static char told[KEYRING_TELL_MOST], asked[KEYRING_ASK_MOST];

static void
clean_up(void)
{
	static const char *const files[] = { "account.key", "account.next",
		"ecdsa.next", "ecdsa.pem", "rsa.next", "rsa.pem", "part" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		(void)unlinkat(keys.store.fd, files[i], 0);
	(void)rmdir(directory);
}

static void
set_up(void)
{
	static struct config *c;

	if (c != NULL)
		return;
	conf_begin();
	must(mkdtemp(directory) != NULL);
	must(store_open(&keys.store, "tls.state", str_of(directory), geteuid(),
	    getegid()) == 0);
	c = conf_of("hostname: mx.example.org\n");
	must(keyring_read(&keys, c) == 0);
	must(atexit(clean_up) == 0);
}

/* A private key's number, as octets; 0: it has none that we look for. */
static size_t
secret_of(EVP_PKEY *key, char out[SECRET_MOST])
{
	BIGNUM *d = NULL;
	int n;

	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1)
		return 0;
	n = BN_num_bytes(d);
	must(n > 0 && n <= SECRET_MOST);
	n = BN_bn2bin(d, (unsigned char *)out);
	BN_clear_free(d);
	return (size_t)n;
}

static void
secrets_check(struct str reply)
{
	char secret[SECRET_MOST];

	for (size_t i = 0; i < keys.n; i++) {
		size_t n = keys.held[i].key == NULL ? 0 :
		    secret_of(keys.held[i].key, secret);

		must(n == 0 || str_find_str(reply, (struct str){ secret, n }) ==
		    reply.n);
	}
}

static struct str
body_make(struct str *in)
{
	struct buf b = BUF_OF(asked);
	unsigned n = fuzz_choice(in);
	struct str octets;

	if (n > 127) {
		octets = str_sub(*in, 0, n);
		*in = str_sub(*in, octets.n, in->n);
		return octets;
	}
	for (n %= 8; n > 0; n--) {
		octets = str_sub(*in, 0, fuzz_choice(in));
		octets = str_sub(*in, 0, octets.n);
		*in = str_sub(*in, octets.n, in->n);
		keyring_put(&b, octets);
	}
	return buf_str(&b);
}

static void
ask(struct str *in)
{
	unsigned what = fuzz_choice(in), which = fuzz_choice(in);
	struct keyring_frame q = { .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .number = which,
		.what = (uint16_t)(what % (KEYRING_OPS + 2)),
		.key = keys.held[which % keys.n].id }, r;
	struct buf out = BUF_OF(told);
	struct str body = body_make(in);

	/* Keys of RSA take too long to make. */
	if (q.what == KEYRING_REQUEST && body.n > 4 && body.p[4] == KEYRING_RSA)
		return;
	if (q.what == KEYRING_DKIM_MAKE)
		return;
	keyring_answer(&keys, &q, body, &r, &out);
	must(r.magic == KEYRING_MAGIC && r.version == KEYRING_VERSION);
	must(r.number == q.number && r.what <= 1);
	must(r.length == out.n && r.length <= KEYRING_TELL_MOST && !out.full);
	must(r.what == 0 || out.n > 0);
	must(err_text()[0] == '\0');
	secrets_check(buf_str(&out));
}

FUZZ(in)
{
	set_up();
	for (unsigned i = 0; i < REQUESTS_MOST && in.n > 0; i++)
		ask(&in);
}
