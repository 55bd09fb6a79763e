/*
 * resolver.h -- the DNS as the configuration has it.
 *
 * The promise: after resolver_use() said 0, dns_ask() goes by dns.forwarders,
 * dns.anchor, dns.root and dns.zone of that configuration.
 * Not for: questions (fiber/dns.h).
 * Waiting: none.
 * Memory: none of its own.
 * Errors: -1 and the trail: a zone's line that is none.
 * Source: nightmail.yaml(5), dns.
 */
#ifndef NM_POLICY_RESOLVER_H
#define NM_POLICY_RESOLVER_H

#include "policy/config.h"

int resolver_use(const struct config *);

#endif
