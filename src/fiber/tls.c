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
#include "fiber/tls_inner.h"
#include "fiber/tls_own.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

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
	SSL_set_verify(ssl, SSL_VERIFY_PEER, tls_any_chain);
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
