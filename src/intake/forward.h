/*
 * forward.h -- whose address a message is sent on from, and whom its reports reach.
 *
 * The promise: a copy that an alias leads to another domain leaves from an own
 * domain (SRS), if its sender is not of one; the sender of a report, and of
 * nothing else, reaches through such an address whom it was made for, for as long
 * as it is good.  Nobody can send through it to whom he likes.
 * Not for: lists, whose owner goes before (policy/expand.h); the letters and the
 * hash (trust/srs.h).
 * Waiting: none.
 * Memory: the mail arena, and the room that is given.
 * Errors: a verdict that is not DELIVERED: 550 5.1.1, 5.7.1; 452 4.3.1; 451 4.3.0.
 * Source: as trust/srs.h; RFC 7208 D.1; RFC 5321 3.9.1, 4.5.5.
 */
#ifndef NM_INTAKE_FORWARD_H
#define NM_INTAKE_FORWARD_H

#include "intake/inner.h"
#include "policy/expand.h"
#include "wire/address.h"

/* The sender of this copy, of who was written to as `given', in room; p == NULL:
 * the envelope's. */
struct str forward_sender(const struct intake *,
    const struct expansion_end *, struct str given, char room[MAILBOX_TEXT]);

/* Is it one of ours?  *to becomes whose it is, *is_back true.  What is none, or
 * has another meaning where it is, stays. */
struct verdict forward_back(const struct intake *, struct path *to,
    bool *is_back);

#endif
