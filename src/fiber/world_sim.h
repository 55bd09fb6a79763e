/*
 * world_sim.h -- a world with a seed: how a scenario commands it.
 *
 * The promise: in a program linked with the simulated world the same seed, the
 * same script and the same objects give the same run, to the last verb, which
 * sim_trace() proves.  Time is virtual and jumps when everybody waits.  A life
 * runs in a forked child; disk, clocks, faults and ledger lie in memory that
 * parent and child share, so a crash is an _exit() and the next life finds the
 * disk as a kill, or a power cut, would have left it.
 * Not for: the server; tests only.  test/sim/README tells how to write one.
 * Waiting: none.  Scenarios wait by the verbs everybody uses.
 * Memory: one shared mapping, SIM_ROOM; sim_ledger() is cut from it.
 * Errors: a broken run (stuck, too long, a must()) is told on stderr with its
 * seed; misuse fails a must().
 * Source: DESIGN.md law 4 and section 10; SECURITY.md B (T4).
 */
#ifndef NM_FIBER_WORLD_SIM_H
#define NM_FIBER_WORLD_SIM_H

#include "fiber/net.h"

struct arena;
struct buf;

/* Everything that counts as a step: a crash or a fault may stand before it. */
enum sim_verb {
#define VERB(name) SIM_##name,
#include "fiber/world_sim_verb.def"
#undef VERB
	SIM_VERBS
};

/* ---- a world ---- */

/* Forget the world that was; begin one from this seed.  A program that does
 * not call it lives in the world of seed 1, or of SIM_SEED in its environment.
 * SIM_TRACE=1 there prints each verb. */
void sim_begin(uint64_t seed);
uint64_t sim_seed(void);
uint64_t sim_trace(void);	/* hash over all verbs and their results */
uint64_t sim_chance(uint64_t n);	/* 0 .. n-1 by the seed; for scenarios */
/* n zeroed bytes that all lives of this world share. */
void *sim_ledger(size_t n);

/* ---- lives ---- */

enum sim_ending {
	SIM_ENDED,		/* fn returned; nothing was left in memory */
	SIM_CRASHED,		/* as ordered by sim_crash_*() */
	SIM_BROKEN		/* anything else; told on stderr */
};
enum sim_crash {
	SIM_KILL,		/* kill -9: the disk keeps what was written */
	SIM_POWER		/* power cut: the disk keeps what was synced */
};

/* Run fn(arg) in a child; it calls core_run_all().  After a crash the disk's
 * rule was applied and the wall went on; after SIM_POWER mono began again.  A
 * failed must() or assert of the test ends the child: SIM_BROKEN. */
enum sim_ending sim_life(void (*fn)(void *), void *arg);

/* ---- several machines ---- */

enum { SIM_MACHINES = 8 };

/* Whose disk, faults, crash, wall and verbs are meant by the words below; the
 * disk only by the parent.  0 until told otherwise. */
void sim_at(unsigned machine);
/* Of the machine meant: whence its connections come by default, and what goes
 * silent while its power is off. */
void sim_machine_address(const char *ip);
/* Of the machine meant: a life in which an octet is waited for, or room for
 * one, for longer than this is broken; 0: never. */
void sim_silence_most(int64_t ns);
/* What the clock says that no crash moves. */
struct mono sim_world_mono(void);

struct sim_program {
	void (*live)(void *arg);	/* as sim_life()'s */
	/* By the parent, when a life is over, with sim_at() there: nanoseconds
	 * until the next one, or -1.  NULL: there is only one. */
	int64_t (*again)(void *arg, enum sim_ending);
	void *arg;
};
/* Machine i lives programs[i], each in a process, all in one time, until none
 * has a next life.  A crash ends one of them: its peers see connections reset
 * after SIM_KILL, and silence after SIM_POWER.  False: a life was broken. */
bool sim_run(const struct sim_program programs[], unsigned n);

/* ---- orders ---- */

/* The next (or running) life ends before its n-th verb, counted from 1; 0 takes
 * the order back.  A power cut may let half of that verb happen. */
void sim_crash_at(uint64_t verb, enum sim_crash);
void sim_crash_at_time(struct mono, enum sim_crash);
uint64_t sim_verbs(void);	/* of this life, or of the last one */
uint64_t sim_verbs_of(enum sim_verb);	/* of one kind */
struct mono sim_crashed_at(void);	/* the last crash, by that life's mono */
/* A run is broken after so many turns of its cores; 0: never. */
void sim_turns_most(uint64_t);

/* What the world allocates for itself, it must have: who refuses memory looks
 * here first. */
extern bool sim_is_at_work;

/* ---- faults: like the order to crash they hold until sim_faults_clear() ---- */

/* The n-th such verb of each life fails with this errno (ENOSPC, EIO ...), and
 * so do `times' - 1 more; a failed sync loses what it should have kept. */
void sim_fault_nth(enum sim_verb, uint64_t nth, uint64_t times, int error);
void sim_fault_rate(enum sim_verb, unsigned per_million, int error);
void sim_faults_clear(void);

/* ---- time ---- */

/* Move the wall, not mono.  At once, or when mono gets there. */
void sim_wall_jump(int64_t us);
void sim_wall_jump_at(struct mono, int64_t us);
/* Of the machine meant: from now on both its clocks run so many millionths
 * faster than the world's; at most a tenth. */
void sim_drift(int ppm);

/* ---- network ---- */

struct sim_net {
	int64_t delay_ns, jitter_ns;	/* one way */
	unsigned split_per_million;	/* writes cut, reads cut short */
	unsigned reset_per_million;	/* of segments: the connection is lost */
	size_t window;			/* bytes unread before a sender waits */
	struct address self_v4, self_v6;	/* whence without a source */
	unsigned uid, gid;		/* who is at the other end, Unix */
};
struct sim_net sim_net(void);
void sim_net_set(struct sim_net);

enum sim_host {
	SIM_HOST_UP,
	SIM_HOST_CLOSED,		/* refuses connections */
	SIM_HOST_SILENT,		/* never answers; what flows, stops */
	SIM_HOST_UNREACHABLE		/* says so, at connect */
};
/* Of an address, whatever the port; what a SILENT host was sent arrives when it
 * is UP again. */
void sim_host_set(const char *ip, enum sim_host);

/* Whoever listens on the wire: called with all that this process sends, before
 * it is; NULL: nobody. */
void sim_tap(void (*hear)(const struct address *from, const struct address *to,
    struct str));
/* Shut down for writing, as no server of ours ever does: the peer reads the end,
 * and may go on talking.  Nothing may be sent on it any more. */
void sim_half_close(struct net_end *);
/* What goes from there to here arrives no more, until it is healed. */
void sim_cut(const char *from_ip, const char *to_ip);
void sim_cuts_heal(void);
/* Was a connection of this address lost by chance in that time of the world? */
unsigned sim_losses(void);		/* of connections, by chance */
bool sim_was_lost(const char *ip, struct mono from, struct mono to);

/* ---- disk ---- */

struct sim_disk_costs {
	int64_t verb_ns, sync_ns, jitter_ns;
	unsigned slow_per_million;	/* a hundred times as long */
	unsigned cold_per_million;	/* reads not at hand */
};
void sim_disk_costs(struct sim_disk_costs);
void sim_disk_size(uint64_t bytes);	/* beyond it: ENOSPC */
/* Syncs say that all is well and keep nothing: who relies on them is caught. */
void sim_disk_lies(bool);

/* Straight to the disk, by the parent or before the cores run; kept for good.
 * Directories above are made. */
void sim_disk_put(const char *path, struct str content);
void sim_disk_mkdir(const char *path);
/* What is there; p == NULL: nothing.  Owned by the arena. */
struct str sim_disk_get(const char *path, struct arena *);
/* Turn one octet into another, at rest. */
void sim_disk_rot(const char *path, uint64_t at, unsigned char xor_with);

/* ---- DNS ---- */

/* The zone the world answers from (dns.h).  It is held against err_text(): -1
 * when it is malformed.  Children of lives inherit it. */
int sim_zone(struct str text);
void sim_dns_delay(int64_t ns);

/* ---- the web ---- */

struct fetch_job;

/* What stands at a URL; where nothing does, nobody is there. */
struct sim_web_page {
	const char *url;		/* whole; with `serve', how it begins */
	unsigned status;
	const char *head;		/* "Content-Type: text/plain\r\n" */
	const char *body;
	int trouble;			/* an enum fetch_trouble, instead */
	unsigned (*serve)(const struct fetch_job *, struct buf *head,
	    struct buf *body);		/* instead; returns the status */
};
/* Borrowed; the host's name must be in the zone, too. */
void sim_web(const struct sim_web_page *, size_t n);

#endif
