#include "deliver/remote.h"

#include "deliver/delivery.h"
#include "deliver/key.h"
#include "fiber/clock.h"
#include "smtp/client.h"

#include <stdlib.h>

enum { BATCH_MOST = 1000 };

/* What one connection is made of, on its fiber's stack. */
struct line {
	struct connection *c;
	struct deliver *d;
	struct config *conf;		/* pinned while the line stands */
	struct client_patience patience;
	struct net_end *end;
	struct stream net;
	struct client client;
	struct verdict verdict;		/* why there is no connection */
	struct str remote;		/* the host that said so */
	struct str relay;		/* "mx.example[192.0.2.1]:25" */
	char relay_text[320], remote_text[256];
	unsigned sent;
};

static void
patience_set(struct client_patience *p, const struct config *c)
{
	p->greeting = c->timeouts.client.greeting;
	p->command = c->timeouts.client.command;
	p->data = c->timeouts.client.data;
	p->block = c->timeouts.client.block;
	p->end = c->timeouts.client.end;
	p->quit = c->timeouts.client.quit;
}

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
source_for(const struct config *c, const struct address *to)
{
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

	buf_printf(&b, STR_FMT "[%s]:%u", STR_ARG(t->host->name), ip.text,
	    t->address->port);
	buf_put(&r, t->host->name);
	l->relay = buf_str(&b);
	l->remote = buf_str(&r);
}

/* A 5xx greeting is this host's word, not the domain's: another may take it,
 * later.  Only 521 says never (RFC 7504 3). */
static void
greeting_soften(struct verdict *v)
{
	if (v->disposition != FAILED || v->code == 521)
		return;
	v->disposition = DEFERRED;
	v->esc = (struct esc){ 4, v->esc.subject, v->esc.detail };
}

/* Did we reach one of our own doors?  Then the mail would come back for ever. */
static bool
is_ourselves(const struct line *l, const struct address *to)
{
	struct address self;

	if (!net_local(l->end, &self) || !address_eq_ip(&self, to))
		return false;
	for (size_t i = 0; i < l->conf->n_listeners; i++)
		if (l->conf->listeners[i].port == to->port)
			return true;
	return false;
}

static yields bool
host_try(struct line *l, const struct site_try *t)
{
	struct str name = l->conf->outbound.ehlo;

	relay_name(l, t);
	l->end = net_connect(t->address, source_for(l->conf, t->address),
	    mono_add(clock_mono(), l->conf->timeouts.client.connect));
	if (l->end == NULL) {
		l->verdict = verdict_make(DEFERRED, 0, "4.4.1",
		    "connect to " STR_FMT ": %s", STR_ARG(l->relay),
		    err_text());
		err_clear();
		return false;
	}
	stream_init(&l->net, l->end);
	if (is_ourselves(l, t->address)) {
		l->verdict = verdict_make(FAILED, 554, "5.4.6",
		    "mail for " STR_FMT " loops back to this server",
		    STR_ARG(l->c->ready.domain));
		stream_close(&l->net);
		return false;
	}
	client_init(&l->client, &l->net, &l->patience);
	l->verdict = client_greet(&l->client,
	    name.n > 0 ? name : l->conf->hostname);
	if (l->verdict.disposition == DELIVERED)
		return true;
	greeting_soften(&l->verdict);
	client_quit(&l->client);
	stream_close(&l->net);
	return false;
}

static yields bool
hosts_try(struct line *l, const struct site *s, const struct site_policy *p)
{
	struct site_try tries[SITE_ADDRESSES];
	size_t n = site_order(s, p, tries);

	if (n > l->conf->outbound.hosts)
		n = l->conf->outbound.hosts;
	if (n == 0)
		l->verdict = verdict_make(DEFERRED, 0, "4.4.4",
		    "no host has an address that outbound.prefer allows");
	for (size_t i = 0; i < n && !l->d->is_stopping; i++)
		if (host_try(l, &tries[i]))
			return true;
	return false;
}

/* The hosts of one relay are tried in order, as one site. */
static yields bool
relay_connect(struct line *l, const struct route *r)
{
	struct site_policy p;
	const struct site *s;
	struct mono until;
	bool ok = false;

	for (size_t i = 0; i < r->relay->n && !ok; i++) {
		const struct relay_host *h = &r->relay->hosts[i];
		struct address_text ip = address_print(&h->literal);
		struct str host = h->literal.family == ADDRESS_NONE ? h->host :
		    str_of(ip.text);
		char room[sizeof ip + 2];
		struct buf b = BUF_OF(room);

		if (h->literal.family != ADDRESS_NONE) {
			buf_printf(&b, "[" STR_FMT "]", STR_ARG(host));
			host = buf_str(&b);
		}
		site_policy_make(&p, l->conf, h->port);
		until = mono_add(clock_mono(), l->conf->timeouts.dns);
		s = site_find(l->d->sites, host, true, &p, until);
		if (s == NULL)
			continue;
		l->verdict = s->verdict;
		/* A smarthost we cannot find is our trouble, not the mail's. */
		greeting_soften(&l->verdict);
		if (s->verdict.disposition == DELIVERED)
			ok = hosts_try(l, s, &p);
		site_drop(s);
	}
	return ok;
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
	if (s == NULL) {
		l->verdict = verdict_make(DEFERRED, 451, "4.3.0", "no memory");
		return false;
	}
	l->verdict = s->verdict;
	if (s->verdict.disposition == DELIVERED)
		ok = hosts_try(l, s, &p);
	site_drop(s);
	return ok;
}

static yields bool
line_open(struct line *l)
{
	struct arena a;
	struct route r;
	bool ok;

	patience_set(&l->patience, l->conf);
	arena_init(&a, 16 * 1024);
	r = key_route(l->conf, l->c->ready.domain, &a);
	if (r.kind == ROUTE_RELAY_HOST && !r.relay->by_mx)
		ok = relay_connect(l, &r);
	else
		ok = mx_connect(l, r.domain);
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

static yields void
batch_send(struct line *l, struct delivery *d, size_t from, size_t n)
{
	struct str *list = arena_alloc(&d->arena, n * sizeof *list);
	struct verdict *v = arena_alloc(&d->arena, n * sizeof *v);
	struct reading reading = { .is_damaged = false };
	struct client_message m = { .sender = d->envelope.sender,
		.recipients = list, .n = n, .size = d->envelope.size,
		.has_8bit = (d->envelope.flags & ENVELOPE_8BIT) != 0,
		.read = body_give, .arg = &reading };

	if (list == NULL || v == NULL)
		return;			/* untried: put off */
	for (size_t i = 0; i < n; i++)
		list[i] = d->rcpts[from + i].address;
	body_open(&reading.body, &d->pin);
	client_send(&l->client, &m, v);
	d->is_damaged = reading.is_damaged;
	for (size_t i = 0; i < n; i++) {
		d->rcpts[from + i].verdict = v[i];
		d->rcpts[from + i].remote = l->remote;
		d->rcpts[from + i].is_tried = true;
	}
}

static yields void
message_send(struct line *l, const struct handoff *h, struct mono connect_from)
{
	size_t most = l->conf->outbound.recipients;
	struct delivery d;

	if (most == 0 || most > BATCH_MOST)
		most = BATCH_MOST;
	if (delivery_open(&d, l->d, h) != 0)
		return;
	d.relay = l->relay;
	d.times.connect_from = connect_from;
	d.times.sent_from = clock_mono();
	for (size_t i = 0; i < d.n && client_is_usable(&l->client); i += most)
		batch_send(l, &d, i, d.n - i < most ? d.n - i : most);
	d.times.done = clock_mono();
	delivery_finish(&d);
	l->sent++;
}

/* ---- the life of the line ---- */

static yields bool
line_rest(struct line *l, struct mono until)
{
	l->c->is_idle = true;
	l->c->fiber = fiber_self();
	(void)fiber_park(until);
	l->c->is_idle = false;
	return !l->d->is_stopping;
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

static yields void
site_fail(struct line *l)
{
	struct handoff h;

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
	stream_close(&l->net);
}

yields void
remote_run(void *arg)
{
	struct connection *c = arg;
	struct line l = { .c = c, .d = c->deliver,
		.conf = config_pin(c->deliver->holder) };

	line_run(&l);
	l.d->counts.connections--;
	ready_closed(l.d->ready, clock_mono(), &c->ready);
	config_unpin(l.d->holder, l.conf);
	list_remove(&c->link);
	fiber_wake(l.d->dispatcher);
	fiber_wake(l.d->stopper);
	free(c);
}
