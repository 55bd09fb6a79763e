#include "deliver/arrival.h"

#include "base/err.h"
#include "base/must.h"
#include "deliver/key.h"
#include "fiber/clock.h"
#include "policy/holder.h"
#include "queue/config.h"
#include "queue/queue.h"

/* For keys and groups: each recipient may have a domain of its own. */
enum { ARRIVAL_MEMORY = 64 * 1024, RECIPIENT_MEMORY = 1024 };

#define HELD_LEFT_NS (3600 * NS_PER_SECOND)

/* Without the clamp of clock_mono_at(): the past is what is asked for. */
static struct mono
mono_of(struct wall w)
{
	static const int64_t most_us = INT64_MAX / 2 / NS_PER_US;
	int64_t ago_us = clock_wall().us - w.us;

	if (ago_us > most_us)
		ago_us = most_us;
	if (ago_us < -most_us)
		ago_us = -most_us;
	return mono_add(clock_mono(), -ago_us * NS_PER_US);
}

/* Not later than now: a wall that was ahead then has been put right. */
static struct mono
arrival_of(const struct arrival *e)
{
	return mono_first(mono_of(e->arrived), clock_mono());
}

/* How long it lay on disk nobody knows for sure: the wall may have been years
 * behind when it came, or be years ahead now, and a server may have rested as long.
 * Its tries tell how long it was really waited for, and what they leave of its age
 * it has: so neither is any reason to give up what was hardly tried. */
static struct mono
age_end(const struct deliver *d, const struct arrival *e, int64_t age)
{
	struct mono by_wall = mono_add(arrival_of(e), age);
	int64_t lived = retry_lived(&d->queue_config->retry, e->tries);
	struct mono by_tries = mono_add(clock_mono(), lived < age ?
	    age - lived : 0);

	return mono_is_before(by_wall, by_tries) ? by_tries : by_wall;
}

/* What the sender named is an instant, and is believed. */
static struct mono
expiry_of(const struct deliver *d, const struct arrival *e,
    const struct config *c)
{
	if (e->expires.us != 0 && e->expires.us > e->arrived.us)
		return mono_add(mono_of(e->expires),
		    arrival_of(e).ns - mono_of(e->arrived).ns);
	return e->expires.us != 0 ? mono_of(e->expires) :
	    age_end(d, e, e->sender.n == 0 ? c->outbound.bounce_expire :
	    c->outbound.expire);
}

/* A clock that jumped while it lay on disk does not end it now: somebody has
 * an hour to see that. */
static struct mono
held_since(const struct arrival *e, const struct config *c)
{
	struct mono now = clock_mono(), latest, since = mono_of(e->held_since);

	if (!e->is_held || e->held_since.us == 0)
		return (struct mono){ 0 };
	latest = mono_add(now, HELD_LEFT_NS - c->outbound.hold);
	if (mono_is_before(since, latest))
		since = latest;
	/* 0 would be "not known" to the queue */
	return since.ns == 0 ? (struct mono){ 1 } : since;
}

/* ---- recipients by destination ---- */

struct group {
	struct table_node node;
	struct str key, reason;
	uint32_t n;
};

static struct group *
group_of(struct table *t, struct hash_key hk, struct str key, struct arena *a)
{
	uint64_t hash = hash_bytes(hk, key);
	struct table_node *k = table_find(t, hash);
	struct group *g;

	for (; k != NULL; k = table_again(k)) {
		g = OWNER_OF(k, struct group, node);
		if (str_eq(g->key, key))
			return g;
	}
	g = arena_new(a, struct group);
	if (g == NULL || table_insert(t, &g->node, hash) != 0)
		return NULL;
	g->key = key;
	return g;
}

static int
groups_make(struct deliver *d, const struct arrival *e,
    const struct config *c, struct table *t, struct arena *a)
{
	for (size_t i = 0; i < e->n; i++) {
		struct str key = key_make(c, e->sender, e->rcpts[i], a);
		struct group *g = key.p == NULL ? NULL :
		    group_of(t, d->queue_config->key, key, a);

		if (g == NULL)
			return err_set("no memory to queue a message");
		g->n++;
		if (e->reasons != NULL && g->reason.n == 0)
			g->reason = e->reasons[i];
	}
	return 0;
}

static int
group_admit(struct deliver *d, const struct arrival *e,
    const struct group *g, const struct config *c)
{
	struct queue_entry q = { .id = e->id, .domain = g->key,
		.tenant = e->tenant.n > 0 ? e->tenant : STR("default"),
		.stream = e->stream.n > 0 ? e->stream : STR("default"),
		.priority = PRIORITY_NORMAL, .n_rcpts = g->n, .size = e->size,
		.arrived = arrival_of(e),
		.due = e->due.us == 0 ? clock_mono() : mono_of(e->due),
		.expires = expiry_of(d, e, c), .tries = e->tries,
		.is_held = e->is_held, .held_since = held_since(e, c),
		.warned = e->warned, .reason = g->reason };

	must(g->n > 0 && g->key.n > 0);
	return queue_admit(d->queue, clock_mono(), &q) == 0 ? 0 :
	    err_set("no memory to queue a message");
}

int
arrival_admit(struct deliver *d, const struct arrival *e)
{
	const struct config *c = config_now(d->holder);
	struct table groups = { 0 };
	struct table_walk walk = { 0 };
	struct table_node *k;
	struct arena a;
	int rc;

	must(e->id != 0 && e->n > 0);
	arena_init(&a, ARRIVAL_MEMORY + e->n * RECIPIENT_MEMORY);
	rc = groups_make(d, e, c, &groups, &a);
	while (rc == 0 && (k = table_walk(&groups, &walk)) != NULL)
		rc = group_admit(d, e, OWNER_OF(k, struct group, node), c);
	table_clear(&groups);
	arena_clear(&a);
	deliver_wake(d);
	return rc;
}
