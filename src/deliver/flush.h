/*
 * flush.h -- what waits for a domain is tried now.
 *
 * The promise: each message for the domain that waited on any core when it was
 * reached is due, and the sites that were left alone after failures are tried
 * again.  What is held stays so.
 * Not for: operators, who choose by more than the domain (http/route_queue.c).
 * Waiting: deliver_flush() yields; each core works in pieces.
 * Memory: none.
 * Errors: -1 when a core had no memory to listen.
 * Source: RFC 1985 5.1, 5.3.
 */
#ifndef NM_DELIVER_FLUSH_H
#define NM_DELIVER_FLUSH_H

#include "deliver/deliver.h"
#include "fiber/fiber.h"

/* domain: A-labels in lower case.  How many there were. */
yields int64_t deliver_flush(struct deliver *const *cores, unsigned n_cores,
    struct str domain, bool is_below);

#endif
