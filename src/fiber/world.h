/*
 * world.h -- everything outside, behind one table of verbs with two forms.
 *
 * The promise: the server reaches time, network, disk, DNS, threads and
 * randomness only through these verbs.  world_real_*.c are system calls,
 * world_sim_*.c a virtual world with a seed; the rest of the objects are the
 * same in both, and tools/world checks that nobody else imports them.  What the
 * world tells the house in return stands in the second half.
 * Not for: anyone outside fiber/; use clock, core, net, disk, dns, offload,
 * random.
 * Waiting: none yields.  Each verb says where it may be called: by a core, by
 * any thread, or on a helper thread, where it may block.
 * Memory: a struct net_end is a member of the world's own struct and is
 * made and freed by the world; jobs and posts belong to whoever waits for them.
 * Errors: 0 or more, or a negative errno; -EAGAIN from the network when it
 * would block.  The world leaves err trails alone: fiber/ says what it tried.
 * Source: DESIGN.md law 4.
 */
#ifndef NM_FIBER_WORLD_H
#define NM_FIBER_WORLD_H

#include "base/err.h"
#include "base/heap.h"
#include "fiber/core.h"
#include "fiber/disk.h"
#include "fiber/net.h"
#include "fiber/sqlite.h"

#include <stdatomic.h>

struct lane;

struct core_timer;
struct dns_job;
struct fetch_job;
struct job;
struct world_core;		/* the world's part of a core: its epoll */

/* ======== Verbs that each world defines ======== */

/* -- time and chance: any thread -- */
struct mono world_mono(void);
struct wall world_wall(void);
void world_random(void *to, size_t n);

/* -- cores -- */
unsigned world_descriptors(void);	/* files and sockets at once, at most */

/*
 * Run these cores until core_turn() said false for each.  The real world gives
 * each a thread (the caller's to the first) that does
 *	core_enter(c);
 *	while (core_turn(c))
 *		sleep until kicked, an end is ready, or core_next(c);
 *	core_enter(NULL);
 * The simulator does it on one thread: again and again it chooses by its seed
 * one of the cores whose core_next() is not after its clock, enters it, tells
 * it what became ready (net_ready), and lets it turn once; when there is none
 * it moves the clock on to the first core_next() or event of its own; when
 * there is none of those either, the run is stuck (say which fibers wait).
 */
int world_cores_run(unsigned n, struct core *const cores[]);

/* By core_run_all(), before and after world_cores_run(), on its thread. */
struct world_core *world_core_open(struct core *);
void world_core_close(struct world_core *);

/* End the core's sleep, or keep it from beginning.  Any thread, also in a
 * signal handler. */
void world_core_kick(struct world_core *);

/* -- lanes: queues with 1 to n helper threads -- */

/*
 * A world's struct lane runs jobs in order of submission, at most `threads' at
 * once: job_run(j), then job_done(j).  The simulator calls job_run() from its
 * loop, outside all fibers (core_enter(NULL)), and job_done() after a delay
 * drawn from the seed.  The first thread starts at once, more when needed.
 */
int world_lane_open(const char *name, unsigned threads, struct lane **out);
void world_lane_close(struct lane *);	/* idle; threads have ended after */
void world_lane_submit(struct lane *, struct job *);	/* by a core */

/* -- network: by the core the end belongs to -- */

/*
 * New ends belong to the current core.  Readiness is told at edges by calling
 * net_ready().  An end begins with both flags false, and the world tells as
 * soon as there is something to accept, to read, an end of input or an error
 * (readable), or room to send (writable); an accepted end may be made with
 * can_write set.  recv and send that met -EAGAIN, or could do less than asked
 * for, clear the flag unless the end of input was seen.
 */
int world_listen(const struct address *, struct net_end **out);
int world_adopt_listener(int fd, struct net_end **out);
int world_adopt(int fd, struct net_end **out);	/* connected; takes it */
int world_accept(struct net_end *listener, struct net_end **out,
    struct address *peer);
/* 0: connected; -EINPROGRESS: *out is set, it will be writable once decided,
 * and then world_connect_result() is 0 or a negative errno. */
int world_connect(const struct address *to, const struct address *source,
    struct net_end **out);
int world_connect_result(struct net_end *);
int64_t world_recv(struct net_end *, void *to, size_t n);	/* 0: ended */
int64_t world_send(struct net_end *, const void *bytes, size_t n);
void world_close(struct net_end *);		/* frees the end */
int world_local(const struct net_end *, struct address *out);
int world_peer_uid(const struct net_end *, unsigned *uid, unsigned *gid);

/* -- disk: the blocking forms, on helper threads; paths are C strings -- */
int world_disk_open(const char *path, unsigned flags, unsigned mode);
void world_disk_close(int fd);			/* any thread */
/* As much as there is, up to n: short only at the end of the file. */
int64_t world_disk_pread(int fd, void *to, size_t n, uint64_t at);
/* By a core: what is at hand, or -EAGAIN when the disk must be asked. */
int64_t world_disk_pread_now(int fd, void *to, size_t n, uint64_t at);
/* All of it or an error; after an error some of it may be there. */
int world_disk_pwrite(int fd, const struct str *parts, size_t n, uint64_t at);
int world_disk_fdatasync(int fd);
int world_disk_fsync(int fd);
int world_disk_truncate(int fd, uint64_t size);
int world_disk_fstat(int fd, struct disk_stat *);
int world_disk_stat(const char *path, struct disk_stat *);
int world_disk_space(const char *path, struct disk_space *);
int world_disk_rename(const char *from, const char *to);
int world_disk_link(const char *from, const char *to);
int world_disk_unlink(const char *path);
int world_disk_mkdir(const char *path, unsigned mode);
int world_disk_lock(int fd);
/* Each name but . and .., in any order; each() != 0 ends it with that. */
int world_disk_list(const char *path, int (*each)(void *arg, struct str name),
    void *arg);

/* -- databases: on a helper thread, or where there is no core -- */
bool world_sqlite_exists(const char *path);
/* An empty file of that owner's, if there is none. */
int world_sqlite_make(const char *path, const struct sqlite_owner *);
/* SQLite's result; *out may be set even if it is bad. */
int world_sqlite_open(const char *path, struct sqlite3 **out);

/* -- other processes of ours: on a helper thread -- */
/* One packet and a descriptor there, one packet back: octets, -ETIMEDOUT,
 * -EPIPE when it closed without a word. */
int world_process_ask(int socket, struct str packet, int fd, void *reply,
    size_t room, int64_t wait_ns);
/* Any thread: whoever waits there, now or later, gets -ECANCELED. */
void world_process_hurry(void);

/* -- HTTP of servers elsewhere; struct fetch_job is in fetch_job.h -- */
int world_fetch_prepare(void);		/* before the cage; any thread */
/* On a helper thread: an enum fetch_trouble. */
int world_fetch(struct fetch_job *);
/* Any thread: whoever fetches, now or later, gets FETCH_STOPPED. */
void world_fetch_hurry(void);

/* -- DNS: by a core; struct dns_job is in dns_job.h.  The answer is put into
 * the job and its fiber woken, on the core's loop. -- */
int world_dns_start(struct dns_job *);
void world_dns_cancel(struct dns_job *);	/* unanswered ones only */

/* ======== What the house offers the world ======== */

/*
 * Which core runs on this thread (the only thread-local pointer of fiber/), or
 * NULL.  The simulator switches it, never from inside a fiber.
 */
struct core *core_current(void);
void core_enter(struct core *);

/* Run what is ready.  False: all fibers of all cores have ended.  After true
 * the core may sleep until core_next(): an instant in the past when there is
 * something to do, MONO_NEVER when only the world can bring it. */
bool core_turn(struct core *);
struct mono core_next(const struct core *);
struct world_core *core_world(const struct core *);

/* Tell the names of this core's fibers and what they do, on stderr. */
void core_tell(const struct core *);

/* The way into a core from any thread (core_post, in core.h). */
void core_send(struct core *, struct core_post *);

/* Call fire(timer) on the current core's loop, outside its fibers, once `at'
 * has come.  Setting it again moves it.  -1 when memory is refused. */
struct core_timer {
	struct heap_node node;
	void (*fire)(struct core_timer *);
};
int core_timer_set(struct core_timer *, struct mono at);
void core_timer_cancel(struct core_timer *);

/* A call on its way through a lane; lives on the waiting fiber's stack. */
struct job {
	struct job *next;		/* the lane's, until job_run() */
	int (*fn)(void *);
	void *arg;
	int result;
	bool is_counted, is_done;
	struct core *home;
	struct fiber *waiter;
	struct core_post post;
	struct err_trail trail;
};
void job_run(struct job *);		/* helper thread; calls fn */
void job_done(struct job *);		/* any thread; then it may be gone */

/*
 * One end of a connection or a listener.  Waited for by one reader and one
 * writer at a time (fiber/net.c).
 */
struct net_end {
	unsigned magic;
	bool can_read, can_write;	/* an edge came that nobody consumed */
	bool is_stopped;		/* net_stop_listening() */
	bool is_told;			/* of running out of descriptors */
	bool has_more;			/* what is sent is followed at once, by more or
					 * by the close: it need not go alone */
	unsigned burst;			/* reads that found bytes at once */
	struct core *home;
	struct fiber *reader, *writer;
};
void net_end_init(struct net_end *);	/* of the current core */
/* An edge: sets the flags and wakes who waits.  With the end's core entered,
 * outside its fibers. */
void net_ready(struct net_end *, bool readable, bool writable);

#endif
