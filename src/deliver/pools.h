/*
 * pools.h -- the configuration's pools, as the queue wants them.
 *
 * The promise: after pools_make() the queue asks by which pool mail of a tenant
 * leaves for a destination, and hears what policy/pool.h says of it.
 * Not for: what a source is (policy/config.h), or its connections (line.c).
 * Waiting: none.
 * Memory: from malloc, until pools_free(); texts are the configuration's, which
 * must live as long as the queue uses them.
 * Errors: -1 when memory is refused.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_DELIVER_POOLS_H
#define NM_DELIVER_POOLS_H

#include "policy/config.h"
#include "queue/config.h"

int pools_make(struct queue_config *, const struct config *);
void pools_free(struct queue_config *);

#endif
