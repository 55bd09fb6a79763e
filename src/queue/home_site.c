#include "queue/home.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/slab.h"

static struct home_site *
home_site_find(const struct queue *q, const struct queue_route *r,
    uint64_t hash)
{
	struct table_node *k = table_find(&q->by_site, hash);
	struct home_site *s;

	for (; k != NULL; k = table_again(k)) {
		s = OWNER_OF(k, struct home_site, node);
		if (str_eq(name_str(s->site), r->site) &&
		    str_eq(name_str(s->source), r->source) &&
		    str_eq(name_str(s->pool), r->pool))
			return s;
	}
	return NULL;
}

static void
home_site_end(struct queue *q, struct home_site *s)
{
	struct link *l;

	list_remove(&s->wait.link);
	while ((l = list_first(&s->egresses)) != NULL)
		home_egress_end(q, OWNER_OF(l, struct home_egress, in_site));
	name_give(&q->names, s->site);
	name_give(&q->names, s->pool);
	name_give(&q->names, s->source);
	slab_give(&q->sites, s->slot);
}

static struct home_site *
home_site_new(struct queue *q, const struct queue_route *r, uint64_t hash)
{
	uint32_t slot;
	struct home_site *s = slab_take(&q->sites, &slot);
	bool is_fixed = r->source.n > 0;

	if (s == NULL)
		return NULL;
	s->slot = slot;
	list_init(&s->blocked);
	list_init(&s->egresses);
	s->site = name_take(&q->names, r->site);
	s->pool = is_fixed ? name_take(&q->names, r->pool) : NULL;
	s->source = is_fixed ? name_take(&q->names, r->source) : NULL;
	if (s->site == NULL || (is_fixed && (s->pool == NULL ||
	    s->source == NULL)) ||
	    table_insert(&q->by_site, &s->node, hash) != 0) {
		home_site_end(q, s);
		return NULL;
	}
	return s;
}

struct home_site *
home_site_take(struct queue *q, const struct queue_route *r)
{
	uint64_t hash = hash_bytes(q->names.key, r->site) +
	    3 * hash_bytes(q->names.key, r->source) +
	    5 * hash_bytes(q->names.key, r->pool);
	struct home_site *s = home_site_find(q, r, hash);

	must(r->source.n > 0 || r->pool.n == 0);
	if (s == NULL)
		s = home_site_new(q, r, hash);
	if (s != NULL)
		s->refs++;
	return s;
}

void
home_site_give(struct queue *q, struct home_site *s)
{
	must(s->refs > 0);
	if (--s->refs > 0)
		return;
	must(list_is_empty(&s->blocked) && s->n_items == 0 && s->n_away == 0);
	table_remove(&q->by_site, &s->node);
	home_site_end(q, s);
}

static void
home_site_unblock(struct queue *q, struct home_site *s)
{
	struct link *l = list_first(&s->blocked);
	struct home_lane *lane;

	if (l == NULL)
		return;
	lane = OWNER_OF(l, struct home_lane, turn);
	home_lane_close(lane);
	home_lane_open(q, lane);
}

/* One of its items came home: a lane that waited for that may try again. */
void
home_site_settle(struct queue *q, struct home_site *s)
{
	must(s->n_away > 0);
	s->n_away--;
	home_site_unblock(q, s);
	home_site_give(q, s);
}

void
home_site_wait(struct queue *q, struct home_site *s, struct mono opens)
{
	if (link_is_in(&s->wait.link) && !mono_is_before(opens, s->wait.due))
		return;
	list_remove(&s->wait.link);
	wheel_add(&q->opens, &s->wait, opens);
}

static void
home_site_lift(struct queue *q, struct home_site *s)
{
	list_remove(&s->wait.link);
	while (!list_is_empty(&s->blocked))
		home_site_unblock(q, s);
}

void
home_site_move(struct queue *q, struct mono now, uint32_t steps)
{
	struct wheel_entry *e;

	while ((e = wheel_pop(&q->opens, now, &steps)) != NULL)
		home_site_lift(q, OWNER_OF(e, struct home_site, wait));
}

void
home_sites_lift(struct queue *q)
{
	uint32_t steps = UINT32_MAX;
	struct home_site *s;

	for (uint32_t i = 0; (s = slab_walk(&q->sites, &i, &steps)) != NULL;
	    i++, steps = UINT32_MAX)
		home_site_lift(q, s);
}
