/*
 * tls_own.h -- what a stream asks of its TLS.
 *
 * The promise: tls_recv() and tls_send() say what world_recv() and world_send()
 * would say of the octets inside: how many, 0 at the end, -EAGAIN, -errno.
 * Not for: anyone but stream.c and tls.c.
 * Waiting: none.
 * Memory: tls_end() gives all back.
 * Errors: -EPROTO: the trail says what OpenSSL said.
 * Source: tls.h.
 */
#ifndef NM_FIBER_TLS_OWN_H
#define NM_FIBER_TLS_OWN_H

#include "fiber/stream.h"

int64_t tls_recv(struct stream *, void *to, size_t n);
int64_t tls_send(struct stream *, const void *bytes, size_t n);
/* Has nothing been left to read without the network? */
bool tls_is_dry(const struct stream *);
/* Say close_notify if that needs no wait, and let go. */
void tls_end(struct stream *);

#endif
