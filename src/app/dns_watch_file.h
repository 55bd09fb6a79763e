/*
 * dns_watch_file.h -- states of domains, on disk.
 *
 * The promise: after dns_watch_write() said 0 the state survives a power cut; a
 * file is there whole or not at all.
 * Not for: what is in it (policy/dns_state.h).
 * Waiting: both yield (disk).
 * Memory: what was read is in the arena.
 * Errors: -1 and the trail; what is not there, or not ours, is an empty state.
 * Source: rename(2).
 */
#ifndef NM_APP_DNS_WATCH_FILE_H
#define NM_APP_DNS_WATCH_FILE_H

#include "fiber/fiber.h"
#include "policy/dns_state.h"

yields void dns_watch_read(struct str spool, struct str domain, struct arena *,
    struct dns_state *out);
yields int dns_watch_write(struct str spool, struct str domain, struct arena *,
    const struct dns_state *);

#endif
