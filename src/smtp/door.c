#include "smtp/door.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "policy/config.h"
#include "policy/judge.h"
#include "policy/limit.h"

#include <stdatomic.h>

/* ---- networks, each counted by its owner core ---- */

struct door_question {
	struct server_house *house;
	const struct config *config;
	const struct address *client;
	struct judgment judgment;
};

static yields void
door_count_connection(void *arg)
{
	struct door_question *q = arg;
	struct server *owner = q->house->cores[core_index()];

	must(owner != NULL && owner->limits != NULL);
	q->judgment = limit_connect(owner->limits, q->config, q->client,
	    clock_mono());
}

static yields void
door_forget_connection(void *arg)
{
	struct door_question *q = arg;
	struct server *owner = q->house->cores[core_index()];

	must(owner != NULL && owner->limits != NULL);
	limit_disconnect(owner->limits, q->client);
}

static yields void
door_count_mail(void *arg)
{
	struct door_question *q = arg;
	struct server *owner = q->house->cores[core_index()];

	must(owner != NULL && owner->limits != NULL);
	q->judgment = limit_mail(owner->limits, q->config, q->client,
	    clock_mono());
}

static yields void
door_count_local(void *arg)
{
	struct door_question *q = arg;
	struct server *owner = q->house->cores[core_index()];

	must(owner != NULL && owner->limits != NULL);
	q->judgment = limit_local(owner->limits, q->config, q->client,
	    clock_mono());
}

/* Whom the other core has no memory to count passes, uncounted. */
static yields struct judgment
door_ask(const struct guest *g, const struct config *config,
    yields void (*count)(void *))
{
	struct door_question q = {
		.house = g->server->house, .config = config,
		.client = &g->client,
		.judgment = judge_say(JUDGE_uncounted, STR_NONE),
	};
	unsigned owner = limit_owner(q.house->key, q.client, q.house->n);

	must(owner < q.house->n);
	if (owner == core_index())
		count(&q);
	else
		core_call(owner, count, &q);
	return q.judgment;
}

/* ---- in and out ---- */

static bool
door_is_full(const struct guest *g, const struct config *config)
{
	uint64_t all = atomic_load_explicit(&g->server->house->sessions,
	    memory_order_relaxed);
	uint64_t here = atomic_load_explicit(g->listener->sessions,
	    memory_order_relaxed);

	return g->server->is_shut || all >= config->limits.connections ||
	    all >= g->server->sessions_most ||
	    (g->listener->connections != 0 && here >= g->listener->connections);
}

static bool
door_is_busy(const struct server *server, const struct config *config)
{
	uint64_t all = atomic_load_explicit(&server->house->sessions,
	    memory_order_relaxed);

	return all * 100 >= config->limits.connections * DOOR_BUSY_PERCENT;
}

/* Patience of those who wait already is taken back once, when it turns. */
static void
door_watch(struct server *server, const struct config *config)
{
	bool was_busy = server->is_busy;
	struct waiter *w;

	server->is_busy = door_is_busy(server, config);
	if (was_busy || !server->is_busy)
		return;
	for (struct link *l = list_first(&server->waiting); l != NULL;
	    l = list_next(&server->waiting, l)) {
		w = OWNER_OF(l, struct waiter, link);
		stream_hurry(w->net, mono_add(w->since,
		    config->timeouts.server.busy));
	}
}

static void
door_add(struct guest *g, const struct config *config)
{
	atomic_fetch_add_explicit(&g->server->house->sessions, 1,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(g->listener->sessions, 1,
	    memory_order_relaxed);
	g->server->sessions++;
	g->is_inside = true;
	door_watch(g->server, config);
}

/* In his network. */
static yields struct judgment
door_count(struct guest *g, const struct config *config)
{
	struct judgment judgment;

	must(!g->is_counted);
	if (g->listener->is_local || config_trusts(config, &g->client))
		return judge_say(JUDGE_ok, STR_NONE);
	judgment = door_ask(g, config, door_count_connection);
	g->is_counted = judgment.reason == JUDGE_ok;
	return judgment;
}

yields struct judgment
door_enter(struct guest *g, const struct config *config)
{
	must(!g->is_inside && !g->is_counted);
	g->server->counts.connections++;
	if (door_is_full(g, config))
		return judge_say(JUDGE_busy, STR_NONE);
	/* Counted before the wait, or a burst would all find room. */
	door_add(g, config);
	return door_count(g, config);
}

yields struct judgment
door_rename(struct guest *g, const struct config *config,
    const struct address *client)
{
	must(g->is_inside && !g->listener->is_local);
	if (g->is_counted)
		door_ask(g, config, door_forget_connection);
	g->is_counted = false;
	g->client = *client;
	return door_count(g, config);
}

yields void
door_leave(struct guest *g, const struct config *config)
{
	if (g->is_counted)
		door_ask(g, config, door_forget_connection);
	if (!g->is_inside)
		return;
	must(g->server->sessions > 0);
	atomic_fetch_sub_explicit(&g->server->house->sessions, 1,
	    memory_order_relaxed);
	atomic_fetch_sub_explicit(g->listener->sessions, 1,
	    memory_order_relaxed);
	g->server->sessions--;
	g->is_inside = g->is_counted = false;
	door_watch(g->server, config);
}

yields struct judgment
door_mail(const struct guest *g, const struct config *config)
{
	must(g->is_inside);
	if (g->listener->is_local && g->uid != 0 && config->submit.rate.n != 0)
		return door_ask(g, config, door_count_local);
	if (!g->is_counted || config->limits.messages_per_ip.n == 0)
		return judge_say(JUDGE_ok, STR_NONE);
	return door_ask(g, config, door_count_mail);
}

/* ---- patience ---- */

void
door_wait(struct server *server, struct waiter *w, struct stream *net,
    const struct config *config)
{
	must(!link_is_in(&w->link) && net->end != NULL);
	w->net = net;
	w->since = clock_mono();
	list_append(&server->waiting, &w->link);
	net->deadline = mono_add(w->since, server->is_busy ?
	    config->timeouts.server.busy : config->timeouts.server.command);
}

void
door_waited(struct waiter *w)
{
	list_remove(&w->link);
}

void
door_hurry(struct server *server)
{
	struct mono now = clock_mono();
	struct waiter *w;

	for (struct link *l = list_first(&server->waiting); l != NULL;
	    l = list_next(&server->waiting, l)) {
		w = OWNER_OF(l, struct waiter, link);
		stream_hurry(w->net, now);
	}
}
