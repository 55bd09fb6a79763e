#include "queue/home.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/shard.h"
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

	if (s == NULL)
		return NULL;
	s->slot = slot;
	list_init(&s->blocked);
	s->shard = (uint16_t)shard_of(r->source, r->site);
	s->site = name_take(&q->names, r->site);
	s->pool = name_take(&q->names, r->pool);
	s->source = name_take(&q->names, r->source);
	if (s->site == NULL || s->pool == NULL || s->source == NULL ||
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

/* One of its items came home: a lane that waited for that may try again. */
void
home_site_settle(struct queue *q, struct home_site *s)
{
	struct link *l = list_first(&s->blocked);

	must(s->n_away > 0);
	s->n_away--;
	if (l != NULL) {
		struct home_lane *lane = OWNER_OF(l, struct home_lane, turn);

		home_lane_close(lane);
		home_lane_open(q, lane);
	}
	home_site_give(q, s);
}
