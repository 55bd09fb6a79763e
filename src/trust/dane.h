/*
 * dane.h -- TLSA records, and the certificates that they name.
 *
 * The promise: dane_verify() says X509_V_OK when, and only when, one of the
 * records that can be used names the certificate (usage 3, whatever name and
 * dates it has) or an authority that leads to it (usage 2, then dates and one
 * of the names must be right).  Of digests the strongest counts (RFC 7671 9).
 * Not for: finding records and whether they are secure (deliver/tlsa.h).
 * Waiting: none.
 * Memory: none kept; records are slices of their RDATA.
 * Errors: what X509_verify_cert_error_string() has words for;
 * X509_V_ERR_OUT_OF_MEM.
 * Source: RFC 6698 2.1; RFC 7671 4, 5, 9; RFC 7672 3.
 */
#ifndef NM_TRUST_DANE_H
#define NM_TRUST_DANE_H

#include "base/buf.h"
#include "base/instant.h"
#include "trust/tls_demand.h"

enum { DANE_PKIX_TA, DANE_PKIX_EE, DANE_TA, DANE_EE };	/* RFC 7218 */

/* RDATA: false, when it is too short. */
bool dane_read(struct str rdata, struct tlsa *out);
/* RFC 7672 3.1.3: usages 0 and 1 are not for SMTP; of the others, what we have
 * no digest for, and what is malformed, is of no use either. */
bool dane_is_usable(const struct tlsa *);
/* "3 1 1 8cb0fc6c..." (RFC 6698 2.2). */
void dane_print(const struct tlsa *, struct buf *out);

long dane_verify(const struct tls_demand *, X509 *leaf,
    STACK_OF(X509) *chain, struct wall now);

#endif
