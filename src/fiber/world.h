/*
 * world.h -- everything outside, behind one table of verbs with two forms.
 *
 * The promise: the server reaches time, network, disk, DNS, threads, child
 * processes and randomness only through these verbs.  world_real_*.c are system
 * calls, world_sim_*.c a virtual world with a seed; the rest of the objects are
 * the same in both, and tools/world checks that nobody else imports them.
 * Not for: anyone outside fiber/; use clock, net, disk, dns, offload, random.
 * Waiting: none here: verbs return at once or belong on a helper thread; only
 * world_wait() sleeps, and only the core loop calls it.
 * Memory: struct net_end belongs to the world that made it.
 * Errors: negative errno; network verbs -EAGAIN when they would block.
 * Source: DESIGN.md law 4.
 */
#ifndef NM_FIBER_WORLD_H
#define NM_FIBER_WORLD_H

#include "fiber/dns.h"
#include "fiber/disk.h"
#include "fiber/net.h"

struct world_core;			/* the world's part of one core: its epoll */

/* time */
struct mono world_mono(void);
struct wall world_wall(void);
void world_random(void *to, size_t n);

/* cores: run main(arg, i) for each i < n (threads, or in turn), until all have
 * returned.  In the simulator main is called once with all cores to turn. */
int world_run_cores(unsigned n, void (*turn)(void *core), void *const cores[]);
struct world_core *world_core_open(void);
void world_core_close(struct world_core *);
/* Sleep until something happened on this core, or the deadline.  Readiness is
 * told by calling ready(end's owner words) through net_ready(). */
void world_wait(struct world_core *, struct mono deadline);
void world_core_kick(struct world_core *);	/* any thread: end its sleep */

#endif
