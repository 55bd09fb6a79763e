/*
 * queue.h -- a core's own messages: what is due, and when.
 *
 * The promise: an item is one message's recipients in one domain.  Each item
 * admitted is handed out when due, comes home by queue_settle(), and ends by it
 * exactly once; between it is counted in exactly one state (enum item_state).
 * Nothing is given out twice at a time, or before it is due.  A domain with
 * due items is asked for once, not once per message; so is one that failed,
 * after a back-off that all its messages share.  Between tenants and streams
 * hand-outs go round; no site can take all room for what is away.  Of a pool's
 * sources each gets its part, by weight, of what goes to a site; what one does
 * not take goes by the others, and waits only when all are closed.
 * Not for: limits per destination (ready.h, on the owner's core), looking and
 * counting (view.h), or remembering: the spool does that.
 * Waiting: none, and no clock: `now' is always an argument and never goes back.
 * Memory: slabs of its own: about 120 bytes an item and its share of tables;
 * domains, tenants, sites and the reasons of the last tries are kept once,
 * reasons in QUEUE_REASONS octets: beyond, those that are new are not kept.
 * config.items_most is the ceiling.
 * Errors: -1 when memory is refused; nothing changed then.  A ref that is not
 * away fails a must() in queue_settle().
 * Source: DESIGN.md section 4; RFC 5321 4.5.4.1.
 */
#ifndef NM_QUEUE_QUEUE_H
#define NM_QUEUE_QUEUE_H

#include "queue/config.h"
#include "queue/handoff.h"

struct queue;

enum { QUEUE_REASONS = 32 * 1024 * 1024 };

/*
 * STATE      entered by                        what is true
 * SCHEDULED  admit, settle, release            waits for `due'
 * DUE        time, admit, settle, retry_now    waits for its domain, its turn
 * AWAY       hand_out, failed_next, overdue,   somebody owes a settle
 *            cancel
 * HELD       admit, hold, settle               waits for release or its age
 * (gone)     settle QUEUE_ENDED                counted in `ended'
 */
enum item_state { ITEM_SCHEDULED, ITEM_DUE, ITEM_AWAY, ITEM_HELD, ITEM_STATES };
const char *item_state_name(enum item_state);

/* What intake or recovery knows of a message, per domain. */
struct queue_entry {
	uint64_t id;
	struct str domain;		/* lower case; 1..255 octets */
	struct str tenant, stream;	/* 1..255 octets */
	enum priority priority;
	uint32_t n_rcpts;		/* at least 1 */
	uint64_t size;			/* octets */
	struct mono arrived;		/* may be in the past, or negative */
	struct mono due;		/* release time; past: at once */
	struct mono expires;
	unsigned tries;			/* so far */
	struct str reason;		/* why the last one was in vain; may be absent */
	bool is_held;
	unsigned warned;		/* warnings of delay so far */
	struct mono held_since;		/* when is_held; 0: not known, now */
};

/* The config (and its map) must outlive its use here.  NULL: no memory. */
struct queue *queue_open(unsigned core, const struct queue_config *);
void queue_close(struct queue *);	/* items are forgotten; NULL allowed */
/* All routes are asked for again. */
void queue_configure(struct queue *, const struct queue_config *);

/* due is clamped: after a try to one retry interval from now, always to
 * expires when that is ahead (SECURITY.md row 45); it is kept by the ms. */
int queue_admit(struct queue *, struct mono now, const struct queue_entry *);
bool queue_is_full(const struct queue *);

/* When there is next something to do here (or a little earlier); in the past:
 * now; or MONO_NEVER. */
struct mono queue_next_at(const struct queue *);

/*
 * The next domain that has due items and no fresh route.  The caller resolves
 * it and then calls queue_domain_resolved() or queue_domain_failed(), once;
 * until then it is not named again and `domain' stays readable.
 */
bool queue_due_domain(struct queue *, struct mono now, struct str *domain);

/* Where a domain's mail goes.  Site and source name the shard; keys are opaque
 * here, of 1..255 octets.  Without a source, each message's is one of the pool
 * that config.pool_of says, by weight, and pool stays empty. */
struct queue_route {
	struct str site, pool, source;
	int64_t fresh_ns;		/* how long this may be relied on */
};
/* -1: memory is refused; the domain will be asked for again shortly. */
int queue_domain_resolved(struct queue *, struct mono now, struct str domain,
    const struct queue_route *);

/*
 * It cannot be resolved.  All items due now share the verdict: take each by
 * queue_failed_next() and settle it (RETRY or ENDED).  You may wait between.
 * false closes the matter: `domain' may then be gone, and is asked for again
 * when items are due and (unless for_good) the shared back-off is over.
 */
void queue_domain_failed(struct queue *, struct mono now, struct str domain,
    bool for_good);
bool queue_failed_next(struct queue *, struct mono now, struct str domain,
    struct handoff *);

/* The next due item of a domain with a fresh route, for ready_admit() on core
 * handoff.owner.  Call until false, or come back: a little each turn is fair.
 */
bool queue_hand_out(struct queue *, struct mono now, struct handoff *);

enum queue_end {
	QUEUE_ENDED,		/* each recipient has its outcome on record */
	QUEUE_RETRY,		/* tried; n_rcpts are left */
	QUEUE_RETURNED,		/* not tried: due at once, as before */
	QUEUE_PUT_OFF		/* trouble of our own: again in put_off_ns */
};
struct queue_result {
	enum queue_end end;
	uint32_t n_rcpts;		/* RETRY: left, at least 1 */
	struct mono not_before;		/* RETRY: 0, or due no earlier */
	struct str reason;		/* RETRY: why, in words; may be absent */
};

enum queue_duty {
	DUTY_NONE,
	DUTY_WARN,		/* back in the queue; its sender should know */
	DUTY_EXPIRE,		/* still away: end the rest as expired, or */
	DUTY_CANCEL		/*  as cancelled, then settle again: ENDED, */
};				/*  or PUT_OFF when that cannot be recorded */
struct queue_settled {
	enum queue_duty duty;
	enum item_state state;		/* when not ENDED */
	unsigned tries;
	unsigned warned;		/* warnings of delay, with this one */
	struct mono due;		/* next, or MONO_NEVER */
};
struct queue_settled queue_settle(struct queue *, struct mono now,
    struct queue_ref, struct queue_result);

/*
 * The source that an item is away by takes nothing more to its site until then.
 * True: another of its pool does, now; settle it QUEUE_RETURNED, and it goes by
 * that.
 */
bool queue_divert(struct queue *, struct mono now, struct queue_ref,
    struct mono until);

/* The next item that must end without another try: it was held for too long
 * (DUTY_EXPIRE), or its cancelling was put off (DUTY_CANCEL). */
bool queue_overdue(struct queue *, struct mono now, struct handoff *,
    enum queue_duty *);

/*
 * What an operator does to an item (refs come from view.h).  False when there
 * is no such item any more.  What is away obeys when it is settled.
 */
bool queue_hold(struct queue *, struct mono now, struct queue_ref);
bool queue_release(struct queue *, struct mono now, struct queue_ref);
bool queue_retry_now(struct queue *, struct mono now, struct queue_ref);

enum queue_cancel {
	CANCEL_GONE,		/* no such item */
	CANCEL_NOW,		/* yours: as after DUTY_CANCEL */
	CANCEL_LATER		/* away: its settle will say DUTY_CANCEL */
};
enum queue_cancel queue_cancel(struct queue *, struct mono now,
    struct queue_ref, struct handoff *);

#endif
