/*
 * certificate_watch.h -- certificates are looked after, and somebody is told.
 *
 * The promise: certificate_watch() tells each fault of what is shown by an event,
 * once when it comes and once a day while it stays.
 * Not for: renewing (acme.h).
 * Waiting: none.
 * Memory: WATCH_MOST faults are remembered; beyond, some are told again.
 * Errors: none.
 * Source: trust/fitness.h.
 */
#ifndef NM_APP_CERTIFICATE_WATCH_H
#define NM_APP_CERTIFICATE_WATCH_H

#include "app/identity.h"

enum { WATCH_MOST = 64 };

struct certificate_watch {
	struct { uint64_t what; int64_t day; } told[WATCH_MOST];
	size_t next;
};

/* The faults of shown[i], a bit each. */
unsigned certificate_faults(const struct identity *, size_t i, struct str hostname,
    struct wall now);
void certificate_watch(struct certificate_watch *, const struct identity *,
    struct intake_core *, struct str hostname);
/* "mx.example.org, mail.example.org (RSA 2048, /etc/ssl/mx.pem)" */
void certificate_describe(const struct identity_shown *, struct buf *);

#endif
