#include "fiber/tls_inner.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/world.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* RFC 9325 4.2: forward secrecy and AEAD; TLS 1.3 has nothing else. */
static const char suites_1_2[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!PSK:!SHA1:!SHA256:!SHA384";
static char groups[] = "X25519:P-256:P-384";	/* a macro takes its const */

enum { SESSION_SECONDS = 12 * 3600 };

/* ---- errors ---- */

int
tls_trouble(const char *doing)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set("%s: %s", doing, reason != NULL ? reason :
	    "the connection ended");
}

/* ---- tickets (RFC 5077 4) ---- */

static int
ticket_seal(const struct ticket_key *k, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	OSSL_PARAM how[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end() };

	if (name != NULL) {
		memcpy(name, k->name, TICKET_NAME);
		world_random(iv, (size_t)EVP_CIPHER_get_iv_length(
		    EVP_aes_256_cbc()));
	}
	if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv,
	    name != NULL) != 1 ||
	    EVP_MAC_init(mac, k->hmac, TICKET_HMAC, how) != 1)
		return -1;
	return 1;
}

/* 0: no such key, a full handshake; 1: fine; 2: fine, but give a new one: the key
 * is old, or the client may use a ticket once only (RFC 8446 C.4). */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	const struct tls *t = SSL_get_app_data(ssl);
	const struct tls_context *c = t->context;

	if (is_new)
		return c->n_keys == 0 ? 0 :
		    ticket_seal(&c->keys[0], name, iv, cipher, mac);
	for (size_t i = 0; i < c->n_keys; i++)
		if (CRYPTO_memcmp(c->keys[i].name, name, TICKET_NAME) == 0) {
			int rc = ticket_seal(&c->keys[i], NULL, iv, cipher,
			    mac);

			return rc == 1 && (i > 0 ||
			    SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : rc;
		}
	return 0;
}

void
tls_tickets(struct tls_context *c, const unsigned char (*keys)[TLS_TICKET_KEY],
    size_t n)
{
	_Static_assert(sizeof(struct ticket_key) == TLS_TICKET_KEY, "no holes");
	must(n <= TLS_TICKET_KEYS);
	OPENSSL_cleanse(c->keys, sizeof c->keys);
	memcpy(c->keys, keys, n * TLS_TICKET_KEY);
	c->n_keys = n;
}

/* ---- names ---- */

static int
name_choose(SSL *ssl, int *alert, void *arg)
{
	const struct tls *t = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t n = name == NULL ? 0 : strlen(name);

	(void)alert, (void)arg;
	if (n == 0 || n > TLS_NAME_MOST)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < t->context->n_named; i++) {
		SSL_CTX *c = t->context->named[i];

		if (X509_check_host(SSL_CTX_get0_certificate(c), name, n, 0,
		    NULL) != 1)
			continue;
		SSL_set_SSL_CTX(ssl, c);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_OK;	/* the first serves whoever comes */
}

/* Does the context speak this protocol? */
static bool
alpn_is_ours(const struct tls_context *c, struct str protocol)
{
	struct str list = str_of(c->alpn);

	must(c->alpn != NULL);
	while (list.n > 0)
		if (str_eq(str_cut(&list, ','), protocol))
			return true;
	return false;
}

/* RFC 7301 3.2: offered, but not ours: no_application_protocol.  A browser that
 * was led here gets no further (ALPACA). */
static int
alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *offered, unsigned n, void *arg)
{
	const struct tls *t = SSL_get_app_data(ssl);

	(void)arg;
	for (unsigned at = 0; at + 1 <= n && offered[at] + 1u <= n - at;
	    at += offered[at] + 1u)
		if (alpn_is_ours(t->context, (struct str){
		    (const char *)offered + at + 1, offered[at] })) {
			*out = offered + at + 1;
			*out_n = offered[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- contexts ---- */

int
tls_any_chain(int fine, X509_STORE_CTX *c)
{
	(void)fine, (void)c;
	return 1;			/* the verdict is kept: tls_facts() */
}

static SSL_CTX *
ssl_new(const SSL_METHOD *method, enum tls_least least)
{
	SSL_CTX *c = SSL_CTX_new(method);

	if (c == NULL)
		return NULL;
	if (SSL_CTX_set_min_proto_version(c, least == TLS_LEAST_1_3 ?
	    TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(c, suites_1_2) != 1 ||
	    SSL_CTX_set1_groups_list(c, groups) != 1) {
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_timeout(c, SESSION_SECONDS);
	return c;
}

static int
identity_use(SSL_CTX *c, const struct tls_identity *id)
{
	return SSL_CTX_use_cert_and_key(c, id->leaf, id->key, id->chain, 1) == 1 ?
	    0 : -1;
}

static struct tls_context *
context_new(SSL_CTX *ssl, const char *alpn)
{
	struct tls_context *c = ssl == NULL ? NULL : calloc(1, sizeof *c);

	if (c == NULL) {
		SSL_CTX_free(ssl);
		(void)tls_trouble("setting TLS up");
		return NULL;
	}
	c->references = 1;
	c->ssl = ssl;
	c->alpn = alpn;
	return c;
}

/* A context for one identity, as clients without a name would meet it. */
static SSL_CTX *
server_ssl(const struct tls_server_setup *setup, size_t first)
{
	SSL_CTX *c = ssl_new(TLS_server_method(), setup->least);

	must(first < setup->n);
	if (c == NULL || identity_use(c, &setup->identities[first]) != 0) {
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	/* one is what a client needs who comes again (RFC 8446 C.4); OpenSSL's two
	 * are for browsers, which come in pairs */
	SSL_CTX_set_num_tickets(c, 1);
	SSL_CTX_set_session_id_context(c, (const unsigned char *)"nightmail",
	    9);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c, ticket_key);
	SSL_CTX_set_tlsext_servername_callback(c, name_choose);
	SSL_CTX_set_dh_auto(c, 1);
	if (setup->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(c, alpn_choose, NULL);
	if (setup->asks_client)
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, tls_any_chain);
	return c;
}

/* Do both certificates speak for the same first name? */
static bool
identity_is_beside(const struct tls_identity *a, const struct tls_identity *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(b->leaf, NID_subject_alt_name,
	    NULL, NULL);
	bool fits = false;

	for (int i = 0; !fits && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type != GEN_DNS)
			continue;
		fits = X509_check_host(a->leaf,
		    (const char *)ASN1_STRING_get0_data(g->d.dNSName),
		    (size_t)ASN1_STRING_length(g->d.dNSName), 0, NULL) == 1;
	}
	GENERAL_NAMES_free(names);
	return fits;
}

/* RSA beside ECDSA: OpenSSL chooses by what the client can check. */
static int
identities_join(SSL_CTX *c, const struct tls_server_setup *setup, size_t first)
{
	int kind = EVP_PKEY_get_base_id(setup->identities[first].key);

	must(first < setup->n);
	for (size_t i = 0; i < setup->n; i++) {
		const struct tls_identity *id = &setup->identities[i];

		if (i != first && EVP_PKEY_get_base_id(id->key) != kind &&
		    identity_is_beside(&setup->identities[first], id) &&
		    identity_use(c, id) != 0)
			return -1;
	}
	return 0;
}

struct tls_context *
tls_server_new(const struct tls_server_setup *setup)
{
	struct tls_context *c;

	must(setup->n > 0);
	ERR_clear_error();
	c = context_new(server_ssl(setup, 0), setup->alpn);
	if (c == NULL)
		return NULL;
	c->named = calloc(setup->n, sizeof(SSL_CTX *));
	for (size_t i = 0; c->named != NULL && i < setup->n; i++) {
		c->named[i] = server_ssl(setup, i);
		if (c->named[i] == NULL ||
		    identities_join(c->named[i], setup, i) != 0)
			break;
		c->n_named++;
	}
	if (c->n_named == setup->n &&
	    identities_join(c->ssl, setup, 0) == 0) {
		c->dropped = setup->dropped;
		c->arg = setup->arg;
		return c;
	}
	(void)tls_trouble("setting a certificate up");
	tls_drop(c);
	return NULL;
}

/* By TLS 1.3 tickets come behind the handshake, with what is read. */
static int
session_keep(SSL *ssl, SSL_SESSION *session)
{
	const struct tls *t = SSL_get_app_data(ssl);

	SSL_SESSION_free(t->context->last);
	t->context->last = session;
	return 1;			/* ours now */
}

/* A group of 10,000 bits, of the server's choice, would have a core for half a
 * second. */
static int
group_judge(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid,
    void *other, void *arg)
{
	const struct tls_context *c = arg;

	if (op == SSL_SECOP_TMP_DH && other != NULL &&
	    EVP_PKEY_get_bits(other) > DHE_BITS_MOST)
		return 0;
	return c->judge(ssl, ctx, op, bits, nid, other, NULL);
}

struct tls_context *
tls_client_new(const struct tls_client_setup *setup)
{
	struct tls_context *c;

	ERR_clear_error();
	c = context_new(ssl_new(TLS_client_method(), setup->least), setup->alpn);
	if (c == NULL)
		return NULL;
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, tls_any_chain);
	c->judge = SSL_CTX_get_security_callback(c->ssl);
	SSL_CTX_set_security_callback(c->ssl, group_judge);
	SSL_CTX_set0_security_ex_data(c->ssl, c);
	if (setup->resumes) {
		SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT |
		    SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(c->ssl, session_keep);
	}
	if (setup->anchors != NULL)
		SSL_CTX_set1_cert_store(c->ssl, setup->anchors);
	if (setup->identity != NULL &&
	    identity_use(c->ssl, setup->identity) != 0) {
		(void)tls_trouble("setting a certificate up");
		tls_drop(c);
		return NULL;
	}
	return c;
}

struct tls_context *
tls_keep(struct tls_context *c)
{
	must(c->references > 0);
	c->references++;
	return c;
}

void
tls_drop(struct tls_context *c)
{
	must(c == NULL || c->references > 0);
	if (c == NULL || --c->references > 0)
		return;
	for (size_t i = 0; c->named != NULL && i < c->n_named; i++)
		SSL_CTX_free(c->named[i]);
	free(c->named);
	SSL_SESSION_free(c->last);
	SSL_CTX_free(c->ssl);
	OPENSSL_cleanse(c->keys, sizeof c->keys);
	if (c->dropped != NULL)
		c->dropped(c->arg);
	free(c);
}
