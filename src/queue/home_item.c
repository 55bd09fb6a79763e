#include "queue/config.h"
#include "queue/handoff.h"
#include "queue/home.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/slab.h"

struct home_item *
home_item_at(struct link *l)
{
	return OWNER_OF(l, struct home_item, wait.link);
}

struct home_item *
home_item_of(const struct queue *q, struct queue_ref ref)
{
	struct home_item *it = slab_at(&q->items, ref.slot);

	return it != NULL && it->id == ref.id ? it : NULL;
}

/* One more (or one less) item in this state. */
static void
home_item_count(struct queue *q, struct home_item *it, bool is_more)
{
	uint32_t one = is_more ? 1 : UINT32_MAX;	/* minus one */
	struct home_lane *l = it->lane;

	must(is_more || q->states[it->state] > 0);
	q->states[it->state] += is_more ? 1 : (size_t)-1;
	switch ((enum item_state)it->state) {
	case ITEM_DUE:
		l->domain->n_due += one;
		break;
	case ITEM_AWAY:
		l->n_away += one;
		l->domain->n_away += one;
		break;
	case ITEM_SCHEDULED:
	case ITEM_HELD:
	case ITEM_STATES:
		break;
	}
}

static void
home_item_become(struct queue *q, struct home_item *it, enum item_state s)
{
	home_item_count(q, it, false);
	it->state = (uint8_t)s;
	home_item_count(q, it, true);
}

void
home_item_land(struct queue *q, struct home_item *it)
{
	struct home_egress *e;

	if (it->egress == SLAB_NONE)
		return;
	e = slab_at(&q->egresses, it->egress);
	must(e != NULL && e->n_away > 0 && it->state == ITEM_AWAY);
	it->egress = SLAB_NONE;
	e->n_away--;
	home_site_settle(q, e->site);
}

/* Out of whatever place it is in; its state is for the caller to change. */
static void
home_item_leave(struct queue *q, struct home_item *it)
{
	if (it->state == ITEM_AWAY)
		home_item_land(q, it);
	list_remove(&it->wait.link);
	if (it->state == ITEM_DUE && list_is_empty(&it->lane->due))
		home_lane_close(it->lane);
}

/* Lane and domain count it, and so does where the domain goes. */
static void
home_item_join(struct queue *q, struct home_item *it)
{
	struct home_domain *d = it->lane->domain;

	home_domain_use(q, d);
	it->lane->n_items++;
	it->lane->flow->n++;
	d->n_items++;
	if (d->site != NULL)
		d->site->n_items++;
	q->n_rcpts += it->n_rcpts;
	if (it->tries > 0)
		q->n_deferred++;
	home_item_count(q, it, true);
}

static struct home_lane *
home_item_lane(struct queue *q, const struct queue_entry *e)
{
	struct home_domain *d = home_domain_take(q, e->domain);
	struct flow *f;
	struct home_lane *l;

	if (d == NULL)
		return NULL;
	f = flow_take(&q->flows, e->tenant, e->stream, e->priority);
	if (f == NULL)
		return NULL;
	l = home_lane_take(q, d, f);
	flow_give(&q->flows, f);	/* the lane has taken its own */
	return l;
}

/* What most of a site's messages were told is kept once. */
void
home_item_explain(struct queue *q, struct home_item *it, struct str reason)
{
	struct name *old = it->reason;

	reason = str_sub(reason, 0, NAME_MOST);
	it->reason = reason.n == 0 || q->reasons.memory > QUEUE_REASONS ? NULL :
	    name_take(&q->reasons, reason);
	name_give(&q->reasons, old);
}

struct home_item *
home_item_new(struct queue *q, const struct queue_entry *e)
{
	struct home_lane *l = home_item_lane(q, e);
	struct home_item *it;
	uint32_t slot;

	if (l == NULL)
		return NULL;
	it = slab_take(&q->items, &slot);
	if (it == NULL || table_insert(&q->by_id, &it->node,
	    hash_u64(q->names.key, e->id)) != 0) {
		if (it != NULL)
			slab_give(&q->items, slot);
		home_lane_give(q, l);
		return NULL;
	}
	it->id = e->id;
	it->due = e->due;
	it->arrived = e->arrived;
	it->expires = e->expires;
	it->lane = l;
	it->slot = slot;
	it->egress = SLAB_NONE;
	it->n_rcpts = e->n_rcpts;
	it->size = e->size < UINT32_MAX ? (uint32_t)e->size : UINT32_MAX;
	it->tries = e->tries < UINT16_MAX ? (uint16_t)e->tries : UINT16_MAX;
	it->is_held = e->is_held;
	it->warned = (uint8_t)(e->warned < QUEUE_WARNINGS_MOST ? e->warned :
	    QUEUE_WARNINGS_MOST);
	it->state = ITEM_SCHEDULED;
	home_item_explain(q, it, e->reason);
	home_item_join(q, it);
	return it;
}

void
home_item_end(struct queue *q, struct home_item *it)
{
	struct home_lane *l = it->lane;
	struct home_domain *d = l->domain;

	must(l->n_items > 0 && l->flow->n > 0 && d->n_items > 0);
	must(q->n_rcpts >= it->n_rcpts);
	must(it->tries == 0 || q->n_deferred > 0);
	home_item_leave(q, it);
	home_item_count(q, it, false);
	if (it->tries > 0)
		q->n_deferred--;
	q->n_rcpts -= it->n_rcpts;
	if (d->site != NULL)
		d->site->n_items--;
	d->n_items--;
	l->flow->n--;
	l->n_items--;
	name_give(&q->reasons, it->reason);
	table_remove(&q->by_id, &it->node);
	slab_give(&q->items, it->slot);
	home_lane_give(q, l);
	home_domain_give(q, d);
}

void
home_item_schedule(struct queue *q, struct home_item *it, struct mono due)
{
	home_item_leave(q, it);
	must(!link_is_in(&it->wait.link));
	home_item_become(q, it, ITEM_SCHEDULED);
	wheel_add(&q->wheel, &it->wait, due);
	it->due = it->wait.due;
}

void
home_item_hold(struct queue *q, struct home_item *it, struct mono until)
{
	home_item_leave(q, it);
	must(!link_is_in(&it->wait.link));
	home_item_become(q, it, ITEM_HELD);
	wheel_add(&q->wheel, &it->wait, until);
}

void
home_item_wake(struct queue *q, struct mono now, struct home_item *it,
    bool is_first)
{
	struct home_lane *l = it->lane;

	home_item_leave(q, it);
	home_item_become(q, it, ITEM_DUE);
	if (is_first)
		list_push(&l->due, &it->wait.link);
	else
		list_append(&l->due, &it->wait.link);
	if (home_domain_is_fresh(q, l->domain, now) &&
	    !l->domain->is_asked && !l->domain->is_failing)
		home_lane_open(q, l);
	else
		home_domain_wake(q, now, l->domain);
}

void
home_item_overdue(struct queue *q, struct home_item *it)
{
	must(it->state == ITEM_HELD);
	list_remove(&it->wait.link);
	list_append(&q->overdue, &it->wait.link);
}

static void
home_item_tell(const struct queue *q, const struct home_item *it,
    const struct home_egress *e, struct handoff *h)
{
	const struct flow *f = it->lane->flow;

	must(it->state == ITEM_AWAY && it->n_rcpts > 0);
	*h = (struct handoff){
		.ref = { it->id, it->slot },
		.home = (uint16_t)q->core, .owner = (uint16_t)q->core,
		.priority = (uint8_t)f->priority,
		.warned = it->warned,
		.n_rcpts = it->n_rcpts, .tries = it->tries, .size = it->size,
		.arrived = it->arrived, .due = it->due,
		.expires = it->expires,
		.domain = name_str(it->lane->domain->name),
		.tenant = name_str(f->tenant), .stream = name_str(f->stream),
	};
	if (e == NULL)
		return;
	h->shard = e->shard;
	h->owner = (uint16_t)shard_owner(q->config->map, e->shard);
	h->site = name_str(e->site->site);
	h->pool = name_str(e->pool);
	h->source = name_str(e->source);
}

void
home_item_send(struct queue *q, struct home_item *it, struct home_egress *e,
    struct handoff *h)
{
	must(it->state != ITEM_AWAY);
	home_item_leave(q, it);
	home_item_become(q, it, ITEM_AWAY);
	if (e != NULL) {
		it->egress = e->slot;
		e->n_away++;
		e->site->refs++;
		e->site->n_away++;
	}
	home_item_tell(q, it, e, h);
}
