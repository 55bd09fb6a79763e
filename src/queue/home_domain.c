#include "queue/backoff.h"
#include "queue/home.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/slab.h"

static struct home_domain *
home_domain_seek(const struct queue *q, struct str name, uint64_t hash)
{
	struct table_node *k = table_find(&q->by_domain, hash);
	struct home_domain *d;

	for (; k != NULL; k = table_again(k)) {
		d = OWNER_OF(k, struct home_domain, node);
		if (str_eq(name_str(d->name), name))
			return d;
	}
	return NULL;
}

static struct home_domain *
home_domain_find(const struct queue *q, struct str name)
{
	return home_domain_seek(q, name, hash_bytes(q->names.key, name));
}

static void
home_domain_rest(struct queue *q, struct home_domain *d)
{
	list_remove(&d->wait.link);
	list_append(&q->idle, &d->wait.link);
	d->is_idle = true;
	q->n_idle++;
}

void
home_domain_use(struct queue *q, struct home_domain *d)
{
	if (!d->is_idle)
		return;
	list_remove(&d->wait.link);
	d->is_idle = false;
	q->n_idle--;
}

static struct home_domain *
home_domain_new(struct queue *q, struct str name, uint64_t hash)
{
	uint32_t slot;
	struct home_domain *d = slab_take(&q->domains, &slot);

	if (d == NULL)
		return NULL;
	d->slot = slot;
	list_init(&d->lanes);
	list_init(&d->failing);
	d->name = name_take(&q->names, name);
	if (d->name == NULL ||
	    table_insert(&q->by_domain, &d->node, hash) != 0) {
		name_give(&q->names, d->name);
		slab_give(&q->domains, slot);
		return NULL;
	}
	home_domain_rest(q, d);
	return d;
}

struct home_domain *
home_domain_take(struct queue *q, struct str name)
{
	uint64_t hash = hash_bytes(q->names.key, name);
	struct home_domain *d = home_domain_seek(q, name, hash);

	return d != NULL ? d : home_domain_new(q, name, hash);
}

static void
home_domain_end(struct queue *q, struct home_domain *d)
{
	must(d->n_items == 0 && list_is_empty(&d->lanes) && d->is_idle);
	home_domain_use(q, d);
	if (d->site != NULL) {
		d->site->n_domains--;
		home_site_give(q, d->site);
	}
	table_remove(&q->by_domain, &d->node);
	name_give(&q->names, d->name);
	slab_give(&q->domains, d->slot);
}

/* It rests as the youngest of the idle; the oldest of too many ends. */
void
home_domain_give(struct queue *q, struct home_domain *d)
{
	if (d->n_items > 0 || d->is_asked || d->is_failing || d->is_idle)
		return;
	must(d->n_due == 0 && d->n_away == 0);
	home_domain_rest(q, d);
	if (q->n_idle > DOMAINS_KEPT)
		home_domain_end(q, OWNER_OF(list_first(&q->idle),
		    struct home_domain, wait.link));
}

/* For the end of the queue, when no items are left. */
void
home_domain_clear(struct queue *q)
{
	struct home_domain *d;
	uint32_t steps = UINT32_MAX;

	for (uint32_t i = 0; (d = slab_walk(&q->domains, &i, &steps)) != NULL;
	    i++) {
		d->is_asked = d->is_failing = false;
		home_domain_give(q, d);
	}
	while (!list_is_empty(&q->idle))
		home_domain_end(q, OWNER_OF(list_first(&q->idle),
		    struct home_domain, wait.link));
}

bool
home_domain_is_fresh(const struct queue *q, const struct home_domain *d,
    struct mono now)
{
	return d->site != NULL && d->epoch == q->epoch &&
	    mono_is_before(now, d->fresh_until);
}

static void
home_domain_open(struct queue *q, struct home_domain *d)
{
	struct link *l = list_first(&d->lanes);

	for (; l != NULL; l = list_next(&d->lanes, l))
		home_lane_open(q, OWNER_OF(l, struct home_lane, in_domain));
}

void
home_domain_wake(struct queue *q, struct mono now, struct home_domain *d)
{
	if (d->is_asked || d->is_failing || d->n_due == 0)
		return;
	if (home_domain_is_fresh(q, d, now))
		home_domain_open(q, d);
	else if (link_is_in(&d->wait.link))
		return;
	else if (mono_is_before(now, d->gate))
		wheel_add(&q->gates, &d->wait, d->gate);
	else
		list_append(&q->asks, &d->wait.link);
}

/* Whatever trouble it had, it is to be tried now. */
void
home_domain_lift(struct queue *q, struct mono now, struct home_domain *d)
{
	if (!mono_is_before(now, d->gate))
		return;
	d->gate = now;
	if (!d->is_idle)
		list_remove(&d->wait.link);
	home_domain_wake(q, now, d);
}

void
home_domain_move(struct queue *q, struct mono now, uint32_t steps)
{
	struct wheel_entry *e;

	while ((e = wheel_pop(&q->gates, now, &steps)) != NULL)
		home_domain_wake(q, now,
		    OWNER_OF(e, struct home_domain, wait));
}

bool
queue_due_domain(struct queue *q, struct mono now, struct str *domain)
{
	struct home_domain *d;
	struct link *l;

	queue_move(q, now, MOVE_STEPS);
	while ((l = list_pop(&q->asks)) != NULL) {
		d = OWNER_OF(l, struct home_domain, wait.link);
		if (d->n_due == 0)
			continue;
		d->is_asked = true;
		*domain = name_str(d->name);
		return true;
	}
	return false;
}

static void
home_domain_leave_site(struct queue *q, struct home_domain *d)
{
	struct link *l = list_first(&d->lanes);

	for (; l != NULL; l = list_next(&d->lanes, l))
		home_lane_close(OWNER_OF(l, struct home_lane, in_domain));
	if (d->site == NULL)
		return;
	must(d->site->n_domains > 0 && d->site->n_items >= d->n_items);
	d->site->n_domains--;
	d->site->n_items -= d->n_items;
	home_site_give(q, d->site);
	d->site = NULL;
}

static struct home_domain *
home_domain_asked(struct queue *q, struct str name)
{
	struct home_domain *d = home_domain_find(q, name);

	must(d != NULL && d->is_asked);
	d->is_asked = false;
	return d;
}

static void
home_domain_back_off(struct queue *q, struct mono now, struct home_domain *d)
{
	if (d->failures < UINT16_MAX)
		d->failures++;
	d->gate = mono_add(now, backoff_wait(&q->config->domain_backoff,
	    d->failures, d->node.hash));
}

int
queue_domain_resolved(struct queue *q, struct mono now, struct str name,
    const struct queue_route *r)
{
	struct home_domain *d = home_domain_asked(q, name);
	struct home_site *s = home_site_take(q, r);

	home_domain_leave_site(q, d);
	if (s == NULL) {
		home_domain_back_off(q, now, d);
	} else {
		d->site = s;
		s->n_domains++;
		s->n_items += d->n_items;
		d->failures = 0;
		d->gate = now;
		d->epoch = q->epoch;
		d->fresh_until = mono_add(now, r->fresh_ns > FRESH_LEAST_NS ?
		    r->fresh_ns : FRESH_LEAST_NS);
	}
	home_domain_wake(q, now, d);
	home_domain_give(q, d);
	return s == NULL ? -1 : 0;
}

void
queue_domain_failed(struct queue *q, struct mono now, struct str name,
    bool for_good)
{
	struct home_domain *d = home_domain_asked(q, name);
	struct home_lane *lane;
	struct link *l;

	home_domain_leave_site(q, d);
	d->is_failing = true;
	d->gate = now;
	if (for_good)
		d->failures = 0;
	else
		home_domain_back_off(q, now, d);
	for (l = list_first(&d->lanes); l != NULL;
	    l = list_next(&d->lanes, l)) {
		lane = OWNER_OF(l, struct home_lane, in_domain);
		list_take_all(&d->failing, &lane->due);
	}
}

bool
queue_failed_next(struct queue *q, struct mono now, struct str name,
    struct handoff *h)
{
	struct home_domain *d = home_domain_find(q, name);
	struct link *l;

	must(d != NULL && d->is_failing);
	l = list_first(&d->failing);
	if (l != NULL) {
		home_item_send(q, home_item_at(l), NULL, h);
		return true;
	}
	d->is_failing = false;
	home_domain_wake(q, now, d);
	home_domain_give(q, d);
	return false;
}
