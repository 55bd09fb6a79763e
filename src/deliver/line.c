#include "deliver/line.h"

#include "base/err.h"
#include "base/must.h"
#include "deliver/key.h"
#include "deliver/liar.h"
#include "deliver/security.h"
#include "deliver/site.h"
#include "deliver/tls_report.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "policy/pool.h"
#include "policy/tls_wish.h"
#include "queue/config.h"
#include "queue/sentinel.h"
#include "wire/reply.h"

#include <errno.h>

enum { ROUTE_MEMORY = 16 * 1024 };

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

/* ---- the source ---- */

static const struct address *
bind_of(const struct conf_addresses *bind, enum address_family family)
{
	must(family != ADDRESS_NONE);
	for (size_t i = 0; i < bind->n; i++)
		if (bind->v[i].family == family)
			return &bind->v[i];
	return NULL;
}

static const struct address *
source_for(const struct line *l, const struct address *to)
{
	if (l->hop != NULL && l->hop->is_lmtp)
		return NULL;		/* a neighbour, not the Internet */
	return bind_of(l->source != NULL ? &l->source->bind :
	    &l->conf->outbound.bind, to->family);
}

/* False: a reload has taken it away. */
static bool
source_find(struct line *l)
{
	l->source = l->c == NULL ? NULL :
	    source_named(l->conf, l->c->ready.source);
	if (l->c == NULL || l->source != NULL ||
	    str_eq(l->c->ready.source, queue_config_no_pool()->name))
		return true;
	l->is_sourceless = true;
	l->verdict = verdict_make(DEFERRED, 0, "4.3.5", "the source " STR_FMT
	    " is no longer configured", STR_ARG(l->c->ready.source));
	return false;
}

/* It sends from what it has been given, and from nowhere else. */
static void
source_limits(const struct line *l, struct site_policy *p)
{
	if (l->source == NULL)
		return;
	p->ipv4 &= bind_of(&l->source->bind, ADDRESS_V4) != NULL;
	p->ipv6 &= bind_of(&l->source->bind, ADDRESS_V6) != NULL;
}

/* No host has an address that we may connect to. */
static void
source_misses(struct line *l)
{
	l->is_sourceless = l->source != NULL;
	l->verdict = l->source == NULL ? verdict_make(DEFERRED, 0, "4.4.4",
	    "no host has an address that outbound.prefer allows") :
	    verdict_make(DEFERRED, 0, "4.4.4", "no host has an address that the "
	    "source " STR_FMT " may connect to", STR_ARG(l->source->name));
}

static void
relay_name(struct line *l, const struct site_try *t)
{
	struct buf b = BUF_OF(l->relay_text);
	struct buf r = BUF_OF(l->remote_text);
	struct address_text ip = address_print(t->address);

	must(t->host != NULL && t->address != NULL);
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

static void
line_close(struct line *l)
{
	must(l->c == NULL || l->c->net == &l->net);
	if (l->c != NULL)
		l->c->net = NULL;
	stream_close(&l->net);
}

yields void
line_hang_up(struct line *l)
{
	client_quit(&l->client);
	line_close(l);
	arena_clear(&l->arena);
}

/* A 5xx greeting is this host's word, not the domain's: another may take it,
 * later.  Only 521 says never (RFC 7504 3). */
static yields enum trial
host_refuse(struct line *l)
{
	must(l->verdict.disposition != DELIVERED);
	if (l->verdict.code != 521)
		verdict_soften(&l->verdict);
	client_quit(&l->client);
	return TRIAL_FAILED;
}

static yields enum trial
host_greet(struct line *l, const struct site_try *t)
{
	struct str name = l->source != NULL && l->source->ehlo.n > 0 ?
	    l->source->ehlo : l->conf->outbound.ehlo;

	if (is_ourselves(l, t->address)) {
		l->verdict = verdict_make(FAILED, 0, "5.4.6",
		    "mail for " STR_FMT " loops back to this server",
		    STR_ARG(l->c == NULL ? t->host->name : l->c->ready.domain));
		return TRIAL_OURSELVES;
	}
	l->verdict = client_greet(&l->client,
	    name.n > 0 ? name : l->conf->hostname);
	if (l->verdict.disposition != DELIVERED)
		return host_refuse(l);
	if (!stream_has_ended(&l->net))
		return TRIAL_GOOD;
	/* A line that stands no longer carries nothing; to open it again and
	 * again would be all that we do. */
	l->verdict = verdict_make(DEFERRED, 0, "4.4.2",
	    STR_FMT " hung up or spoke out of turn after its greeting",
	    STR_ARG(l->relay));
	return host_refuse(l);
}

/* ---- what a connection teaches of the host ---- */

static void
line_tell(struct line *l, enum event_type type, const char *reason,
    const struct buf *text)
{
	struct event e = event_make(type, clock_wall(), 0);

	if (l->relay.n > 0)
		event_str(&e, FIELD_relay, l->relay);
	event_str(&e, FIELD_reason, str_of(reason));
	event_str(&e, FIELD_text, buf_str(text));
	intake_tell(l->d->intake, &e);
}

/* Clear text, for want of TLS that works. */
static void
line_tell_clear(struct line *l, const char *why)
{
	char room[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "TLS with " STR_FMT " does not work (%s): its mail goes "
	    "in clear text for %d h", STR_ARG(l->relay), why,
	    LIAR_CLEAR_HOURS);
	line_tell(l, EVENT_insecure, "broken", &b);
}

static void
line_tell_missing(struct line *l)
{
	char room[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, STR_FMT " offered STARTTLS before and offers it no more",
	    STR_ARG(l->relay));
	line_tell(l, EVENT_insecure, "missing", &b);
}

static void
line_tell_login(struct line *l)
{
	char room[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, STR_FMT " does not let us in, and mail for it waits: %s",
	    STR_ARG(l->relay), l->verdict.text);
	line_tell(l, EVENT_relay_login, "login", &b);
}

static void
line_tell_class(struct line *l, const struct sentinel_class *c)
{
	char room[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "%u hosts fail in one way, the last of them " STR_FMT
	    ": %s", c->n, STR_ARG(l->relay), c->words);
	line_tell(l, EVENT_peers_failing, "class", &b);
}

void
line_tell_slowed(struct line *l, struct str words)
{
	char room[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(room);

	must(l->c != NULL && words.n > 0);
	buf_printf(&b, STR_FMT " said: " STR_FMT, STR_ARG(l->relay),
	    STR_ARG(words));
	line_tell(l, EVENT_slowed, "speed", &b);
}

void
line_tell_source(struct line *l)
{
	char room[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(room);
	struct mono now = clock_mono();

	must(l->is_sourceless && l->c != NULL);
	if (mono_is_before(now, l->d->source_told))
		return;
	l->d->source_told = mono_add(now, LINE_SOURCE_REST_NS);
	buf_printf(&b, "nothing leaves by the source " STR_FMT ": %s",
	    STR_ARG(l->c->ready.source), l->verdict.text);
	line_tell(l, EVENT_trouble, "source", &b);
}

static uint64_t
line_host(const struct line *l)
{
	return hash_bytes(l->d->queue_config->key, l->relay) | 1;
}

void
line_learn(struct line *l)
{
	const struct client *c = &l->client;
	uint64_t host = line_host(l);
	struct mono now = clock_mono();
	bool was_clear = (c->distrust & CAPABILITY_BIT(STARTTLS)) != 0;
	const struct sentinel_class *class;

	must(l->address.family != ADDRESS_NONE);
	liar_note(&l->d->liars, now, &l->address, c->lies);
	if ((c->lies & CAPABILITY_BIT(STARTTLS)) != 0 && !was_clear &&
	    l->demand.level == TLS_LEVEL_MAY)
		line_tell_clear(l, c->breach);
	if (c->offer != OFFER_UNKNOWN && sentinel_offer(l->d->sentinel, host,
	    c->offer == OFFER_TLS))
		line_tell_missing(l);
	if (c->login != NULL && !c->is_greeted && str_has_prefix_icase(
	    str_of(c->breach), STR("AUTH: ")))
		line_tell_login(l);
	class = sentinel_note(l->d->sentinel, now, clock_wall(),
	    str_of(c->breach), host);
	if (class != NULL)
		line_tell_class(l, class);
	else if (c->breach[0] == '\0' && c->is_greeted && !was_clear)
		sentinel_well(l->d->sentinel, host);
}

/* For TLS reports: what came of a policy, or of none.  Nothing is to be told of
 * a relay without one, of who was not reached, and of clear text that is the
 * remedy of what was told just before. */
static void
line_report(struct line *l, const struct tls_judgment *j)
{
	struct address self;
	struct tls_report r = { .demand = &l->demand, .judgment = j,
		.relay = l->relay };
	bool is_remedy = (l->client.distrust & CAPABILITY_BIT(STARTTLS)) != 0;

	if (l->demand.policy_domain.n == 0 || (j != NULL &&
	    (j->told[0] == '\0' || (j->proof == TLS_PROOF_NONE && is_remedy))))
		return;
	l->d->tls[tls_kind_of(&l->demand, j)]++;
	if (l->end != NULL && net_local(l->end, &self))
		r.self = &self;
	tls_report_tell(l->d->intake, &r);
}

/* ---- one host ---- */

/* An authenticated line is of a site of its own (security_site()): nobody else's
 * mail goes over it. */
static void
login_prepare(struct line *l, const struct site_try *t,
    const struct relay_keys *k)
{
	bool is_token = k->auth.token.n > 0;

	l->login = (struct client_login){ .user = k->auth.user,
		.secret = is_token ? k->auth.token : k->auth.password,
		.is_token = is_token, .mechanisms = k->auth.mechanisms,
		.host = t->host->name, .port = t->address->port };
	l->client.login = &l->login;
}

static void
client_prepare(struct line *l, const struct site_try *t,
    enum relay_scheme scheme)
{
	must(l->end != NULL && l->demand.level < TLS_LEVELS);
	stream_init(&l->net, l->end);
	if (l->c != NULL)
		l->c->net = &l->net;
	client_init(&l->client, &l->net, l->hop != NULL && l->hop->is_lmtp ?
	    CLIENT_LMTP : CLIENT_SMTP, &l->patience);
	l->client.distrust = liar_recall(&l->d->liars, clock_mono(),
	    t->address);
	l->client.demand = &l->demand;
	l->client.tls = tls_wish_context(security_wish(l->conf, l->rule));
	l->client.is_implicit = scheme == RELAY_IMPLICIT;
	if (l->hop != NULL && l->hop->keys != NULL)
		login_prepare(l, t, l->hop->keys);
	l->address = *t->address;
}

static yields enum trial
host_dial(struct line *l, const struct site_try *t, enum relay_scheme scheme)
{
	enum trial said;

	l->end = net_connect(t->address, source_for(l, t->address),
	    mono_add(clock_mono(), l->conf->timeouts.client.connect));
	l->is_sourceless = l->end == NULL && l->source != NULL &&
	    errno == EADDRNOTAVAIL;
	if (l->end == NULL) {
		l->verdict = verdict_make(DEFERRED, 0, "4.4.1",
		    "connect to " STR_FMT ": %s", STR_ARG(l->relay),
		    err_text());
		err_clear();
		return TRIAL_FAILED;
	}
	client_prepare(l, t, scheme);
	said = host_greet(l, t);
	l->is_untrusted = l->client.security.why[0] != '\0';
	if (said != TRIAL_OURSELVES) {
		line_learn(l);
		line_report(l, &l->client.security);
	}
	if (said != TRIAL_GOOD)
		line_close(l);
	return said;
}

/* RFC 7435 3: clear text is better than nothing, where nothing more was asked
 * for; and not where somebody was seen to meddle. */
static bool
line_may_be_clear(const struct line *l, const struct site_try *t)
{
	return l->demand.level == TLS_LEVEL_MAY && l->end != NULL &&
	    (l->client.lies & CAPABILITY_BIT(STARTTLS)) != 0 &&
	    (liar_recall(&l->d->liars, clock_mono(), t->address) &
	    CAPABILITY_BIT(STARTTLS)) != 0;
}

/* RFC 8689 4.2.2: what the domain asks for itself is not insisted on; what the
 * operator does, is. */
static void
demand_relax(struct line *l)
{
	must(l->wish == LINE_RELAXED);
	if (l->demand.asker == TLS_ASKED_BY_US)
		return;
	l->demand.level = security_wish(l->conf, l->rule)->level;
	l->demand.asker = TLS_ASKED_BY_SENDER;
	l->demand.asked_in = STR("TLS-Required: No");
	l->demand.n_tlsa = 0;
}

/* RFC 8689 4.2.1: a host whose name is known for sure, and proves it.  -1: this
 * one's is not. */
static int
demand_require(struct line *l)
{
	must(l->wish == LINE_REQUIRED);
	if (l->demand.level >= TLS_LEVEL_VERIFY)
		return 0;
	if (!l->demand.names_are_sure) {
		l->is_untrusted = true;
		l->verdict = verdict_make(DEFERRED, 0, "4.7.10", "REQUIRETLS: "
		    "neither DNSSEC nor MTA-STS vouches for the host's name");
		return -1;
	}
	l->demand.level = TLS_LEVEL_VERIFY;
	l->demand.asker = TLS_ASKED_BY_SENDER;
	l->demand.asked_in = STR("REQUIRETLS");
	return 0;
}

static int
demand_wish(struct line *l)
{
	switch (l->wish) {
	case LINE_RELAXED:
		demand_relax(l);
		return 0;
	case LINE_REQUIRED:
		return demand_require(l);
	case LINE_AS_IT_IS:
		break;
	}
	return 0;
}

/* "the client MUST issue a QUIT to the server and repeat ... with each host" */
static yields enum trial
host_promise(struct line *l)
{
	must(l->verdict.disposition == DELIVERED);
	if (l->wish != LINE_REQUIRED || client_keeps_tls(&l->client))
		return TRIAL_GOOD;
	l->lacks_requiretls = true;
	l->verdict = verdict_make(DEFERRED, 0, "4.7.30",
	    "REQUIRETLS: the host does not support it");
	client_quit(&l->client);
	line_close(l);
	return TRIAL_FAILED;
}

static yields enum trial
host_try(struct line *l, const struct site *s, const struct site_try *t,
    enum relay_scheme scheme)
{
	struct security_ask ask = { .conf = l->conf, .hop = l->hop,
		.rule = l->rule, .site = s, .host = t->host,
		.address = t->address, .scheme = scheme,
		.at = l->d,
		.deadline = mono_add(clock_mono(), l->conf->timeouts.dns) };
	enum trial said;

	must(l->conf != NULL && t->address->family != ADDRESS_NONE);
	relay_name(l, t);
	arena_clear(&l->arena);
	ask.domain = arena_copy(&l->arena, l->domain);
	l->client.lies = 0;
	l->end = NULL;
	l->lacks_requiretls = false;
	if (l->domain.n > 0 && ask.domain.n == 0) {
		l->verdict = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
		return TRIAL_FAILED;
	}
	if (security_demand(&ask, &l->arena, &l->demand, &l->verdict) != 0 &&
	    l->wish != LINE_RELAXED) {
		l->is_untrusted = true;
		if (l->demand.known != TLS_RESULT_FINE)
			line_report(l, NULL);
		return TRIAL_FAILED;
	}
	if (demand_wish(l) != 0)
		return TRIAL_FAILED;
	said = host_dial(l, t, scheme);
	if (said == TRIAL_FAILED && line_may_be_clear(l, t))
		said = host_dial(l, t, scheme);
	return said == TRIAL_GOOD ? host_promise(l) : said;
}

/*
 * RFC 5321 5.1: who finds himself among the hosts asks nobody from there on.
 * The mail comes back for ever only when nobody better than we is there at all.
 */
static yields bool
hosts_try(struct line *l, const struct site *s, const struct site_policy *p,
    enum relay_scheme scheme)
{
	struct site_try tries[SITE_ADDRESSES];
	size_t n = site_order(s, p, tries);
	struct verdict before;

	must(s->verdict.disposition == DELIVERED && n <= SITE_ADDRESSES);
	if (n > l->conf->outbound.hosts)
		n = l->conf->outbound.hosts;
	if (n == 0)
		source_misses(l);
	for (size_t i = 0; i < n && !l->d->is_stopping; i++) {
		before = l->verdict;
		switch (host_try(l, s, &tries[i], scheme)) {
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

	return host_try(l, NULL, &t, RELAY_CLEAR) == TRIAL_GOOD;
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
	source_limits(l, &p);
	if (s->verdict.disposition == DELIVERED)
		ok = hosts_try(l, s, &p, h->scheme);
	else
		l->verdict = s->verdict;
	site_drop(s);
	return ok;
}

/* The hosts of one relay are tried in order, as one site.  A relay that cannot
 * be used is our trouble, never the mail's. */
yields bool
line_open_relay(struct line *l, const struct relay *relay)
{
	must(relay != NULL && l->verdict.disposition != DELIVERED);
	l->hop = l->rule = relay;
	for (size_t i = 0; i < relay->n && !l->d->is_stopping; i++) {
		if (relay_host_try(l, &relay->hosts[i]))
			return true;
		verdict_soften(&l->verdict);
	}
	return false;
}

static yields bool
mx_connect(struct line *l)
{
	struct mono until = mono_add(clock_mono(), l->conf->timeouts.dns);
	struct site_policy p;
	const struct site *s;
	bool ok = false;

	must(l->hop == NULL);
	site_policy_make(&p, l->conf, (uint16_t)l->conf->outbound.port);
	s = site_find(l->d->sites, l->domain, false, &p, until);
	if (s == NULL)
		return false;
	source_limits(l, &p);
	if (s->verdict.disposition == DELIVERED)
		ok = hosts_try(l, s, &p, RELAY_CLEAR);
	else
		l->verdict = s->verdict;
	site_drop(s);
	return ok;
}

yields bool
line_open(struct line *l)
{
	struct arena a;
	struct route r;
	bool ok = false;

	must(l->conf != NULL && (l->key.n > 0 || l->c != NULL));
	l->verdict = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
	l->patience = client_patience_of(l->conf);
	if (!source_find(l))
		return false;
	arena_init(&a, ROUTE_MEMORY);
	r = key_route(l->conf, l->key.n > 0 ? l->key : l->c->ready.domain, &a);
	switch (r.kind) {
	case ROUTE_RELAY_HOST:
		ok = line_open_relay(l, r.relay);
		break;
	case ROUTE_RELAY_MX:
		l->rule = r.relay;
		l->domain = r.domain;
		ok = mx_connect(l);
		l->domain = STR_NONE;
		break;
	case ROUTE_LOCAL:
	case ROUTE_REPORTS:
	case ROUTE_DISCARD:
	case ROUTE_REFUSED:
		l->verdict = verdict_make(DEFERRED, 0, "4.3.5",
		    "its route has changed; it is tried again");
		break;
	}
	arena_clear(&a);
	return ok;
}

