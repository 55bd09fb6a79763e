/*
 * client_cert.h -- the certificate that a client shows: whom does it name?
 *
 * The promise: client_cert_leads() is true only for a certificate that is good
 * now, is for clients of TLS, and leads to one of the anchors given; nothing the
 * client sends beside it is trusted.  Names are addresses and common names as the
 * certificate has them, only printable ASCII, each whole: one with a NUL or a
 * line feed in it is none.
 * Not for: servers' certificates (tls_demand.h, dane.h); revocation, of which
 * nothing is asked; whether the client has its key (TLS has seen to that).
 * Waiting: none; a chain costs signatures to check, about a millisecond.
 * Memory: writes into the caller's room.
 * Errors: false and the trail.
 * Source: RFC 5280 4.1.2.6, 4.2.1.6, 4.2.1.12, 6; RFC 4422 appendix A.
 */
#ifndef NM_TRUST_CLIENT_CERT_H
#define NM_TRUST_CLIENT_CERT_H

#include "base/buf.h"
#include "base/instant.h"

#include <openssl/x509.h>

enum { CLIENT_CERT_FINGERPRINT = 64 };	/* hexadecimal digits */

/* anchors: PEM, one or more.  chain: what came with the leaf; may be NULL. */
bool client_cert_leads(X509 *leaf, STACK_OF(X509) *chain, struct str anchors,
    struct wall now);
/* Is it good now, whoever signed it? */
bool client_cert_is_current(const X509 *, struct wall now);

/* SHA-256 of the certificate, lower case, without colons. */
void client_cert_fingerprint(const X509 *,
    char out[static CLIENT_CERT_FINGERPRINT]);
/* The same from what an operator wrote: with colons or without, in any case, the
 * word sha256: before it or not. */
bool client_cert_fingerprint_read(struct str,
    char out[static CLIENT_CERT_FINGERPRINT]);

/* Names by line feeds: the addresses of subjectAltName, else that of the subject;
 * then common names. */
void client_cert_names(const X509 *, struct buf *out);

/* Certificates in PEM; how many, or -1. */
int client_cert_anchors(struct str pem, X509_STORE *);

#endif
