#include "deliver/destination.h"

#include "base/must.h"
#include "deliver/connection.h"
#include "deliver/delivery.h"
#include "deliver/key.h"
#include "deliver/line.h"
#include "deliver/security.h"
#include "deliver/site.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "policy/holder.h"
#include "policy/shaping.h"
#include "queue/config.h"
#include "queue/queue.h"

#include <stdlib.h>

/* How long a route that the configuration fixes is relied on: a reload asks
 * again anyway. */
#define WHILE_CONFIGURED (3600 * NS_PER_SECOND)

struct destination {
	struct deliver *deliver;
	size_t n;
	char key[KEY_MOST + 1];
};

static yields void
destination_fail(struct deliver *d, struct str key, const struct verdict *v)
{
	struct handoff h;

	must(v->disposition != DELIVERED);
	queue_domain_failed(d->queue, clock_mono(), key,
	    v->disposition == FAILED);
	while (queue_failed_next(d->queue, clock_mono(), key, &h))
		handoff_fail(d, &h, v, STR_NONE);
}

/* Without a source: by that of a pool. */
static void
destination_found(struct deliver *d, struct str key, struct str site,
    struct str source, int64_t fresh_ns)
{
	struct queue_route r = { .site = site, .pool = STR_NONE,
		.source = source, .fresh_ns = fresh_ns };

	must(site.n > 0 && site.n <= KEY_MOST);
	/* without memory the queue asks again by itself */
	(void)queue_domain_resolved(d->queue, clock_mono(), key, &r);
}

static int64_t
fresh_for(const struct site *s)
{
	int64_t left = s->fresh_until.ns - clock_mono().ns;

	return left > NS_PER_SECOND ? left : NS_PER_SECOND;
}

/* A key holds at most 255 octets: a long one is told by its hash. */
static struct str
site_key(struct str key, struct hash_key hk, struct arena *a)
{
	if (key.n <= KEY_MOST)
		return key;
	return arena_printf(a, STR_FMT "... %016llx",
	    STR_ARG(str_sub(key, 0, 200)),
	    (unsigned long long)hash_bytes(hk, key));
}

static struct verdict
memory_verdict(void)
{
	return verdict_make(DEFERRED, 0, "4.3.0", "no memory");
}

/* Domains of one provider are one site, whatever their MX sets. */
static struct str
provider_site(const struct config *conf, struct str domain,
    const struct site *s, struct arena *a)
{
	struct str names[SITE_HOSTS];
	const struct provider *p;

	must(s->n <= SITE_HOSTS);
	for (size_t i = 0; i < s->n; i++)
		names[i] = s->hosts[i].name;
	p = shaping_find(conf, domain, names, s->n);
	return p == NULL ? s->key : arena_join(a, STR(PROVIDER_SITE), p->name);
}

static yields struct str
mx_site(struct deliver *d, const struct route *r, const struct config *conf,
    const struct site *s, struct arena *a)
{
	struct security_ask ask = { .at = d, .conf = conf, .domain = r->domain,
		.rule = r->relay, .site = s,
		.deadline = mono_add(clock_mono(), conf->timeouts.dns) };
	struct str name = security_site(&ask, provider_site(conf, r->domain, s,
	    a), a);

	return name.p == NULL ? name : site_key(name, d->queue_config->key, a);
}

static yields void
destination_by_mx(struct deliver *d, struct str key, const struct route *r,
    const struct config *conf, struct arena *a)
{
	struct verdict v = memory_verdict();
	const struct site *s;
	struct site_policy p;
	struct str domain = r->domain, site = STR_NONE;

	site_policy_make(&p, conf, (uint16_t)conf->outbound.port);
	s = site_find(d->sites, domain, false, &p,
	    mono_add(clock_mono(), conf->timeouts.dns));
	if (s != NULL && s->verdict.disposition == DELIVERED)
		site = mx_site(d, r, conf, s, a);
	else if (s != NULL)
		v = s->verdict;
	if (site.p != NULL)
		destination_found(d, key, site, STR(""), fresh_for(s));
	else
		destination_fail(d, key, &v);
	if (s != NULL)
		site_drop(s);
}

static yields void
destination_by_relay(struct deliver *d, struct str key,
    const struct relay *relay, const struct config *conf, struct arena *a)
{
	struct security_ask ask = { .at = d, .conf = conf, .hop = relay,
		.rule = relay };
	struct str site = site_key(security_site(&ask, arena_join(a,
	    STR("relay: "), relay->text), a), d->queue_config->key, a);
	struct verdict v = memory_verdict();

	if (site.p != NULL)
		destination_found(d, key, site, relay->is_lmtp ?
		    queue_config_no_pool()->name : STR(""), WHILE_CONFIGURED);
	else
		destination_fail(d, key, &v);
}

static yields void
destination_find(struct deliver *d, struct str key, const struct config *conf,
    struct arena *a)
{
	struct route r = key_route(conf, key, a);

	switch (r.kind) {
	case ROUTE_RELAY_HOST:
		destination_by_relay(d, key, r.relay, conf, a);
		break;
	case ROUTE_RELAY_MX:
		destination_by_mx(d, key, &r, conf, a);
		break;
	case ROUTE_LOCAL:
	case ROUTE_REPORTS:
	case ROUTE_DISCARD:	/* what becomes of each recipient is said */
	case ROUTE_REFUSED:	/* where mailboxes are filled (local.c) */
		destination_found(d, key, str_of(key_has_commands(key, &r) ?
		    d->pipe_site : d->local_site), STR(LOCAL_SOURCE),
		    WHILE_CONFIGURED);
		break;
	}
}

static yields void
destination_run(void *arg)
{
	struct destination *t = arg;
	struct deliver *d = t->deliver;
	struct config *conf = config_pin(d->holder);
	struct arena a;

	must(t->n > 0 && t->n <= KEY_MOST && d->core == core_index());
	arena_init(&a, 32 * 1024);
	destination_find(d, (struct str){ t->key, t->n }, conf, &a);
	arena_clear(&a);
	config_unpin(d->holder, conf);
	free(t);
	must(d->n_finding > 0);
	d->n_finding--;
	deliver_wake(d);
}

/* Nobody can be told and nobody can be asked: all wait for the back-off. */
static void
destination_give_up(struct deliver *d, struct str key)
{
	struct handoff h;

	queue_domain_failed(d->queue, clock_mono(), key, false);
	while (queue_failed_next(d->queue, clock_mono(), key, &h))
		(void)queue_settle(d->queue, clock_mono(), h.ref,
		    (struct queue_result){ .end = QUEUE_PUT_OFF });
}

void
destination_start(struct deliver *d, struct str key)
{
	struct destination *t = calloc(1, sizeof *t);

	must(key.n > 0 && key.n <= KEY_MOST);
	if (t != NULL) {
		t->deliver = d;
		t->n = key.n;
		memcpy(t->key, key.p, key.n);
	}
	if (t == NULL || fiber_go("destination", destination_run, t) != 0) {
		free(t);
		destination_give_up(d, key);
		return;
	}
	d->n_finding++;
}
