/*
 * The dispatcher is one fiber of each core.  It wakes when the queue or the
 * ready side has something to do, when a message was admitted or settled, or a
 * connection ended; it never waits for anything else:
 *
 *	due domain   -> a fiber that finds where it leads  (destination)
 *	due item     -> ready side of the shard's owner     (hand_out)
 *	held too long-> a fiber that ends it                (overdue)
 *	idle line    -> its fiber is woken
 *	ready site   -> a fiber with a new connection       (remote, local)
 *	given back   -> settled at home
 *
 * STATE     function         what is true
 * OPEN      deliver_open     the queue takes arrivals, nothing is tried
 * RUNNING   deliver_run      the dispatcher works
 * STOPPING  deliver_stop     nothing new begins; what waits here for others is
 *                            given back; what is under way ends
 * IDLE      deliver_is_idle  no item is away, no fiber has a pointer to us
 */
#include "deliver/deliver.h"

#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "deliver/connection.h"
#include "deliver/delivery.h"
#include "deliver/destination.h"
#include "deliver/peer_policy.h"
#include "deliver/pools.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "policy/shaping.h"
#include "policy/unit.h"
#include "queue/config.h"
#include "queue/handoff.h"
#include "queue/view.h"

#include <stdio.h>
#include <stdlib.h>

enum { HAND_OUTS_A_TURN = 256, HANDING = 32, LOCALS = 16, OVERDUE_MOST = 16,
	BURST = 1, PROVIDER_NAME = 96 };

/* How long to wait, when all of something we may have is in use, before looking
 * again; whoever gives back wakes us anyway. */
#define LIMITED_NS NS_PER_SECOND
/* How often policies of other domains are looked through. */
#define TEND_NS (3600 * NS_PER_SECOND)
/* For those whose patience was taken back. */
#define HURRY_NS (2 * NS_PER_SECOND)

/* ---- configuration ---- */

static void
retry_set(struct retry *r, const struct config *c)
{
	r->n = c->outbound.retry.n < RETRY_INTERVALS ? c->outbound.retry.n :
	    RETRY_INTERVALS;
	for (size_t i = 0; i < r->n; i++)
		r->interval_ns[i] = c->outbound.retry.v[i];
}

static struct gcra_limit
rate_limit(struct rate r)
{
	return (struct gcra_limit){ r.n, r.per_ns, BURST };
}

static void
limits_make(struct site_limits *l, const struct config *c)
{
	*l = (struct site_limits){
		.connections = (unsigned)c->outbound.connections,
		.per_connection = (unsigned)c->outbound.per_connection,
		.recipients = (unsigned)c->outbound.recipients,
		.rate = rate_limit(c->outbound.rate),
		.opens = rate_limit(c->outbound.connection_rate),
		.rcpts = rate_limit(c->outbound.recipient_rate),
		.is_fixed = c->outbound.adapt == ANSWER_NO };
}

/* What a provider says stands above. */
static void
limits_shape(struct site_limits *l, const struct provider *p)
{
	if (p->connections > 0)
		l->connections = (unsigned)p->connections;
	if (p->per_connection > 0)
		l->per_connection = (unsigned)p->per_connection;
	if (p->recipients > 0)
		l->recipients = (unsigned)p->recipients;
	if (p->rate.n > 0)
		l->rate = rate_limit(p->rate);
	if (p->connection_rate.n > 0)
		l->opens = rate_limit(p->connection_rate);
	if (p->recipient_rate.n > 0)
		l->rcpts = rate_limit(p->recipient_rate);
}

/* The names are copies behind the rules: the configuration may go first. */
static void
provider_rules_make(struct site_rule *r, const struct config *c,
    const struct site_limits *usual, char *names)
{
	for (size_t i = 0; i < c->n_providers; i++) {
		struct buf b = { .p = names + i * PROVIDER_NAME,
			.cap = PROVIDER_NAME };

		buf_printf(&b, PROVIDER_SITE STR_FMT,
		    STR_ARG(c->providers[i].name));
		must(!b.full);
		r[i] = (struct site_rule){ buf_str(&b), true, *usual };
		limits_shape(&r[i].limits, &c->providers[i]);
	}
}

static struct site_rule *
rules_make(struct deliver *d, const struct config *c,
    const struct site_limits *usual)
{
	size_t n = 2 + c->n_providers;
	struct site_rule *r = calloc(n, sizeof *r + PROVIDER_NAME);
	uint64_t share = (c->deliver.pipes + d->n_cores - 1) / d->n_cores;

	if (r == NULL)
		return NULL;
	provider_rules_make(r + 2, c, usual, (char *)(r + n));
	r[0] = (struct site_rule){ str_of(d->local_site), false,
		{ .connections = LOCALS, .is_fixed = true } };
	r[1] = (struct site_rule){ str_of(d->pipe_site), false,
		{ .connections = (unsigned)share, .is_fixed = true } };
	return r;
}

static void
queue_config_free(struct queue_config *q)
{
	if (q == NULL)
		return;
	pools_free(q);
	free((void *)(uintptr_t)q->rules);
	free(q);
}

static void
warnings_set(struct queue_config *q, const struct conf_durations *after)
{
	must(after->n <= QUEUE_WARNINGS_MOST);
	q->n_warnings = 0;
	for (size_t i = 0; i < after->n; i++)
		if (after->v[i] > 0)	/* "none" is one of nothing */
			q->warn_ns[q->n_warnings++] = after->v[i];
}

/* limits.queue is kept at the door (intake): who was told 250 is queued. */
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
	warnings_set(q, &c->reports.delay_warning);
	q->hold_most_ns = c->outbound.hold;
	q->items_most = QUEUE_ITEMS_MOST;
	limits_make(&q->limits, c);
	if (shaping_default(c) != NULL)
		limits_shape(&q->limits, shaping_default(c));
	q->rules = rules_make(d, c, &q->limits);
	if (q->rules == NULL || pools_make(q, c) != 0) {
		queue_config_free(q);
		return NULL;
	}
	q->n_rules = 2 + c->n_providers;
	must(queue_config_is_sane(q));
	return q;
}

/* A site's key decides which core owns it; mailboxes are every core's own. */
static void
local_site_name(const struct deliver *d, const struct shard_map *map,
    const char *kind, char name[static LOCAL_SITE_MOST])
{
	for (unsigned i = 0;; i++) {
		snprintf(name, LOCAL_SITE_MOST, "%s %u", kind, i);
		if (shard_owner(map, shard_of(STR(LOCAL_SOURCE),
		    str_of(name))) == d->core)
			return;
	}
}

int
deliver_prepare(struct deliver *d, const struct config *c)
{
	must(d->queue_config_next == NULL);
	d->queue_config_next = queue_config_make(d, c, d->queue_config->map,
	    d->queue_config->key);
	return d->queue_config_next == NULL ?
	    err_set("no memory for the queue's configuration") : 0;
}

void
deliver_leave(struct deliver *d)
{
	queue_config_free(d->queue_config_next);
	d->queue_config_next = NULL;
}

void
deliver_adopt(struct deliver *d)
{
	struct queue_config *q = d->queue_config_next;
	struct mono now = clock_mono();

	must(q != NULL && q->map == d->queue_config->map);
	d->queue_config_next = NULL;
	queue_configure(d->queue, q);
	ready_configure(d->ready, now, q);
	ready_configure(d->mailboxes, now, q);
	queue_config_free(d->queue_config);
	d->queue_config = q;
	site_cache_forget(d->sites);
	connections_wake(d);
	deliver_wake(d);
}

/* ---- life ---- */

static int
deliver_fill(struct deliver *d, const struct deliver_setup *s)
{
	local_site_name(d, s->map, "local", d->local_site);
	local_site_name(d, s->map, "pipe", d->pipe_site);
	d->queue_config = queue_config_make(d, config_now(s->holder), s->map,
	    s->key);
	if (d->queue_config == NULL)
		return -1;
	d->queue = queue_open(s->core, d->queue_config);
	d->ready = ready_open(s->core, d->queue_config);
	d->mailboxes = ready_open(s->core, d->queue_config);
	d->sites = site_cache_open();
	d->policies = sts_open();
	d->sentinel = calloc(1, sizeof *d->sentinel);
	return d->queue == NULL || d->ready == NULL || d->mailboxes == NULL ||
	    d->sites == NULL || d->policies == NULL ||
	    d->sentinel == NULL ? -1 : 0;
}

struct deliver *
deliver_open(const struct deliver_setup *s)
{
	struct deliver *d = calloc(1, sizeof *d);

	must(s->core < s->n_cores && s->n_cores <= CORES_MOST);
	if (d == NULL)
		return NULL;
	d->core = s->core;
	d->n_cores = s->n_cores;
	d->cores = s->cores;
	d->intake = s->intake;
	d->holder = s->holder;
	d->porter_fd = s->porter_fd;
	d->login = s->login;
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
	must(list_is_empty(&d->connections) && d->dispatcher == NULL);
	must(d->n_finding == 0 && d->n_overdue == 0 && d->n_guests == 0);
	ready_close(d->ready);
	ready_close(d->mailboxes);
	queue_close(d->queue);
	if (d->sites != NULL)
		site_cache_close(d->sites);
	sts_close(d->policies);
	queue_config_free(d->queue_config);
	queue_config_free(d->queue_config_next);
	free(d->spare);
	free(d->sentinel);
	free(d);
}

struct spool *
deliver_spool(const struct deliver *d, uint64_t id)
{
	return d->spools[id_spool(id)];
}

void
deliver_wake(struct deliver *d)
{
	fiber_wake(d->dispatcher);
	fiber_wake(d->stopper);
}

/* ---- handing out ---- */

/* Items on their way to another core's ready side. */
struct handing {
	struct deliver *owner;
	size_t n;
	struct handoff list[HANDING];
};

/* A message for this core to deliver. */
static yields void
ready_receive(struct deliver *d, struct ready *r, const struct handoff *h)
{
	struct mono now = clock_mono(), shut = ready_shut_until(r, now, h);
	struct verdict v;

	if (shut.ns > 0) {
		v = verdict_make(DEFERRED, 0, "4.4.4", "the source " STR_FMT
		    " does not get to " STR_FMT, STR_ARG(h->source),
		    STR_ARG(h->site));
		handoff_divert(d, h, shut, &v, STR_NONE);
	} else if (ready_admit(r, now, h) != 0) {
		handoff_return(d, h, QUEUE_PUT_OFF);
	}
}

static yields void
handing_run(void *arg)
{
	struct handing *g = arg;
	struct deliver *d = g->owner;

	must(d->core == core_index() && g->n > 0 && g->n <= HANDING);
	d->n_guests++;
	for (size_t i = 0; i < g->n; i++)
		if (d->is_stopping)
			handoff_return(d, &g->list[i], QUEUE_PUT_OFF);
		else
			ready_receive(d, d->ready, &g->list[i]);
	free(g);
	must(d->n_guests > 0);
	d->n_guests--;
	deliver_wake(d);
}

static yields void
handing_send(struct deliver *d, unsigned owner)
{
	struct handing *g = d->handings[owner];

	if (g == NULL)
		return;
	d->handings[owner] = NULL;
	if (core_post(owner, handing_run, g) == 0)
		return;
	for (size_t i = 0; i < g->n; i++)
		handoff_return(d, &g->list[i], QUEUE_PUT_OFF);
	free(g);
}

static yields void
hand_abroad(struct deliver *d, const struct handoff *h)
{
	struct handing *g = d->handings[h->owner];

	must(h->owner < d->n_cores);
	if (g == NULL) {
		g = d->handings[h->owner] = malloc(sizeof *g);
		if (g == NULL) {
			handoff_return(d, h, QUEUE_PUT_OFF);
			return;
		}
		g->owner = d->cores[h->owner];
		g->n = 0;
	}
	g->list[g->n++] = *h;
	if (g->n == HANDING)
		handing_send(d, h->owner);
}

static yields void
hand_over(struct deliver *d, const struct handoff *h)
{
	bool is_local = str_eq(h->source, STR(LOCAL_SOURCE));

	must(h->home == d->core && (!is_local || h->owner == d->core));
	if (h->owner != d->core)
		hand_abroad(d, h);
	else
		ready_receive(d, is_local ? d->mailboxes : d->ready, h);
}

/* True: there is more. */
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
	for (unsigned i = 0; i < d->n_cores; i++)
		handing_send(d, i);
	return n == HAND_OUTS_A_TURN;
}

/* ---- what was held for too long ---- */

struct overdue {
	struct deliver *deliver;
	struct handoff handoff;
	enum queue_duty duty;
};

static yields void
overdue_run(void *arg)
{
	struct overdue *o = arg;
	struct deliver *d = o->deliver;

	handoff_end(d, &o->handoff, o->duty);
	free(o);
	must(d->n_overdue > 0);
	d->n_overdue--;
	deliver_wake(d);
}

static bool
overdue_start(struct deliver *d, const struct handoff *h, enum queue_duty duty)
{
	struct overdue *o = malloc(sizeof *o);

	must(duty == DUTY_EXPIRE || duty == DUTY_CANCEL);
	if (o != NULL)
		*o = (struct overdue){ d, *h, duty };
	if (o != NULL && fiber_go("overdue", overdue_run, o) == 0) {
		d->n_overdue++;
		return true;
	}
	free(o);
	(void)queue_settle(d->queue, clock_mono(), h->ref,
	    (struct queue_result){ .end = QUEUE_PUT_OFF });
	return false;
}

/* ---- the dispatcher ---- */

/* True: not all that was wanted could be started now. */
static bool
destinations_find(struct deliver *d)
{
	struct str key;

	while (d->n_finding < DESTINATIONS_MOST &&
	    queue_due_domain(d->queue, clock_mono(), &key))
		destination_start(d, key);
	return d->n_finding == DESTINATIONS_MOST;
}

static bool
overdue_end(struct deliver *d)
{
	struct handoff h;
	enum queue_duty duty;

	while (d->n_overdue < OVERDUE_MOST &&
	    queue_overdue(d->queue, clock_mono(), &h, &duty))
		if (!overdue_start(d, &h, duty))
			return true;
	return d->n_overdue == OVERDUE_MOST;
}

static void
idle_wake(struct deliver *d)
{
	struct ready_connection *r;

	while ((r = ready_next_idle(d->ready, clock_mono())) != NULL)
		fiber_wake(OWNER_OF(r, struct connection, ready)->fiber);
}

static yields void
given_back_settle(struct deliver *d, struct ready *r, enum queue_end end)
{
	struct handoff h;

	while (ready_give_back(r, &h))
		handoff_return(d, &h, end);
}

/* One round; when to do the next. */
static yields struct mono
dispatch(struct deliver *d)
{
	bool is_limited = destinations_find(d);
	struct mono next;

	is_limited |= overdue_end(d);
	if (hand_out_some(d))
		return clock_mono();
	given_back_settle(d, d->ready, QUEUE_RETURNED);
	given_back_settle(d, d->mailboxes, QUEUE_RETURNED);
	if (d->is_stopping)
		return clock_mono();
	idle_wake(d);
	is_limited |= connections_start(d);
	if (is_limited)
		return mono_add(clock_mono(), LIMITED_NS);
	next = mono_first(ready_next_at(d->ready), ready_next_at(d->mailboxes));
	return mono_first(queue_next_at(d->queue), next);
}

/* Policies of other domains are renewed before they end, though no mail asks. */
static yields void
policies_tend(void *arg)
{
	struct deliver *d = arg;

	while (!d->is_stopping) {
		struct config *conf = config_pin(d->holder);
		struct peer_policy_ask ask = { .conf = conf,
			.policies = d->policies, .intake = d->intake,
			.is_over = &d->is_stopping };

		peer_policy_tend(&ask);
		config_unpin(d->holder, conf);
		d->tender = fiber_self();
		if (!d->is_stopping)
			(void)fiber_park(mono_add(clock_mono(), TEND_NS));
		d->tender = NULL;
	}
	d->is_tending = false;
	fiber_wake(d->stopper);
}

yields void
deliver_run(void *arg)
{
	struct deliver *d = arg;

	must(d->dispatcher == NULL && d->core == core_index());
	d->dispatcher = fiber_self();
	d->is_tending = d->core == 0 &&
	    fiber_go("policies", policies_tend, d) == 0;
	while (!d->is_stopping) {
		struct mono next = dispatch(d);

		if (mono_is_before(clock_mono(), next))
			(void)fiber_park(next);
		else
			fiber_yield();
	}
	ready_flush(d->ready, clock_mono(), NULL);
	ready_flush(d->mailboxes, clock_mono(), NULL);
	given_back_settle(d, d->ready, QUEUE_PUT_OFF);
	given_back_settle(d, d->mailboxes, QUEUE_PUT_OFF);
	d->dispatcher = NULL;
	fiber_wake(d->stopper);
}

/* ---- the end ---- */

bool
deliver_is_idle(const struct deliver *d)
{
	return d->dispatcher == NULL && list_is_empty(&d->connections) &&
	    d->n_finding == 0 && d->n_overdue == 0 && d->n_guests == 0 &&
	    !d->is_tending && view_counts(d->queue).states[ITEM_AWAY] == 0;
}

static yields void
wait_idle(struct deliver *d, struct mono deadline)
{
	while (!deliver_is_idle(d) && fiber_park(deadline) == 0)
		continue;
}

yields void
deliver_stop(struct deliver *d, struct mono deadline)
{
	must(!d->is_stopping && d->stopper == NULL);
	d->is_stopping = true;
	d->stopper = fiber_self();
	deliver_wake(d);
	connections_wake(d);
	fiber_wake(d->tender);
	wait_idle(d, deadline);
	if (!deliver_is_idle(d)) {
		connections_hurry(d);
		wait_idle(d, mono_add(clock_mono(), HURRY_NS));
	}
	d->stopper = NULL;
}
