/*
 * The life of a line:
 *
 *	OPENING  line_open   the site's hosts are tried, best first
 *	FAILED   site_fail   none would have us: all that wait share the verdict
 *	WORKING  line_work   a message is on its way, or the line rests
 *	OVER     remote_run  QUIT was said; the permit is back
 */
#include "deliver/remote.h"

#include "base/must.h"
#include "deliver/connection.h"
#include "deliver/delivery.h"
#include "deliver/key.h"
#include "deliver/local.h"
#include "fiber/clock.h"
#include "smtp/client.h"

enum { BATCH_MOST = 1000, ROUTE_MEMORY = 16 * 1024 };

/* What one connection is made of, on its fiber's stack. */
struct line {
	struct connection *c;		/* NULL: for one recipient alone */
	struct deliver *d;
	const struct config *conf;	/* pinned while the line stands */
	const struct relay *hop;	/* the route's; NULL: MX */
	struct client_patience patience;
	struct net_end *end;
	struct stream net;
	struct client client;
	struct verdict verdict;		/* why there is no connection */
	struct str remote;		/* the host that said so */
	struct str relay;		/* "mx.example[192.0.2.1]:25" */
	char relay_text[320], remote_text[256];
	struct address address;		/* of the host */
};

/* ---- finding and connecting ---- */

void
site_policy_make(struct site_policy *p, const struct config *c, uint16_t port)
{
	*p = (struct site_policy){ .port = port,
		.ipv4 = c->outbound.prefer != IP_V6_ONLY,
		.ipv6 = c->outbound.prefer != IP_V4_ONLY,
		.ipv6_first = c->outbound.prefer == IP_V6_FIRST ||
		    c->outbound.prefer == IP_V6_ONLY,
		.hostname = c->hostname, .ehlo = c->outbound.ehlo };
}

static const struct address *
source_for(const struct config *c, const struct relay *hop,
    const struct address *to)
{
	if (hop != NULL && hop->is_lmtp)
		return NULL;		/* a neighbour, not the Internet */
	for (size_t i = 0; i < c->outbound.bind.n; i++)
		if (c->outbound.bind.v[i].family == to->family)
			return &c->outbound.bind.v[i];
	return NULL;
}

static void
relay_name(struct line *l, const struct site_try *t)
{
	struct buf b = BUF_OF(l->relay_text);
	struct buf r = BUF_OF(l->remote_text);
	struct address_text ip = address_print(t->address);

	buf_printf(&b, STR_FMT "[%s]", STR_ARG(t->host->name), ip.text);
	if (t->address->family != ADDRESS_UNIX)
		buf_printf(&b, ":%u", t->address->port);
	buf_put(&r, t->host->name);
	l->relay = buf_str(&b);
	l->remote = buf_str(&r);
}

static void
verdict_soften(struct verdict *v)
{
	if (v->disposition != FAILED)
		return;
	v->disposition = DEFERRED;
	v->esc = (struct esc){ 4, v->esc.subject, v->esc.detail };
}

/* Did we reach one of our own doors?  Then the mail would come back for ever. */
static bool
is_ourselves(const struct line *l, const struct address *to)
{
	struct address self;

	if (to->family == ADDRESS_UNIX || !net_local(l->end, &self) || !address_eq_ip(&self, to))
		return false;
	for (size_t i = 0; i < l->conf->n_listeners; i++)
		if (l->conf->listeners[i].port == to->port)
			return true;
	return false;
}

enum trial { TRIAL_GOOD, TRIAL_FAILED, TRIAL_OURSELVES };

static yields enum trial
host_greet(struct line *l, const struct site_try *t)
{
	struct str name = l->conf->outbound.ehlo;

	if (is_ourselves(l, t->address)) {
		l->verdict = verdict_make(FAILED, 0, "5.4.6",
		    "mail for " STR_FMT " loops back to this server",
		    STR_ARG(l->c == NULL ? t->host->name : l->c->ready.domain));
		return TRIAL_OURSELVES;
	}
	client_init(&l->client, &l->net, l->hop != NULL && l->hop->is_lmtp ?
	    CLIENT_LMTP : CLIENT_SMTP, &l->patience);
	l->client.distrust = liar_recall(&l->d->liars, clock_mono(),
	    t->address);
	l->address = *t->address;
	l->verdict = client_greet(&l->client,
	    name.n > 0 ? name : l->conf->hostname);
	if (l->verdict.disposition == DELIVERED) {
		if (!stream_has_ended(&l->net))
			return TRIAL_GOOD;
		/* A line that stands no longer carries nothing; to open it
		 * again and again would be all that we do. */
		l->verdict = verdict_make(DEFERRED, 0, "4.4.2",
		    STR_FMT " hung up or spoke out of turn after its greeting",
		    STR_ARG(l->relay));
	}
	/* A 5xx greeting is this host's word, not the domain's: another may
	 * take it, later.  Only 521 says never (RFC 7504 3). */
	if (l->verdict.code != 521)
		verdict_soften(&l->verdict);
	client_quit(&l->client);
	return TRIAL_FAILED;
}

static void
line_close(struct line *l)
{
	if (l->c != NULL)
		l->c->net = NULL;
	stream_close(&l->net);
}

static yields enum trial
host_try(struct line *l, const struct site_try *t)
{
	enum trial said;

	relay_name(l, t);
	l->end = net_connect(t->address, source_for(l->conf, l->hop,
	    t->address),
	    mono_add(clock_mono(), l->conf->timeouts.client.connect));
	if (l->end == NULL) {
		l->verdict = verdict_make(DEFERRED, 0, "4.4.1",
		    "connect to " STR_FMT ": %s", STR_ARG(l->relay),
		    err_text());
		err_clear();
		return TRIAL_FAILED;
	}
	stream_init(&l->net, l->end);
	if (l->c != NULL)
		l->c->net = &l->net;
	said = host_greet(l, t);
	if (said != TRIAL_GOOD)
		line_close(l);
	return said;
}

/*
 * RFC 5321 5.1: who finds himself among the hosts asks nobody from there on.
 * The mail comes back for ever only when nobody better than we is there at all.
 */
static yields bool
hosts_try(struct line *l, const struct site *s, const struct site_policy *p)
{
	struct site_try tries[SITE_ADDRESSES];
	size_t n = site_order(s, p, tries);
	struct verdict before;

	if (n > l->conf->outbound.hosts)
		n = l->conf->outbound.hosts;
	if (n == 0)
		l->verdict = verdict_make(DEFERRED, 0, "4.4.4",
		    "no host has an address that outbound.prefer allows");
	for (size_t i = 0; i < n && !l->d->is_stopping; i++) {
		before = l->verdict;
		switch (host_try(l, &tries[i])) {
		case TRIAL_GOOD:
			return true;
		case TRIAL_FAILED:
			break;
		case TRIAL_OURSELVES:
			if (tries[i].host->preference !=
			    tries[0].host->preference)
				l->verdict = before;
			return false;
		}
	}
	return false;
}

/* A server of this machine goes by our name. */
static yields bool
socket_try(struct line *l, const struct relay_host *h)
{
	struct site_host host = { .name = l->conf->hostname };
	struct site_try t = { &host, &h->literal };

	return host_try(l, &t) == TRIAL_GOOD;
}

/* One host, by name or address; its own addresses, no MX. */
static yields bool
relay_host_try(struct line *l, const struct relay_host *h)
{
	struct address_text ip = address_print(&h->literal);
	char room[sizeof ip + 2];
	struct buf b = BUF_OF(room);
	struct site_policy p;
	const struct site *s;
	bool ok = false;

	if (h->literal.family == ADDRESS_UNIX)
		return socket_try(l, h);
	buf_printf(&b, "[%s]", ip.text);
	site_policy_make(&p, l->conf, h->port);
	s = site_find(l->d->sites, h->literal.family == ADDRESS_NONE ?
	    h->host : buf_str(&b), true, &p,
	    mono_add(clock_mono(), l->conf->timeouts.dns));
	if (s == NULL)
		return false;
	if (s->verdict.disposition == DELIVERED)
		ok = hosts_try(l, s, &p);
	else
		l->verdict = s->verdict;
	site_drop(s);
	return ok;
}

/* The hosts of one relay are tried in order, as one site.  A relay that cannot
 * be used is our trouble, never the mail's. */
static yields bool
relay_connect(struct line *l, const struct relay *relay)
{
	l->hop = relay;
	for (size_t i = 0; i < relay->n && !l->d->is_stopping; i++) {
		if (relay_host_try(l, &relay->hosts[i]))
			return true;
		verdict_soften(&l->verdict);
	}
	return false;
}

static yields bool
mx_connect(struct line *l, struct str domain)
{
	struct mono until = mono_add(clock_mono(), l->conf->timeouts.dns);
	struct site_policy p;
	const struct site *s;
	bool ok = false;

	site_policy_make(&p, l->conf, (uint16_t)l->conf->outbound.port);
	s = site_find(l->d->sites, domain, false, &p, until);
	if (s == NULL)
		return false;
	if (s->verdict.disposition == DELIVERED)
		ok = hosts_try(l, s, &p);
	else
		l->verdict = s->verdict;
	site_drop(s);
	return ok;
}

/* The route is asked for again: a reload may have come since the queue did. */
static yields bool
line_open(struct line *l)
{
	struct arena a;
	struct route r;
	bool ok = false;

	l->verdict = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
	l->patience = client_patience_of(l->conf);
	arena_init(&a, ROUTE_MEMORY);
	r = key_route(l->conf, l->c->ready.domain, &a);
	switch (r.kind) {
	case ROUTE_RELAY_HOST:
		ok = relay_connect(l, r.relay);
		break;
	case ROUTE_RELAY_MX:
		ok = mx_connect(l, r.domain);
		break;
	case ROUTE_LOCAL:
	case ROUTE_DISCARD:
	case ROUTE_REFUSED:
		l->verdict = verdict_make(DEFERRED, 0, "4.3.5",
		    "its route has changed; it is tried again");
		break;
	}
	arena_clear(&a);
	return ok;
}

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
};

static int
batch_init(struct batch *b, struct line *l, struct delivery *d)
{
	uint64_t told = l->client.ehlo.rcpt_max;	/* RFC 9422 4.2 */

	b->most = (size_t)l->conf->outbound.recipients;
	if (b->most == 0 || b->most > BATCH_MOST)
		b->most = BATCH_MOST;
	if (told != 0 && b->most > told)
		b->most = (size_t)told;
	if (b->most > d->n)
		b->most = d->n;
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
		    str_eq(d->rcpts[i].sender, d->rcpts[b->who[0]].sender)))
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

/* As long as each transaction delivers some, the others' turn comes. */
static void
batch_judge(const struct batch *b, struct line *l, struct delivery *d)
{
	bool goes_on = false;

	for (size_t i = 0; i < b->n; i++)
		goes_on |= b->verdicts[i].disposition == DELIVERED;
	for (size_t i = 0; i < b->n; i++) {
		struct delivery_recipient *r = &d->rcpts[b->who[i]];

		r->verdict = b->verdicts[i];
		r->remote = l->remote;
		r->is_tried = !goes_on || !is_crowded(l, &r->verdict);
	}
}

static yields void
batch_send(const struct batch *b, struct line *l, struct delivery *d)
{
	struct reading reading = { .is_damaged = false };
	const struct envelope *e = &d->envelope;
	bool is_from_list = d->rcpts[b->who[0]].is_from_list;
	struct client_message m = { .sender = d->rcpts[b->who[0]].sender,
		.recipients = b->list, .n = b->n,
		.envid = is_from_list ? STR("") : e->envid,
		.ret = is_from_list ? RET_NONE : e->ret,
		.size = e->size, .body = body_kind(e),
		.is_utf8 = (e->flags & ENVELOPE_SMTPUTF8) != 0,
		.read = body_give, .rewind = body_again, .arg = &reading };

	must(b->n > 0 && d->is_pinned);
	body_open(&reading.body, &d->pin);
	client_send(&l->client, &m, b->verdicts);
	liar_note(&l->d->liars, clock_mono(), &l->address, l->client.lies);
	d->is_damaged |= reading.is_damaged;
	batch_judge(b, l, d);
}

/* Of our own domains users may be delivered in other ways, and roles have a
 * mailbox here. */
static yields void
others_deliver(struct line *l, struct delivery *d)
{
	for (size_t i = 0; i < d->n && !d->is_damaged; i++) {
		struct delivery_recipient *r = &d->rcpts[i];
		struct route route;

		if (r->is_tried || config_domain(l->conf,
		    mailbox_domain(r->address)) == NULL)
			continue;
		route = route_find(l->conf, r->sender, r->address);
		if (route.kind != ROUTE_RELAY_MX && (route.relay == NULL ||
		    !str_eq(route.relay->text, l->hop->text)))
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

static yields void
message_send(struct line *l, const struct handoff *h, struct mono connect_from)
{
	struct delivery d;
	struct batch b;

	if (delivery_open(&d, l->d, h) != 0)
		return;
	d.relay = l->relay;
	d.reach = line_reach(l);
	d.times.connect_from = connect_from;
	d.times.sent_from = clock_mono();
	if (l->hop != NULL)
		others_deliver(l, &d);
	if (batch_init(&b, l, &d) == 0)
		while (client_is_usable(&l->client) && batch_fill(&b, &d))
			batch_send(&b, l, &d);
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
	struct batch b;

	must(!r->is_tried);
	r->verdict = l.verdict = verdict_make(DEFERRED, 0, "4.3.0",
	    "no memory");
	if (!relay_connect(&l, relay)) {
		r->verdict = l.verdict;
		return;
	}
	if (batch_init(&b, &l, d) == 0) {
		b.n = 0;
		batch_add(&b, d, (size_t)(r - d->rcpts));
		batch_send(&b, &l, d);
	}
	r->remote = arena_copy(&d->arena, l.remote);
	client_quit(&l.client);
	line_close(&l);
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

static yields void
line_work(struct line *l, struct mono connect_from)
{
	struct mono idle_end = MONO_NEVER, until;
	struct handoff h;

	while (line_stands(l) && !l->d->is_stopping) {
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
			if (!line_rest(l, until))
				return;
			break;
		case READY_SPENT:
			return;
		}
	}
}

/* Nobody learns anything from a try that we broke off ourselves. */
static yields void
site_fail(struct line *l)
{
	struct handoff h;

	if (l->d->is_stopping)
		return;
	must(l->verdict.disposition != DELIVERED);
	if (!ready_failed(l->d->ready, clock_mono(), &l->c->ready))
		return;
	while (ready_failed_next(l->d->ready, &l->c->ready, &h))
		handoff_fail(l->d, &h, &l->verdict, l->remote);
}

static yields void
line_run(struct line *l)
{
	struct mono began = clock_mono();

	if (!line_open(l)) {
		site_fail(l);
		return;
	}
	ready_opened(l->d->ready, clock_mono(), &l->c->ready);
	line_work(l, began);
	client_quit(&l->client);
	line_close(l);
}

yields void
remote_run(void *arg)
{
	struct connection *c = arg;
	struct config *conf = config_pin(c->deliver->holder);
	struct line l = { .c = c, .d = c->deliver, .conf = conf };

	must(!c->is_local);
	line_run(&l);
	config_unpin(l.d->holder, conf);
	connection_end(c);
}
