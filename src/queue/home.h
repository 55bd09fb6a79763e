/*
 * home.h -- the inside of struct queue; for queue/ alone.
 *
 * The promise: the functions of home_*.c keep these true
 * between the calls of queue.h:
 *	an item is in exactly one place that fits its state: the wheel
 *	(SCHEDULED, HELD), its lane's `due' or its domain's `failing' (DUE),
 *	`overdue' (HELD and too old), or nobody's (AWAY);
 *	a lane with something due is in a ring, in its site's `blocked', or its
 *	domain is somewhere in want of a route; who is blocked waits for a settle
 *	or for a source that opens;
 *	counts are exact; what has no items is gone, or idle and bounded.
 * Not for: anybody outside queue/.
 * Waiting: none.
 * Memory: slabs and counted names; nothing here is freed twice because each
 * has one owner: items own lanes, lanes own flows and domains, domains and
 * items that are away own sites, sites own their egresses.
 * Errors: as queue.h.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_QUEUE_HOME_H
#define NM_QUEUE_HOME_H

#include "queue/flow.h"
#include "queue/queue.h"
#include "queue/wheel.h"

enum { DOMAINS_KEPT = 256 };
enum { MOVE_STEPS = 64, MOVE_STEPS_IDLE = 1024 };	/* of time, a call */
#define FRESH_LEAST_NS NS_PER_SECOND

/* Where mail of some domains goes: a route's site as the home knows it. */
struct home_site {
	struct table_node node;
	struct wheel_entry wait;	/* in opens: the next source that does */
	struct name *site, *pool, *source;	/* source: NULL: by pools */
	struct list egresses;
	struct list blocked;		/* lanes that wait for settles, sources */
	uint32_t slot, epoch;
	uint32_t refs;			/* domains + items away */
	uint32_t n_domains, n_away;
	size_t n_items;			/* of those domains */
};

/* One way to a site: a source, for a pool. */
struct home_egress {
	struct link in_site;
	struct home_site *site;
	struct name *pool, *source;
	struct mono opens;		/* closed until */
	int32_t credit;			/* of smooth weighted round robin */
	uint32_t slot, n_away, epoch;
	uint16_t shard;
};

struct home_domain {
	struct table_node node;
	struct name *name;
	struct list lanes;
	struct list failing;		/* items of queue_failed_next() */
	struct wheel_entry wait;	/* in asks, idle, or the gates' wheel */
	struct home_site *site;		/* NULL: not known */
	struct mono fresh_until, gate;
	uint32_t slot, epoch;
	uint32_t n_items, n_due, n_away;
	uint16_t failures;
	bool is_idle;
	bool is_asked;			/* queue_due_domain() ... resolved, failed */
	bool is_failing;		/* failed ... failed_next is false */
};

enum lane_place { LANE_NOWHERE, LANE_RING, LANE_BLOCKED };

/* A flow's items for one domain. */
struct home_lane {
	struct table_node node;
	struct link in_domain, turn;
	struct list due;		/* items, first come first */
	struct home_domain *domain;
	struct flow *flow;
	const struct source_pool *pool;	/* of the epoch */
	uint32_t slot, epoch;
	uint32_t n_items, n_away;
	enum lane_place place;
};

struct home_item {
	struct table_node node;		/* by id */
	struct wheel_entry wait;	/* link: see home.h's promise */
	uint64_t id;
	struct mono due, arrived, expires;
	struct home_lane *lane;
	struct name *reason;		/* of the last try; NULL: not known */
	uint32_t slot, egress;		/* slots; egress: while away, or none */
	uint32_t n_rcpts, size;
	uint16_t tries;
	uint8_t state;			/* enum item_state */
	uint8_t warned;			/* warnings of delay given or passed */
	bool is_held : 1;		/* or to be held once it is settled */
	bool is_cancelled : 1;
};
_Static_assert(sizeof(struct home_item) <= 112, "an item is small");

struct queue {
	const struct queue_config *config;
	unsigned core;
	uint32_t epoch;			/* of routes: a reload makes another */
	struct names names, reasons;
	struct flows flows;
	struct slab items, lanes, domains, sites, egresses;
	struct table by_id, by_lane, by_domain, by_site;
	struct wheel wheel;		/* items */
	struct wheel gates;		/* domains left alone */
	struct wheel opens;		/* sites with sources that are closed */
	struct list asks, idle;		/* domains */
	struct list overdue;		/* items */
	struct list urgent, others;	/* the rings: lanes */
	unsigned urgent_run;
	size_t n_idle;
	size_t states[ITEM_STATES], n_deferred;
	uint64_t n_rcpts, admitted, ended;
};

/* queue.c: what the time has brought. */
void queue_move(struct queue *, struct mono now, uint32_t steps);

/* home_item.c: the last five take it from where it is and put it there. */
struct home_item *home_item_new(struct queue *, const struct queue_entry *);
void home_item_explain(struct queue *, struct home_item *, struct str reason);
void home_item_end(struct queue *, struct home_item *);
void home_item_land(struct queue *, struct home_item *);	/* still AWAY */
struct home_item *home_item_of(const struct queue *, struct queue_ref);
struct home_item *home_item_at(struct link *);		/* its wait.link */
void home_item_schedule(struct queue *, struct home_item *, struct mono due);
void home_item_hold(struct queue *, struct home_item *, struct mono until);
void home_item_wake(struct queue *, struct mono now, struct home_item *,
    bool is_first);
void home_item_overdue(struct queue *, struct home_item *);
void home_item_send(struct queue *, struct home_item *, struct home_egress *,
    struct handoff *);

/* home_lane.c */
struct home_lane *home_lane_take(struct queue *, struct home_domain *,
    struct flow *);
void home_lane_give(struct queue *, struct home_lane *);	/* if empty */
void home_lane_open(struct queue *, struct home_lane *);
void home_lane_close(struct home_lane *);
struct home_lane *home_lane_next(struct queue *);	/* closed, or NULL */
bool home_lane_may_send(const struct queue *, const struct home_lane *);
void home_lane_block(struct home_lane *);

/* home_domain.c */
struct home_domain *home_domain_take(struct queue *, struct str);
void home_domain_use(struct queue *, struct home_domain *);	/* not idle */
void home_domain_give(struct queue *, struct home_domain *);	/* if unused */
void home_domain_clear(struct queue *);
bool home_domain_is_fresh(const struct queue *, const struct home_domain *,
    struct mono now);
void home_domain_wake(struct queue *, struct mono now, struct home_domain *);
void home_domain_lift(struct queue *, struct mono now, struct home_domain *);
void home_domain_move(struct queue *, struct mono now, uint32_t steps);

/* home_site.c */
struct home_site *home_site_take(struct queue *, const struct queue_route *);
void home_site_give(struct queue *, struct home_site *);
void home_site_settle(struct queue *, struct home_site *);
/* Lanes of whose sources all are closed; whoever waits here tries again then. */
void home_site_wait(struct queue *, struct home_site *, struct mono opens);
void home_site_move(struct queue *, struct mono now, uint32_t steps);
/* Whoever waits for a source tries again now: what closed it may be gone. */
void home_sites_lift(struct queue *);

/* home_egress.c: the next in turn of the lane's pool.  NULL: all are closed, and
 * *opens says how long. */
struct home_egress *home_egress_next(struct queue *, struct mono now,
    struct home_lane *, struct mono *opens);
/* Does another than this one take what the lane has? */
bool home_egress_has_other(struct queue *, struct mono now, struct home_lane *,
    const struct home_egress *but);
void home_egress_end(struct queue *, struct home_egress *);

#endif
