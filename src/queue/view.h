/*
 * view.h -- looking at a core's queue without touching it.
 *
 * The promise: a walk shows each item that is there from its beginning to its
 * end exactly once, whatever changes between its calls; counts are exact and
 * cost nothing.
 * Not for: changing anything (queue_hold() and its kin, by ref).
 * Waiting: none; between calls the walker may wait, but the strings of a
 * struct view_item last only until the queue is next changed.
 * Memory: values.
 * Errors: none.
 * Source: PRODUCT.md C (queue list, show, top).
 */
#ifndef NM_QUEUE_VIEW_H
#define NM_QUEUE_VIEW_H

#include "queue/queue.h"

struct view_item {
	struct queue_ref ref;
	enum item_state state;
	enum priority priority;
	bool is_held, is_cancelled;	/* away: once it is settled */
	unsigned warned;
	uint32_t n_rcpts;
	unsigned tries;
	uint64_t size;
	struct mono arrived, due, expires;
	struct str domain, tenant, stream;
	struct str site, source;	/* p == NULL: not known now; source:
					 * while it is away, or fixed */
	struct str reason;		/* of the last try; p == NULL: not known */
};

struct view_filter {			/* all must hold; {0} is all items */
	uint64_t id;			/* 0: any */
	struct str domain, tenant, stream, site;	/* p == NULL: any */
	unsigned states;		/* 1 << enum item_state; 0: any */
	bool is_deferred;		/* tried at least once */
	struct mono arrived_before;	/* 0: any */
};

/* {0} begins.  A call looks at no more than VIEW_STEPS items. */
struct view_cursor { uint32_t slot; };
enum view_step { VIEW_FOUND, VIEW_PAUSE, VIEW_END };
enum { VIEW_STEPS = 4096 };
enum view_step view_next(const struct queue *, const struct view_filter *,
    struct view_cursor *, struct view_item *);

/* All items of one message that pass the filter, the first `most' into `out'
 * (which may be NULL): how many there are. */
size_t view_message(const struct queue *, const struct view_filter *,
    uint64_t id, struct view_item *out, size_t most);
/* Does no item of the same message that passes stand before this one? */
bool view_is_first(const struct queue *, const struct view_filter *,
    struct queue_ref);

struct view_counts {
	size_t items, states[ITEM_STATES];
	size_t deferred;		/* items tried at least once */
	size_t domains, sites, flows;	/* kept now */
	uint64_t rcpts;			/* in all items */
	uint64_t admitted, ended;	/* items, since queue_open() */
	size_t memory;			/* octets, strings and tables too */
};
struct view_counts view_counts(const struct queue *);

#endif
