#include "town.h"
#include "app/test_node.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/offload.h"

#include <stdio.h>
#include <stdlib.h>

#define ZONE \
	"$TTL 600\n" \
	"home.test. MX 10 mx.home.test.\n" \
	"mx.home.test. A 192.0.2.1\n" \
	"sink.test. MX 10 mx1.sink.test.\n" \
	"sink.test. MX 20 mx2.sink.test.\n" \
	"mx1.sink.test. A 198.51.100.11\n" \
	"mx2.sink.test. A 198.51.100.12\n" \
	"origin.test. MX 10 mx.origin.test.\n" \
	"mx.origin.test. A 198.51.100.13\n" \
	"picky.test. A 198.51.100.14\n" \
	"dead.test. MX 10 mx.dead.test.\n" \
	"mx.dead.test. A 198.51.100.19\n" \
	"trouble.test. SERVFAIL\n"

#define CONFIG \
	"hostname: mx.home.test\n" \
	"admin: admin@home.test\n" \
	"listen: [ { address: 192.0.2.1, port: 25, role: mx } ]\n" \
	"trusted: [ 203.0.113.0/24 ]\n" \
	"domains:\n" \
	"  home.test: { users: [ admin, u0, u1, u2, u3, u4, u5 ],\n" \
	"    aliases: /aliases }\n" \
	"  box.test:\n" \
	"    deliver: { lmtp: [ \"unix:/none\", \"unix:" TOWN_LMTP "\" ] }\n" \
	"deliver: { maildir: /mail/%u }\n" \
	"spool: { path: /spool, segment: 256K, reserve: 64K }\n"

enum { CONFIG_MEMORY = 1 << 24, LOOK_MEMORY = 1 << 24, FILE_MOST = 1 << 20 };

struct town_ledger *town_ledger;
const struct town *town_now;

static struct node node;

struct node *
town_node(void)
{
	return &node;
}

void
town_plan(struct town_message *m, enum town_want want)
{
	must(m->n < TOWN_RCPTS);
	m->rcpts[m->n++] = (struct town_rcpt){ .want = want };
}

void
town_begin(void)
{
	struct sim_net net = sim_net();

	must(address_parse(STR("192.0.2.1"), 0, &net.self_v4));
	sim_net_set(net);
	must(sim_zone(STR(ZONE)) == 0);
	sim_dns_delay(5 * NS_PER_MS);
	sim_host_set("198.51.100.19", SIM_HOST_CLOSED);
	sim_disk_mkdir("/mail");
	town_ledger = sim_ledger(sizeof *town_ledger);
}

/* ---- the server ---- */

static struct config *
config_make(void)
{
	static char said[4096];
	struct source_memory machine;
	struct buf b = BUF_OF(said);
	struct problems problems;
	struct config *c;
	struct arena a;

	arena_init(&a, CONFIG_MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"),
	    arena_printf(&a, "%s%s", CONFIG, town_now->config == NULL ?
	    "" : town_now->config)) == 0);
	must(source_memory_file(&machine, STR("/aliases"),
	    str_of(town_now->aliases == NULL ? "" : town_now->aliases)) == 0);
	c = config_load(&machine.source, STR("t.yaml"), &problems);
	problems_print(&problems, &b);
	if (c == NULL)
		fprintf(stderr, "%.*s\n", (int)b.n, said);
	problems_clear(&problems);
	arena_clear(&a);
	must(c != NULL);
	return c;
}

static int
config_load_here(void *arg)
{
	struct config **c = arg;

	*c = config_make();
	return 0;
}

yields struct config *
town_config(void)
{
	struct config *c = NULL;

	(void)offload(config_load_here, &c);
	return c;
}

/* TOWN_LOG=1: each event as a line, with the second of its core's clock. */
static void
event_take(struct event_sink *s, const struct event *e)
{
	static char room[EVENT_LINE_MOST];
	const char *tag;

	(void)s;
	if (getenv("TOWN_LOG") == NULL)
		return;
	for (unsigned i = 0; (tag = event_text_tag(e, i)) != NULL; i++) {
		struct buf b = BUF_OF(room);

		event_text(e, i, &b);
		fprintf(stderr, "%12.6f %u %s %.*s\n",
		    (double)clock_mono().ns / (double)NS_PER_SECOND,
		    core_index(), tag, (int)b.n, room);
	}
}

/* Called on each core before anything moves. */
static struct event_sink *
sink_make(void *arg, unsigned core)
{
	static struct event_sink sink = { .take = event_take };

	(void)arg;
	if (core == 0)
		town_servers_open();
	return &sink;
}

static yields bool
is_done(void)
{
	return town_clients_left() == 0 && node_kept(&node) ==
	    town_ledger->held;
}

static yields void
with_run(void *arg)
{
	(void)arg;
	town_now->with(&node);
}

static yields void
started(void *arg, struct node *n)
{
	int64_t patience = town_now->patience == 0 ? 3600 : town_now->patience;
	int64_t every = town_now->look_every == 0 ? 1 : town_now->look_every;
	struct mono until = mono_add(clock_mono(), patience * NS_PER_SECOND);

	(void)arg;
	town_clients_start();
	if (town_now->with != NULL)
		must(fiber_go("with", with_run, NULL) == 0);
	while (!is_done() && mono_is_before(clock_mono(), until))
		fiber_sleep(mono_add(clock_mono(), every * NS_PER_SECOND));
	town_ledger->is_drained = is_done();
	town_servers_close();
	node_stop(n);
}

static yields void
ended(void *arg, unsigned core)
{
	(void)arg;
	if (core == 0)
		town_servers_close();	/* it may never have started */
}

static void
live(void *arg)
{
	struct node_setup setup = { .config = config_make(),
		.cores = town_now->cores == 0 ? 1 : town_now->cores,
		.door_fd = test_no_door, .sink = sink_make, .started = started,
		.ended = ended, .porter_fd = -1 };
	int status = node_run(&node, &setup);

	(void)arg;
	if (status != 0 && !town_now->may_fail)
		fprintf(stderr, "the server ended with %d\n", status);
	must(status == 0 || town_now->may_fail);
}

enum sim_ending
town_life(const struct town *t)
{
	enum sim_ending e;

	must(town_ledger->lives < TOWN_LIVES);
	town_now = t;
	town_ledger->is_drained = false;
	e = sim_life(live, NULL);
	if (e == SIM_CRASHED) {
		town_ledger->ends[town_ledger->lives].is_crash = true;
		town_ledger->ends[town_ledger->lives].at = sim_crashed_at();
	}
	town_ledger->lives++;
	return e;
}

/* ---- the mailboxes ---- */

static unsigned looking_at;

static void
text_read(struct str text, struct town_reading *t)
{
	while (text.n > 0)
		town_read(t, str_cut(&text, '\n'));
}

static yields void
file_look(const char *path, size_t user, struct arena *a)
{
	struct town_reading t = { .is_begun = false };
	struct town_message *m;
	struct str text;

	must(disk_read_file(path, a, FILE_MOST, &text) == 0);
	text_read(text, &t);
	m = &town_ledger->messages[t.m];
	if (!t.is_begun || user >= m->n ||
	    m->rcpts[user].want != WANT_MAILBOX ||
	    m->rcpts[user].host != looking_at)
		town_ledger->strange++;
	else
		town_copied(&m->rcpts[user], &t);
}

static yields void
box_look(const char *name, size_t user)
{
	struct str *names, path;
	struct arena a;
	char box[64];
	size_t n = 0;

	snprintf(box, sizeof box, "/mail/%s/new", name);
	arena_init(&a, LOOK_MEMORY);
	if (disk_list(box, &a, &names, &n) != 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		path = arena_printf(&a, "%s/" STR_FMT, box, STR_ARG(names[i]));
		if (user < TOWN_RCPTS)
			file_look(path.p, user, &a);
		else
			town_ledger->admin++;
	}
	arena_clear(&a);
}

static yields void
look_run(void *arg)
{
	char name[16];

	(void)arg;
	for (size_t i = 0; i < TOWN_RCPTS; i++) {
		snprintf(name, sizeof name, "u%zu", i);
		box_look(name, i);
	}
	box_look("admin", TOWN_RCPTS);
}

static void
look(void *arg)
{
	(void)arg;
	must(core_run_all(1, look_run, NULL) == 0);
}

bool
town_look(void)
{
	return town_look_at(0);
}

bool
town_look_at(unsigned host)
{
	looking_at = host;
	sim_faults_clear();
	sim_crash_at(0, SIM_KILL);
	return sim_life(look, NULL) == SIM_ENDED;
}
