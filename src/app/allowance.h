/*
 * allowance.h -- how much memory this machine, or our control group, has for us.
 *
 * The promise: allowance_read() is the least of the machine's memory and of what
 * each control group that we are in allows, of cgroup version 1 and 2, as seen
 * from inside a container too.  allowance_shares() says what of it clients may
 * take, so that a crowd is told to come later before the kernel ends us: half of
 * it for sessions, at ALLOWANCE_SESSION octets each with what the kernel holds for
 * their sockets, and a quarter for transactions and as much for content.
 * Not for: memory that queued messages take, which is limits.queue's.
 * Waiting: reads files of /proc and /sys at the start.
 * Memory: none.
 * Errors: what cannot be read allows anything.
 * Source: the kernel's admin-guide/cgroup-v2.rst (memory.max), cgroup-v1/memory.rst
 * (memory.limit_in_bytes); cgroups(7).
 */
#ifndef NM_APP_ALLOWANCE_H
#define NM_APP_ALLOWANCE_H

#include "base/str.h"

enum { ALLOWANCE_SESSION = 16 * 1024 };

/* Octets; UINT64_MAX: nobody says. */
uint64_t allowance_read(void);

/* The same of /proc/self/cgroup's text, with the group's files below `top'. */
uint64_t allowance_of(struct str groups, const char *top);

struct allowance {
	uint64_t connections, memory;	/* at most; UINT64_MAX: any number */
};
struct allowance allowance_shares(uint64_t octets);

#endif
