/*
 * world_real.h -- what the real world's files share: descriptors in an epoll.
 *
 * The promise: real_watch_add() makes the core's loop call ready(watch, events)
 * at each edge (epoll's events), outside all fibers, until the descriptor is
 * closed.
 * Not for: anyone but fiber/world_real_*.c.
 * Waiting: none.
 * Memory: the watch is the caller's and lives until its descriptor is closed.
 * Errors: a negative errno.
 * Source: epoll(7).
 */
#ifndef NM_FIBER_WORLD_REAL_H
#define NM_FIBER_WORLD_REAL_H

#include <stdint.h>


struct real_watch {
	void (*ready)(struct real_watch *, uint32_t events);
	int fd;
};

/* On the current core. */
int real_watch_add(struct real_watch *, uint32_t events);
void real_watch_remove(const struct real_watch *);

/* The current core's resolvers end; its fibers have. */
void real_dns_close(void);

/* A thread that takes no signals. */
int real_thread_start(const char *name, void *(*fn)(void *), void *arg,
    unsigned long *out);
void real_thread_join(unsigned long thread);

#endif
