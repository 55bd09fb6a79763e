/*
 * world_sim_state.h -- what the parts of the simulated world share.
 *
 * The promise: struct sim lies in the shared mapping and outlives lives; what
 * is of one life only (events, ends, lanes) is kept by the part that owns it,
 * in the process.
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
#include "fiber/world_sim.h"

#define SIM_ROOM (UINT64_C(4) << 30)	/* of address space */

enum { SIM_RATES = 32, SIM_NTHS = 32, SIM_HOSTS = 64, SIM_CLASSES = 40 };

struct sim_disk;

struct sim_nth { enum sim_verb verb; uint64_t from, times; int error; };
struct sim_rate { enum sim_verb verb; unsigned per_million; int error; };

struct sim {
	uint64_t seed, trace;
	uint64_t chance_state, bytes_state;
	uint64_t lives;
	struct mono mono;
	int64_t wall_us;		/* the wall when mono was 0 */
	/* of this life */
	uint64_t verbs, turns;
	uint64_t verbs_of[SIM_VERBS];
	bool has_crashed, has_ended;
	/* orders */
	uint64_t crash_verb, turns_most;
	struct mono crash_time, crashed_at;
	enum sim_crash crash;
	size_t n_nths, n_rates, n_hosts;
	struct sim_nth nths[SIM_NTHS];
	struct sim_rate rates[SIM_RATES];
	struct { struct address address; enum sim_host is; } hosts[SIM_HOSTS];
	struct sim_net net;
	struct sim_disk_costs costs;
	bool disk_lies;
	int64_t dns_delay_ns;
	struct sim_disk *disk;
	/* the mapping */
	char *fresh, *end;
	void *freed[SIM_CLASSES];
};

extern struct sim *sim_now;		/* NULL until sim_get() */
struct sim *sim_get(void);		/* begins the default world */

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
