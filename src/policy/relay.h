/*
 * relay.h -- next hops as configured: mx, smtp://, smtps://, lmtp:// ...
 *
 * The promise: a relay is checked whole when the configuration is read: names
 * are domain names, addresses are addresses, ports are ports, and all hosts of
 * one list speak the same protocol.
 * Not for: resolving or connecting (deliver/).
 * Waiting: none.
 * Memory: the reader's arena.
 * Errors: false, and a problem at the node's place.
 * Source: RFC 3986 3.2 (authority); PRODUCT.md B.4 (route).
 */
#ifndef NM_POLICY_RELAY_H
#define NM_POLICY_RELAY_H

#include "policy/value.h"

struct relay;
struct relay_host;

bool relay_read(struct value_reader *, const struct schema *,
    const struct node *, struct relay **out);
/* "smtp", "smtps", "smtp+tls", "lmtp". */
const char *relay_scheme(const struct relay *, const struct relay_host *);

#endif
