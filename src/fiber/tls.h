/*
 * tls.h -- a stream that nobody else can read from here on.
 *
 * The promise: after tls_accept() or tls_connect() said 0, all that goes over
 * the stream goes inside TLS, at least 1.2, and its words are those of stream.h
 * as before.  Nothing that came in clear text crosses over: who calls has refused
 * it.  After the peer's close_notify, an alert or any error the stream is
 * STREAM_GONE in both directions, for ever.
 * Not for: deciding whether a name or a chain is good enough (trust/ and
 * deliver/ look at tls_facts()), or holding private keys (tls_key.h).
 * Waiting: tls_accept(), tls_connect() yield, until the stream's deadline; also
 * while a key elsewhere signs.
 * Memory: OpenSSL's; an idle connection gives its record buffers back.  A
 * context is counted: its connections keep it.
 * Errors: -1, the trail, and the stream's trouble.
 * Source: RFC 8446; RFC 5246; RFC 7465; RFC 9325; RFC 3207 4.2; RFC 7301;
 * RFC 6066 3; RFC 5077; SECURITY.md rows 4-7.
 */
#ifndef NM_FIBER_TLS_H
#define NM_FIBER_TLS_H

#include "fiber/fiber.h"
#include "fiber/stream.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { TLS_NAME_MOST = 255, TLS_TICKET_KEY = 80, TLS_TICKET_KEYS = 3 };

/* A certificate, those that lead to its issuer, and what signs for it. */
struct tls_identity {
	X509 *leaf;
	STACK_OF(X509) *chain;		/* without the leaf; may be NULL */
	EVP_PKEY *key;			/* tls_key_new()'s, or a whole one */
};

struct tls_context;

enum tls_least { TLS_LEAST_1_2, TLS_LEAST_1_3 };

/* What a server shows.  The first identity is for clients that name nobody, or
 * a name that is nobody's; of several that fit a name, all: RSA beside ECDSA.
 * The identities' references are the caller's still. */
struct tls_server_setup {
	const struct tls_identity *identities;
	size_t n;
	enum tls_least least;
	const char *alpn;		/* "smtp,esmtp": the protocols; a client
					 * that offers others only is refused, one
					 * that offers none is not; NULL: none */
	bool asks_client;		/* for a certificate, which may be any */
	void (*dropped)(void *arg);	/* nobody has the context any more; or
					 * NULL */
	void *arg;
};
struct tls_context *tls_server_new(const struct tls_server_setup *);

/* What a client asks for.  Any chain gets through the handshake: look at
 * tls_facts() afterwards. */
struct tls_client_setup {
	X509_STORE *anchors;		/* NULL: none is trusted */
	const struct tls_identity *identity;	/* NULL: none to show */
	enum tls_least least;
	const char *alpn;
	bool resumes;			/* the last session, where the server goes on
					 * with it: for one server only */
};
struct tls_context *tls_client_new(const struct tls_client_setup *);

void tls_drop(struct tls_context *);		/* NULL is let by */

/* The keys that tickets are made with, newest first; the same on all cores, so
 * that a session may go on where it comes next.  Copied. */
void tls_tickets(struct tls_context *, const unsigned char (*keys)[TLS_TICKET_KEY],
    size_t n);

/* Unread input at hand: -1, nothing is said (SECURITY.md rows 4, 5). */
yields int tls_accept(struct stream *, struct tls_context *);
/* The same, and the client is asked for a certificate; he may have none, or any.
 * Such a session is never resumed: he shows it each time. */
yields int tls_accept_asking(struct stream *, struct tls_context *);
/* name: for SNI; n == 0: none, as for an address. */
yields int tls_connect(struct stream *, struct tls_context *, struct str name);

struct tls_facts {
	const char *version;		/* "TLSv1.3" */
	const char *cipher;		/* "TLS_AES_256_GCM_SHA384" */
	int bits;
	bool is_resumed;
	char name[TLS_NAME_MOST + 1];	/* the client's SNI; "": none */
	X509 *peer;			/* his certificate, borrowed; or NULL */
	STACK_OF(X509) *peer_chain;	/* as sent, borrowed; or NULL */
	long verdict;			/* X509_V_OK: led to an anchor */
};

bool stream_is_private(const struct stream *);
/* Of a private stream. */
void tls_facts(const struct stream *, struct tls_facts *out);

/* For channel binding (RFC 9266): 32 octets.  False below TLS 1.3. */
bool tls_exporter(const struct stream *, unsigned char out[32]);
/* tls-server-end-point (RFC 5929 4.1): the server's certificate, hashed. */
bool tls_end_point(const struct stream *, unsigned char out[64], size_t *n);

#endif
