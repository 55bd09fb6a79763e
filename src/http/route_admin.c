/* route_admin.c -- status, reload, stop. */
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "http/control_inner.h"
#include "policy/elsewhere.h"
#include "policy/holder.h"
#include "policy/login.h"
#include "queue/ready.h"
#include "queue/sentinel.h"
#include "queue/view.h"
#include "spool/spool.h"
#include "trust/directory.h"
#include "trust/tls_demand.h"

enum { FAILING_MOST = SENTINEL_CLASSES, STATUS_MOST = 32 * 1024,
	DOWN_NAME = 300 };

/* A class of hosts, over all cores: a host is one core's. */
struct failing {
	char words[SENTINEL_WORDS];
	uint64_t hosts, failures;
	struct wall since;
};

struct status_work {
	struct control_work work;	/* first */
	struct view_counts queue;
	struct ready_counts ready;
	struct spool_stats spool;
	enum spool_health health;
	struct fiber_stats fibers;
	struct failing failing[FAILING_MOST];
	size_t n_failing;
	size_t n_down;
	struct status_down {
		char name[DOWN_NAME], why[DIRECTORY_WHY];
		unsigned cores;
	} down[ELSEWHERE_PLACES];
	uint64_t tls[TLS_KINDS];
};

static void
spool_add(struct status_work *w, struct spool *s)
{
	struct spool_stats t = spool_stats(s);

	if (spool_health(s) > w->health)
		w->health = spool_health(s);
	w->spool.kept += t.kept;
	w->spool.segments += t.segments;
	w->spool.log_bytes += t.log_bytes;
	w->spool.live_bytes += t.live_bytes;
	w->spool.free_bytes = t.free_bytes;
	w->spool.commits += t.commits;
	w->spool.syncs += t.syncs;
	w->spool.damaged += t.damaged;
	w->spool.device_errors += t.device_errors;
	if (t.sync_most_ns > w->spool.sync_most_ns)
		w->spool.sync_most_ns = t.sync_most_ns;
	w->spool.sync_ns = t.sync_ns;
}

static void
failing_add(struct status_work *w, const struct sentinel_class *c)
{
	size_t i = 0;

	while (i < w->n_failing && strcmp(w->failing[i].words, c->words) != 0)
		i++;
	if (i == FAILING_MOST)
		return;
	if (i == w->n_failing) {
		w->n_failing++;
		memcpy(w->failing[i].words, c->words, sizeof c->words);
		w->failing[i].since = c->since;
	}
	w->failing[i].hosts += c->n;
	w->failing[i].failures += c->failures;
	if (c->since.us < w->failing[i].since.us)
		w->failing[i].since = c->since;
}

/* The same place may be down on several cores. */
static void
down_add(struct status_work *w, const struct directory_health *h)
{
	size_t i = 0;

	while (i < w->n_down && !str_eq(str_of(w->down[i].name), h->name))
		i++;
	if (i == ELSEWHERE_PLACES || h->name.n >= sizeof w->down[i].name)
		return;
	if (i == w->n_down) {
		w->n_down++;
		must(str_cstr(h->name, w->down[i].name,
		    sizeof w->down[i].name));
	}
	w->down[i].cores++;
	memcpy(w->down[i].why, h->why, sizeof w->down[i].why);
}

static void
down_gather(struct status_work *w, const struct login *l)
{
	const struct directory_health *h;

	for (size_t i = 0; l != NULL && (h = login_place(l, i)) != NULL; i++)
		down_add(w, h);
}

static yields void
status_gather(void *arg)
{
	struct status_work *w = arg;
	struct control_core *c = w->work.core;
	struct view_counts v = view_counts(c->queue);
	struct ready_counts r = ready_counts(c->ready);
	struct fiber_stats f = fiber_stats();
	const struct sentinel_class *class;
	size_t at = 0;

	w->queue.items += v.items;
	for (int i = 0; i < ITEM_STATES; i++)
		w->queue.states[i] += v.states[i];
	w->queue.deferred += v.deferred;
	w->queue.rcpts += v.rcpts;
	w->queue.memory += v.memory;
	w->ready.connections += r.connections;
	w->ready.sites += r.sites;
	w->fibers.fibers += f.fibers;
	if (f.stack_high > w->fibers.stack_high) {
		w->fibers.stack_high = f.stack_high;
		w->fibers.stack_high_name = f.stack_high_name;
	}
	for (size_t i = 0; i < CONTROL_SPOOLS; i++)
		if (c->spools[i] != NULL)
			spool_add(w, c->spools[i]);
	for (size_t i = 0; i < TLS_KINDS; i++)
		w->tls[i] += c->tls[i];
	while ((class = sentinel_next(c->sentinel, clock_mono(), &at)) != NULL)
		failing_add(w, class);
	down_gather(w, c->login);
}

static void
queue_json(struct json *j, const struct status_work *w)
{
	json_put_object(j, "queue");
	json_put_u64(j, "messages", w->spool.kept);
	json_put_u64(j, "recipients", w->queue.rcpts);
	for (int i = 0; i < ITEM_STATES; i++)
		json_put_u64(j, item_state_name((enum item_state)i),
		    w->queue.states[i]);
	json_put_u64(j, "deferred", w->queue.deferred);
	json_put_u64(j, "memory_bytes", w->queue.memory);
	json_put_u64(j, "connections", w->ready.connections);
	json_put_u64(j, "sites", w->ready.sites);
	json_end_object(j);
}

static void
sessions_json(struct json *j, const struct status_work *w)
{
	json_put_object(j, "tls_sessions");
	for (int i = 0; i < TLS_KINDS; i++)
		json_put_u64(j, tls_kind_name((enum tls_kind)i), w->tls[i]);
	json_end_object(j);
}

static void
spool_json(struct json *j, const struct status_work *w)
{
	static const char *const words[] = { "healthy", "no_room", "broken" };

	json_put_object(j, "spool");
	json_put_str(j, "health", str_of(words[w->health]));
	json_put_u64(j, "segments", w->spool.segments);
	json_put_u64(j, "log_bytes", w->spool.log_bytes);
	json_put_u64(j, "live_bytes", w->spool.live_bytes);
	json_put_u64(j, "free_bytes", w->spool.free_bytes);
	json_put_u64(j, "commits", w->spool.commits);
	json_put_u64(j, "syncs", w->spool.syncs);
	json_put_i64(j, "sync_us", w->spool.sync_ns / NS_PER_US);
	json_put_i64(j, "sync_most_us", w->spool.sync_most_ns / NS_PER_US);
	json_put_u64(j, "damaged", w->spool.damaged);
	json_put_u64(j, "device_errors", w->spool.device_errors);
	json_end_object(j);
}

static void
failing_json(struct json *j, const struct status_work *w)
{
	json_put_array(j, "failing");
	for (size_t i = 0; i < w->n_failing; i++) {
		json_put_object(j, NULL);
		json_put_str(j, "how", str_of(w->failing[i].words));
		json_put_u64(j, "hosts", w->failing[i].hosts);
		json_put_u64(j, "failures", w->failing[i].failures);
		json_put_wall(j, "since", w->failing[i].since);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
tls_json(struct json *j, const struct control_tls *t)
{
	struct control_tls_sum sum;

	if (t->sum == NULL)
		return;
	t->sum(t->arg, &sum);
	json_put_object(j, "tls");
	json_put_u64(j, "certificates", sum.n);
	json_put_u64(j, "faulty", sum.faulty);
	json_put_u64(j, "failing", sum.failing);
	if (sum.n > 0) {
		json_put_wall(j, "until", sum.until);
		json_put_i64(j, "days_left", (sum.until.us - clock_wall().us) /
		    US_PER_SECOND / 86400);
	}
	json_end_object(j);
}

static void
dkim_json(struct json *j, const struct control_dkim *d)
{
	struct control_dkim_sum sum;

	if (d->sum == NULL)
		return;
	d->sum(d->arg, &sum);
	json_put_object(j, "dkim");
	json_put_u64(j, "active", sum.active);
	json_put_u64(j, "next", sum.next);
	if (sum.trouble[0] != '\0')
		json_put_str(j, "trouble", str_of(sum.trouble));
	json_end_object(j);
}

static void
down_json(struct json *j, const struct status_work *w)
{
	json_put_array(j, "directories_down");
	for (size_t i = 0; i < w->n_down; i++) {
		json_put_object(j, NULL);
		json_put_str(j, "name", str_of(w->down[i].name));
		json_put_u64(j, "cores", w->down[i].cores);
		json_put_str(j, "why", str_of(w->down[i].why));
		json_end_object(j);
	}
	json_end_array(j);
}

yields void
route_status_show(struct request *q)
{
	struct control *c = q->control;
	struct status_work *w = arena_new(&q->talk->arena, struct status_work);
	struct buf b = { .p = arena_alloc(&q->talk->arena, STATUS_MOST),
		.cap = STATUS_MOST };
	struct wall now = clock_wall();
	struct json j;

	if (w == NULL || b.p == NULL) {
		talk_error(q->talk, 503, "no_memory", "no memory now");
		return;
	}
	control_each(c, status_gather, &w->work);
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "hostname",
	    config_now(c->setup.cores[0].holder)->hostname);
	json_put_u64(&j, "cores", c->setup.n_cores);
	json_put_wall(&j, "started_at", c->setup.started_at);
	json_put_i64(&j, "uptime_seconds",
	    (now.us - c->setup.started_at.us) / US_PER_SECOND);
	json_put_u64(&j, "restarts", c->setup.restarts);
	if (c->setup.restarts > 0)
		json_put_str(&j, "last_end", str_of(c->setup.last_end));
	json_put_u64(&j, "fibers", w->fibers.fibers);
	json_put_u64(&j, "deepest_stack_bytes", w->fibers.stack_high);
	if (w->fibers.stack_high_name != NULL)
		json_put_str(&j, "deepest_stack_fiber",
		    str_of(w->fibers.stack_high_name));
	queue_json(&j, w);
	sessions_json(&j, w);
	spool_json(&j, w);
	failing_json(&j, w);
	tls_json(&j, &c->setup.tls);
	if (c->setup.dns.show != NULL)
		c->setup.dns.show(c->setup.dns.arg, &j);
	dkim_json(&j, &c->setup.dkim);
	down_json(&j, w);
	json_end_object(&j);
	buf_putc(&b, '\n');
	talk_say(q->talk, 200, "application/json", buf_str(&b));
}

yields void
route_reload(struct request *q)
{
	struct control_setup *s = &q->control->setup;
	struct str text = STR_NONE;

	if (s->reload(s->arg, &q->talk->arena, &text) == 0)
		talk_say(q->talk, 200, "text/plain", text);
	else
		talk_say(q->talk, 422, "text/plain", text);
}

yields void
route_stop(struct request *q)
{
	struct control_setup *s = &q->control->setup;

	q->talk->must_close = true;
	talk_say(q->talk, 202, "application/json", STR("{\"stopping\":true}\n"));
	(void)stream_flush(&q->talk->net);
	s->stop(s->arg);
}

yields void
route_dns_look(struct request *q)
{
	const struct control_dns *d = &q->control->setup.dns;
	size_t n = d->look == NULL ? 0 : d->look(d->arg);

	if (n == 0)
		talk_error(q->talk, 422, "dns", "no domain is looked at: is "
		    "dns.watch off, or are all of them names of this network "
		    "only?");
	else
		talk_say(q->talk, 200, "text/plain", STR("The domains are looked "
		    "at, one after the other; what has changed is told when it "
		    "was seen twice.\n"));
}
