#include "queue/config.h"
#include "queue/egress.h"
#include "queue/handoff.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/slab.h"

#include <stdlib.h>

/* How long one that takes not even one message is borne with before all that
 * waits there shares the verdict. */
#define BORNE_NS (900 * NS_PER_SECOND)
#define TELL_NS (600 * NS_PER_SECOND)

enum { PARCELS_PER_CHUNK = 256, OTHERS_PER_CHUNK = 64, TIMER_STEPS = 64 };

static void
ready_init(struct ready *r, unsigned core, const struct queue_config *c)
{
	r->core = core;
	r->config = c;
	names_init(&r->names, c->key);
	flows_init(&r->flows, &r->names, c);
	slab_init(&r->egresses, sizeof(struct egress), OTHERS_PER_CHUNK);
	slab_init(&r->turns, sizeof(struct egress_turn), OTHERS_PER_CHUNK);
	slab_init(&r->parcels, sizeof(struct parcel), PARCELS_PER_CHUNK);
	wheel_init(&r->timers);
	list_init(&r->able);
	list_init(&r->spare);
	list_init(&r->callers);
	list_init(&r->back);
}

struct ready *
ready_open(unsigned core, const struct queue_config *c)
{
	struct ready *r = calloc(1, sizeof *r);

	must(queue_config_is_sane(c) && core < UINT16_MAX);
	if (r != NULL)
		ready_init(r, core, c);
	return r;
}

void
ready_close(struct ready *r)
{
	if (r == NULL)
		return;
	must(r->n_connections == 0);
	egress_clear(r);
	must(r->turns.n == 0 && r->egresses.n == 0);
	flows_clear(&r->flows);
	names_clear(&r->names);
	slab_clear(&r->egresses);
	slab_clear(&r->turns);
	slab_clear(&r->parcels);
	table_clear(&r->by_site);
	table_clear(&r->by_turn);
	free(r);
}

static struct egress *
ready_egress_next(const struct ready *r, uint32_t *slot)
{
	uint32_t steps = UINT32_MAX;

	return slab_walk(&r->egresses, slot, &steps);
}

void
ready_configure(struct ready *r, struct mono now,
    const struct queue_config *c)
{
	struct egress *e;

	must(queue_config_is_sane(c));
	r->config = c;
	flows_configure(&r->flows, c);
	egress_turns_weigh(r);
	for (uint32_t i = 0; (e = ready_egress_next(r, &i)) != NULL; i++)
		egress_configure(r, now, e, c);
}

int
ready_admit(struct ready *r, struct mono now, const struct handoff *h)
{
	struct egress *e = egress_take(r, now, h);
	struct parcel *p;
	uint32_t slot;

	must(h->n_rcpts > 0 && h->priority < PRIORITIES);
	if (e == NULL)
		return -1;
	p = slab_take(&r->parcels, &slot);
	if (p != NULL) {
		p->slot = slot;
		p->handoff = *h;
	}
	if (p == NULL || egress_admit(r, e, p) != 0) {
		if (p != NULL)
			slab_give(&r->parcels, slot);
		egress_place(r, now, e);
		return -1;
	}
	r->admitted++;
	if (!egress_is_ours(r, e))
		egress_give_back(r, e);
	egress_place(r, now, e);
	return 0;
}

struct mono
ready_next_at(const struct ready *r)
{
	if (!list_is_empty(&r->able) || !list_is_empty(&r->callers) ||
	    !list_is_empty(&r->back))
		return (struct mono){ 0 };
	return wheel_next_at(&r->timers);
}

struct ready_connection *
ready_next_idle(struct ready *r, struct mono now)
{
	struct link *l = list_first(&r->callers);
	struct ready_connection *c;
	struct egress *e;

	if (l == NULL)
		return NULL;
	e = OWNER_OF(l, struct egress, called);
	c = OWNER_OF(list_pop(&e->idle), struct ready_connection, link);
	must(c->state == CONNECTION_IDLE);
	c->state = CONNECTION_CALLED;
	e->n_idle--;
	e->n_soon++;
	egress_place(r, now, e);
	return c;
}

static void
ready_move(struct ready *r, struct mono now)
{
	uint32_t steps = TIMER_STEPS;
	struct wheel_entry *w;

	while ((w = wheel_pop(&r->timers, now, &steps)) != NULL)
		egress_place(r, now, OWNER_OF(w, struct egress, wait));
}

/* The domain is copied: whose message it was may be gone when it is read. */
static void
connection_begin(struct ready_connection *c, const struct egress *e,
    struct mono now)
{
	struct round_entry *k = round_peek(&e->round);
	struct str domain;

	must(k != NULL);
	domain = OWNER_OF(k, struct parcel, entry)->handoff.domain;
	must(domain.n < sizeof c->text);
	*c = (struct ready_connection){ .slot = e->slot,
		.state = CONNECTION_OPENING, .begun = now, .site = name_str(e->site),
		.pool = name_str(e->pool), .source = name_str(e->source) };
	memcpy(c->text, domain.p, domain.n);
	c->domain = (struct str){ c->text, domain.n };
}

bool
ready_next_site(struct ready *r, struct mono now, struct ready_connection *c)
{
	struct link *l;
	struct egress *e;

	ready_move(r, now);
	l = list_first(&r->able);
	if (l == NULL)
		return false;
	e = OWNER_OF(l, struct egress, wait.link);
	connection_begin(c, e, now);
	(void)gcra_take(&e->opens, &e->limits.opens, now, 1);
	e->n_out++;
	e->n_soon++;
	r->n_connections++;
	egress_place(r, now, e);
	return true;
}

size_t
ready_wanting(struct ready *r, struct mono now, size_t most)
{
	struct link *l;
	size_t n = 0;

	ready_move(r, now);
	for (l = list_first(&r->able); l != NULL && n < most;
	    l = list_next(&r->able, l))
		n++;
	return n;
}

void
ready_opened(struct ready *r, struct mono now, struct ready_connection *c)
{
	struct egress *e = egress_of(r, c);

	must(c->state == CONNECTION_OPENING && !c->is_good);
	c->is_good = true;
	e->n_good++;
	pace_opened(&e->pace, e->n_good);
	e->gate = mono_first(e->gate, now);
	egress_place(r, now, e);
}

/* What it was, it is no longer. */
static void
connection_leave(struct egress *e, struct ready_connection *c)
{
	switch (c->state) {
	case CONNECTION_OPENING:
	case CONNECTION_CALLED:
	case CONNECTION_PACED:
		must(e->n_soon > 0);
		e->n_soon--;
		break;
	case CONNECTION_IDLE:
		list_remove(&c->link);
		e->n_idle--;
		break;
	case CONNECTION_FAILED:
		e->n_failed--;
		break;
	case CONNECTION_BUSY:
	case CONNECTION_CLOSED:
		break;
	}
}

/* Nobody says any more what became of its message. */
static void
connection_settle(struct egress *e, struct mono now,
    struct ready_connection *c)
{
	const struct pace_reply lost = { .said = PACE_LOST };

	if (c->is_owing && !e->limits.is_fixed)
		pace_replied(&e->pace, now, &lost);
	c->is_owing = false;
}

/* After `least' messages on this connection the site is known to be well. */
static void
connection_praise(struct egress *e, const struct ready_connection *c,
    uint32_t least)
{
	if (c->is_good && c->taken >= least)
		e->failures = 0;
}

static bool
connection_is_spent(const struct ready *r, const struct egress *e,
    const struct ready_connection *c)
{
	return !egress_is_ours(r, e) || e->n_out > e->limits.connections ||
	    (e->n_out > 1 && e->n_out > egress_permits(e)) ||
	    (e->limits.per_connection > 0 &&
	    c->taken >= e->limits.per_connection);
}

static enum ready_take
connection_next(struct ready *r, struct mono now, struct egress *e,
    struct ready_connection *c)
{
	if (connection_is_spent(r, e, c)) {
		c->state = CONNECTION_BUSY;
		return READY_SPENT;
	}
	if (e->round.n == 0) {
		c->state = CONNECTION_IDLE;
		list_push(&e->idle, &c->link);
		e->n_idle++;
		return READY_EMPTY;
	}
	if (mono_is_before(now, egress_when(e, now))) {
		c->state = CONNECTION_PACED;
		e->n_soon++;
		return READY_WAIT;
	}
	c->state = CONNECTION_BUSY;
	c->taken++;
	c->begun = now;
	c->is_owing = true;
	return READY_TAKEN;
}

static void
parcel_give(struct ready *r, struct parcel *p, struct handoff *h)
{
	*h = p->handoff;
	slab_give(&r->parcels, p->slot);
}

enum ready_take
ready_take(struct ready *r, struct mono now, struct ready_connection *c,
    struct handoff *h, struct mono *until)
{
	struct egress *e = egress_of(r, c);
	enum ready_take what;

	must(c->is_good && c->state != CONNECTION_FAILED);
	connection_settle(e, now, c);
	connection_leave(e, c);
	connection_praise(e, c, 1);
	what = connection_next(r, now, e, c);
	*until = now;
	if (what == READY_WAIT)
		*until = egress_when(e, now);
	if (what == READY_TAKEN) {
		parcel_give(r, egress_next(r, e), h);
		egress_spend(e, now, h->n_rcpts);
		r->taken++;
	}
	egress_place(r, now, e);
	return what;
}

static bool
egress_is_news(struct egress *e, struct mono now)
{
	if (e->told_at.ns != 0 && mono_is_before(now, mono_add(e->told_at,
	    TELL_NS)))
		return false;
	e->told_at = now;
	return true;
}

bool
ready_replied(struct ready *r, struct mono now, struct ready_connection *c,
    const struct pace_reply *said)
{
	struct egress *e = egress_of(r, c);
	struct pace_reply reply = *said;

	must(c->state == CONNECTION_BUSY && c->is_good);
	reply.begun = c->begun;
	reply.n_good = e->n_good - 1;
	c->is_owing = false;
	if (e->limits.is_fixed)
		return false;
	pace_replied(&e->pace, now, &reply);
	egress_place(r, now, e);
	return (said->said == PACE_SLOWER || said->said == PACE_NARROWER) &&
	    egress_is_news(e, now);
}

bool
ready_is_mute(const struct ready *r, struct mono now,
    const struct ready_connection *c)
{
	const struct egress *e = egress_of(r, c);

	must(c->is_good);
	return e->n_good == 1 && pace_shut_ns(&e->pace, now) > BORNE_NS;
}

uint32_t
ready_recipients(const struct ready *r, const struct ready_connection *c)
{
	const struct egress *e = egress_of(r, c);
	uint32_t most = e->limits.recipients > 0 ? e->limits.recipients :
	    UINT32_MAX;

	most = pace_recipients(&e->pace, most);
	return most == UINT32_MAX ? 0 : most;
}

bool
ready_throttled(struct ready *r, struct mono now, struct ready_connection *c,
    const struct pace_reply *said, bool *is_news)
{
	struct egress *e = egress_of(r, c);
	struct pace_reply reply = *said;

	must(c->state == CONNECTION_OPENING && !c->is_good);
	reply.begun = c->begun;
	reply.n_good = e->n_out - 1;	/* those that are coming in, too */
	if (e->limits.is_fixed ||
	    (said->said != PACE_SLOWER && said->said != PACE_NARROWER) ||
	    pace_shut_ns(&e->pace, now) > BORNE_NS)
		return false;
	if (reply.n_good == 0)
		reply.said = PACE_SLOWER;	/* it is not our number */
	pace_replied(&e->pace, now, &reply);
	*is_news = egress_is_news(e, now);
	egress_place(r, now, e);
	return true;
}

static void
egress_back_off(const struct ready *r, struct mono now, struct egress *e)
{
	const struct backoff *b = &r->config->site_backoff;

	/* Connections that fail together are one failure. */
	if (e->failures > 0 && mono_is_before(now, e->gate))
		return;
	if (e->failures < UINT16_MAX)
		e->failures++;
	e->gate = mono_add(now, backoff_wait(b, e->failures, e->node.hash));
}

bool
ready_failed(struct ready *r, struct mono now, struct ready_connection *c)
{
	struct egress *e = egress_of(r, c);
	bool is_dead;

	must(c->state != CONNECTION_FAILED);
	connection_settle(e, now, c);
	if (c->is_good)
		e->n_good--;
	connection_leave(e, c);
	connection_praise(e, c, 2);	/* the last broke it */
	c->is_good = false;
	c->state = CONNECTION_FAILED;
	e->n_failed++;
	is_dead = e->n_good == 0;
	if (is_dead) {
		egress_back_off(r, now, e);
		e->n_failing = e->round.n;
	} else {
		/* The site lives, but does not want more of us just now. */
		e->gate = mono_add(now, r->config->site_backoff.first_ns);
	}
	egress_place(r, now, e);
	return is_dead;
}

void
ready_shut(struct ready *r, const struct ready_connection *c, struct mono until)
{
	struct egress *e = egress_of(r, c);

	e->shut = until;
	if (mono_is_before(r->last_shut, until))
		r->last_shut = until;
}

struct mono
ready_shut_until(const struct ready *r, struct mono now,
    const struct handoff *h)
{
	const struct egress *e = mono_is_before(now, r->last_shut) ?
	    egress_seek(r, h) : NULL;

	return e != NULL && mono_is_before(now, e->shut) ? e->shut :
	    (struct mono){ 0 };
}

bool
ready_failed_next(struct ready *r, struct ready_connection *c,
    struct handoff *h)
{
	struct egress *e = egress_of(r, c);

	must(c->state == CONNECTION_FAILED);
	if (e->n_failing == 0 || e->round.n == 0)
		return false;
	e->n_failing--;
	parcel_give(r, egress_drop(r, e), h);
	r->failed++;
	return true;
}

void
ready_closed(struct ready *r, struct mono now, struct ready_connection *c)
{
	struct egress *e = egress_of(r, c);

	connection_settle(e, now, c);
	connection_leave(e, c);
	connection_praise(e, c, 1);
	if (c->is_good)
		e->n_good--;
	if (e->n_failed == 0)
		e->n_failing = 0;
	e->n_out--;
	r->n_connections--;
	c->state = CONNECTION_CLOSED;
	c->is_good = false;
	egress_place(r, now, e);
}

void
ready_flush(struct ready *r, struct mono now,
    const struct ready_connection *at)
{
	struct egress *e;

	for (uint32_t i = 0; (e = ready_egress_next(r, &i)) != NULL; i++) {
		if (at != NULL && at->slot != i)
			continue;
		egress_give_back(r, e);
		egress_place(r, now, e);
	}
}

bool
ready_give_back(struct ready *r, struct handoff *h)
{
	struct link *l = list_pop(&r->back);

	if (l == NULL)
		return false;
	r->n_back--;
	r->given_back++;
	parcel_give(r, OWNER_OF(l, struct parcel, entry.link), h);
	return true;
}

void
ready_retry_now(struct ready *r, struct mono now)
{
	struct egress *e;

	for (uint32_t i = 0; (e = ready_egress_next(r, &i)) != NULL; i++) {
		e->gate = mono_first(e->gate, now);
		pace_ask_now(&e->pace, now);
		egress_place(r, now, e);
	}
}

void
ready_remember(struct ready *r, struct mono now, struct str site,
    struct str source, const struct pace *p)
{
	struct handoff h = { .site = site, .pool = STR(""), .source = source,
		.shard = (uint16_t)shard_of(source, site) };
	struct egress *e;

	if (shard_owner(r->config->map, h.shard) != r->core)
		return;
	e = egress_take(r, now, &h);
	if (e == NULL || e->limits.is_fixed)
		return;
	e->pace = *p;
	egress_place(r, now, e);
}

bool
ready_site_next(const struct ready *r, struct ready_cursor *c,
    struct ready_site *v)
{
	const struct egress *e = ready_egress_next(r, &c->slot);

	if (e == NULL)
		return false;
	c->slot++;
	*v = (struct ready_site){
		.site = name_str(e->site), .pool = name_str(e->pool),
		.source = name_str(e->source), .shard = e->shard,
		.connections = e->n_out, .idle = e->n_idle,
		.failures = e->failures, .waiting = e->round.n,
		.flows = e->n_turns, .limits = e->limits, .gate = e->gate,
		.taken = e->taken, .pace = &e->pace,
	};
	return true;
}

static size_t
ready_memory(const struct ready *r)
{
	size_t buckets = r->by_site.n_buckets + r->by_turn.n_buckets +
	    r->flows.table.n_buckets + r->names.table.n_buckets;

	return sizeof *r + r->egresses.memory + r->turns.memory +
	    r->parcels.memory + r->flows.slab.memory + r->names.memory +
	    buckets * sizeof(struct table_node *);
}

struct ready_counts
ready_counts(const struct ready *r)
{
	return (struct ready_counts){
		.waiting = r->parcels.n - r->n_back,
		.giving_back = r->n_back, .sites = r->egresses.n,
		.connections = r->n_connections, .admitted = r->admitted,
		.taken = r->taken, .failed = r->failed,
		.given_back = r->given_back, .memory = ready_memory(r),
	};
}
