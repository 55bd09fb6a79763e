/*
 * holder.h -- which configuration a core uses, and who still needs an old one.
 *
 * The promise: config_pin() gives the core's current configuration and keeps it
 * alive until config_unpin(), across waits and reloads.  Pins are counted by
 * each core for itself without atomics; a core's last pin gives back its one
 * reference, and the last reference frees.
 * Not for: more than one core: each has its holder.
 * Waiting: none.  What is pinned survives a wait; config_now() does not.
 * Memory: holders are the caller's; see config_free().
 * Errors: unpinning what is not pinned fails a must().
 * Source: DESIGN.md section 3, "configuration is immutable".
 */
#ifndef NM_POLICY_HOLDER_H
#define NM_POLICY_HOLDER_H

#include "policy/config.h"

struct config_holder {
	unsigned core;			/* index, < CORES_MOST */
	struct config *now;
};

/* On the core: make c current (it gets pinned by the holder) and let go of the
 * one before.  The caller keeps its own reference while cores adopt c one after
 * the other, then gives it back by config_release(). */
void config_hold(struct config_holder *, struct config *c);
void config_unhold(struct config_holder *);	/* at the core's end */

struct config *config_pin(struct config_holder *);
void config_unpin(struct config_holder *, struct config *);
const struct config *config_now(const struct config_holder *);

/* Another reference, for who needs it longer than a pin.  Any thread. */
struct config *config_keep(const struct config *);
void config_release(struct config *);

#endif
