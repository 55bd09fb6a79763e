/*
 * passed.h -- descriptors that came with a packet.
 *
 * The promise: passed_receive() takes one packet whole and exactly the wanted
 * number of descriptors, or none of either: whatever else a hostile sender
 * attached (more, fewer, a longer packet) is closed at once, so that nobody can
 * fill our table of descriptors.
 * Not for: what a packet means (notice.h, porter.h).
 * Waiting: blocks; poll first.
 * Memory: received descriptors belong to the caller, and are close-on-exec.
 * Errors: -1 and errno (EPROTO: a packet of another size); PASSED_END when the
 * other side has closed, which an empty packet counts as.
 * Source: unix(7), SCM_RIGHTS; recvmsg(2), MSG_TRUNC, MSG_CTRUNC.
 */
#ifndef NM_APP_PASSED_H
#define NM_APP_PASSED_H

#include <stddef.h>

enum { PASSED_MOST = 2, PASSED_END = -2 };

/* 0: `n' octets are in packet.  fds[0..most): descriptors, or -1: either none
 * came, or *n_fds of them. */
int passed_receive(int socket, void *packet, size_t n, int *fds,
    unsigned *n_fds, unsigned most);

#endif
