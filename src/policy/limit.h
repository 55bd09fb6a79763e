/*
 * limit.h -- how much a client's network is taking.
 *
 * The promise: connections at once, connections per time and messages per time
 * are counted by /24 of IPv4 and /64 of IPv6, exactly, in a table that one core
 * owns: limit_owner() says which; ask it by core_call() before the banner.
 * Trusted networks are not counted.
 * Not for: limits per destination (queue/).
 * Waiting: none.
 * Memory: one entry for each network seen lately, from malloc (entries come and
 * go singly, and outlive every session); what idles is forgotten when its rates
 * are whole again, and beyond LIMIT_NETWORKS the longest idle leaves first.
 * Errors: without memory, or with LIMIT_NETWORKS all connected, a network goes
 * uncounted and is let in.
 * Source: SECURITY.md rows 10, 26; DESIGN.md section 3.
 */
#ifndef NM_POLICY_LIMIT_H
#define NM_POLICY_LIMIT_H

#include "base/hash.h"
#include "policy/judge.h"

enum { LIMIT_NETWORKS = 65536 };

struct limit_table;

/* The same key on all cores. */
struct limit_table *limit_open(struct hash_key);
void limit_close(struct limit_table *);

/* Which of n cores counts this client. */
unsigned limit_owner(struct hash_key, const struct address *client,
    unsigned n);

/* A connection comes.  Yes with the reason `ok' counts it until
 * limit_disconnect(), which must then be called with the same client, whatever
 * a reload made of `trusted' meanwhile; yes with `uncounted' does not. */
struct judgment limit_connect(struct limit_table *, const struct config *,
    const struct address *client, struct mono now);
void limit_disconnect(struct limit_table *, const struct address *client);

/* One more MAIL. */
struct judgment limit_mail(struct limit_table *, const struct config *,
    const struct address *client, struct mono now);

/* One more MAIL of a user of this machine, for whom `client' stands
 * (limit_local_client()). */
struct judgment limit_local(struct limit_table *, const struct config *,
    const struct address *client, struct mono now);
/* An address that no host has (RFC 6666), a network of its own for each uid. */
struct address limit_local_client(uint32_t uid);

#endif
