#include "privacy.h"

#include "base/must.h"

#include <errno.h>
#include <openssl/err.h>

/* Tickets come whenever the server likes (RFC 8446 4.6.1): the newest is kept. */
static int
ticket_take(SSL *ssl, SSL_SESSION *ticket)
{
	const struct privacy *p = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	if (!p->resumes)
		return 0;
	SSL_SESSION_free(*kept);
	*kept = ticket;
	return 1;
}

void
privacy_init(struct privacy *p, bool resumes, const char *suites)
{
	*p = (struct privacy){ .context = SSL_CTX_new(TLS_client_method()),
	    .resumes = resumes, .suite = "" };
	must(p->context != NULL);
	SSL_CTX_set_app_data(p->context, p);
	must(suites == NULL || SSL_CTX_set_ciphersuites(p->context, suites) == 1);
	SSL_CTX_set_mode(p->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(p->context, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(p->context, ticket_take);
}

SSL *
privacy_begin(struct privacy *p, int fd, SSL_SESSION **ticket)
{
	SSL *ssl = SSL_new(p->context);

	must(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
	SSL_set_app_data(ssl, ticket);
	if (*ticket != NULL)
		must(SSL_set_session(ssl, *ticket) == 1);
	SSL_SESSION_free(*ticket);
	*ticket = NULL;
	SSL_set_connect_state(ssl);
	return ssl;
}

static ssize_t
privacy_result(SSL *ssl, int rc)
{
	int why = SSL_get_error(ssl, rc);

	ERR_clear_error();
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ?
	    EAGAIN : EPROTO;
	return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

int
privacy_shake(struct privacy *p, SSL *ssl)
{
	int rc = SSL_do_handshake(ssl);

	if (rc != 1)
		return privacy_result(ssl, rc) < 0 && errno == EAGAIN ? 0 : -1;
	p->shaken++;
	p->resumed += SSL_session_reused(ssl) == 1;
	p->suite = SSL_get_cipher_name(ssl);
	return 1;
}

ssize_t
privacy_send(SSL *ssl, const void *bytes, size_t n)
{
	size_t sent;
	int rc = SSL_write_ex(ssl, bytes, n, &sent);

	return rc == 1 ? (ssize_t)sent : privacy_result(ssl, rc);
}

ssize_t
privacy_recv(SSL *ssl, void *to, size_t room)
{
	size_t got;
	int rc = SSL_read_ex(ssl, to, room, &got);

	return rc == 1 ? (ssize_t)got : privacy_result(ssl, rc);
}

void
privacy_end(SSL *ssl)
{
	if (ssl == NULL)
		return;
	if (SSL_is_init_finished(ssl))
		(void)SSL_shutdown(ssl);
	SSL_free(ssl);
}
