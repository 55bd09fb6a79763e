/*
 * The life of a node; all cores pass each step together (barriers):
 *
 *	OPENING     core_open       all that a conversation needs but the spool
 *	READING     core_read       doors open; spools adopted and read, the queue
 *	                            filled; who says MAIL waits (smtp/transaction)
 *	SERVING     core_serve      mail moves
 *	DRAINING    core_drain      doors closed, sessions and attempts end
 *	CLOSING     core_close      spools synced and marked clean
 */
#include "app/node.h"

#include "app/accept.h"
#include "app/local_door.h"
#include "app/spools.h"
#include "app/srs_secret.h"
#include "base/err.h"
#include "deliver/arrival.h"
#include "deliver/flush.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/dns.h"
#include "fiber/random.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "policy/login.h"
#include "policy/resolver.h"
#include "spool/envelope.h"
#include "spool/kept.h"
#include "wire/report_mail.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

/* ---- in step ---- */

static void
main_wake(void *arg)
{
	struct node_core *c = arg;

	fiber_wake(c->main);
}

/* Wait until every core has come here. */
static yields void
barrier(struct node_core *c)
{
	struct node *n = c->node;
	unsigned generation = atomic_load(&n->generation);

	if (atomic_fetch_add(&n->arrived, 1) + 1 == n->setup->cores) {
		atomic_store(&n->arrived, 0);
		atomic_fetch_add(&n->generation, 1);
		for (unsigned i = 0; i < n->setup->cores; i++)
			if (i != c->index)
				core_ring(&n->cores[i].bell, i);
		return;
	}
	while (atomic_load(&n->generation) == generation)
		(void)fiber_park(MONO_NEVER);
}

static void
status_worsen(struct node *n, int status)
{
	int none = 0;

	atomic_compare_exchange_strong(&n->status, &none, status);
}

void
node_trouble(struct node_core *c, const char *text)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);

	event_str(&e, FIELD_text, str_of(text));
	c->sink->take(c->sink, &e);
}

/* Who starts a server looks at what it says, and not yet into the log. */
static void
start_fail(struct node_core *c)
{
	const struct node_setup *s = c->node->setup;

	node_trouble(c, err_text());
	if (s->failed != NULL)
		s->failed(s->arg, err_text());
}

void
node_cut(struct node_core *c, const char *text)
{
	node_trouble(c, text);
	atomic_store(&c->node->is_cut, true);
	status_worsen(c->node, EX_TEMPFAIL);
}

/* Of a place that knows users. */
static void
place_tell(void *arg, struct str name, struct str why)
{
	struct node *n = arg;
	struct event e = event_make(why.p == NULL ? EVENT_directory_back :
	    EVENT_directory_down, clock_wall(), 0);
	char text[512];
	struct buf b = BUF_OF(text);

	if (why.p == NULL)
		buf_printf(&b, STR_FMT " answers again", STR_ARG(name));
	else
		buf_printf(&b, "who " STR_FMT " knows cannot log in by it: "
		    STR_FMT, STR_ARG(str_sub(name, 0, 200)), STR_ARG(why));
	event_str(&e, FIELD_directory, name);
	event_str(&e, FIELD_text, buf_str(&b));
	intake_tell(&n->cores[core_index()].intake, &e);
}

static struct node *telling;

/* What the layers below find out about the machine, on whatever core. */
static void
world_tell(const char *text)
{
	struct node *n = telling;

	if (n != NULL && n->cores[core_index()].sink != NULL)
		node_trouble(&n->cores[core_index()], text);
}

/* Every core has a resolver, and all say the same. */
static void
resolver_tell(const char *text)
{
	if (telling != NULL && !atomic_exchange(&telling->is_dns_told, true))
		world_tell(text);
}

/* ---- one core ---- */

/* intake's one way up. */
static void
message_kept(struct intake_core *ic, const struct kept *k,
    const struct envelope *e)
{
	struct node_core *c = ic->owner;
	struct arrival entry = { .id = e->id, .sender = e->sender,
		.tenant = e->tenant, .stream = e->stream, .arrived = e->arrived,
		.due = e->release, .expires = e->expires, .size = e->size };
	const struct recipient *few[16];
	const struct recipient **list = few;

	(void)k;
	if (e->n_rcpts > 16)
		list = calloc(e->n_rcpts, sizeof *list);
	for (size_t i = 0; list != NULL && i < e->n_rcpts; i++)
		if (!recipient_is_over(&e->rcpts[i]))
			list[entry.n++] = &e->rcpts[i];
	entry.rcpts = list;
	if (list == NULL || (entry.n > 0 &&
	    arrival_admit(c->deliver, &entry) != 0))
		node_trouble(c, "no memory to queue a message; it is on disk "
		    "and will be tried after the next start");
	if (list != few)
		free(list);
}

static int
deliver_begin(struct node_core *c)
{
	struct node *n = c->node;
	struct deliver_setup s = { .core = c->index,
		.n_cores = n->setup->cores, .cores = n->delivers,
		.intake = &c->intake, .holder = &c->holder, .map = &n->map,
		.key = n->key, .porter_fd = n->setup->porter_fd,
		.login = n->setup->login, .own_uid = n->setup->own_uid,
		.own_gid = n->setup->own_gid };

	c->deliver = n->delivers[c->index] = deliver_open(&s);
	return c->deliver == NULL ? EX_OSERR : 0;
}

/* Without them mail goes on all the same. */
static yields void
reports_start(struct node_core *c)
{
	for (unsigned kind = REPORT_OF_DMARC; kind <= REPORT_OF_TLS; kind++) {
		struct report_post *p = &c->node->reports[kind];

		*p = (struct report_post){ .kind = (enum report_kind)kind,
			.intake = &c->intake, .holder = &c->holder,
			.key = c->node->key };
		if (report_post_start(p) != 0)
			node_trouble(c, err_text());
	}
}

/* Mail does not wait for it: without the secret senders stay as they are. */
static yields void
srs_begin(struct node_core *c)
{
	if (srs_secret_take(config_now(&c->holder)->spool.path, c->index,
	    c->srs) == 0)
		c->intake.srs = c->srs;
	else {
		node_trouble(c, err_text());
		err_clear();
	}
}

static yields int
core_open(struct node_core *c)
{
	struct node *n = c->node;
	int rc;

	config_hold(&c->holder, n->setup->config);
	c->sink = n->setup->sink(n->setup->arg, c->index);
	c->intake = (struct intake_core){ .sink = c->sink,
		.kept = message_kept, .owner = c };
	rc = deliver_begin(c);
	if (rc == 0 && server_open(&c->server, &n->house, &c->intake,
	    &c->holder) != 0)
		rc = EX_OSERR;
	if (rc == 0 && n->setup->login != NULL &&
	    login_begin(n->setup->login, n->setup->cores) != 0)
		rc = EX_OSERR;
	if (rc == 0 && n->setup->tls != NULL &&
	    n->setup->tls(n->setup->arg, c) != 0)
		rc = EX_OSERR;
	if (rc != 0)
		start_fail(c);
	n->house.cores[c->index] = &c->server;
	return rc;
}

static int
core_doors(struct node_core *c)
{
	if (accept_prepare(c) != 0 || local_door_open(c) != 0)
		return EX_UNAVAILABLE;
	accept_take(c);
	return 0;
}

/* intake.spool is the last: from there on mail is taken. */
static yields int
core_read(struct node_core *c)
{
	struct node *n = c->node;
	int rc = core_doors(c);

	if (rc == 0)
		rc = spools_adopt(c);
	if (rc == 0) {
		srs_begin(c);
		c->usage = (struct usage){ .table = c->server.quotas,
			.ready = c->deliver->ready,
			.holder = &c->holder, .sink = c->sink, .key = n->key,
			.index = c->index, .n = n->setup->cores };
		rc = usage_start(&c->usage) == 0 ? 0 : EX_IOERR;
	}
	if (rc == 0 && fiber_go("deliver", deliver_run, c->deliver) != 0)
		rc = EX_OSERR;
	if (rc == 0)
		c->intake.spool = c->spools[c->index];
	if (rc == 0 && c->index == 0)
		reports_start(c);
	if (rc != 0)
		start_fail(c);
	return rc;
}

static yields void
started_run(void *arg)
{
	struct node *n = arg;

	n->setup->started(n->setup->arg, n);
}

static void
start_tell(struct node_core *c)
{
	struct event e = event_make(EVENT_started, clock_wall(), 0);

	event_num(&e, FIELD_recipients, c->recovered);
	event_str(&e, FIELD_text, STR("accepting mail"));
	intake_tell(&c->intake, &e);
}

static yields int
core_serve(struct node_core *c)
{
	struct node *n = c->node;

	status_worsen(n, core_read(c));
	barrier(c);
	if (atomic_load(&n->status) != 0)
		return EX_UNAVAILABLE;
	if (c->index == 0) {
		accept_plan_end(n);
		start_tell(c);
		if (fiber_go("started", started_run, n) != 0)
			return EX_OSERR;
	}
	while (!atomic_load(&n->is_stopping))
		(void)fiber_park(MONO_NEVER);
	return 0;
}

static yields void
sessions_wait(struct node_core *c, struct mono until)
{
	while (c->server.sessions > 0 && mono_is_before(clock_mono(), until))
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_MS));
}

static yields void
core_drain(struct node_core *c)
{
	struct mono until = mono_add(clock_mono(),
	    config_now(&c->holder)->timeouts.stop);

	accept_close(c);
	server_shut(&c->server);
	sessions_wait(c, until);
	deliver_stop(c->deliver, until);
	if (c->server.sessions == 0 && deliver_is_idle(c->deliver))
		return;
	node_cut(c, "conversations were still open when the time to stop was "
	    "over; the spool will be checked at start");
}

static yields void
core_close(struct node_core *c)
{
	const struct node_setup *setup = c->node->setup;

	c->is_over = true;
	if (setup->leaving != NULL)
		setup->leaving(setup->arg, c->index);
	barrier(c);		/* who looks at all cores has ended */
	usage_stop(&c->usage);
	for (unsigned kind = REPORT_OF_DMARC; c->index == 0 &&
	    kind <= REPORT_OF_TLS; kind++)
		report_post_stop(&c->node->reports[kind]);
	if (!atomic_load(&c->node->is_cut)) {
		status_worsen(c->node, spools_close(c));
		if (setup->login != NULL)
			login_end(setup->login);
		if (c->server.limits != NULL)
			server_close(&c->server);
		if (c->deliver != NULL)
			deliver_close(c->deliver);
		config_unhold(&c->holder);
	}
	c->sink = NULL;		/* it is used no more */
	setup->ended(setup->arg, c->index);
}

static yields void
core_main(void *arg)
{
	struct node *n = arg;
	struct node_core *c = &n->cores[core_index()];
	bool all_open;
	int rc;

	c->node = n;
	c->index = core_index();
	c->holder.core = c->index;
	c->main = fiber_self();
	rc = core_open(c);
	if (rc != 0)
		status_worsen(n, rc);
	barrier(c);
	all_open = atomic_load(&n->status) == 0;
	barrier(c);		/* before it can change: all see the same */
	if (all_open) {
		rc = core_serve(c);
		if (rc != 0) {
			status_worsen(n, rc);
			node_stop(n);
		}
		core_drain(c);
	}
	barrier(c);
	core_close(c);
	barrier(c);
	c->main = NULL;		/* who would wake us still comes too late */
}

/* ---- all of it ---- */

/* ETRN's way from smtp/ to the queues. */
static yields int64_t
node_flush(void *arg, struct str domain, bool is_below)
{
	struct node *n = arg;

	return deliver_flush(n->delivers, n->setup->cores, domain, is_below);
}

int
node_run(struct node *n, const struct node_setup *setup)
{
	*n = (struct node){ .setup = setup };
	n->key = random_hash_key();
	n->house.key = n->key;
	n->house.n = setup->cores;
	n->house.connections_most = setup->connections_most;
	n->house.memory_most = setup->memory_most;
	n->house.flush = node_flush;
	n->house.flush_arg = n;
	n->login = (struct server_login){ setup->login, login_takes,
		login_check, login_verifier, login_proved };
	n->house.login = setup->login == NULL ? NULL : &n->login;
	if (setup->login != NULL) {
		setup->login->elsewhere.tell = place_tell;
		setup->login->elsewhere.arg = n;
	}
	n->started_at = clock_wall();
	telling = n;
	net_tell = world_tell;
	dns_tell = resolver_tell;
	n->local = (struct server_listener){ .name = STR("submit"),
		.role = ROLE_SUBMISSION, .tls = TLS_OFF, .is_local = true,
		.sessions = &n->local_sessions };
	for (unsigned i = 0; i < setup->cores; i++)
		core_bell_init(&n->cores[i].bell, main_wake, &n->cores[i]);
	shard_map_spread(&n->map, setup->cores);
	if (resolver_use(setup->config) != 0 || accept_plan(n, setup->config) != 0)
		atomic_store(&n->status, EX_CONFIG);
	else if (core_run_all(setup->cores, core_main, n) != 0)
		status_worsen(n, EX_OSERR);
	net_tell = dns_tell = NULL;
	telling = NULL;
	if (!atomic_load(&n->is_cut))
		config_release(setup->config);
	return atomic_load(&n->status);
}

void
node_stop(struct node *n)
{
	if (atomic_exchange(&n->is_stopping, true))
		return;
	for (unsigned i = 0; i < n->setup->cores; i++)
		core_ring(&n->cores[i].bell, i);
}

/* ---- what is kept ---- */

struct counting {
	struct node *node;
	size_t n;
};

static yields void
kept_count(void *arg)
{
	struct counting *t = arg;
	struct node_core *c = &t->node->cores[core_index()];

	for (unsigned i = 0; i < DELIVER_SPOOLS; i++)
		if (c->spools[i] != NULL)
			t->n += spool_stats(c->spools[i]).kept;
}

yields size_t
node_kept(struct node *n)
{
	struct counting t = { n, 0 };

	for (unsigned i = 0; i < n->setup->cores; i++)
		(void)core_call(i, kept_count, &t);
	return t.n;
}
