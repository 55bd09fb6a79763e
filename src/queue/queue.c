#include "queue/config.h"
#include "queue/handoff.h"
#include "queue/home.h"

#include "base/must.h"
#include "queue/name.h"
#include "queue/slab.h"

#include <stdlib.h>

enum { ITEMS_PER_CHUNK = 1024, OTHERS_PER_CHUNK = 64 };

const char *
item_state_name(enum item_state s)
{
	static const char *const names[ITEM_STATES] = {
		[ITEM_SCHEDULED] = "scheduled", [ITEM_DUE] = "due",
		[ITEM_AWAY] = "active", [ITEM_HELD] = "held",
	};

	must(s < ITEM_STATES);
	return names[s];
}

static void
queue_init(struct queue *q, unsigned core, const struct queue_config *c)
{
	q->core = core;
	q->config = c;
	names_init(&q->names, c->key);
	names_init(&q->reasons, c->key);
	flows_init(&q->flows, &q->names, c);
	slab_init(&q->items, sizeof(struct home_item), ITEMS_PER_CHUNK);
	slab_init(&q->lanes, sizeof(struct home_lane), OTHERS_PER_CHUNK);
	slab_init(&q->domains, sizeof(struct home_domain), OTHERS_PER_CHUNK);
	slab_init(&q->sites, sizeof(struct home_site), OTHERS_PER_CHUNK);
	slab_init(&q->egresses, sizeof(struct home_egress), OTHERS_PER_CHUNK);
	wheel_init(&q->wheel);
	wheel_init(&q->gates);
	wheel_init(&q->opens);
	list_init(&q->asks);
	list_init(&q->idle);
	list_init(&q->overdue);
	list_init(&q->urgent);
	list_init(&q->others);
}

struct queue *
queue_open(unsigned core, const struct queue_config *c)
{
	struct queue *q = calloc(1, sizeof *q);

	must(queue_config_is_sane(c) && core < UINT16_MAX);
	if (q != NULL)
		queue_init(q, core, c);
	return q;
}

void
queue_close(struct queue *q)
{
	struct home_item *it;
	uint32_t steps = UINT32_MAX;

	if (q == NULL)
		return;
	for (uint32_t i = 0; (it = slab_walk(&q->items, &i, &steps)) != NULL;
	    i++, steps = UINT32_MAX)
		home_item_end(q, it);
	home_domain_clear(q);
	must(q->sites.n == 0 && q->lanes.n == 0 && q->domains.n == 0);
	must(q->egresses.n == 0);
	flows_clear(&q->flows);
	names_clear(&q->names);
	names_clear(&q->reasons);
	slab_clear(&q->items);
	slab_clear(&q->lanes);
	slab_clear(&q->domains);
	slab_clear(&q->sites);
	slab_clear(&q->egresses);
	table_clear(&q->by_id);
	table_clear(&q->by_lane);
	table_clear(&q->by_domain);
	table_clear(&q->by_site);
	free(q);
}

void
queue_configure(struct queue *q, const struct queue_config *c)
{
	must(queue_config_is_sane(c));
	q->config = c;
	q->epoch++;
	flows_configure(&q->flows, c);
	home_sites_lift(q);
}

bool
queue_is_full(const struct queue *q)
{
	return q->items.n >= q->config->items_most;
}

/* SECURITY.md row 45: whatever a clock did to the instants on disk. */
static struct mono
entry_due(const struct queue *q, struct mono now, const struct queue_entry *e)
{
	struct mono due = e->due;

	if (e->tries > 0)
		due = mono_first(due,
		    mono_add(now, retry_longest(&q->config->retry)));
	if (mono_is_before(now, e->expires))
		due = mono_first(due, e->expires);
	return due;
}

static void
item_hold(struct queue *q, struct mono since, struct home_item *it)
{
	must(it->state != ITEM_AWAY || it->egress == SLAB_NONE);
	it->is_held = true;
	home_item_hold(q, it, mono_add(since, q->config->hold_most_ns));
}

/* To where its time wants it. */
static void
item_settle_in(struct queue *q, struct mono now, struct home_item *it)
{
	if (mono_is_before(now, it->due))
		home_item_schedule(q, it, it->due);
	else
		home_item_wake(q, now, it, false);
}

int
queue_admit(struct queue *q, struct mono now, const struct queue_entry *e)
{
	struct home_item *it;

	must(e->domain.n > 0 && e->domain.n <= NAME_MOST);
	must(e->tenant.n > 0 && e->tenant.n <= NAME_MOST);
	must(e->stream.n > 0 && e->stream.n <= NAME_MOST);
	must(e->n_rcpts > 0 && e->priority < PRIORITIES);
	if (queue_is_full(q))
		return -1;
	it = home_item_new(q, e);
	if (it == NULL)
		return -1;
	it->due = entry_due(q, now, e);
	if (e->is_held)
		item_hold(q, e->held_since.ns == 0 ? now :
		    mono_first(e->held_since, now), it);
	else
		item_settle_in(q, now, it);
	q->admitted++;
	return 0;
}

void
queue_move(struct queue *q, struct mono now, uint32_t steps)
{
	struct wheel_entry *e;
	struct home_item *it;

	home_domain_move(q, now, steps);
	home_site_move(q, now, steps);
	while ((e = wheel_pop(&q->wheel, now, &steps)) != NULL) {
		it = OWNER_OF(e, struct home_item, wait);
		must(it->state == ITEM_HELD || it->state == ITEM_SCHEDULED);
		if (it->state == ITEM_HELD)
			home_item_overdue(q, it);
		else
			home_item_wake(q, now, it, false);
	}
}

static bool
queue_has_room(const struct queue *q)
{
	return q->states[ITEM_AWAY] < q->config->away_most;
}

struct mono
queue_next_at(const struct queue *q)
{
	bool has_turn = !list_is_empty(&q->urgent) ||
	    !list_is_empty(&q->others);

	if (!list_is_empty(&q->asks) || !list_is_empty(&q->overdue) ||
	    (has_turn && queue_has_room(q)))
		return (struct mono){ 0 };
	return mono_first(mono_first(wheel_next_at(&q->wheel),
	    wheel_next_at(&q->gates)), wheel_next_at(&q->opens));
}

/* A lane that may send now, and by which source; others are put where they must
 * wait. */
static struct home_lane *
queue_turn(struct queue *q, struct mono now, struct home_egress **by)
{
	struct home_lane *l;
	struct mono opens;

	while ((l = home_lane_next(q)) != NULL) {
		if (!home_domain_is_fresh(q, l->domain, now)) {
			home_domain_wake(q, now, l->domain);
		} else if (!home_lane_may_send(q, l)) {
			home_lane_block(l);
		} else if ((*by = home_egress_next(q, now, l, &opens)) == NULL) {
			home_site_wait(q, l->domain->site, opens);
			home_lane_block(l);
		} else {
			return l;
		}
	}
	return NULL;
}

bool
queue_hand_out(struct queue *q, struct mono now, struct handoff *h)
{
	struct home_egress *by = NULL;
	struct home_lane *l;

	queue_move(q, now, MOVE_STEPS);
	if (!queue_has_room(q))
		return false;
	l = queue_turn(q, now, &by);
	if (l == NULL) {
		queue_move(q, now, MOVE_STEPS_IDLE);
		l = queue_turn(q, now, &by);
	}
	if (l == NULL)
		return false;
	must(!list_is_empty(&l->due));
	home_item_send(q, home_item_at(list_first(&l->due)), by, h);
	home_lane_open(q, l);
	return true;
}

bool
queue_overdue(struct queue *q, struct mono now, struct handoff *h,
    enum queue_duty *duty)
{
	struct home_item *it;

	queue_move(q, now, MOVE_STEPS);
	if (list_is_empty(&q->overdue))
		return false;
	it = home_item_at(list_first(&q->overdue));
	must(it->state == ITEM_HELD);
	*duty = it->is_cancelled ? DUTY_CANCEL : DUTY_EXPIRE;
	home_item_send(q, it, NULL, h);
	return true;
}

/* It is where it is now; what is still to be done about it? */
static struct queue_settled
item_settled(const struct home_item *it, enum queue_duty duty)
{
	return (struct queue_settled){ .duty = duty, .state = it->state,
		.tries = it->tries, .warned = it->warned, .due = it->state == ITEM_AWAY ||
		    it->state == ITEM_HELD ? MONO_NEVER : it->due };
}

static void
item_tried(struct queue *q, struct home_item *it, uint32_t n_rcpts)
{
	must(q->n_rcpts >= it->n_rcpts);
	must(n_rcpts > 0 && n_rcpts <= it->n_rcpts);
	q->n_rcpts -= it->n_rcpts - n_rcpts;
	it->n_rcpts = n_rcpts;
	if (it->tries == 0)
		q->n_deferred++;
	if (it->tries < UINT16_MAX)
		it->tries++;
}

static enum queue_duty
item_warning(const struct queue *q, struct mono now, struct home_item *it)
{
	unsigned passed = queue_config_warnings(q->config,
	    add_sat_i64(now.ns, -it->arrived.ns));

	if (passed <= it->warned)
		return DUTY_NONE;
	it->warned = (uint8_t)passed;
	return DUTY_WARN;
}

static struct queue_settled
item_retry(struct queue *q, struct mono now, struct home_item *it,
    struct mono not_before)
{
	enum queue_duty duty;
	struct mono due;

	if (it->is_held) {
		item_hold(q, now, it);
		return item_settled(it, DUTY_NONE);
	}
	if (retry_is_over(&q->config->retry, now, it->tries, it->expires))
		return item_settled(it, DUTY_EXPIRE);
	due = retry_due(&q->config->retry, now, it->tries, it->expires,
	    it->node.hash);
	if (mono_is_before(due, not_before))
		due = not_before;
	home_item_schedule(q, it, due);
	duty = item_warning(q, now, it);
	return item_settled(it, duty);
}

/* A cancelled item waits as if held; queue_overdue() gives it out again. */
static void
item_put_off(struct queue *q, struct mono now, struct home_item *it)
{
	struct mono due = mono_add(now, q->config->put_off_ns);

	if (it->is_cancelled)
		home_item_hold(q, it, due);
	else if (it->is_held)
		item_hold(q, now, it);
	else
		home_item_schedule(q, it, due);
}

struct queue_settled
queue_settle(struct queue *q, struct mono now, struct queue_ref ref,
    struct queue_result r)
{
	struct home_item *it = home_item_of(q, ref);

	must(it != NULL && it->state == ITEM_AWAY);
	home_item_land(q, it);
	if (r.end == QUEUE_ENDED) {
		home_item_end(q, it);
		q->ended++;
		return (struct queue_settled){ .due = MONO_NEVER };
	}
	if (r.end == QUEUE_RETRY) {
		item_tried(q, it, r.n_rcpts);
		home_item_explain(q, it, r.reason);
	}
	if (r.end == QUEUE_PUT_OFF)
		item_put_off(q, now, it);
	else if (it->is_cancelled)
		return item_settled(it, DUTY_CANCEL);
	else if (r.end == QUEUE_RETRY)
		return item_retry(q, now, it, r.not_before);
	else if (it->is_held)
		item_hold(q, now, it);
	else
		home_item_wake(q, now, it, true);
	return item_settled(it, DUTY_NONE);
}

bool
queue_divert(struct queue *q, struct mono now, struct queue_ref ref,
    struct mono until)
{
	struct home_item *it = home_item_of(q, ref);
	struct home_egress *e;

	must(it != NULL && it->state == ITEM_AWAY);
	e = slab_at(&q->egresses, it->egress);
	if (e == NULL)
		return false;
	e->opens = mono_is_before(e->opens, until) ? until : e->opens;
	e->credit = 0;			/* it does not catch up */
	return home_egress_has_other(q, now, it->lane, e);
}

bool
queue_hold(struct queue *q, struct mono now, struct queue_ref ref)
{
	struct home_item *it = home_item_of(q, ref);

	if (it == NULL)
		return false;
	if (it->is_held || it->is_cancelled)
		return true;
	it->is_held = true;
	if (it->state != ITEM_AWAY)
		item_hold(q, now, it);
	return true;
}

bool
queue_release(struct queue *q, struct mono now, struct queue_ref ref)
{
	struct home_item *it = home_item_of(q, ref);

	if (it == NULL)
		return false;
	it->is_held = false;
	if (it->state == ITEM_HELD && !it->is_cancelled)
		item_settle_in(q, now, it);
	return true;
}

bool
queue_retry_now(struct queue *q, struct mono now, struct queue_ref ref)
{
	struct home_item *it = home_item_of(q, ref);

	if (it == NULL)
		return false;
	if (it->state == ITEM_SCHEDULED) {
		it->due = now;
		home_item_wake(q, now, it, false);
	}
	home_domain_lift(q, now, it->lane->domain);
	return true;
}

enum queue_cancel
queue_cancel(struct queue *q, struct mono now, struct queue_ref ref,
    struct handoff *h)
{
	struct home_item *it = home_item_of(q, ref);

	(void)now;
	if (it == NULL)
		return CANCEL_GONE;
	it->is_cancelled = true;
	if (it->state == ITEM_AWAY)
		return CANCEL_LATER;
	home_item_send(q, it, NULL, h);
	return CANCEL_NOW;
}
