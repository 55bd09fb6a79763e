#include "queue/view.h"

#include "queue/handoff.h"
#include "queue/home.h"
#include "queue/key.h"
#include "queue/name.h"
#include "queue/slab.h"

static void
view_tell(const struct queue *q, const struct home_item *it,
    struct view_item *v)
{
	const struct home_domain *d = it->lane->domain;
	const struct home_egress *e = slab_at(&q->egresses, it->egress);
	const struct flow *f = it->lane->flow;

	*v = (struct view_item){
		.ref = { it->id, it->slot }, .state = it->state,
		.priority = f->priority, .is_held = it->is_held,
		.is_cancelled = it->is_cancelled,
		.warned = it->warned, .n_rcpts = it->n_rcpts,
		.tries = it->tries, .size = it->size,
		.arrived = it->arrived, .due = it->due,
		.expires = it->expires,
		.domain = name_str(d->name), .tenant = name_str(f->tenant),
		.stream = name_str(f->stream), .reason = name_str(it->reason),
	};
	if (d->site == NULL)
		return;
	v->site = name_str(d->site->site);
	v->source = name_str(e != NULL ? e->source : d->site->source);
}

static bool
text_fits(struct str want, const struct name *is)
{
	return want.p == NULL || (is != NULL && str_eq(want, name_str(is)));
}

/* By the whole key, or by the recipients' domain in it. */
static bool
domain_fits(struct str want, const struct name *is)
{
	return want.p == NULL || str_eq(want, name_str(is)) ||
	    str_eq(want, key_domain(name_str(is)));
}

static bool
item_fits(const struct home_item *it, const struct view_filter *f)
{
	const struct home_domain *d = it->lane->domain;

	if (f->id != 0 && f->id != it->id)
		return false;
	if (f->states != 0 && (f->states >> it->state & 1) == 0)
		return false;
	if (f->is_deferred && it->tries == 0)
		return false;
	if (f->arrived_before.ns != 0 &&
	    !mono_is_before(it->arrived, f->arrived_before))
		return false;
	return domain_fits(f->domain, d->name) &&
	    text_fits(f->tenant, it->lane->flow->tenant) &&
	    text_fits(f->stream, it->lane->flow->stream) &&
	    text_fits(f->site, d->site == NULL ? NULL : d->site->site);
}

size_t
view_message(const struct queue *q, const struct view_filter *f, uint64_t id,
    struct view_item *out, size_t most)
{
	struct table_node *k = table_find(&q->by_id,
	    hash_u64(q->names.key, id));
	size_t n = 0;

	for (; k != NULL; k = table_again(k)) {
		const struct home_item *it = OWNER_OF(k, struct home_item, node);

		if (it->id != id || !item_fits(it, f))
			continue;
		if (n < most)
			view_tell(q, it, &out[n]);
		n++;
	}
	return n;
}

bool
view_is_first(const struct queue *q, const struct view_filter *f,
    struct queue_ref ref)
{
	struct table_node *k = table_find(&q->by_id,
	    hash_u64(q->names.key, ref.id));

	for (; k != NULL; k = table_again(k)) {
		const struct home_item *it = OWNER_OF(k, struct home_item, node);

		if (it->id == ref.id && it->slot < ref.slot && item_fits(it, f))
			return false;
	}
	return true;
}

enum view_step
view_next(const struct queue *q, const struct view_filter *f,
    struct view_cursor *c, struct view_item *v)
{
	uint32_t steps = VIEW_STEPS;
	struct home_item *it;

	while ((it = slab_walk(&q->items, &c->slot, &steps)) != NULL) {
		c->slot++;
		if (!item_fits(it, f))
			continue;
		view_tell(q, it, v);
		return VIEW_FOUND;
	}
	return steps == 0 ? VIEW_PAUSE : VIEW_END;
}

static size_t
view_memory(const struct queue *q)
{
	size_t buckets = q->by_id.n_buckets + q->by_lane.n_buckets +
	    q->by_domain.n_buckets + q->by_site.n_buckets +
	    q->flows.table.n_buckets + q->names.table.n_buckets +
	    q->reasons.table.n_buckets;

	return sizeof *q + q->items.memory + q->lanes.memory +
	    q->domains.memory + q->sites.memory + q->egresses.memory +
	    q->flows.slab.memory +
	    q->names.memory + q->reasons.memory + buckets * sizeof(struct table_node *);
}

struct view_counts
view_counts(const struct queue *q)
{
	struct view_counts c = {
		.items = q->items.n, .deferred = q->n_deferred,
		.domains = q->domains.n, .sites = q->sites.n,
		.flows = q->flows.slab.n, .rcpts = q->n_rcpts,
		.admitted = q->admitted, .ended = q->ended,
		.memory = view_memory(q),
	};

	for (unsigned i = 0; i < ITEM_STATES; i++)
		c.states[i] = q->states[i];
	return c;
}

