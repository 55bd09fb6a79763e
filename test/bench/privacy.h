/*
 * privacy.h -- TLS for the load generator's sockets.
 *
 * The promise: the words of send and recv, over TLS: -1 with errno EAGAIN when
 * the socket is what is waited for.  Any certificate will do: the generator
 * speaks with this machine alone.
 * Not for: the server; it has fiber/tls.h.
 * Waiting: none; sockets do not block.
 * Memory: OpenSSL's.
 * Errors: -1, errno EPROTO.
 * Source: RFC 8446; RFC 5077.
 */
#ifndef NM_BENCH_PRIVACY_H
#define NM_BENCH_PRIVACY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

struct privacy {
	SSL_CTX *context;
	bool resumes;
	unsigned long long shaken, resumed;
	const char *suite;	/* of the last handshake; "": none yet */
};

/* suites: what is offered by TLS 1.3, in OpenSSL's words; NULL: what OpenSSL
 * offers by itself, so that each server chooses as it does for most clients. */
void privacy_init(struct privacy *, bool resumes, const char *suites);
/* ticket: what the last connection of this client was given, and where the next
 * is put: each is used once (RFC 8446 C.4).  NULL: none. */
SSL *privacy_begin(struct privacy *, int fd, SSL_SESSION **ticket);
/* 1: done; 0: not yet; -1. */
int privacy_shake(struct privacy *, SSL *);
ssize_t privacy_send(SSL *, const void *bytes, size_t n);
ssize_t privacy_recv(SSL *, void *to, size_t room);
void privacy_end(SSL *);		/* close_notify is sent, not awaited */

#endif
