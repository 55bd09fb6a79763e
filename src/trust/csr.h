/*
 * csr.h -- a request for a certificate, and the one that proves a name.
 *
 * The promise: csr_make() gives a PKCS #10 request in DER for these names, as
 * subjectAltName alone, signed by the key.  proof_make() gives the certificate
 * that tls-alpn-01 wants to see, with a key of its own.
 * Not for: what an authority makes of it (acme.h).
 * Waiting: none.
 * Memory: the caller's buffer; OpenSSL's objects are the caller's.
 * Errors: -1 and the trail.
 * Source: RFC 2986; RFC 5280 4.2.1.6; RFC 8555 7.4; RFC 8737 3.
 */
#ifndef NM_TRUST_CSR_H
#define NM_TRUST_CSR_H

#include "trust/certificate.h"

enum { CSR_NAMES_MOST = 100, PROOF_DIGEST = 32 };

int csr_make(EVP_PKEY *, const struct str *names, size_t n, struct buf *der);
/* digest: the key authorization's SHA-256, 32 octets. */
int proof_make(struct str name, struct str digest, struct wall now,
    struct certificate *out, EVP_PKEY **key);

#endif
