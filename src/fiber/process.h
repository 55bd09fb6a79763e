/*
 * process.h -- ask another process of ours, with descriptors, and hear once.
 *
 * The promise: process_ask() hands one packet and one descriptor to the process
 * behind `socket', with the end of a fresh socket for the reply, and returns
 * the one packet that comes back.  The other side may be slow or die; nobody
 * else waits for it.
 * Not for: the network.
 * Waiting: yields, to the deadline; a helper thread waits in the kernel.
 * Memory: the caller's buffers.
 * Errors: octets of the reply, or a negative errno: -ETIMEDOUT at the deadline,
 * -EPIPE when the process closed without a reply, -ECANCELED after
 * process_hurry().
 * Source: DESIGN.md section 7; unix(7), SCM_RIGHTS.
 */
#ifndef NM_FIBER_PROCESS_H
#define NM_FIBER_PROCESS_H

#include "fiber/fiber.h"

yields int process_ask(int socket, struct str packet, int fd, void *reply,
    size_t room, struct mono deadline);

/* This process is about to end: nobody waits for another any longer. */
void process_hurry(void);

#endif
