/*
 * dns_known.h -- what the server itself knows that belongs into the DNS.
 *
 * The promise: dns_known_certificates() gives the certificates that are shown,
 * as references that stay good in the arena whatever is shown meanwhile.
 * Not for: commands; they ask the control socket (cli/dns_facts.h).
 * Waiting: none.
 * Memory: the arena's; the references end with it.
 * Errors: knows_certificates is false where there was no memory.
 * Source: policy/records.h.
 */
#ifndef NM_APP_DNS_KNOWN_H
#define NM_APP_DNS_KNOWN_H

#include "app/identity.h"
#include "policy/records.h"

void dns_known_certificates(const struct identity *, struct arena *,
    struct records_ask *);

#endif
