/*
 * secret.h -- memory that is wiped when its scope ends.
 *
 * The promise: what secret_new() gave is overwritten when the arena is cleared, or
 * taken back past it, before anybody else gets it.
 * Not for: keys that live longer than a command (they stand in the keyring).
 * Waiting: none.
 * Memory: the arena's.
 * Errors: NULL, STR_NONE at the arena's ceiling.
 * Source: HOUSE.md 7.7; RFC 4616 5, RFC 5802 9.
 */
#ifndef NM_TRUST_SECRET_H
#define NM_TRUST_SECRET_H

#include "base/arena.h"

void *secret_new(struct arena *, size_t n);	/* zeroed */

/* The same octets?  It takes as long whatever they are; only the length shows. */
bool secret_is(struct str, struct str);

#endif
