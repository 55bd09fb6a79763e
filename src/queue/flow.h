/*
 * flow.h -- a tenant's stream at one priority, kept once.
 *
 * The promise: the same (tenant, stream, priority) is the same struct flow, at
 * the same address, until the last of those who took it gave it back; its
 * weight is that of the current configuration.
 * Not for: what a flow has waiting somewhere (lane in home.h, turn in round.h).
 * Waiting: none.
 * Memory: a slab; some flows that are not in use are kept for their return.
 * Errors: flow_take() is NULL when memory is refused.
 * Source: DESIGN.md section 4 ("every message has a tenant and a stream").
 */
#ifndef NM_QUEUE_FLOW_H
#define NM_QUEUE_FLOW_H

#include "queue/config.h"
#include "queue/name.h"
#include "queue/slab.h"

enum { FLOWS_KEPT = 256 };

struct flow {
	struct table_node node;
	struct name *tenant, *stream;
	uint32_t slot, refs;
	unsigned weight;
	enum priority priority;
	size_t n;			/* items, at their home */
};

struct flows {
	struct names *names;
	const struct queue_config *config;
	struct slab slab;
	struct table table;
	struct flow *last;		/* taken: the next is often the same */
};

void flows_init(struct flows *, struct names *, const struct queue_config *);
void flows_clear(struct flows *);
void flows_configure(struct flows *, const struct queue_config *);

struct flow *flow_take(struct flows *, struct str tenant, struct str stream,
    enum priority);
void flow_give(struct flows *, struct flow *);

#endif
