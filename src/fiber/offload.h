/*
 * offload.h -- run what blocks on a helper thread.
 *
 * The promise: fn(arg) runs on one of a bounded pool of threads while the fiber
 * waits; arg is safe to touch again when offload() returned.  fn has no fiber:
 * it may not call anything that yields; its err trail becomes the fiber's.
 * Not for: file verbs (disk.h) or anything a stream can do.
 * Waiting: yields until fn has returned; there is no deadline, because fn still
 * owns arg: whoever needs one gives it to fn.
 * Memory: one job on the caller's stack.
 * Errors: OFFLOAD_BUSY when OFFLOAD_QUEUE jobs already wait; fn did not run.
 * Source: DESIGN.md section 3.
 */
#ifndef NM_FIBER_OFFLOAD_H
#define NM_FIBER_OFFLOAD_H

#include "fiber/fiber.h"

enum { OFFLOAD_BUSY = -2, OFFLOAD_QUEUE = 1024 };

/* Returns fn's result, or OFFLOAD_BUSY. */
yields int offload(int (*fn)(void *), void *arg);

/* For what waits minutes for another process of ours: it takes no thread from
 * others.  At most 64 run at once, the rest wait. */
yields int offload_patient(int (*fn)(void *), void *arg);

/* A lane is one thread with its own queue: the spool's commit thread.  Jobs of
 * a lane run in order, one at a time. */
struct lane;
struct lane *lane_open(const char *name);
void lane_close(struct lane *);			/* idle lanes only */
yields int lane_run(struct lane *, int (*fn)(void *), void *arg);

#endif
