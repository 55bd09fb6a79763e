/*
 * srs_secret.h -- the secret behind rewritten senders, kept in a file.
 *
 * The promise: all cores of a server get the same SRS_SECRET octets, at each start
 * too: whoever comes first makes them, and the file is there whole, synced, or not
 * at all.  Nobody but the server's user can read it.
 * Not for: what is made of it (trust/srs.h), or the operator's own
 * (forward.srs_secret).
 * Waiting: yields (disk).
 * Memory: the caller's.
 * Errors: -1 and the trail, also when the file is no secret: then somebody has to
 * look, since with another secret no address that was written comes back.  Until
 * then no sender is rewritten, and reports are asked to come again.
 * Source: link(2).
 */
#ifndef NM_APP_SRS_SECRET_H
#define NM_APP_SRS_SECRET_H

#include "fiber/fiber.h"
#include "trust/srs.h"

/* directory: spool.path.  number: the core's. */
yields int srs_secret_take(struct str directory, unsigned number,
    unsigned char out[SRS_SECRET]);

#endif
