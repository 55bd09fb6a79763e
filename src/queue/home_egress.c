#include "queue/config.h"
#include "queue/home.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/shard.h"
#include "queue/slab.h"

static struct home_egress *
egress_at(struct link *l)
{
	return OWNER_OF(l, struct home_egress, in_site);
}

static struct home_egress *
home_egress_find(const struct home_site *s, struct str pool, struct str source)
{
	struct link *l = list_first(&s->egresses);

	for (; l != NULL; l = list_next(&s->egresses, l)) {
		struct home_egress *e = egress_at(l);

		if (str_eq(name_str(e->source), source) &&
		    str_eq(name_str(e->pool), pool))
			return e;
	}
	return NULL;
}

void
home_egress_end(struct queue *q, struct home_egress *e)
{
	must(e->n_away == 0);
	list_remove(&e->in_site);
	name_give(&q->names, e->pool);
	name_give(&q->names, e->source);
	slab_give(&q->egresses, e->slot);
}

static struct home_egress *
home_egress_new(struct queue *q, struct home_site *s, struct str pool,
    struct str source)
{
	uint32_t slot;
	struct home_egress *e = slab_take(&q->egresses, &slot);

	if (e == NULL)
		return NULL;
	e->slot = slot;
	e->site = s;
	e->shard = (uint16_t)shard_of(source, name_str(s->site));
	e->pool = name_take(&q->names, pool);
	e->source = name_take(&q->names, source);
	if (e->pool == NULL || e->source == NULL) {
		home_egress_end(q, e);
		return NULL;
	}
	list_append(&s->egresses, &e->in_site);
	return e;
}

/* Those of pools that a reload has taken away. */
static void
home_egress_sweep(struct queue *q, struct home_site *s)
{
	struct link *next, *l = list_first(&s->egresses);

	for (; l != NULL; l = next) {
		struct home_egress *e = egress_at(l);

		next = list_next(&s->egresses, l);
		if (e->epoch != q->epoch && e->n_away == 0)
			home_egress_end(q, e);
	}
}

static const struct source_pool *
home_lane_pool(const struct queue *q, struct home_lane *l)
{
	if (l->pool == NULL || l->epoch != q->epoch)
		l->pool = queue_config_pool(q->config,
		    name_str(l->domain->name), name_str(l->flow->tenant),
		    name_str(l->flow->stream));
	l->epoch = q->epoch;
	return l->pool;
}

/* Smooth weighted round robin: all that are open grow by their weight, the
 * largest goes, and pays for all. */
static struct home_egress *
home_egress_turn(struct queue *q, struct mono now, struct home_site *s,
    const struct source_pool *p, struct mono *opens)
{
	struct home_egress *e, *best = NULL;
	int32_t all = 0;

	for (size_t i = 0; i < p->n; i++) {
		e = home_egress_find(s, p->name, p->shares[i].source);
		if (e == NULL)
			e = home_egress_new(q, s, p->name, p->shares[i].source);
		if (e == NULL) {
			*opens = mono_first(*opens,
			    mono_add(now, q->config->put_off_ns));
			continue;
		}
		e->epoch = q->epoch;
		if (mono_is_before(now, e->opens)) {
			*opens = mono_first(*opens, e->opens);
			continue;
		}
		e->credit += (int32_t)p->shares[i].weight;
		all += (int32_t)p->shares[i].weight;
		if (best == NULL || e->credit > best->credit)
			best = e;
	}
	if (best != NULL)
		best->credit -= all;
	return best;
}

/* What a lane's mail may leave by: its site's one source, or its pool's. */
struct egress_choice {
	struct pool_share fixed;
	struct source_pool one;
	const struct source_pool *pool;
};

static void
home_egress_choice(const struct queue *q, struct home_lane *l,
    struct egress_choice *c)
{
	const struct home_site *s = l->domain->site;

	c->fixed = (struct pool_share){ name_str(s->source), 1 };
	c->one = (struct source_pool){ name_str(s->pool), &c->fixed, 1 };
	c->pool = s->source != NULL ? &c->one : home_lane_pool(q, l);
}

struct home_egress *
home_egress_next(struct queue *q, struct mono now, struct home_lane *l,
    struct mono *opens)
{
	struct home_site *s = l->domain->site;
	struct egress_choice c;

	*opens = MONO_NEVER;
	if (s->epoch != q->epoch)
		home_egress_sweep(q, s);
	s->epoch = q->epoch;
	home_egress_choice(q, l, &c);
	return home_egress_turn(q, now, s, c.pool, opens);
}

/* Of a site that its domain has left meanwhile nothing is known. */
bool
home_egress_has_other(struct queue *q, struct mono now, struct home_lane *l,
    const struct home_egress *but)
{
	const struct home_egress *e;
	struct egress_choice c;

	if (l->domain->site != but->site)
		return false;
	home_egress_choice(q, l, &c);
	for (size_t i = 0; i < c.pool->n; i++) {
		e = home_egress_find(but->site, c.pool->name,
		    c.pool->shares[i].source);
		if (e != but && (e == NULL || !mono_is_before(now, e->opens)))
			return true;
	}
	return false;
}
