#include "queue/config.h"
#include "queue/home.h"

#include "base/must.h"
#include "queue/slab.h"

enum {
	URGENT_RUN = 8,			/* urgent lanes in a row, then another */
	SITE_SHARE_LEAST = 16,
	LANE_SHARE_LEAST = 4,
	URGENT_SHARE = 64
};

static struct home_lane *
home_lane_find(const struct queue *q, const struct home_domain *d,
    const struct flow *f, uint64_t hash)
{
	struct table_node *k = table_find(&q->by_lane, hash);
	struct home_lane *l;

	for (; k != NULL; k = table_again(k)) {
		l = OWNER_OF(k, struct home_lane, node);
		if (l->domain == d && l->flow == f)
			return l;
	}
	return NULL;
}

static struct home_lane *
home_lane_new(struct queue *q, struct home_domain *d, struct flow *f,
    uint64_t hash)
{
	uint32_t slot;
	struct home_lane *l = slab_take(&q->lanes, &slot);

	if (l == NULL)
		return NULL;
	if (table_insert(&q->by_lane, &l->node, hash) != 0) {
		slab_give(&q->lanes, slot);
		return NULL;
	}
	l->slot = slot;
	l->domain = d;
	l->flow = f;
	f->refs++;
	list_init(&l->due);
	list_append(&d->lanes, &l->in_domain);
	return l;
}

struct home_lane *
home_lane_take(struct queue *q, struct home_domain *d, struct flow *f)
{
	uint64_t hash = hash_u64(q->names.key,
	    (uint64_t)d->slot << 32 | f->slot);
	struct home_lane *l = home_lane_find(q, d, f, hash);

	return l != NULL ? l : home_lane_new(q, d, f, hash);
}

void
home_lane_give(struct queue *q, struct home_lane *l)
{
	if (l->n_items > 0)
		return;
	must(list_is_empty(&l->due) && l->n_away == 0);
	home_lane_close(l);
	list_remove(&l->in_domain);
	table_remove(&q->by_lane, &l->node);
	flow_give(&q->flows, l->flow);
	slab_give(&q->lanes, l->slot);
}

void
home_lane_open(struct queue *q, struct home_lane *l)
{
	if (l->place != LANE_NOWHERE || list_is_empty(&l->due))
		return;
	l->place = LANE_RING;
	list_append(l->flow->priority == PRIORITY_URGENT ? &q->urgent :
	    &q->others, &l->turn);
}

void
home_lane_close(struct home_lane *l)
{
	list_remove(&l->turn);
	l->place = LANE_NOWHERE;
}

void
home_lane_block(struct home_lane *l)
{
	must(l->place == LANE_NOWHERE && (l->domain->site->n_away > 0 ||
	    link_is_in(&l->domain->site->wait.link)));
	l->place = LANE_BLOCKED;
	list_append(&l->domain->site->blocked, &l->turn);
}

struct home_lane *
home_lane_next(struct queue *q)
{
	bool is_urgent = !list_is_empty(&q->urgent) &&
	    (q->urgent_run < URGENT_RUN || list_is_empty(&q->others));
	struct link *k = list_first(is_urgent ? &q->urgent : &q->others);
	struct home_lane *l;

	if (k == NULL)
		return NULL;
	q->urgent_run = is_urgent ? q->urgent_run + 1 : 0;
	l = OWNER_OF(k, struct home_lane, turn);
	home_lane_close(l);
	return l;
}

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/*
 * A site may have a quarter of the room for what is away that the others left,
 * a lane half of what its site left: however greedy they are, the next one
 * finds room (dynamic thresholds, as switches share their buffers).
 */
bool
home_lane_may_send(const struct queue *q, const struct home_lane *l)
{
	size_t most = q->config->away_most, away = q->states[ITEM_AWAY];
	size_t share = larger(SITE_SHARE_LEAST,
	    away < most ? (most - away) / 4 : 0);
	size_t site = l->domain->site->n_away;

	if (l->flow->priority == PRIORITY_URGENT && l->n_away < URGENT_SHARE)
		return true;
	if (site >= share)
		return false;
	return l->n_away < larger(LANE_SHARE_LEAST, (share - site) / 2);
}
