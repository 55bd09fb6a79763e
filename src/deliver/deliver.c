/*
 * The dispatcher is one fiber of each core.  It wakes when the queue or the
 * ready side has something to do, when a message was admitted or settled, or a
 * connection ended; it never waits for anything else:
 *
 *	due domain   -> a fiber that finds where it leads  (destination_run)
 *	due item     -> ready side of the shard's owner     (hand_out)
 *	idle line    -> its fiber is woken
 *	ready site   -> a fiber with a new connection        (remote, local)
 *	given back   -> settled at home
 */
#include "deliver/deliver.h"

#include "base/id.h"
#include "base/must.h"
#include "deliver/delivery.h"
#include "deliver/key.h"
#include "deliver/local.h"
#include "deliver/remote.h"
#include "fiber/clock.h"
#include "fiber/core.h"

#include <stdio.h>
#include <stdlib.h>

enum { HAND_OUTS_A_TURN = 256, ADMIT_MEMORY = 1024 * 1024, BURST = 1 };

/* ---- configuration ---- */

static void
retry_set(struct retry *r, const struct config *c)
{
	r->n = c->outbound.retry.n < RETRY_INTERVALS ? c->outbound.retry.n :
	    RETRY_INTERVALS;
	for (size_t i = 0; i < r->n; i++)
		r->interval_ns[i] = c->outbound.retry.v[i];
}

/* What does not answer is left alone no longer than a message of its own would
 * wait, and no shorter than its first interval. */
static void
backoff_set(struct backoff *b, const struct retry *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->interval_ns[i] < b->first_ns)
			b->first_ns = r->interval_ns[i];
		if (i == 0 || r->interval_ns[i] > b->cap_ns)
			b->cap_ns = r->interval_ns[i];
	}
}

static struct site_rule *
local_rule_make(struct deliver *d)
{
	struct site_rule *r = calloc(1, sizeof *r);

	if (r != NULL)
		*r = (struct site_rule){ str_of(d->local_site),
			{ .connections = 16 } };
	return r;
}

static void
queue_config_free(struct queue_config *q)
{
	if (q == NULL)
		return;
	free((void *)(uintptr_t)q->rules);
	free(q);
}

static struct queue_config *
queue_config_make(struct deliver *d, const struct config *c,
    const struct shard_map *map, struct hash_key key)
{
	struct queue_config *q = calloc(1, sizeof *q);

	if (q == NULL)
		return NULL;
	*q = queue_config_default();
	q->map = map;
	q->key = key;
	retry_set(&q->retry, c);
	backoff_set(&q->site_backoff, &q->retry);
	q->domain_backoff = q->site_backoff;
	q->warn_ns = c->outbound.delay_warning;
	q->hold_most_ns = c->outbound.hold;
	q->items_most = c->limits.queue;
	q->limits = (struct site_limits){
		.connections = (unsigned)c->outbound.connections,
		.per_connection = (unsigned)c->outbound.per_connection,
		.rate = { c->outbound.rate.n, c->outbound.rate.per_ns, BURST } };
	q->rules = local_rule_make(d);
	q->n_rules = q->rules == NULL ? 0 : 1;
	must(queue_config_is_sane(q));
	return q;
}

/* A site's key decides which core owns it; mailboxes are every core's own. */
static void
local_site_name(struct deliver *d, const struct shard_map *map)
{
	for (unsigned i = 0;; i++) {
		snprintf(d->local_site, sizeof d->local_site, "local %u", i);
		if (shard_owner(map, shard_of(STR("local"),
		    str_of(d->local_site))) == d->core)
			return;
	}
}

void
deliver_reload(struct deliver *d)
{
	struct queue_config *q = queue_config_make(d, config_now(d->holder),
	    d->queue_config->map, d->queue_config->key);
	struct mono now = clock_mono();

	if (q == NULL)
		return;			/* the old schedule serves on */
	queue_configure(d->queue, q);
	ready_configure(d->ready, now, q);
	queue_config_free(d->queue_config);
	d->queue_config = q;
	site_cache_forget(d->sites);
	for (struct link *k = list_first(&d->connections); k != NULL;
	    k = list_next(&d->connections, k)) {
		struct connection *c = OWNER_OF(k, struct connection, link);

		if (c->is_idle)
			fiber_wake(c->fiber);
	}
	fiber_wake(d->dispatcher);
}

/* ---- life ---- */

static int
deliver_fill(struct deliver *d, const struct deliver_setup *s)
{
	local_site_name(d, s->map);
	d->queue_config = queue_config_make(d, config_now(s->holder), s->map,
	    s->key);
	if (d->queue_config == NULL)
		return -1;
	d->queue = queue_open(s->core, d->queue_config);
	d->ready = ready_open(s->core, d->queue_config);
	d->sites = site_cache_open();
	return d->queue == NULL || d->ready == NULL || d->sites == NULL ? -1 : 0;
}

struct deliver *
deliver_open(const struct deliver_setup *s)
{
	struct deliver *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	d->core = s->core;
	d->cores = s->cores;
	d->intake = s->intake;
	d->holder = s->holder;
	d->porter_fd = s->porter_fd;
	d->own_uid = s->own_uid;
	d->own_gid = s->own_gid;
	list_init(&d->connections);
	if (deliver_fill(d, s) == 0)
		return d;
	deliver_close(d);
	return NULL;
}

void
deliver_close(struct deliver *d)
{
	must(list_is_empty(&d->connections));
	ready_close(d->ready);
	queue_close(d->queue);
	if (d->sites != NULL)
		site_cache_close(d->sites);
	queue_config_free(d->queue_config);
	free(d);
}

struct spool *
deliver_spool(const struct deliver *d, uint64_t id)
{
	return d->spools[id_spool(id)];
}

/* ---- admission ---- */

static struct mono
mono_of(struct wall w)
{
	int64_t ago_us = clock_wall().us - w.us;

	if (ago_us > INT64_MAX / 2 / NS_PER_US)
		ago_us = INT64_MAX / 2 / NS_PER_US;
	if (ago_us < -(INT64_MAX / 2 / NS_PER_US))
		ago_us = -(INT64_MAX / 2 / NS_PER_US);
	return mono_add(clock_mono(), -ago_us * NS_PER_US);
}

static struct mono
expiry_of(const struct deliver_entry *e, const struct config *c)
{
	int64_t age = e->sender.n == 0 ? c->outbound.bounce_expire :
	    c->outbound.expire;

	return e->expires.us != 0 ? mono_of(e->expires) :
	    mono_add(mono_of(e->arrived), age);
}

struct group {
	struct table_node node;
	struct str key;
	uint32_t n;
};

static struct group *
group_of(struct table *t, struct hash_key hk, struct str key, struct arena *a)
{
	uint64_t hash = hash_bytes(hk, key);
	struct table_node *k = table_find(t, hash);
	struct group *g;

	for (; k != NULL; k = table_again(k)) {
		g = OWNER_OF(k, struct group, node);
		if (str_eq(g->key, key))
			return g;
	}
	g = arena_new(a, struct group);
	if (g == NULL || table_insert(t, &g->node, hash) != 0)
		return NULL;
	g->key = key;
	return g;
}

static int
group_admit(struct deliver *d, const struct deliver_entry *e,
    const struct group *g, const struct config *c)
{
	struct queue_entry q = { .id = e->id, .domain = g->key,
		.tenant = e->tenant.n > 0 ? e->tenant : STR("default"),
		.stream = e->stream.n > 0 ? e->stream : STR("default"),
		.priority = PRIORITY_NORMAL, .n_rcpts = g->n, .size = e->size,
		.arrived = mono_of(e->arrived),
		.due = e->due.us == 0 ? clock_mono() : mono_of(e->due),
		.expires = expiry_of(e, c), .tries = e->tries,
		.is_held = e->is_held };

	return queue_admit(d->queue, clock_mono(), &q);
}

static int
groups_make(struct deliver *d, const struct deliver_entry *e,
    const struct config *c, struct table *t, struct arena *a)
{
	for (size_t i = 0; i < e->n; i++) {
		struct str key = key_make(c, e->sender, e->addresses[i], a);
		struct group *g = key.p == NULL ? NULL :
		    group_of(t, d->queue_config->key, key, a);

		if (g == NULL)
			return err_set("no memory to queue a message");
		g->n++;
	}
	return 0;
}

int
deliver_admit(struct deliver *d, const struct deliver_entry *e)
{
	const struct config *c = config_now(d->holder);
	struct table groups = { 0 };
	struct table_walk walk = { 0 };
	struct table_node *k;
	struct arena a;
	int rc;

	arena_init(&a, ADMIT_MEMORY + e->n * 512);
	rc = groups_make(d, e, c, &groups, &a);
	while (rc == 0 && (k = table_walk(&groups, &walk)) != NULL)
		rc = group_admit(d, e, OWNER_OF(k, struct group, node), c);
	table_clear(&groups);
	arena_clear(&a);
	fiber_wake(d->dispatcher);
	return rc;
}

/* ---- finding where a domain leads ---- */

struct destination {
	struct deliver *deliver;
	size_t n;
	char key[KEY_MOST + 1];
};

static yields void
destination_fail(struct deliver *d, struct str key, const struct verdict *v)
{
	struct handoff h;

	queue_domain_failed(d->queue, clock_mono(), key,
	    v->disposition == FAILED);
	while (queue_failed_next(d->queue, clock_mono(), key, &h))
		handoff_fail(d, &h, v, STR_NONE);
}

static int64_t
fresh_for(const struct site *s)
{
	int64_t left = s->fresh_until.ns - clock_mono().ns;

	return left > NS_PER_SECOND ? left : NS_PER_SECOND;
}

static void
destination_found(struct deliver *d, struct str key, struct str site,
    struct str source, int64_t fresh_ns)
{
	struct queue_route r = { .site = site, .pool = STR_NONE,
		.source = source, .fresh_ns = fresh_ns };

	(void)queue_domain_resolved(d->queue, clock_mono(), key, &r);
}

/* A key holds at most 255 octets: a long MX set is told by its hash. */
static struct str
site_key(const struct site *s, struct hash_key hk, struct arena *a)
{
	if (s->key.n <= KEY_MOST)
		return s->key;
	return arena_printf(a, STR_FMT "... %016llx",
	    STR_ARG(str_sub(s->key, 0, 200)),
	    (unsigned long long)hash_bytes(hk, s->key));
}

static yields void
destination_by_mx(struct deliver *d, struct str key, struct str domain,
    const struct config *conf, struct arena *a)
{
	struct site_policy p;
	const struct site *s;
	struct verdict v = verdict_make(DEFERRED, 451, "4.3.0", "no memory");

	site_policy_make(&p, conf, (uint16_t)conf->outbound.port);
	s = site_find(d->sites, domain, false, &p,
	    mono_add(clock_mono(), conf->timeouts.dns));
	if (s == NULL)
		destination_fail(d, key, &v);
	else if (s->verdict.disposition == DELIVERED)
		destination_found(d, key, site_key(s, d->queue_config->key, a),
		    STR("default"), fresh_for(s));
	else {
		v = s->verdict;
		destination_fail(d, key, &v);
	}
	if (s != NULL)
		site_drop(s);
}

static yields void
destination_find(struct deliver *d, struct str key, const struct config *conf,
    struct arena *a)
{
	struct route r = key_route(conf, key, a);
	int64_t while_configured = 3600 * NS_PER_SECOND;

	if (r.kind == ROUTE_RELAY_HOST && !r.relay->by_mx)
		destination_found(d, key, str_sub(arena_join(a, STR("relay: "),
		    r.relay->text), 0, KEY_MOST), STR("default"),
		    while_configured);
	else if (r.kind == ROUTE_RELAY_MX || r.kind == ROUTE_RELAY_HOST)
		destination_by_mx(d, key, r.domain, conf, a);
	else
		destination_found(d, key, str_of(d->local_site), STR("local"),
		    while_configured);
}

static yields void
destination_run(void *arg)
{
	struct destination *t = arg;
	struct deliver *d = t->deliver;
	struct config *conf = config_pin(d->holder);
	struct arena a;

	arena_init(&a, 32 * 1024);
	destination_find(d, (struct str){ t->key, t->n }, conf, &a);
	arena_clear(&a);
	config_unpin(d->holder, conf);
	free(t);
	fiber_wake(d->dispatcher);
}

static void
destination_start(struct deliver *d, struct str key)
{
	struct destination *t = calloc(1, sizeof *t);
	struct handoff h;

	must(key.n <= KEY_MOST);
	if (t != NULL) {
		t->deliver = d;
		t->n = key.n;
		memcpy(t->key, key.p, key.n);
		if (fiber_go("destination", destination_run, t) == 0)
			return;
		free(t);
	}
	/* No memory: as if DNS had trouble, with its back-off. */
	queue_domain_failed(d->queue, clock_mono(), key, false);
	while (queue_failed_next(d->queue, clock_mono(), key, &h))
		(void)queue_settle(d->queue, clock_mono(), h.ref,
		    (struct queue_result){ .end = QUEUE_PUT_OFF });
}

/* ---- handing out ---- */

struct handing {
	struct deliver *owner;
	struct handoff handoff;
	enum queue_duty duty;		/* of what is overdue */
};

static yields void
handing_run(void *arg)
{
	struct handing *g = arg;

	if (g->owner->is_stopping ||
	    ready_admit(g->owner->ready, clock_mono(), &g->handoff) != 0)
		handoff_return(g->owner, &g->handoff, QUEUE_PUT_OFF);
	fiber_wake(g->owner->dispatcher);
	free(g);
}

static yields void
hand_over(struct deliver *d, const struct handoff *h)
{
	struct handing *g;

	if (h->owner == d->core) {
		if (ready_admit(d->ready, clock_mono(), h) != 0)
			handoff_return(d, h, QUEUE_PUT_OFF);
		return;
	}
	g = calloc(1, sizeof *g);
	if (g != NULL) {
		*g = (struct handing){ d->cores[h->owner], *h, DUTY_NONE };
		if (core_post(h->owner, handing_run, g) == 0)
			return;
		free(g);
	}
	handoff_return(d, h, QUEUE_PUT_OFF);
}

static yields bool
hand_out_some(struct deliver *d)
{
	struct handoff h;
	unsigned n = 0;

	while (n < HAND_OUTS_A_TURN &&
	    queue_hand_out(d->queue, clock_mono(), &h)) {
		hand_over(d, &h);
		n++;
	}
	return n > 0;
}

/* ---- what was held for too long ---- */

static yields void
overdue_run(void *arg)
{
	struct handing *g = arg;

	handoff_end(g->owner, &g->handoff, g->duty);
	free(g);
}

static void
overdue_end(struct deliver *d)
{
	struct handoff h;
	enum queue_duty duty;

	while (queue_overdue(d->queue, clock_mono(), &h, &duty)) {
		struct handing *g = calloc(1, sizeof *g);

		if (g != NULL)
			*g = (struct handing){ d, h, duty };
		if (g == NULL || fiber_go("overdue", overdue_run, g) != 0) {
			free(g);
			(void)queue_settle(d->queue, clock_mono(), h.ref,
			    (struct queue_result){ .end = QUEUE_PUT_OFF });
		}
	}
}

/* ---- connections ---- */

static void
connection_start(struct deliver *d, struct connection *c)
{
	bool is_local = str_eq(c->ready.source, STR("local"));

	c->deliver = d;
	list_append(&d->connections, &c->link);
	d->counts.connections += !is_local;
	if (fiber_go(is_local ? "local" : "remote",
	    is_local ? local_run : remote_run, c) == 0)
		return;
	d->counts.connections -= !is_local;
	list_remove(&c->link);
	ready_closed(d->ready, clock_mono(), &c->ready);
	free(c);
}

static bool
has_permit(const struct deliver *d)
{
	const struct config *c = config_now(d->holder);

	return c->outbound.connections_total == 0 || d->counts.connections <
	    c->outbound.connections_total;
}

static void
connections_start(struct deliver *d)
{
	while (has_permit(d)) {
		struct connection *c = calloc(1, sizeof *c);

		if (c == NULL ||
		    !ready_next_site(d->ready, clock_mono(), &c->ready)) {
			free(c);
			return;
		}
		connection_start(d, c);
	}
}

static void
idle_wake(struct deliver *d)
{
	struct ready_connection *r;

	while ((r = ready_next_idle(d->ready, clock_mono())) != NULL)
		fiber_wake(OWNER_OF(r, struct connection, ready)->fiber);
}

static yields void
given_back_settle(struct deliver *d)
{
	struct handoff h;

	while (ready_give_back(d->ready, &h))
		handoff_return(d, &h, QUEUE_RETURNED);
}

/* ---- the dispatcher ---- */

static yields void
dispatch(struct deliver *d)
{
	struct str key;
	bool again;

	do {
		while (queue_due_domain(d->queue, clock_mono(), &key))
			destination_start(d, key);
		overdue_end(d);
		again = hand_out_some(d);
		given_back_settle(d);
		idle_wake(d);
		connections_start(d);
	} while (again);
}

yields void
deliver_run(void *arg)
{
	struct deliver *d = arg;

	d->dispatcher = fiber_self();
	while (!d->is_stopping) {
		struct mono next;

		dispatch(d);
		next = queue_next_at(d->queue);
		/* Without a permit whoever gives one back wakes us. */
		if (has_permit(d))
			next = mono_first(next, ready_next_at(d->ready));
		(void)fiber_park(next);
	}
	d->dispatcher = NULL;
	fiber_wake(d->stopper);
}

static void
connections_wake(struct deliver *d)
{
	for (struct link *k = list_first(&d->connections); k != NULL;
	    k = list_next(&d->connections, k)) {
		struct connection *c = OWNER_OF(k, struct connection, link);

		if (c->is_idle)
			fiber_wake(c->fiber);
	}
}

yields void
deliver_stop(struct deliver *d, struct mono deadline)
{
	d->is_stopping = true;
	d->stopper = fiber_self();
	fiber_wake(d->dispatcher);
	connections_wake(d);
	while ((d->dispatcher != NULL || !list_is_empty(&d->connections)) &&
	    fiber_park(deadline) == 0)
		;
	d->stopper = NULL;
}
