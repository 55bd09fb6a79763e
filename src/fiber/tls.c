/*
 * The life of a stream's TLS:
 *
 *	NONE      stream_init               s->tls == NULL, clear text
 *	SHAKING   tls_accept, tls_connect   SSL_do_handshake() until it is done
 *	OPEN      the handshake's end       stream.c reads and writes through us
 *	OVER      close_notify, any error   nothing goes either way any more
 *	NONE      tls_end                   by stream_close()
 *
 * OpenSSL's queue of errors belongs to the thread, and a thread is many fibers:
 * it is emptied before each call and read right behind it, and nobody waits in
 * between.
 */
#include "fiber/tls.h"

#include "base/must.h"
#include "fiber/fiber.h"
#include "fiber/inner.h"
#include "fiber/tls_own.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* RFC 9325 4.2: forward secrecy and AEAD; TLS 1.3 has nothing else. */
static const char suites_1_2[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!PSK:!SHA1:!SHA256:!SHA384";
static char groups[] = "X25519:P-256:P-384";	/* a macro takes its const */

enum { DHE_BITS_MOST = 4096 };		/* 20 ms of a core */

enum { TICKET_NAME = 16, TICKET_AES = 32, TICKET_HMAC = 32,
	SESSION_SECONDS = 12 * 3600 };

struct ticket_key {
	unsigned char name[TICKET_NAME], aes[TICKET_AES], hmac[TICKET_HMAC];
};

struct tls_context {
	unsigned references;		/* of one core */
	SSL_CTX *ssl;
	SSL_CTX **named;		/* one more for each name's identities */
	size_t n_named;
	const char *alpn;
	struct ticket_key keys[TLS_TICKET_KEYS];
	size_t n_keys;
	void (*dropped)(void *arg);
	void *arg;
	SSL_SESSION *last;		/* a client's that resumes; or NULL */
	/* OpenSSL's own judge of keys and ciphers, of a client. */
	int (*judge)(const SSL *, const SSL_CTX *, int op, int bits, int nid,
	    void *other, void *arg);
};

struct tls {
	SSL *ssl;
	struct tls_context *context;
	struct net_end *end;
	struct tls_hello hello;		/* to be read before the end is */
	bool is_over;			/* nothing goes either way any more */
	bool is_broken;			/* not by close_notify */
	bool is_dry;			/* the last read wanted the network */
};

/* ---- errors ---- */

static int
tls_trouble(const char *doing)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set("%s: %s", doing, reason != NULL ? reason :
	    "the connection ended");
}

/* ---- octets: the BIO over an end ---- */

static int
end_read(BIO *b, char *to, int n)
{
	struct tls *t = BIO_get_data(b);
	struct net_end *e = t->end;
	int64_t got;

	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	if (t->hello.octets != NULL)
		return (int)tls_hello_take(&t->hello, to, (size_t)n);
	got = e->can_read ? world_recv(e, to, (size_t)n) : -EAGAIN;
	if (got == -EAGAIN) {
		e->can_read = false;
		BIO_set_retry_read(b);
	}
	if (got < 0)
		errno = (int)-got;
	must(got <= n);
	return got < 0 ? -1 : (int)got;
}

/* A ticket goes with what is said next; the kernel waits 200 ms for that. */
static int64_t
end_send(const struct tls *t, const char *from, size_t n)
{
	bool had_more = t->end->has_more;
	int64_t sent;

	if (SSL_get_state(t->ssl) == TLS_ST_SW_SESSION_TICKET)
		t->end->has_more = true;
	sent = world_send(t->end, from, n);
	t->end->has_more = had_more;
	return sent;
}

static int
end_write(BIO *b, const char *from, int n)
{
	const struct tls *t = BIO_get_data(b);
	struct net_end *e = t->end;
	int64_t sent;

	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	sent = end_send(t, from, (size_t)n);
	if (sent == -EAGAIN || sent == 0) {
		e->can_write = false;
		BIO_set_retry_write(b);
		return -1;
	}
	if (sent < 0)
		errno = (int)-sent;
	must(sent <= n);
	return sent < 0 ? -1 : (int)sent;
}

static long
end_control(BIO *b, int command, long number, void *pointer)
{
	(void)b, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* One for all threads; made before the first connection of each. */
static BIO_METHOD *
end_method(void)
{
	static BIO_METHOD *_Atomic method;
	BIO_METHOD *m = atomic_load(&method), *none = NULL;

	if (m != NULL)
		return m;
	m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "end");
	if (m == NULL)
		return NULL;
	BIO_meth_set_read(m, end_read);
	BIO_meth_set_write(m, end_write);
	BIO_meth_set_ctrl(m, end_control);
	if (atomic_compare_exchange_strong(&method, &none, m))
		return m;
	BIO_meth_free(m);
	return none;
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

static int
any_chain(int fine, X509_STORE_CTX *c)
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
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, any_chain);
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
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, any_chain);
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

static struct tls_context *
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

/* ---- handshake ---- */

static struct tls *
tls_begin(struct stream *s, struct tls_context *c)
{
	struct tls *t = calloc(1, sizeof *t);
	BIO_METHOD *method = end_method();
	BIO *bio = t == NULL || method == NULL ? NULL : BIO_new(method);

	must(s->tls == NULL && s->end != NULL);
	if (bio != NULL)
		t->ssl = SSL_new(c->ssl);
	if (bio == NULL || t->ssl == NULL) {
		BIO_free(bio);
		free(t);
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	t->context = tls_keep(c);
	t->end = s->end;
	return t;
}

/* The peer's turn, or ours to be heard. */
static yields int
tls_await(struct stream *s, int why)
{
	must(why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE);
	if (why == SSL_ERROR_WANT_READ)
		return net_await_readable(s->end, &s->deadline);
	return net_await_writable(s->end, &s->deadline);
}

static yields int
tls_shake(struct stream *s)
{
	struct tls *t = s->tls;
	int rc, why;

	must(t != NULL && !t->is_over);
	for (;;) {
		ERR_clear_error();
		rc = SSL_do_handshake(t->ssl);
		if (rc == 1)
			return 0;
		why = SSL_get_error(t->ssl, rc);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			break;
		if (tls_await(s, why) != 0) {
			s->trouble = STREAM_LATE;
			return err_set("TLS handshake: nothing in time");
		}
	}
	t->is_over = t->is_broken = true;
	s->trouble = STREAM_GONE;
	return tls_trouble("TLS handshake");
}

static yields int
tls_start(struct stream *s, struct tls_context *c)
{
	must(s->tls == NULL);
	if (s->trouble != STREAM_FINE || stream_flush(s) != 0)
		return err_set("TLS handshake: the connection ended");
	if (stream_buffered(s) > 0)
		return err_set("clear text behind the start of TLS");
	s->tls = tls_begin(s, c);
	return s->tls == NULL ? err_set("no memory for TLS") : 0;
}

static yields int
server_start(struct stream *s, struct tls_context *c)
{
	struct tls_hello hello;

	if (stream_buffered(s) > 0)
		return err_set("clear text behind the start of TLS");
	if (s->trouble != STREAM_FINE || stream_flush(s) != 0)
		return err_set("TLS handshake: the connection ended");
	if (tls_hello_hear(s, &hello) != 0)
		return -1;
	if (stream_buffered(s) > 0 || tls_start(s, c) != 0) {
		tls_hello_end(&hello);
		return -1;
	}
	s->tls->hello = hello;
	return 0;
}

/* While the hello is awaited, the certificates of the server may be replaced. */
static yields int
tls_start_server(struct stream *s, struct tls_context *c)
{
	struct tls_context *kept = tls_keep(c);
	int rc = server_start(s, kept);

	tls_drop(kept);
	return rc;
}

yields int
tls_accept(struct stream *s, struct tls_context *c)
{
	if (tls_start_server(s, c) != 0)
		return -1;
	SSL_set_accept_state(s->tls->ssl);
	return tls_shake(s);
}

yields int
tls_accept_asking(struct stream *s, struct tls_context *c)
{
	static const unsigned char id[] = "nightmail, asking";
	SSL *ssl;

	if (tls_start_server(s, c) != 0)
		return -1;
	ssl = s->tls->ssl;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, any_chain);
	/* a ticket of where nobody was asked is none here, and none is given */
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	if (SSL_set_num_tickets(ssl, 0) != 1 ||
	    SSL_set_session_id_context(ssl, id, sizeof id - 1) != 1)
		return tls_trouble("TLS");
	SSL_set_accept_state(ssl);
	return tls_shake(s);
}

yields int
tls_connect(struct stream *s, struct tls_context *c, struct str name)
{
	char text[TLS_NAME_MOST + 1];
	unsigned char alpn[TLS_NAME_MOST + 1];
	size_t n = c->alpn == NULL ? 0 : strlen(c->alpn);

	if (tls_start(s, c) != 0)
		return -1;
	must(n < sizeof alpn);
	alpn[0] = (unsigned char)n;
	if (n > 0)
		memcpy(alpn + 1, c->alpn, n);
	if ((n > 0 && SSL_set_alpn_protos(s->tls->ssl, alpn,
	    (unsigned)n + 1) != 0) ||
	    (name.n > 0 && (!str_cstr(name, text, sizeof text) ||
	    SSL_set_tlsext_host_name(s->tls->ssl, text) != 1)))
		return tls_trouble("TLS: the server's name");
	/* whether a certificate has expired is a question to our own clock */
	X509_VERIFY_PARAM_set_time(SSL_get0_param(s->tls->ssl),
	    (time_t)(world_wall().us / 1000000));
	SSL_set_connect_state(s->tls->ssl);
	if (c->last != NULL)
		(void)SSL_set_session(s->tls->ssl, c->last);
	return tls_shake(s);
}

/* ---- octets inside ---- */

/* What OpenSSL's answer means to a stream: -EAGAIN, 0: the end, -EPROTO. */
static int64_t
tls_judge(struct tls *t, int rc)
{
	int why = SSL_get_error(t->ssl, rc);

	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	t->is_over = true;
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	t->is_broken = true;
	/* RFC 8446 6.1: it may be cut off; RFC 5321 has an end of its own. */
	(void)tls_trouble("TLS");
	return why == SSL_ERROR_SYSCALL && errno != 0 ? -errno : -EPROTO;
}

int64_t
tls_recv(struct stream *s, void *to, size_t n)
{
	struct tls *t = s->tls;
	size_t got = 0;
	int rc;

	must(n > 0);
	if (t->is_over)
		return 0;
	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(t->ssl, to, n, &got);
	t->is_dry = rc != 1;
	return rc == 1 ? (int64_t)got : tls_judge(t, rc);
}

int64_t
tls_send(struct stream *s, const void *bytes, size_t n)
{
	struct tls *t = s->tls;
	size_t sent = 0;
	int64_t got;
	int rc;

	must(n > 0);
	if (t->is_over)
		return -EPIPE;
	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(t->ssl, bytes, n, &sent);
	if (rc == 1)
		return (int64_t)sent;
	got = tls_judge(t, rc);
	return got == 0 ? -EPIPE : got;
}

bool
tls_is_dry(const struct stream *s)
{
	return s->tls->is_dry;
}

void
tls_end(struct stream *s)
{
	struct tls *t = s->tls;

	ERR_clear_error();
	/* RFC 8446 6.1: close_notify is answered by close_notify. */
	if (!t->is_broken && SSL_is_init_finished(t->ssl))
		(void)SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	ERR_clear_error();
	tls_drop(t->context);
	tls_hello_end(&t->hello);
	free(t);
	s->tls = NULL;
}

/* ---- what came of it ---- */

bool
stream_is_private(const struct stream *s)
{
	return s->tls != NULL && SSL_is_init_finished(s->tls->ssl);
}

void
tls_facts(const struct stream *s, struct tls_facts *out)
{
	SSL *ssl = s->tls->ssl;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	must(stream_is_private(s));
	*out = (struct tls_facts){ .version = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.bits = SSL_get_cipher_bits(ssl, NULL),
		.is_resumed = SSL_session_reused(ssl) == 1,
		.peer = SSL_get0_peer_certificate(ssl),
		.peer_chain = SSL_get_peer_cert_chain(ssl),
		.verdict = SSL_get_verify_result(ssl) };
	if (name != NULL && strlen(name) < sizeof out->name)
		memcpy(out->name, name, strlen(name) + 1);
}

bool
tls_exporter(const struct stream *s, unsigned char out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	return SSL_version(s->tls->ssl) >= TLS1_3_VERSION &&
	    SSL_export_keying_material(s->tls->ssl, out, 32, label,
	    sizeof label - 1, (const unsigned char *)"", 0, 1) == 1;
}

/* RFC 5929 4.1: by the signature's hash, but SHA-256 where it is weaker. */
bool
tls_end_point(const struct stream *s, unsigned char out[64], size_t *n)
{
	SSL *ssl = s->tls->ssl;
	X509 *leaf = SSL_is_server(ssl) ? SSL_get_certificate(ssl) :
	    SSL_get0_peer_certificate(ssl);
	int hash = NID_undef;
	const EVP_MD *md;
	unsigned len = 0;

	if (leaf == NULL)
		return false;
	if (OBJ_find_sigid_algs(X509_get_signature_nid(leaf), &hash, NULL) != 1 ||
	    hash == NID_md5 || hash == NID_sha1 || hash == NID_undef)
		hash = NID_sha256;
	md = EVP_get_digestbynid(hash);
	if (md == NULL || X509_digest(leaf, md, out, &len) != 1)
		return false;
	*n = len;
	return true;
}
