/*
 * egress.h -- the inside of struct ready; for queue/ alone.
 *
 * The promise: egress_place() keeps these true of each (source, site):
 *	ABLE    it wants a connection, may have one, and not later but now
 *	TIMED   the same, but the back-off or the rate says when
 *	SPARE   nothing waits and no connection is open; the oldest of many
 *	        spares ends when forgetting it breaks no limit
 *	NOWHERE otherwise
 * Not for: anybody outside queue/.
 * Waiting: none.
 * Memory: slabs and counted names: parcels own turns, turns own flows and
 * egresses, connections own egresses.
 * Errors: as ready.h.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_QUEUE_EGRESS_H
#define NM_QUEUE_EGRESS_H

#include "queue/flow.h"
#include "queue/gcra.h"
#include "queue/pace.h"
#include "queue/ready.h"
#include "queue/round.h"
#include "queue/wheel.h"

enum { EGRESSES_KEPT = 256, EGRESS_SWEEP = 2 };

enum egress_place { EGRESS_NOWHERE, EGRESS_ABLE, EGRESS_TIMED, EGRESS_SPARE };

struct egress {
	struct table_node node;
	struct name *site, *pool, *source;
	struct wheel_entry wait;	/* in able, timers or spare */
	struct link called;		/* in callers: idle ones have work */
	struct list idle;		/* connections; last used first */
	struct round round;		/* parcels */
	struct site_limits limits;
	struct gcra rate, opens, rcpts;
	struct pace pace;		/* what the far side bears */
	struct mono told_at;		/* ... and that it changed */
	struct mono gate;		/* left alone until */
	struct mono shut;		/* nothing is admitted until */
	uint64_t taken;
	size_t n_turns, n_failing;	/* parcels that share a verdict */
	unsigned n_out, n_good, n_idle, n_failed;
	unsigned n_soon;		/* OPENING, CALLED, PACED */
	unsigned failures;		/* in a row */
	uint32_t slot;
	uint16_t shard;
	enum egress_place place;
};

/* A flow's turn at one egress; it lasts while something of it waits there. */
struct egress_turn {
	struct table_node node;
	struct turn turn;
	struct egress *egress;
	struct flow *flow;
	uint32_t slot;
};

struct parcel {
	struct round_entry entry;	/* its link: also in `back' */
	uint32_t slot;
	struct handoff handoff;
};
_Static_assert(sizeof(struct parcel) <= 256, "a parcel is small");

struct ready {
	const struct queue_config *config;
	unsigned core;
	struct names names;
	struct flows flows;
	struct slab egresses, turns, parcels;
	struct table by_site, by_turn;
	struct wheel timers;
	struct list able, spare, callers;	/* egresses */
	struct list back;			/* parcels to be given back */
	size_t n_back, n_spare, n_connections;
	struct mono last_shut;			/* of all egresses */
	uint64_t admitted, taken, failed, given_back;
};

struct egress *egress_take(struct ready *, struct mono now,
    const struct handoff *);
struct egress *egress_seek(const struct ready *, const struct handoff *);
struct egress *egress_of(const struct ready *,
    const struct ready_connection *);
/* How many connections there may be now. */
unsigned egress_permits(const struct egress *);
/* The next message may go then; and it goes. */
struct mono egress_when(const struct egress *, struct mono now);
void egress_spend(struct egress *, struct mono now, uint32_t n_rcpts);
bool egress_is_ours(const struct ready *, const struct egress *);
void egress_place(struct ready *, struct mono now, struct egress *);
void egress_clear(struct ready *);

/* Into its turn; -1 when memory is refused. */
int egress_admit(struct ready *, struct egress *, struct parcel *);
/* The next by turns, or any; it is in no list then. */
struct parcel *egress_next(struct ready *, struct egress *);
struct parcel *egress_drop(struct ready *, struct egress *);
void egress_give_back(struct ready *, struct egress *);	/* all of them */
void egress_configure(struct ready *, struct mono now, struct egress *,
    const struct queue_config *);
void egress_turns_weigh(struct ready *);

#endif
