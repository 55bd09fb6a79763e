/*
 * The places of held[]: those shown come first, as their files were read; behind
 * them, always there, perhaps empty:
 *
 *	ACCOUNT, NEXT		the account's keys
 *	REQUEST x KINDS		keys of certificates that are asked for
 *	PROOF x KEYRING_PROOFS	in turn
 */
#include "app/keyring_answer.h"

#include "app/keyring_sign.h"
#include "base/err.h"
#include "base/must.h"
#include "cli/pair.h"
#include "fiber/tls_key.h"
#include "trust/csr.h"
#include "trust/jws.h"
#include "wire/base64url.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PLACE_ACCOUNT, PLACE_NEXT, PLACE_REQUEST,
	PLACE_PROOF = PLACE_REQUEST + KEYRING_KINDS,
	PLACES = PLACE_PROOF + KEYRING_PROOFS };

enum { RSA_BITS = 2048, CSR_MOST = 12 * 1024, PAYLOAD_MOST = 24 * 1024 };

const char *const keyring_kind_names[KEYRING_KINDS] = { "ecdsa", "rsa" };

static const char account_key[] = "account.key", account_next[] = "account.next";

static const enum keyring_op purpose_op[KEYRING_PURPOSES] = {
#define PURPOSE(name, op, says) KEYRING_##op,
#include "app/keyring_purpose.def"
#undef PURPOSE
};

static struct wall
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){ (int64_t)t.tv_sec * 1000000 };
}

static void
kind_file(char name[STORE_NAME_MOST], unsigned kind, const char *ending)
{
	(void)snprintf(name, STORE_NAME_MOST, "%s.%s", keyring_kind_names[kind],
	    ending);
}

/* ---- places ---- */

static struct keyring_held *
place(struct keyring *k, size_t which)
{
	must(which < PLACES);
	return &k->held[k->n_shown + which];
}

static void
held_clear(struct keyring_held *h)
{
	EVP_PKEY_free(h->key);
	certificate_free(&h->cert);
	*h = (struct keyring_held){ .id = 0 };
}

static void
held_take(struct keyring_held *h, EVP_PKEY *key, enum keyring_purpose purpose)
{
	held_clear(h);
	*h = (struct keyring_held){ .id = public_key_id(key), .key = key,
		.purpose = purpose };
}

/* The key of this id, if it may be used so. */
static const struct keyring_held *
held_find(const struct keyring *k, uint64_t id, enum keyring_op op)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->held[i].key != NULL && k->held[i].id == id &&
		    purpose_op[k->held[i].purpose] == op)
			return &k->held[i];
	return NULL;
}

/* ---- at the start ---- */

static void
shown_add(struct keyring *k, struct certificate cert, EVP_PKEY *key,
    enum keyring_source source, struct str file)
{
	struct keyring_held *h = &k->held[k->n_shown++];

	held_take(h, key, PURPOSE_TLS);
	h->cert = cert;
	h->source = source;
	h->file = file;
}

static int
files_read(struct keyring *k, const struct config *c)
{
	for (size_t i = 0; i < c->tls.cert.n; i++) {
		struct pair p;

		if (pair_read(c->tls.cert.v[i], c->tls.key.v[i], &p) != 0)
			return err_add("tls");
		shown_add(k, p.cert, p.key, KEYRING_FILE, c->tls.cert.v[i]);
	}
	return 0;
}

/* What it wrote itself and cannot read is told, and made anew: better than no
 * server. */
static void
store_read(struct keyring *k)
{
	for (unsigned i = 0; i < KEYRING_KINDS; i++) {
		struct certificate cert;
		char name[STORE_NAME_MOST];
		EVP_PKEY *key;

		kind_file(name, i, "pem");
		if (!store_has(&k->store, name))
			continue;
		if (store_pair(&k->store, name, &cert, &key) == 0)
			shown_add(k, cert, key, KEYRING_ACME,
			    str_of(keyring_kind_names[i]));
		else
			fprintf(stderr, "nightmail: %s\n", err_text());
		err_clear();
	}
}

/* The places come behind those that are shown. */
static void
store_read_keys(struct keyring *k)
{
	char name[STORE_NAME_MOST];
	EVP_PKEY *key;

	for (unsigned i = 0; i < KEYRING_KINDS; i++) {
		kind_file(name, i, "next");
		key = store_has(&k->store, name) ? store_key(&k->store, name) :
		    NULL;
		if (key != NULL)
			held_take(place(k, PLACE_REQUEST + i), key,
			    PURPOSE_REQUEST);
	}
	err_clear();
}

static int
self_make(struct keyring *k, const struct config *c)
{
	struct certificate cert;
	EVP_PKEY *key;

	if (certificate_make(c->hostname, now(), &cert, &key) != 0)
		return -1;
	shown_add(k, cert, key, KEYRING_SELF, STR(""));
	return 0;
}

int
keyring_read(struct keyring *k, const struct config *c)
{
	size_t most = c->tls.cert.n + KEYRING_KINDS + 1 + PLACES;

	k->held = calloc(most, sizeof *k->held);
	if (k->held == NULL)
		return err_set("no memory for keys");
	must(c->tls.key.n == c->tls.cert.n);
	if (files_read(k, c) != 0)
		return -1;
	store_read(k);
	if (k->n_shown == 0 && self_make(k, c) != 0)
		return -1;
	k->n = k->n_shown + PLACES;
	must(k->n <= most);
	store_read_keys(k);
	return 0;
}

int
keyring_tell_shown(const struct keyring *k, int fd)
{
	struct buf b = { .p = malloc(CERTIFICATE_PEM_MOST + 4096),
		.cap = CERTIFICATE_PEM_MOST + 4096 };
	int rc = b.p == NULL ? err_set("no memory for certificates") : 0;

	for (size_t i = 0; rc == 0 && i < k->n_shown; i++) {
		const struct keyring_held *h = &k->held[i];
		char source = (char)h->source;
		uint32_t n;
		size_t at;

		b.n = 0;
		keyring_put(&b, (struct str){ &source, 1 });
		keyring_put(&b, h->file);
		at = b.n;
		buf_le32(&b, 0);
		rc = certificate_print(&h->cert, &b);
		n = (uint32_t)(b.n - at - sizeof n);
		memcpy(b.p + at, &n, sizeof n);
		if (rc == 0 && write(fd, b.p, b.n) != (ssize_t)b.n)
			rc = err_set("telling the certificates: %m");
	}
	free(b.p);
	return rc;
}

/* ---- handshakes ---- */

static int
answer_sign(struct keyring *k, const struct keyring_frame *q, struct str body,
    struct buf *out)
{
	const struct keyring_held *h = held_find(k, q->key, KEYRING_SIGN);
	struct tls_signing what = { .scheme = TLS_SIGN_RSA_PKCS1 };
	unsigned scheme;
	struct str digest;

	if (!keyring_choice(&body, TLS_SIGN_EDDSA + 1, &scheme) ||
	    !keyring_field(&body, &digest) ||
	    !keyring_field(&body, &what.input) ||
	    !str_cstr(digest, what.digest, sizeof what.digest))
		return err_set("no request to sign");
	what.scheme = (enum tls_scheme)scheme;
	if (h == NULL || !keyring_is_handshake(what.input))
		return err_set("no key signs that");
	return tls_sign_here(h->key, &what, out);
}

/* ---- the account ---- */

static EVP_PKEY *
key_make(unsigned kind)
{
	EVP_PKEY *key = kind == KEYRING_RSA ? EVP_RSA_gen(RSA_BITS) :
	    EVP_EC_gen("P-256");

	ERR_clear_error();
	if (key == NULL)
		err_set("no key came to be");
	return key;
}

static EVP_PKEY *
account_make(struct keyring *k, const char *name)
{
	EVP_PKEY *key = key_make(KEYRING_ECDSA);

	if (key != NULL && store_key_keep(&k->store, name, key) == 0)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* A key that is there but cannot be read is not replaced: it is the account. */
static int
account_ensure(struct keyring *k, bool is_next, bool may_make)
{
	const char *name = is_next ? account_next : account_key;
	struct keyring_held *h = place(k, is_next ? PLACE_NEXT : PLACE_ACCOUNT);
	EVP_PKEY *key;

	if (h->key != NULL)
		return 0;
	if (store_has(&k->store, name))
		key = store_key(&k->store, name);
	else
		key = may_make ? account_make(k, name) : NULL;
	if (key == NULL)
		return err_add("the account's key");
	held_take(h, key, is_next ? PURPOSE_NEXT : PURPOSE_ACCOUNT);
	return 0;
}

static int
answer_account(struct keyring *k, struct str body, struct buf *out)
{
	char jwk[JWS_KEY_MOST];
	struct buf b = BUF_OF(jwk);
	unsigned which;
	struct keyring_held *h;

	if (!keyring_choice(&body, KEYRING_NEXT_IF_THERE + 1, &which))
		return err_set("which key of the account?");
	if (account_ensure(k, which != KEYRING_CURRENT,
	    which != KEYRING_NEXT_IF_THERE) != 0)
		return -1;
	h = place(k, which == KEYRING_CURRENT ? PLACE_ACCOUNT : PLACE_NEXT);
	if (jws_key_print(h->key, &b) != 0)
		return -1;
	keyring_put(out, (struct str){ (const char *)&h->id, sizeof h->id });
	keyring_put(out, buf_str(&b));
	return 0;
}

/* After the authority took the next key, and not before. */
static int
answer_roll(struct keyring *k, struct str body)
{
	struct keyring_held *now_held = place(k, PLACE_ACCOUNT);
	struct keyring_held *next = place(k, PLACE_NEXT);
	unsigned which;

	if (!keyring_choice(&body, KEYRING_NEXT + 1, &which))
		return err_set("roll which key?");
	if (which == KEYRING_CURRENT) {
		held_clear(next);
		return store_drop(&k->store, account_next);
	}
	if (account_ensure(k, true, false) != 0 ||
	    store_move(&k->store, account_next, account_key) != 0)
		return -1;
	held_clear(now_held);
	*now_held = *next;
	now_held->purpose = PURPOSE_ACCOUNT;
	*next = (struct keyring_held){ .id = 0 };
	return 0;
}

static int
jws_put(EVP_PKEY *key, struct jws_header *h, struct str payload, struct buf *out)
{
	static char text[JWS_HEADER_MOST], letters[2 * JWS_HEADER_MOST],
	    body[PAYLOAD_MOST], room[JWS_KEY_MOST];
	struct buf header = BUF_OF(text), header64 = BUF_OF(letters),
	    payload64 = BUF_OF(body), signature = BUF_OF(room);

	h->alg = jws_alg(key);
	if (jws_header_print(h, &header) != 0)
		return -1;
	base64url_put(&header64, buf_str(&header));
	base64url_put(&payload64, payload);
	if (header64.full || payload64.full)
		return err_set("a request of ACME is too long");
	if (jws_sign(key, buf_str(&header64), buf_str(&payload64),
	    &signature) != 0)
		return -1;
	keyring_put(out, buf_str(&header64));
	keyring_put(out, buf_str(&signature));
	return 0;
}

static int
answer_jws(struct keyring *k, const struct keyring_frame *q, struct str body,
    struct buf *out)
{
	const struct keyring_held *h = held_find(k, q->key, KEYRING_JWS);
	char jwk[JWS_KEY_MOST];
	struct buf b = BUF_OF(jwk);
	struct jws_header header = { .alg = NULL };
	struct str payload;

	if (h == NULL)
		return err_set("no such account");
	if (!keyring_field(&body, &header.url) ||
	    !keyring_field(&body, &header.nonce) ||
	    !keyring_field(&body, &header.kid) ||
	    !keyring_field(&body, &payload))
		return err_set("no request to sign");
	if (jws_key_print(h->key, &b) != 0)
		return -1;
	header.key = buf_str(&b);
	return jws_put(h->key, &header, payload, out);
}

/* ---- certificates ---- */

static int
request_ensure(struct keyring *k, unsigned kind)
{
	struct keyring_held *h = place(k, PLACE_REQUEST + kind);
	char name[STORE_NAME_MOST];
	EVP_PKEY *key;

	if (h->key != NULL)
		return 0;
	kind_file(name, kind, "next");
	key = key_make(kind);
	if (key == NULL || store_key_keep(&k->store, name, key) != 0) {
		EVP_PKEY_free(key);
		return -1;
	}
	held_take(h, key, PURPOSE_REQUEST);
	return 0;
}

static int
answer_request(struct keyring *k, struct str body, struct buf *out)
{
	static char room[CSR_MOST];
	struct buf der = BUF_OF(room);
	struct str names[CSR_NAMES_MOST];
	unsigned kind;
	size_t n = 0;

	if (!keyring_choice(&body, KEYRING_KINDS, &kind))
		return err_set("a request for which kind of key?");
	while (n < CSR_NAMES_MOST && keyring_field(&body, &names[n]))
		n++;
	if (n == 0 || body.n > 0)
		return err_set("a request for no names, or too many");
	if (request_ensure(k, kind) != 0 || csr_make(place(k, PLACE_REQUEST +
	    kind)->key, names, n, &der) != 0)
		return -1;
	keyring_put(out, buf_str(&der));
	return 0;
}

/* What came must be for the key that waits for it. */
static int
answer_install(struct keyring *k, struct str body)
{
	char pem[STORE_NAME_MOST], next[STORE_NAME_MOST];
	struct certificate cert;
	struct keyring_held *h;
	unsigned kind;
	struct str chain;
	int rc;

	if (!keyring_choice(&body, KEYRING_KINDS, &kind) ||
	    !keyring_field(&body, &chain))
		return err_set("no certificate to install");
	h = place(k, PLACE_REQUEST + kind);
	kind_file(pem, kind, "pem");
	kind_file(next, kind, "next");
	if (certificate_read(chain, &cert) != 0)
		return err_add("the authority's certificate");
	rc = h->key != NULL && certificate_fits(&cert, h->key) ?
	    store_pair_keep(&k->store, pem, &cert, h->key) :
	    err_set("the authority's certificate is for another key");
	certificate_free(&cert);
	if (rc != 0)
		return -1;
	held_clear(h);
	return store_drop(&k->store, next);
}

static int
answer_prove(struct keyring *k, struct str body, struct buf *out)
{
	static char room[4096];
	struct buf pem = BUF_OF(room);
	struct certificate cert;
	struct str name, digest;
	EVP_PKEY *key;
	int rc;

	if (!keyring_field(&body, &name) || !keyring_field(&body, &digest))
		return err_set("no name to prove");
	if (proof_make(name, digest, now(), &cert, &key) != 0)
		return -1;
	rc = certificate_print(&cert, &pem);
	certificate_free(&cert);
	if (rc != 0) {
		EVP_PKEY_free(key);
		return -1;
	}
	held_take(place(k, PLACE_PROOF + k->next_proof), key, PURPOSE_PROOF);
	k->next_proof = (k->next_proof + 1) % KEYRING_PROOFS;
	keyring_put(out, buf_str(&pem));
	return 0;
}

/* ---- all of them ---- */

static int
answer_acme(struct keyring *k, const struct keyring_frame *q, struct str body,
    struct buf *out)
{
	if (k->store.fd < 0)
		return err_set("there is no tls.acme");
	switch ((enum keyring_op)q->what) {
	case KEYRING_ACCOUNT:
		return answer_account(k, body, out);
	case KEYRING_JWS:
		return answer_jws(k, q, body, out);
	case KEYRING_REQUEST:
		return answer_request(k, body, out);
	case KEYRING_INSTALL:
		return answer_install(k, body);
	case KEYRING_PROVE:
		return answer_prove(k, body, out);
	case KEYRING_ROLL:
		return answer_roll(k, body);
	case KEYRING_SIGN:
	case KEYRING_DKIM_SIGN:
	case KEYRING_DKIM_KEYS:
	case KEYRING_DKIM_LIST:
	case KEYRING_DKIM_MAKE:
	case KEYRING_DKIM_STATE:
	case KEYRING_DKIM_DROP:
	case KEYRING_OPS:
		break;
	}
	return err_set("no such request");
}

static int
answer(struct keyring *k, const struct keyring_frame *q, struct str body,
    struct buf *out)
{
	if (q->what == KEYRING_SIGN)
		return answer_sign(k, q, body, out);
	if (q->what >= KEYRING_DKIM_SIGN && q->what <= KEYRING_DKIM_DROP)
		return keyring_dkim_answer(&k->dkim, (enum keyring_op)q->what,
		    q->key, body, out);
	return answer_acme(k, q, body, out);
}

void
keyring_answer(struct keyring *k, const struct keyring_frame *q, struct str body,
    struct keyring_frame *r, struct buf *out)
{
	int rc;

	out->n = 0;
	out->full = false;
	err_clear();
	rc = answer(k, q, body, out);
	if (rc == 0 && out->full)
		rc = err_set("the answer is too long");
	if (rc != 0) {
		out->n = 0;
		out->full = false;
		buf_put(out, str_of(err_text()));
	}
	err_clear();
	*r = (struct keyring_frame){ .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .what = rc != 0,
		.number = q->number, .length = (uint32_t)out->n };
}
