/*
 * shaping.h -- which provider a destination belongs to.
 *
 * The promise: the first provider of `shaping', in the order of the file, that
 * names the domain or all of its MX hosts; whoever is named by none belongs to
 * himself.
 * Not for: what it bears by its own words (queue/pace.h).
 * Waiting: none.
 * Memory: none.
 * Errors: NULL: no provider.
 * Source: PRODUCT.md B.4.3.
 */
#ifndef NM_POLICY_SHAPING_H
#define NM_POLICY_SHAPING_H

#include "policy/config.h"

/* A provider that only holds what counts for all others. */
#define SHAPING_DEFAULT "default"

/* hosts: names of MX hosts in lower case. */
const struct provider *shaping_find(const struct config *, struct str domain,
    const struct str *hosts, size_t n);
const struct provider *shaping_default(const struct config *);

#endif
