/*
 * The life of a delivery:
 *
 *	OPEN      home_open     pinned at home, recipients chosen
 *	TRIED     remote, local each recipient has a verdict
 *	REPORTED  home_finish   who failed was reported to the sender, durably
 *	RECORDED  home_finish   outcomes and attempts are in the log
 *	SETTLED   home_finish   the queue knows; unpinned
 *
 * In this order: a crash between any two repeats work, and loses nothing.
 */
#include "deliver/delivery.h"

#include "base/must.h"
#include "base/poison.h"
#include "deliver/bounce.h"
#include "deliver/key.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "spool/outcome.h"

enum { OUTCOMES_AT_ONCE = 64 };

struct errand {				/* to the home core and back */
	struct delivery *d;
	int rc;
};

static yields void
at_home(struct delivery *d, yields void (*fn)(void *), struct errand *e)
{
	if (d->handoff.home == d->at->core)
		fn(e);
	else if (core_call(d->handoff.home, fn, e) != 0)
		e->rc = -1;	/* it is stopping: the spool remembers */
}

static void
settle(struct delivery *d, struct queue_result r, struct queue_settled *out)
{
	*out = queue_settle(d->home->queue, clock_mono(), d->handoff.ref, r);
	fiber_wake(d->home->dispatcher);
}

static struct queue_settled
settle_ended(struct delivery *d)
{
	struct queue_settled s;

	settle(d, (struct queue_result){ .end = QUEUE_ENDED }, &s);
	return s;
}

static void
let_go(struct delivery *d)
{
	if (d->is_pinned)
		spool_unpin(&d->pin);
	d->is_pinned = false;
}

/* ---- opening ---- */

static int
recipients_choose(struct delivery *d, const bool *ended)
{
	const struct envelope *e = &d->envelope;
	size_t n = 0;

	d->rcpts = arena_alloc(&d->arena, e->n_rcpts * sizeof *d->rcpts);
	if (d->rcpts == NULL)
		return -1;
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct recipient *r = &e->rcpts[i];

		if (ended[i] || recipient_is_over(r) ||
		    !key_has(d->handoff.domain, r->address))
			continue;
		d->rcpts[n++] = (struct delivery_recipient){
			.index = (uint32_t)i, .address = r->address,
			.orig = r->orig };
	}
	d->n = n;
	return 0;
}

/* What cannot be read is kept and shown to the operator, not tried again. */
static yields void
damage_hold(struct delivery *d, struct spool *spool, const char *what)
{
	struct event e = event_make(EVENT_trouble, clock_wall(),
	    d->handoff.ref.id);
	struct queue_settled s;

	event_str(&e, FIELD_text, str_of(what));
	event_str(&e, FIELD_reason, STR("damaged"));
	intake_tell(d->home->intake, &e);
	(void)spool_hold(spool, d->handoff.ref.id, str_of(what));
	(void)queue_hold(d->home->queue, clock_mono(), d->handoff.ref);
	let_go(d);
	settle(d, (struct queue_result){ .end = QUEUE_PUT_OFF }, &s);
}

static yields void
home_open(void *arg)
{
	struct errand *e = arg;
	struct delivery *d = e->d;
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);
	const bool *ended;

	e->rc = -1;
	if (spool == NULL || !spool_pin(spool, d->handoff.ref.id, &d->pin)) {
		settle_ended(d);	/* cancelled meanwhile */
		return;
	}
	d->is_pinned = true;
	if (spool_envelope(spool, d->handoff.ref.id, &d->arena, &d->envelope,
	    &ended) != 0 || recipients_choose(d, ended) != 0) {
		damage_hold(d, spool, err_text());
		return;
	}
	if (d->n == 0) {
		let_go(d);
		settle_ended(d);
		return;
	}
	e->rc = 0;
}

/* We speak of it after it is settled, when the queue's own may be gone. */
static struct str
ours(struct delivery *d, struct str s)
{
	return s.p == NULL ? s : arena_copy(&d->arena, s);
}

yields int
delivery_open(struct delivery *d, struct deliver *at, const struct handoff *h)
{
	struct errand e = { d, -1 };

	*d = (struct delivery){ .at = at, .home = at->cores[h->home],
		.handoff = *h, .times.taken = clock_mono(), .poison = -1 };
	arena_init(&d->arena, DELIVERY_MEMORY);
	d->pool = ours(d, h->pool);
	d->source = ours(d, h->source);
	d->handoff.site = ours(d, h->site);
	at_home(d, home_open, &e);
	if (e.rc != 0) {
		arena_clear(&d->arena);
		return -1;
	}
	d->poison = poison_enter(h->ref.id);
	return 0;
}

/* ---- telling ---- */

static uint64_t
us_between(struct mono from, struct mono to)
{
	return from.ns == 0 || to.ns <= from.ns ? 0 :
	    (uint64_t)((to.ns - from.ns) / NS_PER_US);
}

static void
times_tell(struct event *e, const struct delivery *d)
{
	const struct delivery_times *t = &d->times;
	struct mono connect = t->connect_from.ns != 0 ? t->connect_from :
	    t->taken;
	struct mono sent = t->sent_from.ns != 0 ? t->sent_from : connect;
	struct mono done = t->done.ns != 0 ? t->done : sent;
	struct wall now = clock_wall();

	event_num(e, FIELD_delay_us, now.us > d->envelope.arrived.us ?
	    (uint64_t)(now.us - d->envelope.arrived.us) : 0);
	event_num(e, FIELD_queue_us, us_between(d->handoff.due, t->taken));
	event_num(e, FIELD_wait_us, us_between(t->taken, connect));
	event_num(e, FIELD_connect_us, us_between(connect, sent));
	event_num(e, FIELD_transfer_us, us_between(sent, done));
}

static void
recipient_tell(struct delivery *d, const struct delivery_recipient *r,
    enum event_type type, struct wall next)
{
	struct event e = event_make(type, clock_wall(), d->handoff.ref.id);
	struct esc_text esc = esc_print(r->verdict.esc);

	event_str(&e, FIELD_recipient, r->address);
	if (r->orig.p != NULL)
		event_str(&e, FIELD_orig_to, r->orig);
	event_str(&e, FIELD_relay, d->relay.p == NULL ? STR("none") : d->relay);
	times_tell(&e, d);
	event_str(&e, FIELD_dsn, str_of(esc.text));
	if (r->verdict.code > 0)
		event_num(&e, FIELD_code, (uint64_t)r->verdict.code);
	event_str(&e, FIELD_reply, str_of(r->verdict.text));
	event_num(&e, FIELD_attempt, d->handoff.tries + 1);
	if (next.us != 0)
		event_num(&e, FIELD_next_at, (uint64_t)next.us);
	if (r->file.p != NULL)
		event_str(&e, FIELD_file, r->file);
	event_str(&e, FIELD_source, d->source);
	event_str(&e, FIELD_site, d->handoff.site);
	event_str(&e, FIELD_tenant, d->envelope.tenant);
	event_str(&e, FIELD_stream, d->envelope.stream);
	intake_tell(d->home->intake, &e);
}

/* ---- finishing, at home ---- */

static yields void
outcomes_record(struct delivery *d, enum disposition which,
    enum outcome_kind kind)
{
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);
	struct outcome list[OUTCOMES_AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct delivery_recipient *r = &d->rcpts[i];

		if (r->verdict.disposition == which)
			list[n++] = (struct outcome){ .recipient = r->index,
				.kind = kind,
				.code = (unsigned)r->verdict.code,
				.text = str_of(r->verdict.text) };
		if (n == OUTCOMES_AT_ONCE || (i + 1 == d->n && n > 0)) {
			(void)spool_outcome(spool, d->handoff.ref.id, list, n);
			n = 0;
		}
	}
}

static void
tell_all(struct delivery *d, enum disposition which, enum event_type type,
    struct wall next)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->rcpts[i].verdict.disposition == which)
			recipient_tell(d, &d->rcpts[i], type, next);
}

static size_t
count(const struct delivery *d, enum disposition which)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->rcpts[i].verdict.disposition == which;
	return n;
}

static void
turn_all(struct delivery *d, enum disposition from, struct verdict to,
    bool keep_text)
{
	for (size_t i = 0; i < d->n; i++) {
		struct delivery_recipient *r = &d->rcpts[i];

		if (r->verdict.disposition != from)
			continue;
		if (keep_text)
			memcpy(to.text, r->verdict.text, sizeof to.text);
		to.code = keep_text ? r->verdict.code : to.code;
		r->verdict = to;
	}
}

/* Those that failed: first the report, then the record.  Without room for the
 * report they stay, as deferred by us. */
static yields void
failures_settle(struct delivery *d, const struct config *conf,
    enum outcome_kind kind, enum event_type type)
{
	if (count(d, FAILED) == 0)
		return;
	if (bounce_send(d->home, conf, d, DSN_FAILURE) != 0) {
		turn_all(d, FAILED, verdict_make(DEFERRED, 451, "4.3.0",
		    "the report to the sender could not be kept: %s",
		    err_text()), false);
		return;
	}
	outcomes_record(d, FAILED, kind);
	tell_all(d, FAILED, type, (struct wall){ 0 });
	if (kind == OUTCOME_EXPIRED)
		d->home->counts.expired += count(d, FAILED);
	else
		d->home->counts.failed += count(d, FAILED);
}

static yields void
attempt_record(struct delivery *d, const struct queue_settled *s)
{
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);
	uint32_t *list = arena_alloc(&d->arena, d->n * sizeof *list);
	struct wall due = clock_wall_at(s->due);
	struct attempt a = { .recipients = list, .attempts = s->tries,
		.due = due };

	for (size_t i = 0; list != NULL && i < d->n; i++)
		if (d->rcpts[i].verdict.disposition == DEFERRED) {
			list[a.n++] = d->rcpts[i].index;
			a.code = (unsigned)d->rcpts[i].verdict.code;
			a.text = str_of(d->rcpts[i].verdict.text);
		}
	(void)spool_attempt(spool, d->handoff.ref.id, &a);
	d->home->counts.deferred += count(d, DEFERRED);
	tell_all(d, DEFERRED, EVENT_delayed, due);
}

/* The age is reached: what is left fails, with its last words. */
static yields void
expire_rest(struct delivery *d, const struct config *conf)
{
	struct queue_settled s;
	size_t left;

	/* Those we could not report stay: they are DEFERRED with our words. */
	turn_all(d, DEFERRED, verdict_make(FAILED, 0, "5.4.7", "expired"), true);
	failures_settle(d, conf, OUTCOME_EXPIRED, EVENT_expired);
	left = count(d, DEFERRED);
	if (left == 0)
		settle_ended(d);
	else
		settle(d, (struct queue_result){ .end = QUEUE_PUT_OFF }, &s);
}

static yields void
cancel_rest(struct delivery *d)
{
	outcomes_record(d, DEFERRED, OUTCOME_CANCELLED);
	tell_all(d, DEFERRED, EVENT_canceled, (struct wall){ 0 });
	settle_ended(d);
}

static yields void
rest_settle(struct delivery *d, const struct config *conf)
{
	size_t left = count(d, DEFERRED);
	struct queue_settled s;

	if (left == 0) {
		settle_ended(d);
		return;
	}
	settle(d, (struct queue_result){ .end = QUEUE_RETRY,
	    .n_rcpts = (uint32_t)left }, &s);
	switch (s.duty) {
	case DUTY_EXPIRE:
		expire_rest(d, conf);
		break;
	case DUTY_CANCEL:
		cancel_rest(d);
		break;
	case DUTY_WARN:
		attempt_record(d, &s);
		(void)bounce_send(d->home, conf, d, DSN_DELAY);
		break;
	case DUTY_NONE:
		attempt_record(d, &s);
		break;
	}
}

static yields void
home_finish(void *arg)
{
	struct errand *e = arg;
	struct delivery *d = e->d;
	struct config *conf = config_pin(d->home->holder);

	e->rc = 0;
	if (d->is_damaged)
		damage_hold(d, deliver_spool(d->home, d->handoff.ref.id),
		    "its body cannot be read from the spool");
	else if (d->duty == DUTY_EXPIRE)
		expire_rest(d, conf);
	else if (d->duty == DUTY_CANCEL)
		cancel_rest(d);
	else {
		if (count(d, DELIVERED) > 0) {
			outcomes_record(d, DELIVERED, OUTCOME_DELIVERED);
			tell_all(d, DELIVERED, EVENT_delivered,
			    (struct wall){ 0 });
			d->home->counts.delivered += count(d, DELIVERED);
		}
		failures_settle(d, conf, OUTCOME_FAILED, EVENT_failed);
		rest_settle(d, conf);
	}
	let_go(d);
	config_unpin(d->home->holder, conf);
}

yields void
delivery_finish(struct delivery *d)
{
	struct errand e = { d, -1 };

	for (size_t i = 0; i < d->n; i++)
		if (!d->rcpts[i].is_tried)
			d->rcpts[i].verdict = verdict_make(DEFERRED, 0, "4.3.0",
			    "it was not its turn on this connection");
	if (d->times.done.ns == 0)
		d->times.done = clock_mono();
	at_home(d, home_finish, &e);
	poison_leave(d->poison);
	arena_clear(&d->arena);
}

/* ---- without an attempt ---- */

struct giving {
	struct deliver *home;
	struct handoff handoff;
	enum queue_end end;
};

static yields void
home_return(void *arg)
{
	const struct giving *g = arg;

	(void)queue_settle(g->home->queue, clock_mono(), g->handoff.ref,
	    (struct queue_result){ .end = g->end });
	fiber_wake(g->home->dispatcher);
}

yields void
handoff_return(struct deliver *at, const struct handoff *h, enum queue_end end)
{
	struct giving g = { at->cores[h->home], *h, end };

	must(end == QUEUE_RETURNED || end == QUEUE_PUT_OFF);
	if (h->home == at->core)
		home_return(&g);
	else
		(void)core_call(h->home, home_return, &g);
}

yields void
handoff_end(struct deliver *at, const struct handoff *h, enum queue_duty duty)
{
	struct delivery d;

	must(duty == DUTY_EXPIRE || duty == DUTY_CANCEL);
	if (delivery_open(&d, at, h) != 0)
		return;
	for (size_t i = 0; i < d.n; i++) {
		d.rcpts[i].verdict = verdict_make(DEFERRED, 0, "4.7.0",
		    "%s", duty == DUTY_EXPIRE ?
		    "held for longer than outbound.hold allows" :
		    "cancelled by an administrator");
		d.rcpts[i].is_tried = true;
	}
	d.duty = duty;
	delivery_finish(&d);
}

yields void
handoff_fail(struct deliver *at, const struct handoff *h,
    const struct verdict *v, struct str remote)
{
	struct delivery d;

	if (delivery_open(&d, at, h) != 0)
		return;
	for (size_t i = 0; i < d.n; i++) {
		d.rcpts[i].verdict = *v;
		d.rcpts[i].remote = remote;
		d.rcpts[i].is_tried = true;
	}
	delivery_finish(&d);
}
