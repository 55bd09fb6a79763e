/*
 * tls_own.h -- what a stream asks of its TLS.
 *
 * The promise: tls_recv() and tls_send() say what world_recv() and world_send()
 * would say of the octets inside: how many, 0 at the end, -EAGAIN, -errno.
 * A client's first record is heard before OpenSSL is asked for 45 KiB, which it
 * wants at once: who says nothing, or half a hello, holds what he said.
 * Not for: anyone but stream.c, tls.c and tls_hello.c.
 * Waiting: tls_hello_hear() yields.
 * Memory: tls_end() gives all back; a hello is freed when it was taken.
 * Errors: -EPROTO: the trail says what OpenSSL said.
 * Source: tls.h.
 */
#ifndef NM_FIBER_TLS_OWN_H
#define NM_FIBER_TLS_OWN_H

#include "fiber/fiber.h"
#include "fiber/stream.h"

struct tls_hello {
	char *octets;			/* NULL: all was taken */
	size_t at, n;
};

/* The first record of a handshake, or what shows that there will be none; in the
 * stream's deadline. */
yields int tls_hello_hear(struct stream *, struct tls_hello *);
size_t tls_hello_take(struct tls_hello *, char *to, size_t n);
void tls_hello_end(struct tls_hello *);

int64_t tls_recv(struct stream *, void *to, size_t n);
int64_t tls_send(struct stream *, const void *bytes, size_t n);
/* Has nothing been left to read without the network? */
bool tls_is_dry(const struct stream *);
/* Say close_notify if that needs no wait, and let go. */
void tls_end(struct stream *);

#endif
