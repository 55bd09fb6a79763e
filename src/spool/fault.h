/*
 * fault.h -- named places where things can be made to go wrong.
 *
 * The promise: compiled into every build, off unless fault_set() was called (by
 * a test, or by app/ from NIGHTMAIL_FAULT); a place that is off costs one load.
 * Not for: faults of the disk itself: the simulated world makes those.
 * Waiting: fault_here() yields when told to delay; fault_step() never does and
 * may be called on a lane.
 * Memory: static.
 * Errors: both return 0 or a negative errno, to be handled as the system's own.
 * Source: HOUSE.md rule 11; SECURITY.md B7.
 */
#ifndef NM_SPOOL_FAULT_H
#define NM_SPOOL_FAULT_H

#include "fiber/fiber.h"

#include "base/str.h"

enum fault {
#define FAULT(name, says) FAULT_##name,
#include "spool/fault.def"
#undef FAULT
	FAULTS
};

enum fault_action {
	FAULT_NOTHING, FAULT_CRASH, FAULT_EIO, FAULT_ENOSPC, FAULT_DELAY
};

/* "commit_after_write:crash:3": at the third time; ":eio", ":enospc",
 * ":delay" (50 ms).  Without a number each time.  False: no such place. */
bool fault_set(struct str spec);

int fault_step(enum fault);
yields int fault_here(enum fault);

#endif
