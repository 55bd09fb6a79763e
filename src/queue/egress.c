#include "queue/egress.h"

#include "base/must.h"
#include "queue/config.h"
#include "queue/name.h"
#include "queue/slab.h"

static uint64_t
egress_hash(const struct ready *r, struct str site, struct str source)
{
	return hash_bytes(r->names.key, site) +
	    3 * hash_bytes(r->names.key, source);
}

static struct egress *
egress_find(const struct ready *r, struct str site, struct str source)
{
	struct table_node *k = table_find(&r->by_site, egress_hash(r, site,
	    source));
	struct egress *e;

	for (; k != NULL; k = table_again(k)) {
		e = OWNER_OF(k, struct egress, node);
		if (str_eq(name_str(e->site), site) &&
		    str_eq(name_str(e->source), source))
			return e;
	}
	return NULL;
}

static void
egress_end(struct ready *r, struct egress *e)
{
	name_give(&r->names, e->site);
	name_give(&r->names, e->pool);
	name_give(&r->names, e->source);
	slab_give(&r->egresses, e->slot);
}

static struct egress *
egress_new(struct ready *r, const struct handoff *h, uint64_t hash)
{
	uint32_t slot;
	struct egress *e = slab_take(&r->egresses, &slot);

	if (e == NULL)
		return NULL;
	e->slot = slot;
	e->shard = h->shard;
	e->limits = *queue_config_limits(r->config, h->site);
	round_init(&e->round);
	list_init(&e->idle);
	e->site = name_take(&r->names, h->site);
	e->pool = name_take(&r->names, h->pool);
	e->source = name_take(&r->names, h->source);
	if (e->site == NULL || e->pool == NULL || e->source == NULL ||
	    table_insert(&r->by_site, &e->node, hash) != 0) {
		egress_end(r, e);
		return NULL;
	}
	return e;
}

static void
egress_leave(struct ready *r, struct egress *e)
{
	list_remove(&e->wait.link);
	if (e->place == EGRESS_SPARE)
		r->n_spare--;
	e->place = EGRESS_NOWHERE;
}

/* Would a new one in its stead be under the same limits? */
static bool
egress_is_forgettable(const struct ready *r, const struct egress *e,
    struct mono now)
{
	int64_t more = e->failures == 0 ? 0 : r->config->site_backoff.cap_ns;

	return gcra_is_idle(&e->rate, now) && gcra_is_idle(&e->opens, now) &&
	    gcra_is_idle(&e->rcpts, now) && pace_is_forgettable(&e->pace, now) &&
	    !mono_is_before(now, e->shut) &&
	    !mono_is_before(now, mono_add(e->gate, more));
}

static void
egress_sweep(struct ready *r, struct mono now)
{
	struct egress *e;

	for (int i = 0; i < EGRESS_SWEEP && r->n_spare > EGRESSES_KEPT; i++) {
		e = OWNER_OF(list_first(&r->spare), struct egress, wait.link);
		if (!egress_is_forgettable(r, e, now)) {
			list_remove(&e->wait.link);
			list_append(&r->spare, &e->wait.link);
			continue;
		}
		egress_leave(r, e);
		table_remove(&r->by_site, &e->node);
		egress_end(r, e);
	}
}

struct egress *
egress_seek(const struct ready *r, const struct handoff *h)
{
	return egress_find(r, h->site, h->source);
}

struct egress *
egress_take(struct ready *r, struct mono now, const struct handoff *h)
{
	struct egress *e = egress_find(r, h->site, h->source);

	if (e != NULL)
		return e;
	egress_sweep(r, now);
	return egress_new(r, h, egress_hash(r, h->site, h->source));
}

struct egress *
egress_of(const struct ready *r, const struct ready_connection *c)
{
	struct egress *e = slab_at(&r->egresses, c->slot);

	must(c->state != CONNECTION_CLOSED && e != NULL && e->n_out > 0);
	return e;
}

bool
egress_is_ours(const struct ready *r, const struct egress *e)
{
	return shard_owner(r->config->map, e->shard) == r->core;
}

/* After a failure one connection alone tries whether the site lives. */
unsigned
egress_permits(const struct egress *e)
{
	return e->failures > 0 && e->n_good == 0 ? 1 :
	    pace_connections(&e->pace, e->limits.connections);
}

static struct mono
mono_last(struct mono a, struct mono b)
{
	return mono_is_before(a, b) ? b : a;
}

struct mono
egress_when(const struct egress *e, struct mono now)
{
	struct mono at = gcra_when(&e->rate, &e->limits.rate, now);

	at = mono_last(at, gcra_when(&e->rcpts, &e->limits.rcpts, now));
	return mono_last(at, pace_when(&e->pace, now));
}

void
egress_spend(struct egress *e, struct mono now, uint32_t n_rcpts)
{
	bool is_paid = gcra_take(&e->rate, &e->limits.rate, now, 1) &&
	    gcra_take(&e->rcpts, &e->limits.rcpts, now, n_rcpts);

	must(is_paid && n_rcpts > 0);
	pace_begun(&e->pace, now);
	e->taken++;
}

static enum egress_place
egress_wants(const struct egress *e, struct mono now, struct mono *when)
{
	if (e->round.n == 0 && e->n_out == 0)
		return EGRESS_SPARE;
	if (e->round.n <= e->n_idle + e->n_soon ||
	    e->n_out >= egress_permits(e))
		return EGRESS_NOWHERE;
	*when = mono_last(mono_last(egress_when(e, now), e->gate),
	    gcra_when(&e->opens, &e->limits.opens, now));
	return mono_is_before(now, *when) ? EGRESS_TIMED : EGRESS_ABLE;
}

static void
egress_call(struct ready *r, struct egress *e)
{
	bool is_wanted = e->n_idle > 0 && e->round.n > e->n_soon;

	if (is_wanted && !link_is_in(&e->called))
		list_append(&r->callers, &e->called);
	else if (!is_wanted)
		list_remove(&e->called);
}

void
egress_place(struct ready *r, struct mono now, struct egress *e)
{
	struct mono when = now;
	enum egress_place place;

	if (e->round.n > e->n_idle + e->n_soon)
		pace_press(&e->pace, now, e->n_out, e->limits.connections);
	place = egress_wants(e, now, &when);
	egress_call(r, e);
	if (place == e->place && place != EGRESS_TIMED)
		return;
	egress_leave(r, e);
	e->place = place;
	switch (place) {
	case EGRESS_NOWHERE:
		break;
	case EGRESS_ABLE:
		list_append(&r->able, &e->wait.link);
		break;
	case EGRESS_TIMED:
		wheel_add(&r->timers, &e->wait, when);
		break;
	case EGRESS_SPARE:
		list_append(&r->spare, &e->wait.link);
		r->n_spare++;
		egress_sweep(r, now);
		break;
	}
}

static uint32_t
turn_quantum(const struct flow *f)
{
	return f->priority == PRIORITY_LOW ? f->weight : 4 * f->weight;
}

/* What serving it takes, in quarters of a plain message. */
static uint32_t
parcel_cost(const struct handoff *h)
{
	uint64_t cost = 4 * (1 + (uint64_t)(h->n_rcpts - 1) / 4 +
	    h->size / (64 * 1024));

	return cost < ROUND_COST_MOST ? (uint32_t)cost : ROUND_COST_MOST;
}

static struct egress_turn *
egress_turn_new(struct ready *r, struct egress *e, struct flow *f,
    uint64_t hash)
{
	uint32_t slot;
	struct egress_turn *t = slab_take(&r->turns, &slot);

	if (t == NULL)
		return NULL;
	if (table_insert(&r->by_turn, &t->node, hash) != 0) {
		slab_give(&r->turns, slot);
		return NULL;
	}
	t->slot = slot;
	t->egress = e;
	t->flow = f;
	f->refs++;
	e->n_turns++;
	turn_init(&t->turn, turn_quantum(f), f->priority == PRIORITY_URGENT);
	return t;
}

static struct egress_turn *
egress_turn_take(struct ready *r, struct egress *e, struct flow *f)
{
	uint64_t hash = hash_u64(r->names.key,
	    (uint64_t)e->slot << 32 | f->slot);
	struct table_node *k = table_find(&r->by_turn, hash);
	struct egress_turn *t;

	for (; k != NULL; k = table_again(k)) {
		t = OWNER_OF(k, struct egress_turn, node);
		if (t->egress == e && t->flow == f)
			return t;
	}
	return egress_turn_new(r, e, f, hash);
}

static void
egress_turn_give(struct ready *r, struct egress_turn *t)
{
	if (!list_is_empty(&t->turn.entries))
		return;
	must(t->egress->n_turns > 0);
	t->egress->n_turns--;
	table_remove(&r->by_turn, &t->node);
	flow_give(&r->flows, t->flow);
	slab_give(&r->turns, t->slot);
}

int
egress_admit(struct ready *r, struct egress *e, struct parcel *p)
{
	const struct handoff *h = &p->handoff;
	struct flow *f = flow_take(&r->flows, h->tenant, h->stream,
	    (enum priority)h->priority);
	struct egress_turn *t;

	if (f == NULL)
		return -1;
	t = egress_turn_take(r, e, f);
	flow_give(&r->flows, f);	/* the turn has taken its own */
	if (t == NULL)
		return -1;
	p->entry.cost = parcel_cost(h);
	round_add(&e->round, &t->turn, &p->entry);
	return 0;
}

static struct parcel *
egress_parcel(struct ready *r, struct egress *e, struct round_entry *k)
{
	if (k == NULL)
		return NULL;
	if (e->n_failing > e->round.n)
		e->n_failing = e->round.n;
	egress_turn_give(r, OWNER_OF(k->turn, struct egress_turn, turn));
	k->turn = NULL;
	return OWNER_OF(k, struct parcel, entry);
}

struct parcel *
egress_next(struct ready *r, struct egress *e)
{
	return egress_parcel(r, e, round_take(&e->round));
}

struct parcel *
egress_drop(struct ready *r, struct egress *e)
{
	return egress_parcel(r, e, round_drop(&e->round));
}

void
egress_give_back(struct ready *r, struct egress *e)
{
	struct parcel *p;

	while ((p = egress_drop(r, e)) != NULL) {
		list_append(&r->back, &p->entry.link);
		r->n_back++;
	}
}

void
egress_configure(struct ready *r, struct mono now, struct egress *e,
    const struct queue_config *c)
{
	const struct site_limits *l = queue_config_limits(c,
	    name_str(e->site));

	gcra_change(&e->rate, &e->limits.rate, &l->rate, now);
	gcra_change(&e->opens, &e->limits.opens, &l->opens, now);
	gcra_change(&e->rcpts, &e->limits.rcpts, &l->rcpts, now);
	e->limits = *l;
	if (l->is_fixed)
		e->pace = (struct pace){ 0 };
	if (!egress_is_ours(r, e))
		egress_give_back(r, e);
	egress_place(r, now, e);
}

void
egress_turns_weigh(struct ready *r)
{
	struct egress_turn *t;
	uint32_t steps = UINT32_MAX;

	for (uint32_t i = 0; (t = slab_walk(&r->turns, &i, &steps)) != NULL;
	    i++)
		t->turn.quantum = turn_quantum(t->flow);
}

void
egress_clear(struct ready *r)
{
	struct egress *e;
	uint32_t steps = UINT32_MAX;

	for (uint32_t i = 0; (e = slab_walk(&r->egresses, &i, &steps)) !=
	    NULL; i++) {
		must(e->n_out == 0);
		egress_give_back(r, e);
		table_remove(&r->by_site, &e->node);
		egress_end(r, e);
	}
}
