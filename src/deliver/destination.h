/*
 * destination.h -- finding where a domain's mail leads, beside the dispatcher.
 *
 * The promise: destination_start() answers the queue for a domain that
 * queue_due_domain() named: with its route, or with the verdict that all its
 * due messages share.  At most DESTINATIONS_MOST are under way on a core.
 * Not for: connecting.
 * Waiting: destination_start() does not; a fiber of its own asks the DNS.
 * Memory: a small struct from malloc for each that is under way, freed by its
 * fiber.
 * Errors: none: without memory the domain waits as if the DNS had trouble.
 * Source: DESIGN.md section 4; RFC 5321 5.1.
 */
#ifndef NM_DELIVER_DESTINATION_H
#define NM_DELIVER_DESTINATION_H

#include "deliver/deliver.h"

enum { DESTINATIONS_MOST = 500 };

/* Before a provider's name: the first word of his sites. */
#define PROVIDER_SITE "provider:"

void destination_start(struct deliver *, struct str key);

#endif
