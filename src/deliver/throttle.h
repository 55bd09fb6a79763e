/*
 * throttle.h -- what a reply says of our speed.
 *
 * The promise: a reply that puts us off for the rate says PACE_SLOWER, for the
 * number of connections PACE_NARROWER; greylisting, full mailboxes, policy and
 * whatever is not known to be about speed say PACE_ANSWERED, and no reply at
 * all PACE_LOST.  What is refused for good is never about speed.
 * Not for: what a failure means to the sender (wire/reason.def).
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: RFC 3463 3.5, 3.8; RFC 5321 4.5.3.1.10; throttle.def.
 */
#ifndef NM_DELIVER_THROTTLE_H
#define NM_DELIVER_THROTTLE_H

#include "queue/pace.h"
#include "wire/disposition.h"

enum pace_said throttle_of(const struct verdict *);

#endif
