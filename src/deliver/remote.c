/*
 * The life of a line:
 *
 *	OPENING  line_open   the site's hosts are tried, best first (line.c)
 *	FAILED   site_fail   none would have us: all that wait share the verdict
 *	WORKING  line_work   a message is on its way, or the line rests
 *	OVER     remote_run  QUIT was said; the permit is back
 */
#include "deliver/remote.h"

#include "base/must.h"
#include "deliver/connection.h"
#include "deliver/delivery.h"
#include "deliver/line.h"
#include "deliver/local.h"
#include "deliver/throttle.h"
#include "fiber/clock.h"
#include "policy/holder.h"
#include "policy/route.h"
#include "queue/ready.h"
#include "wire/address.h"
#include "wire/reply.h"

enum { BATCH_MOST = 1000 };
#define REST_LEAST_NS (5 * NS_PER_SECOND)

/* ---- sending ---- */

struct reading {
	struct body body;
	bool is_damaged;
};

static yields int64_t
body_give(void *arg, char *to, size_t n)
{
	struct reading *r = arg;
	int64_t got = body_read(&r->body, to, n);

	if (got < 0)
		r->is_damaged = got == BODY_DAMAGED;
	return got;
}

static void
body_again(void *arg)
{
	struct reading *r = arg;

	body_rewind(&r->body);
}

static enum client_body
body_kind(const struct envelope *e)
{
	if ((e->flags & ENVELOPE_BINARY) != 0)
		return CLIENT_BODY_BINARY;
	return (e->flags & ENVELOPE_8BIT) != 0 ? CLIENT_BODY_8BIT :
	    CLIENT_BODY_7BIT;
}

/* Recipients of one transaction. */
struct batch {
	size_t n, most;
	uint32_t *who;			/* in d->rcpts */
	struct client_recipient *list;
	struct verdict *verdicts;
	enum pace_said said;		/* the gravest */
	uint32_t n_taken;		/* of the largest transaction */
	const struct verdict *worst;	/* who said that, in d->rcpts */
};

static void
batch_limit(struct batch *b, uint32_t most)
{
	if (most != 0 && b->most > most)
		b->most = most;
}

static int
batch_init(struct batch *b, struct line *l, struct delivery *d)
{
	uint64_t told = l->client.ehlo.rcpt_max;	/* RFC 9422 4.2 */

	must(d->n > 0 && d->is_pinned);
	b->most = (size_t)l->conf->outbound.recipients;
	if (b->most == 0 || b->most > BATCH_MOST)
		b->most = BATCH_MOST;
	if (told != 0 && b->most > told)
		b->most = (size_t)told;
	if (b->most > d->n)
		b->most = d->n;
	if (l->c != NULL)
		batch_limit(b, ready_recipients(l->d->ready, &l->c->ready));
	b->who = arena_alloc(&d->arena, b->most * sizeof *b->who);
	b->list = arena_alloc(&d->arena, b->most * sizeof *b->list);
	b->verdicts = arena_alloc(&d->arena, b->most * sizeof *b->verdicts);
	return b->who == NULL || b->list == NULL || b->verdicts == NULL ? -1 :
	    0;
}

static void
batch_add(struct batch *b, const struct delivery *d, size_t i)
{
	must(b->n < b->most);
	b->who[b->n] = (uint32_t)i;
	b->list[b->n++] = (struct client_recipient){
		.address = d->rcpts[i].address, .notify = d->rcpts[i].notify,
		.orcpt = d->rcpts[i].orcpt };
}

/* Those of one sender.  False: there is nobody left to try. */
static bool
batch_fill(struct batch *b, const struct delivery *d)
{
	b->n = 0;
	for (size_t i = 0; i < d->n && b->n < b->most; i++)
		if (!d->rcpts[i].is_tried && (b->n == 0 ||
		    str_eq(d->rcpts[i].from, d->rcpts[b->who[0]].from)))
			batch_add(b, d, i);
	return b->n > 0;
}

/* RFC 5321 4.5.3.1.10: "too many recipients" is for the next transaction.  By
 * LMTP 452 may as well be one mailbox that is full, unless it says 5.3. */
static bool
is_crowded(const struct line *l, const struct verdict *v)
{
	if (l->hop != NULL && l->hop->is_lmtp &&
	    (v->esc.subject != 5 || v->esc.detail != 3))
		return false;
	return v->disposition == DEFERRED &&
	    (v->code == 452 || v->code == 552) &&
	    (v->esc.detail == 3 || (v->esc.subject == 0 &&
	    v->esc.detail == 0));
}

/* What it says of our speed; of several words the gravest. */
static void
batch_hear(struct batch *b, const struct verdict *v)
{
	enum pace_said said = throttle_of(v);
	bool is_worse = b->worst == NULL || said == PACE_SLOWER ||
	    (said == PACE_NARROWER && b->said != PACE_SLOWER);

	if (said == PACE_LOST || !is_worse)
		return;
	b->said = said;
	b->worst = v;
}

/* "452 ... the remaining recipients": so many at once, and no more. */
static void
batch_shrink(struct batch *b, uint32_t n_taken)
{
	must(n_taken > 0);
	b->n_taken = n_taken;
	if (b->said == PACE_ANSWERED)
		b->said = PACE_SMALLER;
	batch_limit(b, n_taken);
}

/* As long as each transaction delivers some, the others' turn comes. */
static void
batch_judge(struct batch *b, struct line *l, struct delivery *d)
{
	uint32_t n = 0;
	bool goes_on, has_room = true;

	must(b->n > 0 && b->n <= b->most);
	for (size_t i = 0; i < b->n; i++)
		n += b->verdicts[i].disposition == DELIVERED;
	goes_on = n > 0;
	for (size_t i = 0; i < b->n; i++) {
		struct delivery_recipient *r = &d->rcpts[b->who[i]];

		r->verdict = b->verdicts[i];
		r->remote = l->remote;
		r->is_tried = !goes_on || !is_crowded(l, &r->verdict);
		has_room &= r->is_tried;
		batch_hear(b, &r->verdict);
	}
	if (!has_room)
		batch_shrink(b, n);
	else if (b->n_taken < n)
		b->n_taken = n;
}

static yields void
batch_send(struct batch *b, struct line *l, struct delivery *d)
{
	struct reading reading = { .is_damaged = false };
	const struct envelope *e = &d->envelope;
	bool is_from_list = d->rcpts[b->who[0]].is_from_list;
	struct client_message m = { .sender = d->rcpts[b->who[0]].from,
		.recipients = b->list, .n = b->n,
		.envid = is_from_list ? STR("") : e->envid,
		.ret = is_from_list ? RET_NONE : e->ret,
		.size = e->size, .body = body_kind(e),
		.is_utf8 = (e->flags & ENVELOPE_SMTPUTF8) != 0,
		.requires_tls = (e->flags & ENVELOPE_REQUIRETLS) != 0,
		.read = body_give, .rewind = body_again, .arg = &reading };

	must(b->n > 0 && d->is_pinned);
	body_open(&reading.body, &d->pin);
	client_send(&l->client, &m, b->verdicts);
	line_learn(l);
	d->is_damaged |= reading.is_damaged;
	batch_judge(b, l, d);
}

/* Of users that were given the same in several places. */
static bool
relay_is_same(const struct relay *a, const struct relay *b)
{
	return a == b || (a->wish == NULL && b->wish == NULL &&
	    str_eq(a->text, b->text));
}

/* Of our own domains users may be delivered in other ways, and roles have a
 * mailbox here. */
static yields void
others_deliver(struct line *l, struct delivery *d)
{
	must(l->hop != NULL && d->is_pinned);
	for (size_t i = 0; i < d->n && !d->is_damaged; i++) {
		struct delivery_recipient *r = &d->rcpts[i];
		struct route route;

		if (r->is_tried || config_domain(l->conf,
		    mailbox_domain(r->address)) == NULL)
			continue;
		route = route_find(l->conf, r->sender, r->address);
		if (route.kind != ROUTE_RELAY_MX && (route.relay == NULL ||
		    !relay_is_same(route.relay, l->hop)))
			local_deliver(d, r, l->conf);
	}
}

/* RFC 3461 5.2.1, 5.2.3: who does not offer DSN tells nobody; by LMTP he is the
 * end of the way all the same (RFC 2033 2). */
static enum delivery_reach
line_reach(const struct line *l)
{
	if ((l->client.ehlo.has & CAPABILITY_BIT(DSN)) != 0)
		return REACH_REPORTER;
	return l->hop != NULL && l->hop->is_lmtp ? REACH_MAILBOX : REACH_RELAY;
}

/* ---- what the sender says of TLS (RFC 8689) ---- */

/* 4.2.1: "for which the MAIL FROM return-path is not empty" */
static bool
is_required(const struct delivery *d)
{
	return (d->envelope.flags & ENVELOPE_REQUIRETLS) != 0 &&
	    d->envelope.sender.n > 0;
}

/* Where LMTP ends, nothing is passed on.  What was proven is the host of the
 * domain that the line was opened for, by that domain's MX. */
static bool
line_will_do(const struct line *l, const struct delivery *d)
{
	must(l->c != NULL);
	return !is_required(d) || (l->hop != NULL && l->hop->is_lmtp) ||
	    (client_keeps_tls(&l->client) &&
	    str_eq(d->handoff.domain, l->c->ready.domain));
}

static void
verdicts_set(struct delivery *d, const struct verdict *v)
{
	must(v->disposition != DELIVERED);
	for (size_t i = 0; i < d->n; i++)
		if (!d->rcpts[i].is_tried) {
			d->rcpts[i].verdict = *v;
			d->rcpts[i].is_tried = true;
		}
}

/* 4.2.1: what cannot be sent as required comes back; what failed for another
 * reason is tried again. */
static struct verdict
required_verdict(const struct line *l)
{
	must(l->verdict.disposition != DELIVERED);
	if (l->lacks_requiretls)
		return verdict_make(FAILED, 0, "5.7.30",
		    "REQUIRETLS support required");
	if (l->is_untrusted)
		return verdict_make(FAILED, 0, "5.7.10",
		    "Encryption needed: %s", l->verdict.text);
	return l->verdict;
}

/* The one message over a line of its own, made as its sender wishes. */
static yields void
wish_send(struct connection *c, const struct config *conf, struct delivery *d,
    enum line_wish wish)
{
	struct line l = { .c = c, .d = c->deliver, .conf = conf, .wish = wish,
		.key = d->handoff.domain };
	struct stream *net = c->net;
	struct verdict v;
	struct batch b = { .n = 0 };

	must(wish != LINE_AS_IT_IS && d->is_pinned);
	arena_init(&l.arena, LINE_MEMORY);
	if (line_open(&l)) {
		if (batch_init(&b, &l, d) == 0)
			while (client_is_usable(&l.client) && batch_fill(&b, d))
				batch_send(&b, &l, d);
		d->relay = arena_copy(&d->arena, l.relay);
		d->tls = arena_copy(&d->arena,
		    str_of(l.client.security.told));
		d->reach = line_reach(&l);
		line_hang_up(&l);
	} else {
		v = wish == LINE_REQUIRED ? required_verdict(&l) : l.verdict;
		verdicts_set(d, &v);
		arena_clear(&l.arena);
	}
	c->net = net;
}

/* ---- how fast ---- */

/* The site's owner hears what a reply says of it.  False: at its door, and that
 * is not borne with. */
static bool
speed_hear(struct line *l, const struct verdict *v, enum pace_said said,
    uint32_t n_taken)
{
	bool is_borne = true, is_news = false;
	char room[VERDICT_TEXT + 32];
	struct buf words = BUF_OF(room);
	struct pace_reply r = { .said = said, .n_taken = n_taken };

	buf_printf(&words, "%d%s%s %s", v->code, v->esc.class == 0 ? "" : " ",
	    esc_print(v->esc).text, v->text);
	if (said == PACE_SLOWER || said == PACE_NARROWER)
		r.words = buf_str(&words);
	if (l->c->ready.state == CONNECTION_OPENING)
		is_borne = ready_throttled(l->d->ready, clock_mono(),
		    &l->c->ready, &r, &is_news);
	else
		is_news = ready_replied(l->d->ready, clock_mono(),
		    &l->c->ready, &r);
	if (is_news)
		line_tell_slowed(l, r.words);
	return is_borne;
}

/* Of a message, before its home hears of it. */
static void
speed_learn(struct line *l, const struct batch *b)
{
	if (b->worst == NULL)
		return;
	(void)speed_hear(l, b->worst, b->said, b->n_taken);
	l->is_mute = ready_is_mute(l->d->ready, clock_mono(), &l->c->ready) &&
	    b->worst->disposition == DEFERRED;
	if (l->is_mute)
		l->verdict = *b->worst;
}

static yields void
message_send(struct line *l, const struct handoff *h, struct mono connect_from)
{
	struct delivery d;
	struct batch b = { .n = 0 };

	must(l->c != NULL && l->verdict.disposition == DELIVERED);
	if (delivery_open(&d, l->d, h) != 0)
		return;
	d.relay = l->relay;
	d.tls = str_of(l->client.security.told);
	d.reach = line_reach(l);
	d.times.connect_from = connect_from;
	d.times.sent_from = clock_mono();
	if (l->hop != NULL)
		others_deliver(l, &d);
	if (!line_will_do(l, &d))
		wish_send(l->c, l->conf, &d, LINE_REQUIRED);
	else if (batch_init(&b, l, &d) == 0)
		while (client_is_usable(&l->client) && batch_fill(&b, &d))
			batch_send(&b, l, &d);
	speed_learn(l, &b);
	if (l->client.kind == CLIENT_LMTP)
		d.reach = REACH_MAILBOX;
	else if (client_passes_dsn(&l->client))
		d.reach = REACH_REPORTER;
	d.times.done = clock_mono();
	delivery_finish(&d);
}

yields void
remote_deliver_one(struct delivery *d, struct delivery_recipient *r,
    const struct relay *relay, const struct config *conf)
{
	struct line l = { .d = d->at, .conf = conf,
		.patience = client_patience_of(conf) };
	struct batch b = { .n = 0 };

	must(!r->is_tried);
	arena_init(&l.arena, LINE_MEMORY);
	r->verdict = l.verdict = verdict_make(DEFERRED, 0, "4.3.0",
	    "no memory");
	if (!line_open_relay(&l, relay)) {
		r->verdict = l.verdict;
		arena_clear(&l.arena);
		return;
	}
	if (batch_init(&b, &l, d) == 0) {
		b.n = 0;
		batch_add(&b, d, (size_t)(r - d->rcpts));
		batch_send(&b, &l, d);
	}
	r->remote = arena_copy(&d->arena, l.remote);
	line_hang_up(&l);
}

/* ---- the life of the line ---- */

/* False: it has rested enough. */
static yields bool
line_rest(struct line *l, struct mono until)
{
	struct connection *c = l->c;

	must(!c->is_idle);
	c->is_idle = true;
	c->fiber = fiber_self();
	(void)fiber_park(until);
	c->is_idle = false;
	return !l->d->is_stopping && !c->is_unwanted;
}

/* May another message go over it?  Not when the peer hung up while nothing was
 * said, nor after a reload: the next line has the new configuration. */
static bool
line_stands(struct line *l)
{
	return client_is_usable(&l->client) && !stream_has_ended(&l->net) &&
	    config_now(l->d->holder) == l->conf;
}

/* Who is not to speak for longer than that had better go. */
static struct mono
rest_end(const struct line *l, struct mono now)
{
	int64_t ns = l->conf->outbound.idle;

	return mono_add(now, ns > REST_LEAST_NS ? ns : REST_LEAST_NS);
}

static yields void
line_work(struct line *l, struct mono connect_from)
{
	struct mono idle_end = MONO_NEVER, until;
	struct handoff h;

	while (line_stands(l) && !l->d->is_stopping && !l->is_mute) {
		struct mono now = clock_mono();

		switch (ready_take(l->d->ready, now, &l->c->ready, &h, &until)) {
		case READY_TAKEN:
			message_send(l, &h, connect_from);
			connect_from = (struct mono){ 0 };
			idle_end = MONO_NEVER;
			break;
		case READY_EMPTY:
			if (idle_end.ns == MONO_NEVER.ns)
				idle_end = mono_add(now, l->conf->outbound.idle);
			if (!mono_is_before(now, idle_end) ||
			    !line_rest(l, idle_end))
				return;
			break;
		case READY_WAIT:
			if (!mono_is_before(until, rest_end(l, now)) ||
			    !line_rest(l, until))
				return;
			break;
		case READY_SPENT:
			return;
		}
	}
}

/* TLS is what kept us from every host: some senders have said what then. */
static yields void
untrusted_settle(struct line *l, const struct handoff *h)
{
	struct delivery d;
	struct verdict v;

	must(l->is_untrusted);
	if (delivery_open(&d, l->d, h) != 0)
		return;
	if ((d.envelope.flags & ENVELOPE_TLS_OPTIONAL) != 0)
		wish_send(l->c, l->conf, &d, LINE_RELAXED);
	v = is_required(&d) ? required_verdict(l) : l->verdict;
	verdicts_set(&d, &v);
	delivery_finish(&d);
}

static yields void
verdict_share(struct line *l)
{
	struct handoff h;
	struct mono until;

	must(l->verdict.disposition != DELIVERED);
	if (!ready_failed(l->d->ready, clock_mono(), &l->c->ready))
		return;
	until = mono_add(clock_mono(), LINE_SOURCE_REST_NS);
	if (l->is_sourceless) {
		line_tell_source(l);
		ready_shut(l->d->ready, &l->c->ready, until);
	}
	while (ready_failed_next(l->d->ready, &l->c->ready, &h))
		if (l->is_sourceless)
			handoff_divert(l->d, &h, until, &l->verdict, l->remote);
		else if (l->is_untrusted)
			untrusted_settle(l, &h);
		else
			handoff_fail(l->d, &h, &l->verdict, l->remote);
}

/* Nobody learns anything from a try that we broke off ourselves. */
static yields void
site_fail(struct line *l)
{
	if (!l->d->is_stopping && (l->is_untrusted || !speed_hear(l,
	    &l->verdict, throttle_of(&l->verdict), 0)))
		verdict_share(l);
}

static yields void
line_run(struct line *l)
{
	struct mono began = clock_mono();

	must(l->c != NULL && l->c->net == NULL);
	if (!line_open(l)) {
		site_fail(l);
		return;
	}
	ready_opened(l->d->ready, clock_mono(), &l->c->ready);
	line_work(l, began);
	if (l->is_mute && !l->d->is_stopping)
		verdict_share(l);
	line_hang_up(l);
}

yields void
remote_run(void *arg)
{
	struct connection *c = arg;
	struct config *conf = config_pin(c->deliver->holder);
	struct line l = { .c = c, .d = c->deliver, .conf = conf };

	must(!c->is_local);
	arena_init(&l.arena, LINE_MEMORY);
	line_run(&l);
	arena_clear(&l.arena);
	config_unpin(l.d->holder, conf);
	connection_end(c);
}
