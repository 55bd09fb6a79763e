/*
 * tls_inner.h -- what contexts and connections know of each other.
 *
 * The promise: a context is what all handshakes of one kind share, made once and
 * counted; a struct tls is one connection's, and keeps its context.
 * Not for: anyone but tls.c and tls_context.c.
 * Waiting: none.
 * Memory: as tls.h; tickets' keys are wiped with their context.
 * Errors: tls_trouble() makes the trail of what OpenSSL said, and is -1.
 * Source: tls.h.
 */
#ifndef NM_FIBER_TLS_INNER_H
#define NM_FIBER_TLS_INNER_H

#include "fiber/tls.h"
#include "fiber/tls_own.h"

#include <openssl/ssl.h>

enum { DHE_BITS_MOST = 4096 };		/* 20 ms of a core */
enum { TICKET_NAME = 16, TICKET_AES = 32, TICKET_HMAC = 32 };

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

/* Another hold; tls_drop() gives it back. */
struct tls_context *tls_keep(struct tls_context *);
int tls_trouble(const char *doing);
/* Of whose chain the verdict is kept, and not acted upon here. */
int tls_any_chain(int fine, X509_STORE_CTX *);

#endif
