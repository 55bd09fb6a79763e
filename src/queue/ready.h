/*
 * ready.h -- the sites this core owns: who goes next, and how fast.
 *
 * The promise: for each (source, site) there are never more connections than
 * its limit, never more messages on one, never more messages, recipients or new
 * connections in a time than its rates; and never more than the far side's own
 * words allow (pace.h).
 * Between flows (tenant, stream, priority) turns are taken by deficit round
 * robin over recipients and size, by weight; one turn in ROUND_RESERVE is kept
 * for urgent mail.  A site that does not answer is left alone by all, longer
 * each time, and tried again by one connection alone.
 * Not for: schedules (queue.h, at home) or connections themselves (deliver/).
 * Waiting: none, and no clock.
 * Memory: slabs of its own: some 100 bytes a waiting message, 800 a site.  What
 * waits here is bounded by each home's away_most.  A struct ready_connection is
 * the caller's, must not move, and is known here from ready_next_site() to
 * ready_closed().
 * Errors: -1 when memory is refused; nothing changed then.
 * Source: DESIGN.md section 4; Shreedhar and Varghese, "Efficient fair queuing
 * using deficit round robin", 1995.
 */
#ifndef NM_QUEUE_READY_H
#define NM_QUEUE_READY_H

#include "base/list.h"
#include "queue/config.h"
#include "queue/handoff.h"
#include "queue/pace.h"

struct ready;

/*
 * STATE    entered by                  what is true
 * OPENING  ready_next_site             the permit is taken
 * BUSY     ready_take: TAKEN           carries a message
 * IDLE     ready_take: EMPTY           open, unused; may be called
 * CALLED   ready_next_idle             its fiber will call ready_take
 * PACED    ready_take: WAIT            open, waits for the site's rate
 * FAILED   ready_failed                ready_failed_next() may be called
 * CLOSED   ready_closed                unknown here; the permit is back
 */
enum connection_state {
	CONNECTION_CLOSED, CONNECTION_OPENING, CONNECTION_BUSY,
	CONNECTION_IDLE, CONNECTION_CALLED, CONNECTION_PACED, CONNECTION_FAILED
};

struct ready_connection {
	struct link link;		/* the rest is ready's own, but ... */
	uint32_t slot;			/* of the site: the same for its */
	uint32_t taken;			/*  connections, of no other now open */
	enum connection_state state;
	bool is_good;			/* ready_opened() was said */
	bool is_owing;			/* ready_replied() was not, since ... */
	struct mono begun;		/* ... the message, or the line */
	struct str site, pool, source;	/* readable until ready_closed() */
	struct str domain;		/* of one waiting message: in text[] */
	char text[256];
};

struct ready *ready_open(unsigned core, const struct queue_config *);
/* No connection may be open; what waits is forgotten.  NULL is allowed. */
void ready_close(struct ready *);
/* What waits in shards that are no longer ours is given back. */
void ready_configure(struct ready *, struct mono now,
    const struct queue_config *);

/* A message from a home (this core's or another's).  On -1 settle it
 * QUEUE_PUT_OFF. */
int ready_admit(struct ready *, struct mono now, const struct handoff *);

/* When there is next something to do here (or a little earlier); in the past:
 * now; or MONO_NEVER. */
struct mono ready_next_at(const struct ready *);

/* An idle open connection whose site has work: wake its fiber, which calls
 * ready_take() (or ready_closed(): another is then opened). */
struct ready_connection *ready_next_idle(struct ready *, struct mono now);

/* A site that has more work than open connections, a free permit, and is not
 * being left alone: the permit is taken; start a fiber to open `c'. */
bool ready_next_site(struct ready *, struct mono now,
    struct ready_connection *c);

/* How many sites ready_next_site() would give now; it counts to `most'. */
size_t ready_wanting(struct ready *, struct mono now, size_t most);

/* The greeting was good: the site lives; others may be opened too.  The row of
 * failures ends when a message went well. */
void ready_opened(struct ready *, struct mono now, struct ready_connection *);

enum ready_take {
	READY_TAKEN,		/* deliver it */
	READY_EMPTY,		/* nothing: stay a while, or close */
	READY_WAIT,		/* not before *until */
	READY_SPENT		/* no more on this connection: close it */
};
enum ready_take ready_take(struct ready *, struct mono now,
    struct ready_connection *, struct handoff *, struct mono *until);

/* What the last message taken met with; without it, it was lost.  n_good is
 * known here.  True: the site slows us down, and that is to be told (once in
 * ten minutes). */
bool ready_replied(struct ready *, struct mono now, struct ready_connection *,
    const struct pace_reply *);
/* For too long it has taken nothing, message by message: not even this one, the
 * last that asked.  Then ready_failed(). */
bool ready_is_mute(const struct ready *, struct mono now,
    const struct ready_connection *);
/* Recipients of a transaction with it now; 0: any number. */
uint32_t ready_recipients(const struct ready *,
    const struct ready_connection *);

/* It was opened, and sent away for speed.  True: the site is borne with: what
 * waits goes on waiting, and ready_closed() is all that is left to do.  False:
 * nothing was done; it has gone on for too long, so ready_failed().  is_news: as
 * what ready_replied() says. */
bool ready_throttled(struct ready *, struct mono now,
    struct ready_connection *, const struct pace_reply *, bool *is_news);

/*
 * It could not be opened, or broke in a way that says the site is ill.  True:
 * no other connection there is good, so all that waits now shares the verdict:
 * take each by ready_failed_next() and settle it RETRY at its home.  You may
 * wait between.  In any case call ready_closed() at the end; what was not taken
 * then waits for the end of the back-off.
 */
bool ready_failed(struct ready *, struct mono now, struct ready_connection *);
bool ready_failed_next(struct ready *, struct ready_connection *,
    struct handoff *);

void ready_closed(struct ready *, struct mono now, struct ready_connection *);

/* The source does not get to this site: until then nothing is for it. */
void ready_shut(struct ready *, const struct ready_connection *,
    struct mono until);
/* Until when that is so of where a message is to go, that is not to be admitted
 * then; or 0. */
struct mono ready_shut_until(const struct ready *, struct mono now,
    const struct handoff *);

/* Give all that waits (at this site; NULL: anywhere) back: call
 * ready_give_back() until false and settle each QUEUE_RETURNED at its home. */
void ready_flush(struct ready *, struct mono now,
    const struct ready_connection *at);
bool ready_give_back(struct ready *, struct handoff *);

/* An operator wants all sites tried now: none is left alone any longer. */
void ready_retry_now(struct ready *, struct mono now);

/* Looking: {0} begins; strings last until the next change. */
struct ready_cursor { uint32_t slot; };
struct ready_site {
	struct str site, pool, source;
	unsigned shard, connections, idle, failures;
	size_t waiting, flows;
	struct site_limits limits;
	struct mono gate;		/* left alone until; or 0 */
	const struct pace *pace;
	uint64_t taken;			/* messages, since it is known */
};
bool ready_site_next(const struct ready *, struct ready_cursor *,
    struct ready_site *);

/* A pace of before a restart; in vain without memory. */
void ready_remember(struct ready *, struct mono now, struct str site,
    struct str source, const struct pace *);

struct ready_counts {
	size_t waiting, giving_back, sites, connections;
	uint64_t admitted, taken, failed, given_back;	/* since ready_open() */
	size_t memory;			/* octets */
};
struct ready_counts ready_counts(const struct ready *);

#endif
