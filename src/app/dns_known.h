/*
 * dns_known.h -- what the server itself knows that belongs into the DNS.
 *
 * The promise: dns_known_certificates() gives the certificates that are shown,
 * as references that stay good in the arena whatever is shown meanwhile, and
 * dns_known_keys() copies of the DKIM keys as they were listed last.
 * Not for: commands; they ask the control socket (cli/dns_facts.h).
 * Waiting: none.
 * Memory: the arena's; the references end with it.
 * Errors: knows_certificates, knows_keys are false where nothing was listed yet, or
 * there was no memory.
 * Source: policy/records.h.
 */
#ifndef NM_APP_DNS_KNOWN_H
#define NM_APP_DNS_KNOWN_H

#include "app/dkim.h"
#include "app/identity.h"
#include "policy/records.h"

/* The keys of the domain that is asked for. */
void dns_known_keys(const struct dkim *, struct arena *, struct records_ask *);
void dns_known_certificates(const struct identity *, struct arena *,
    struct records_ask *);

#endif
