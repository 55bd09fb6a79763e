/*
 * world_sim_state.h -- what the parts of the simulated world share.
 *
 * The promise: struct sim lies in the shared mapping and outlives lives; what
 * is of one life only (events, ends, lanes) is kept by the part that owns it,
 * in the process.  Times in struct sim are the world's; what a machine is told
 * of mono is sim_mono_of() them.
 * Not for: anyone but fiber/world_sim_*.c.
 * Waiting: none.
 * Memory: sim_room_*() hands out blocks of the shared mapping by size class; a
 * freed block serves the next of its class; sim_begin() ends all.  Pointers
 * into it hold in every life, because a fork keeps the mapping's place.
 * Errors: no room fails a must(): raise SIM_ROOM.
 * Source: world_sim.h.
 */
#ifndef NM_FIBER_WORLD_SIM_STATE_H
#define NM_FIBER_WORLD_SIM_STATE_H

#include "base/heap.h"
#include "base/list.h"
#include "fiber/world_sim.h"

#define SIM_ROOM (UINT64_C(4) << 30)	/* of address space */

enum { SIM_RATES = 32, SIM_NTHS = 32, SIM_HOSTS = 64, SIM_CUTS = 32, SIM_LOSSES = 512,
	SIM_CLASSES = 40 };

struct sim_disk;

struct sim_nth { enum sim_verb verb; uint64_t from, times; int error; };
struct sim_rate { enum sim_verb verb; unsigned per_million; int error; };

enum sim_machine_state {
	SIM_ABSENT,			/* not yet, or no more */
	SIM_DOWN,			/* begins its next life at `next' */
	SIM_LIVING			/* a process; goes on at `next' */
};

/* One machine: what its lives share. */
struct sim_machine {
	enum sim_machine_state state;
	int64_t next;			/* INT64_MAX: others must bring it */
	int64_t mono_off, wall_us;	/* wall_us: the wall at the world's 0 */
	int64_t drift_ppm, drift_from;	/* its clocks run so much faster since */
	/* of this life */
	uint64_t life;
	uint64_t verbs, turns;
	uint64_t verbs_of[SIM_VERBS];
	bool has_crashed, has_ended;
	bool is_dark;			/* since its power went */
	uint32_t go;			/* its turn: a futex */
	int pid;
	struct sim_bell *bells, **bells_tail;
	/* orders */
	uint64_t crash_verb;
	struct mono crash_time, crashed_at;	/* _time: the world's */
	enum sim_crash crash;
	size_t n_nths, n_rates;
	struct sim_nth nths[SIM_NTHS];
	struct sim_rate rates[SIM_RATES];
	struct sim_disk_costs costs;
	bool disk_lies;
	struct sim_disk *disk;
	struct address address;		/* whence, and what goes dark */
	int64_t silence_most;		/* 0: any */
};

struct sim {
	uint64_t seed, trace;
	uint64_t chance_state, bytes_state;
	uint64_t lives;
	struct mono mono;
	uint64_t turns_most;
	struct sim_machine machines[SIM_MACHINES];
	bool is_shared;			/* machines take turns */
	uint32_t parent_go;
	/* the network */
	size_t n_hosts, n_cuts;
	struct { struct address address; enum sim_host is; } hosts[SIM_HOSTS];
	struct { struct address from, to; } cuts[SIM_CUTS];
	struct list pipes, doors;
	size_t n_losses;		/* ever */
	struct { int64_t at; struct address a, b; } losses[SIM_LOSSES];
	struct sim_net net;
	int64_t dns_delay_ns;
	/* the mapping */
	char *fresh, *end;
	void *freed[SIM_CLASSES];
};

extern struct sim *sim_now;		/* NULL until sim_get() */
struct sim *sim_get(void);		/* begins the default world */

/* ---- machines ---- */
extern unsigned sim_me;			/* whose life this process lives */
extern bool sim_is_parent;		/* none's: machines take turns below */
struct sim_machine *sim_mine(void);
struct sim_machine *sim_meant(void);	/* by sim_at(): orders are for it */
bool sim_is_mine(unsigned machine);
/* What its mono says at an instant of the world; and the first instant at which
 * it says so. */
int64_t sim_mono_of(const struct sim_machine *, int64_t world);
int64_t sim_world_of(const struct sim_machine *, int64_t mono);

/* Say to a machine that may not have the turn: ring(what, at), when it has. */
struct sim_bell {
	struct sim_bell *next;
	void (*ring)(void *what, int64_t at);
	void *what;
	int64_t at;
};
void sim_ring(unsigned machine, void (*ring)(void *, int64_t), void *what,
    int64_t at);
void sim_bells_hear(void);
/* Nothing moves here before `next' of the world: let others move. */
void sim_turn_pass(int64_t next);
bool sim_others_wait(void);		/* whose time has come */
/* This life is over, by crash or end: never returns in a shared world. */
void sim_turn_leave(void);
void sim_life_begin(struct sim_machine *);
/* How the life of a process that is gone has ended. */
enum sim_ending sim_life_ending(const struct sim_machine *, int status);
void sim_machine_mend(struct sim_machine *, int64_t off_ns);
_Noreturn void sim_child(void (*fn)(void *), void *arg);

/* ---- chance ---- */
bool sim_happens(unsigned per_million);
int64_t sim_jitter(int64_t most_ns);

/*
 * Count a verb.  The negative errno of an ordered fault, or 0; does not return
 * when the life ends here.  `about' goes into the trace.
 */
int sim_step(enum sim_verb, uint64_t about);
bool sim_is_crash_next(void);		/* the coming sim_step() is the last */
void sim_note(uint64_t result);		/* into the trace */
const char *sim_verb_name(enum sim_verb);
_Noreturn void sim_crash_now(void);
_Noreturn void sim_broken(const char *why);	/* tell the seed and die */

/* ---- what will happen: fired by the loop, outside fibers, no core entered,
 * in order of time ---- */
struct sim_event {
	struct heap_node node;
	void (*fire)(struct sim_event *);
};
void sim_event_set(struct sim_event *, struct mono at);	/* moves it too */
void sim_event_in(struct sim_event *, int64_t ns);
void sim_event_cancel(struct sim_event *);
struct mono sim_event_next(void);
/* The first due one was fired.  False: none is due. */
bool sim_event_fire(void);

/* ---- cost of the job that runs, ns; added to by the disk ---- */
extern int64_t sim_cost;

/* ---- shared memory ---- */
void *sim_room_take(size_t);		/* zeroed */
void sim_room_give(void *, size_t);

/* ---- what a life that ended should have closed ---- */
size_t sim_net_left(void);
/* The process is gone: its ends, as the peers see it. */
void sim_net_crash(unsigned machine, enum sim_crash);
void sim_net_return(unsigned machine);	/* it is up again */
/* Nothing local happens before then: does an end wait too long? */
void sim_net_watch(int64_t next);
size_t sim_disk_left(void);
/* ---- and what sim_begin() must forget ---- */
void sim_time_forget(void);
void sim_dns_forget(void);
void sim_net_forget(void);
void sim_disk_forget(void);
void sim_openssl_begin(void);		/* its chance is the seed's */

/* ---- disk ---- */
struct sim_disk *sim_disk_make(void);
void sim_disk_crash(struct sim_disk *, enum sim_crash);

#endif
