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

#include "base/err.h"
#include "base/must.h"
#include "base/poison.h"
#include "deliver/bounce.h"
#include "deliver/key.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "intake/intake.h"
#include "policy/bounce_rules.h"
#include "policy/config.h"
#include "policy/holder.h"
#include "queue/queue.h"
#include "spool/outcome.h"
#include "wire/reason.h"

enum { OUTCOMES_AT_ONCE = 64 };

/* ---- going home ---- */

struct errand {				/* to the home core and back */
	struct deliver *home;
	yields void (*fn)(void *);
	void *arg;
};

static yields void
errand_run(void *arg)
{
	struct errand *e = arg;

	must(e->home->core == core_index());
	e->home->n_guests++;
	e->fn(e->arg);
	must(e->home->n_guests > 0);
	e->home->n_guests--;
	deliver_wake(e->home);
}

/* What happened must come home, however long a core is short of memory. */
static yields void
at_home(struct deliver *at, struct deliver *home, yields void (*fn)(void *),
    void *arg)
{
	struct errand e = { home, fn, arg };

	must(at->core == core_index());
	if (at == home) {
		errand_run(&e);
		return;
	}
	while (core_call(home->core, errand_run, &e) != 0)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
}

static struct queue_settled
settle(struct delivery *d, struct queue_result r)
{
	struct queue_settled s = queue_settle(d->home->queue, clock_mono(),
	    d->handoff.ref, r);

	must(d->at->cores[d->handoff.home] == d->home);
	must(d->home->core == core_index());
	deliver_wake(d->home);
	return s;
}

static void
settle_ended(struct delivery *d)
{
	(void)settle(d, (struct queue_result){ .end = QUEUE_ENDED });
}

static void
settle_put_off(struct delivery *d)
{
	must(d->n <= d->envelope.n_rcpts);
	(void)settle(d, (struct queue_result){ .end = QUEUE_PUT_OFF });
}

static void
let_go(struct delivery *d)
{
	if (d->is_pinned)
		spool_unpin(&d->pin);
	d->is_pinned = false;
}

/* ---- opening ---- */

static bool
recipient_is_from_list(const struct recipient *r)
{
	return recipient_more(r)->sender.p != NULL &&
	    (r->flags & RECIPIENT_FORWARDED) == 0;
}

/* RFC 3461 5.2.7.1: a list's members go on under its owner's name. */
static bool
recipient_is_list(const struct envelope *e, size_t parent)
{
	for (size_t i = parent + 1; i < e->n_rcpts; i++)
		if (e->rcpts[i].parent == parent &&
		    recipient_is_from_list(&e->rcpts[i]))
			return true;
	return false;
}

/* Nothing is left to do for him but to tell the sender. */
static void
recipient_expand(struct delivery *d, struct delivery_recipient *r)
{
	must(!r->is_tried && r->index < d->envelope.n_rcpts);
	r->is_expanded = r->is_tried = true;
	r->is_list = recipient_is_list(&d->envelope, r->index);
	r->verdict = verdict_make(DELIVERED, 0, "2.0.0", r->is_list ?
	    "given to the list's members" : "given to whom it stands for");
}

static int
recipients_choose(struct delivery *d, const bool *ended)
{
	const struct envelope *e = &d->envelope;
	size_t n = 0;

	d->rcpts = arena_alloc(&d->arena, e->n_rcpts * sizeof *d->rcpts);
	if (d->rcpts == NULL)
		return err_set("no memory for a message's recipients");
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct recipient *r = &e->rcpts[i];

		if (ended[i] || recipient_is_over(r) ||
		    !key_has(d->handoff.domain, r))
			continue;
		d->rcpts[n++] = (struct delivery_recipient){
			.index = (uint32_t)i, .address = r->address,
			.sender = r->flags & RECIPIENT_FORWARDED ? e->sender :
			    recipient_sender(r, e),
			.from = recipient_sender(r, e),
			.is_from_list = recipient_is_from_list(r),
			.orig = r->orig, .notify = r->notify,
			.orcpt = r->orcpt, .transport = r->transport };
	}
	d->n = n;
	for (size_t i = 0; i < n; i++)
		if (e->rcpts[d->rcpts[i].index].flags & RECIPIENT_EXPANDED)
			recipient_expand(d, &d->rcpts[i]);
	return 0;
}

static void
trouble_tell(struct delivery *d, const char *reason, const char *what)
{
	struct event e = event_make(EVENT_trouble, clock_wall(),
	    d->handoff.ref.id);

	event_str(&e, FIELD_text, str_of(what));
	event_str(&e, FIELD_reason, str_of(reason));
	intake_tell(d->home->intake, &e);
}

/* What is not as it was written is kept and shown to the operator, and not
 * tried again. */
static yields void
damage_hold(struct delivery *d, const char *what)
{
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);

	trouble_tell(d, "damaged", what);
	(void)spool_hold(spool, d->handoff.ref.id, str_of(what));
	(void)queue_hold(d->home->queue, clock_mono(), d->handoff.ref);
	settle_put_off(d);
}

/* Nobody knows whom to tell: all that is left of the message ends by the
 * operator's word, or by its age. */
static yields void
damage_end(struct delivery *d, const char *what)
{
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);

	must(d->duty != DUTY_NONE);
	trouble_tell(d, d->duty == DUTY_CANCEL ? "cancelled" : "expired", what);
	(void)spool_cancel(spool, d->handoff.ref.id, str_of(what));
	settle_ended(d);
}

/* It cannot be opened: rc as of spool_envelope(). */
static yields void
open_fail(struct delivery *d, int rc, const char *why)
{
	bool is_old = !mono_is_before(clock_mono(), d->handoff.expires);

	must(rc != 0 && !d->is_pinned);
	if (rc != BODY_DAMAGED && !is_old) {	/* the disk: not for ever */
		trouble_tell(d, "disk", why);
		settle_put_off(d);
	} else if (d->duty == DUTY_NONE)
		damage_hold(d, why);
	else
		damage_end(d, why);
}

static int
strings_copy(struct delivery *d)
{
	struct handoff *h = &d->handoff;

	h->domain = arena_copy(&d->arena, h->domain);
	if (h->site.p != NULL) {
		h->site = arena_copy(&d->arena, h->site);
		h->source = arena_copy(&d->arena, h->source);
	}
	h->tenant = h->stream = h->pool = STR_NONE;	/* of no use here */
	return h->domain.p == NULL ? err_set("no memory") : 0;
}

struct opening {
	struct delivery *d;
	int rc;
};

static yields int
message_open(struct delivery *d, struct spool *spool)
{
	const bool *ended;
	int rc;

	must(d->is_pinned && d->n == 0);
	if (strings_copy(d) != 0)
		return -1;
	rc = spool_envelope(spool, d->handoff.ref.id, &d->arena, &d->envelope,
	    &ended);
	return rc == 0 ? recipients_choose(d, ended) : rc;
}

static yields void
home_open(void *arg)
{
	struct opening *o = arg;
	struct delivery *d = o->d;
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);
	int rc;

	o->rc = -1;
	must(spool != NULL);
	if (!spool_pin(spool, d->handoff.ref.id, &d->pin)) {
		settle_ended(d);	/* cancelled meanwhile */
		return;
	}
	d->is_pinned = true;
	rc = message_open(d, spool);
	if (rc == 0 && d->n > 0) {
		o->rc = 0;
		return;
	}
	let_go(d);
	if (rc == 0)
		settle_ended(d);
	else
		open_fail(d, rc, err_text());
}

static yields int
delivery_begin(struct delivery *d, struct deliver *at,
    const struct handoff *h, enum queue_duty duty)
{
	struct opening o = { d, -1 };

	must(h->home < at->n_cores);
	*d = (struct delivery){ .at = at, .home = at->cores[h->home],
		.handoff = *h, .times.taken = clock_mono(), .poison = -1,
		.duty = duty };
	arena_init(&d->arena, DELIVERY_MEMORY);
	at_home(at, d->home, home_open, &o);
	if (o.rc != 0) {
		arena_clear(&d->arena);
		return -1;
	}
	must(d->n > 0 && d->is_pinned);
	d->poison = poison_enter(h->ref.id);
	return 0;
}

yields int
delivery_open(struct delivery *d, struct deliver *at, const struct handoff *h)
{
	return delivery_begin(d, at, h, DUTY_NONE);
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
reason_tell(struct event *e, const struct verdict *v)
{
	const struct reason *why = reason_of(v);

	must(v->disposition != DELIVERED);
	event_str(e, FIELD_bounce, str_of(reason_kind(why, v->esc)));
	event_str(e, FIELD_class, str_of(why->name));
}

static void
recipient_tell(struct delivery *d, const struct delivery_recipient *r,
    enum event_type type, struct wall next)
{
	struct event e = event_make(type, clock_wall(), d->handoff.ref.id);
	struct esc_text esc = esc_print(r->verdict.esc);

	must(d->home->core == core_index());
	if (type == EVENT_expired)	/* whom the log says it went back to */
		event_str(&e, FIELD_sender, d->envelope.sender);
	event_str(&e, FIELD_recipient, r->address);
	if (r->orig.p != NULL)
		event_str(&e, FIELD_orig_to, r->orig);
	event_str(&e, FIELD_relay, d->relay.p == NULL ? STR("none") : d->relay);
	if (d->tls.n > 0)
		event_str(&e, FIELD_tls, d->tls);
	times_tell(&e, d);
	event_str(&e, FIELD_dsn, str_of(esc.text));
	if (r->verdict.code > 0 && r->remote.p != NULL) {
		event_num(&e, FIELD_code, (uint64_t)r->verdict.code);
		event_str(&e, FIELD_reply, str_of(r->verdict.text));
	} else
		event_str(&e, FIELD_text, str_of(r->verdict.text));
	if (r->verdict.disposition != DELIVERED)
		reason_tell(&e, &r->verdict);
	event_num(&e, FIELD_attempt, d->handoff.tries + 1);
	if (next.us != 0)
		event_num(&e, FIELD_next_at, (uint64_t)next.us);
	if (r->file.p != NULL)
		event_str(&e, FIELD_file, r->file);
	event_str(&e, FIELD_source, d->handoff.source);
	event_str(&e, FIELD_site, d->handoff.site);
	event_str(&e, FIELD_tenant, d->envelope.tenant);
	event_str(&e, FIELD_stream, d->envelope.stream);
	intake_tell(d->home->intake, &e);
}

/* ---- finishing, at home ---- */

/* The spool knows at once and says itself when it cannot write. */
static yields void
outcomes_record(struct delivery *d, enum disposition which,
    enum outcome_kind kind)
{
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);
	struct outcome list[OUTCOMES_AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct delivery_recipient *r = &d->rcpts[i];

		must(r->index < d->envelope.n_rcpts && n < OUTCOMES_AT_ONCE);
		if (r->verdict.disposition == which)
			list[n++] = (struct outcome){ .recipient = r->index,
				.kind = r->verdict.disposition != DELIVERED ?
				    kind : r->is_discarded ? OUTCOME_DISCARDED :
				    r->is_expanded ? OUTCOME_EXPANDED : kind,
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
		if (d->rcpts[i].verdict.disposition == which &&
		    (which != DELIVERED || !d->rcpts[i].is_expanded))
			recipient_tell(d, &d->rcpts[i],
			    d->rcpts[i].is_discarded ? EVENT_discarded : type,
			    next);
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
	must(from != to.disposition);
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
	must(kind == OUTCOME_FAILED || kind == OUTCOME_EXPIRED);
	if (count(d, FAILED) == 0)
		return;
	if (bounce_send(d->home, conf, d, DSN_FAILURE) != 0) {
		turn_all(d, FAILED, verdict_make(DEFERRED, 0, "4.3.0",
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

/* A held one has no next time. */
static struct wall
next_try(const struct queue_settled *s)
{
	return s->state == ITEM_HELD ? (struct wall){ 0 } :
	    clock_wall_at(s->due);
}

/* What `queue list' shows, in Postfix's words: the last one put off says why. */
static struct str
reason_make(struct delivery *d)
{
	const struct delivery_recipient *r = NULL;
	struct str relay;

	for (size_t i = 0; i < d->n; i++)
		if (d->rcpts[i].verdict.disposition == DEFERRED)
			r = &d->rcpts[i];
	if (r == NULL)
		return STR_NONE;
	if (r->verdict.code == 0 || r->remote.p == NULL || d->relay.p == NULL)
		return str_of(r->verdict.text);
	relay = str_sub(d->relay, 0, str_find_last(d->relay, ']') + 1);
	return arena_printf(&d->arena, "host " STR_FMT " said: %d %s %s",
	    STR_ARG(relay), r->verdict.code, esc_print(r->verdict.esc).text,
	    r->verdict.text);
}

static yields void
attempt_record(struct delivery *d, const struct queue_settled *s)
{
	struct spool *spool = deliver_spool(d->home, d->handoff.ref.id);
	uint32_t *list = arena_alloc(&d->arena, d->n * sizeof *list);
	struct wall due = next_try(s);
	struct attempt a = { .recipients = list, .attempts = s->tries,
		.warned = s->warned, .due = due };

	a.text = reason_make(d);
	for (size_t i = 0; list != NULL && i < d->n; i++)
		if (d->rcpts[i].verdict.disposition == DEFERRED) {
			list[a.n++] = d->rcpts[i].index;
			a.code = (unsigned)d->rcpts[i].verdict.code;
		}
	(void)spool_attempt(spool, d->handoff.ref.id, &a);
	d->home->counts.deferred += count(d, DEFERRED);
	tell_all(d, DEFERRED, EVENT_delayed, due);
}

/* The age is reached: what is left fails, with its last words.  Those whose
 * report could not be kept stay, DEFERRED with our words. */
static yields void
expire_rest(struct delivery *d, const struct config *conf)
{
	must(d->is_pinned);
	turn_all(d, DEFERRED, verdict_make(FAILED, 0, "5.4.7", "expired"), true);
	failures_settle(d, conf, OUTCOME_EXPIRED, EVENT_expired);
	if (count(d, DEFERRED) == 0)
		settle_ended(d);
	else
		settle_put_off(d);
}

static yields void
cancel_rest(struct delivery *d)
{
	must(d->is_pinned && count(d, DEFERRED) > 0);
	outcomes_record(d, DEFERRED, OUTCOME_CANCELLED);
	tell_all(d, DEFERRED, EVENT_canceled, (struct wall){ 0 });
	settle_ended(d);
}

static yields void
retry_rest(struct delivery *d, const struct config *conf, size_t left)
{
	struct queue_settled s = settle(d, (struct queue_result){
	    .end = QUEUE_RETRY, .n_rcpts = (uint32_t)left,
	    .reason = reason_make(d) });

	must(left > 0 && left <= d->n);
	switch (s.duty) {
	case DUTY_EXPIRE:
		expire_rest(d, conf);
		break;
	case DUTY_CANCEL:
		cancel_rest(d);
		break;
	case DUTY_WARN:
		attempt_record(d, &s);
		if (bounce_send(d->home, conf, d, DSN_DELAY) != 0)
			trouble_tell(d, "report", err_text());
		break;
	case DUTY_NONE:
		attempt_record(d, &s);
		break;
	}
}

static yields void
rest_settle(struct delivery *d, const struct config *conf)
{
	size_t left = count(d, DEFERRED);

	if (left == 0)
		settle_ended(d);
	else if (d->is_damaged)
		damage_hold(d, "its body is not what was written to the spool");
	else
		retry_rest(d, conf, left);
}

static bool
success_is_asked(const struct delivery *d, bool is_expanded)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->rcpts[i].verdict.disposition == DELIVERED &&
		    !d->rcpts[i].is_discarded &&
		    (d->rcpts[i].is_expanded && !d->rcpts[i].is_list) ==
		    is_expanded &&
		    (d->rcpts[i].notify & NOTIFY_SUCCESS) != 0)
			return true;
	return false;
}

/* RFC 3461 5.2.2 (b), 5.2.3 (a).  What was delivered cannot be taken back: a
 * report that cannot be kept is told, and all. */
static yields void
successes_report(struct delivery *d, const struct config *conf)
{
	must(d->is_pinned);
	if (conf->reports.success == SUCCESS_UNTOLD)
		return;
	if (d->reach != REACH_REPORTER && success_is_asked(d, false) &&
	    bounce_send(d->home, conf, d, d->reach == REACH_MAILBOX ?
	    DSN_SUCCESS : DSN_RELAY) != 0)
		trouble_tell(d, "report", err_text());
	/* RFC 3461 5.2.7.3 (c) */
	if (success_is_asked(d, true) &&
	    bounce_send(d->home, conf, d, DSN_EXPANSION) != 0)
		trouble_tell(d, "report", err_text());
}

/* What another host said has its class by its words, which events and reports
 * tell; our own verdicts by their codes. */
static void
verdicts_judge(struct delivery *d, const struct config *conf)
{
	for (size_t i = 0; i < d->n; i++) {
		struct delivery_recipient *r = &d->rcpts[i];

		if (r->verdict.disposition != DELIVERED &&
		    r->verdict.code > 0 && r->remote.p != NULL)
			bounce_judge_verdict(conf->bounces.rules, r->remote,
			    &r->verdict);
	}
}

static yields void
verdicts_settle(struct delivery *d, const struct config *conf)
{
	verdicts_judge(d, conf);
	successes_report(d, conf);
	outcomes_record(d, DELIVERED, OUTCOME_DELIVERED);
	tell_all(d, DELIVERED, EVENT_delivered, (struct wall){ 0 });
	d->home->counts.delivered += count(d, DELIVERED);
	failures_settle(d, conf, OUTCOME_FAILED, EVENT_failed);
	rest_settle(d, conf);
}

static yields void
home_finish(void *arg)
{
	struct delivery *d = arg;
	struct config *conf = config_pin(d->home->holder);
	struct spool *spool;

	must(d->home->core == core_index() && d->is_pinned);
	switch (d->duty) {
	case DUTY_EXPIRE:
		expire_rest(d, conf);
		break;
	case DUTY_CANCEL:
		cancel_rest(d);
		break;
	case DUTY_NONE:
	case DUTY_WARN:
		verdicts_settle(d, conf);
		break;
	}
	let_go(d);
	config_unpin(d->home->holder, conf);
	/* Not before this one is written does the connection take another: so
	 * kill -9 repeats no more messages than there are connections. */
	spool = deliver_spool(d->home, d->handoff.ref.id);
	if (spool != NULL)
		spool_await_written(spool);
}

yields void
delivery_finish(struct delivery *d)
{
	must(d->n > 0 && d->is_pinned);
	for (size_t i = 0; i < d->n; i++)
		if (!d->rcpts[i].is_tried)
			d->rcpts[i].verdict = verdict_make(DEFERRED, 0, "4.3.0",
			    "the connection ended before its turn");
	if (d->times.done.ns == 0)
		d->times.done = clock_mono();
	at_home(d->at, d->home, home_finish, d);
	must(!d->is_pinned);
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

	must(g->home->core == core_index());
	(void)queue_settle(g->home->queue, clock_mono(), g->handoff.ref,
	    (struct queue_result){ .end = g->end });
	deliver_wake(g->home);
}

yields void
handoff_return(struct deliver *at, const struct handoff *h, enum queue_end end)
{
	struct giving g = { at->cores[h->home], *h, end };

	must(end == QUEUE_RETURNED || end == QUEUE_PUT_OFF);
	at_home(at, g.home, home_return, &g);
}

struct diverting {
	struct deliver *home;
	struct queue_ref ref;
	struct mono until;
	bool is_done;
};

static yields void
home_divert(void *arg)
{
	struct diverting *g = arg;
	struct mono now = clock_mono();

	must(g->home->core == core_index());
	g->is_done = queue_divert(g->home->queue, now, g->ref, g->until);
	if (!g->is_done)
		return;
	(void)queue_settle(g->home->queue, now, g->ref,
	    (struct queue_result){ .end = QUEUE_RETURNED });
	deliver_wake(g->home);
}

yields void
handoff_divert(struct deliver *at, const struct handoff *h, struct mono until,
    const struct verdict *v, struct str remote)
{
	struct diverting g = { at->cores[h->home], h->ref, until, false };

	at_home(at, g.home, home_divert, &g);
	if (!g.is_done)
		handoff_fail(at, h, v, remote);
}

static void
verdict_to_all(struct delivery *d, const struct verdict *v, struct str remote)
{
	must(d->n > 0 && d->is_pinned);
	for (size_t i = 0; i < d->n; i++) {
		d->rcpts[i].verdict = *v;
		d->rcpts[i].remote = remote;
		d->rcpts[i].is_tried = true;
	}
}

yields void
handoff_end(struct deliver *at, const struct handoff *h, enum queue_duty duty)
{
	struct verdict v = verdict_make(DEFERRED, 0, "4.7.0", "%s",
	    duty == DUTY_EXPIRE ? "held for longer than outbound.hold allows" :
	    "cancelled by an administrator");
	struct delivery d;

	must(duty == DUTY_EXPIRE || duty == DUTY_CANCEL);
	if (delivery_begin(&d, at, h, duty) != 0)
		return;
	verdict_to_all(&d, &v, STR_NONE);
	delivery_finish(&d);
}

yields void
handoff_fail(struct deliver *at, const struct handoff *h,
    const struct verdict *v, struct str remote)
{
	struct delivery d;

	must(v->disposition != DELIVERED);
	if (delivery_open(&d, at, h) != 0)
		return;
	verdict_to_all(&d, v, remote);
	delivery_finish(&d);
}
