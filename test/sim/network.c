/*
 * Several servers of ours, everybody else, and all weather at once; the laws of
 * the town, over several servers, when it is over.
 */
#include "memory.h"
#include "network.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/offload.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_MEMORY = 1 << 24, PROCESS_KEEPS = 4 };

/* Longer than any deadline of ours. */
#define SILENCE_NS (16 * 60 * NS_PER_SECOND)

struct network_ledger *network_ledger;

static struct node node;
static struct network_server *self;
static unsigned self_number;
static bool lacks_tls;			/* of all that have it: by weather */

const struct town network_town = { .copies_are_right =
	network_copies_are_right, .reports_most = network_reports_most };

/* ---- a server's life ---- */

static struct config *
config_make(void)
{
	static char said[4096];
	struct source_memory machine;
	struct buf b = BUF_OF(said);
	struct problems problems;
	struct config *c = NULL;
	struct arena a;

	arena_init(&a, CONFIG_MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	if (source_memory_file(&machine, STR("t.yaml"),
	    str_of(self->config)) == 0 &&
	    source_memory_file(&machine, STR("/aliases"),
	    str_of(self->aliases)) == 0)
		c = config_load(&machine.source, STR("t.yaml"), &problems);
	problems_print(&problems, &b);
	if (c == NULL && memory_refused() == 0)
		fprintf(stderr, "%.*s\n%s", (int)b.n, said, self->config);
	problems_clear(&problems);
	arena_clear(&a);
	must(c != NULL || memory_refused() > 0);
	return c;
}

static int
config_load_here(void *arg)
{
	struct config **c = arg;

	*c = config_make();
	return 0;
}

static void
event_tell(const struct event *e)
{
	static char room[EVENT_LINE_MOST];
	const char *tag;

	for (unsigned i = 0; (tag = event_text_tag(e, i)) != NULL; i++) {
		struct buf b = BUF_OF(room);

		event_text(e, i, &b);
		fprintf(stderr, "%12.6f h%u/%u %s %.*s\n",
		    (double)sim_world_mono().ns / (double)NS_PER_SECOND,
		    self_number, core_index(), tag, (int)b.n, room);
	}
}

static void
event_take(struct event_sink *s, const struct event *e)
{
	struct network_ledger *l = network_ledger;

	(void)s;
	if (e->type == EVENT_queued && l->n_kept < NETWORK_KEPT) {
		l->kept[l->n_kept].id = town_hop(self_number, e->id);
		l->kept[l->n_kept].server = self_number;
		l->kept[l->n_kept++].at = sim_world_mono().ns;
	}
	if (getenv("TOWN_LOG") != NULL)
		event_tell(e);
}

static struct event_sink *
sink_make(void *arg, unsigned core)
{
	static struct event_sink sink = { .take = event_take };

	(void)arg;
	(void)core;
	return &sink;
}

static int
no_door(void *arg, const struct address *at, unsigned core)
{
	(void)arg;
	(void)at;
	(void)core;
	return -1;
}

static yields void
reload(void)
{
	struct config *c = NULL;

	(void)offload(config_load_here, &c);
	if (c != NULL)
		(void)node_reload(&node, c);
}

/* What could not be queued for want of memory waits for the next start; and who
 * met a second error of the disk within a minute takes nothing until then. */
static bool
must_begin_anew(bool began_in_calm)
{
	return lacks_tls || memory_refused() > 0 ||
	    (network_ledger->has_disk_faults && !began_in_calm);
}

static yields void
started(void *arg, struct node *n)
{
	bool began_in_calm = network_ledger->is_calm;

	(void)arg;
	self->is_up = true;
	while (!network_ledger->is_stopping &&
	    !(network_ledger->is_calm && must_begin_anew(began_in_calm))) {
		bool is_calm = network_ledger->is_calm;

		if ((network_ledger->has_reloads && !is_calm) ||
		    sim_chance(20) == 0)
			reload();
		if (self->refuse_nth != 0)
			memory_refuse(self->refuse_nth, self->refuse_times);
		self->refuse_nth = 0;
		if (is_calm)
			memory_refuse(0, 0);
		if (memory_refused() > 0 && getenv("TOWN_LOG") != NULL)
			fprintf(stderr, "h%u: %ju allocations refused\n",
			    self_number, (uintmax_t)memory_refused());
		self->kept = node_kept(n);
		self->looked = sim_world_mono().ns;
		fiber_sleep(mono_add(clock_mono(), is_calm ? 300 *
		    NS_PER_SECOND : (int64_t)sim_chance(20000) * NS_PER_MS));
	}
	self->is_up = false;
	memory_refuse(0, 0);	/* a stop that finds no memory is not heard */
	node_stop(n);
}

static yields void
ended(void *arg, unsigned core)
{
	(void)arg;
	(void)core;
	/* what did not drain in time ends with the process, as worker.c does; by
	 * time, for the weather may give another order before the next verb */
	if (atomic_load(&node.is_cut))
		sim_crash_at_time(clock_mono(), SIM_KILL);
}

/* ---- TLS ---- */

static struct tls_identity identity;

static int
tls_take(void *arg, struct node_core *core)
{
	(void)arg;
	core->server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &identity, .n = 1 });
	return core->server.tls == NULL ? -1 : 0;
}

static bool
tls_begin(struct node_setup *setup)
{
	char name[16];

	lacks_tls = network_ledger->has_tls && !network_ledger->is_calm &&
	    sim_chance(4) == 0;
	if (!network_ledger->has_tls || lacks_tls)
		return false;
	snprintf(name, sizeof name, "mx.h%u.test", self_number);
	identity = test_identity("EC", name);
	setup->tls = tls_take;
	return true;
}

/* Of who sends nothing in clear text. */
static void
wire_hear(const struct address *from, const struct address *to,
    struct str bytes)
{
	(void)from;
	if (to->port != 25 || str_find_str(bytes, STR("MAIL FROM:")) == bytes.n)
		return;
	fprintf(stderr, "server %u sends mail in clear text\n", self_number);
	must(false);
}

/* ---- a life ---- */

/* A life that ended well left nothing behind, but for what is one of a process
 * and not of a session, message or reload: the resolver's settings and such. */
static void
memory_settle(size_t floor, int status)
{
	memory_bury();
	if (status != 0 || memory_live() <= floor + PROCESS_KEEPS)
		return;
	fprintf(stderr, "server %u left %zu allocations behind\n", self_number,
	    memory_live() - floor);
	must(false);
}

static void
server_live(void *arg)
{
	struct node_setup setup;
	bool has_identity;
	size_t floor;
	int status;

	memory_spoil();
	self = arg;
	self_number = (unsigned)(self - network_ledger->servers);
	self->lives++;
	floor = memory_live();
	network_disk_look(self_number, false);
	setup = (struct node_setup){ .config = config_make(),
		.cores = self->cores, .door_fd = no_door, .sink = sink_make,
		.started = started, .ended = ended, .porter_fd = -1 };
	has_identity = tls_begin(&setup);
	if (self->must_hide)
		sim_tap(wire_hear);
	status = node_run(&node, &setup);
	if (has_identity)
		test_identity_free(&identity);
	self->is_up = false;
	if (status == 0 && network_ledger->is_stopping)
		network_disk_look(self_number, true);
	memory_settle(floor, status);
	if (status != 0 && network_ledger->is_calm)
		fprintf(stderr, "server %u ended with %d\n", self_number,
		    status);
	must(status == 0 || !network_ledger->is_calm);
}

/* By the parent: as a service manager would, after a while. */
static int64_t
server_again(void *arg, enum sim_ending e)
{
	struct network_server *s = arg;

	s->is_up = false;
	network_trouble((unsigned)(s - network_ledger->servers),
	    sim_world_mono().ns);
	if (e == SIM_ENDED && network_ledger->is_stopping)
		return -1;
	return NS_PER_SECOND + (int64_t)sim_chance(120) * NS_PER_SECOND;
}

/* ---- a run ---- */

static bool
looks(void)
{
	bool ok = true;

	for (unsigned i = 1; i <= network_ledger->n; i++) {
		sim_at(i);
		ok &= town_look_at(i);
	}
	sim_at(0);
	return ok;
}

static bool
network_run(uint64_t seed)
{
	struct sim_program programs[1 + NETWORK_SERVERS] = {
		{ .live = network_folk_live } };

	(void)seed;
	network_furnish();
	for (unsigned i = 1; i <= network_ledger->n; i++) {
		programs[i] = (struct sim_program){ server_live, server_again,
			&network_ledger->servers[i] };
		sim_at(i);
		sim_silence_most(SILENCE_NS);
	}
	sim_at(0);
	town_now = &network_town;
	if (!sim_run(programs, 1 + network_ledger->n) || !looks())
		return false;
	return town_law(&network_town);
}

const struct scenario scenario_network = { .name = "network",
	.run = network_run };
