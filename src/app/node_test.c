/* node_test.c -- reloads of a whole server, in memory. */
#include "app/test_node.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/offload.h"
#include "fiber/stream.h"
#include "fiber/world_sim.h"
#include "queue/view.h"
#include "spool/outcome.h"

#include "base/must.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CORES = 2, CONFIG_MEMORY = 1 << 24 };

static unsigned n_cores = CORES;
static const char *more = "";		/* of the configuration */

static struct node node;
static char connected_at[8][64];	/* listeners that were told of */
static size_t n_connected;
static yields void (*act)(struct node *);
static int (*tls)(void *, struct node_core *);	/* or NULL */
static yields void (*leaving)(void *, unsigned);	/* or NULL */

/* By the linker's --wrap. */
void *__wrap_calloc(size_t, size_t);
void *__real_calloc(size_t, size_t);
static bool is_exhausted;

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_exhausted ? NULL : __real_calloc(n, size);
}

#define REST \
	"hostname: mx.home.test\n" \
	"trusted: [ 192.0.2.0/24 ]\n" \
	"domains: { home.test: { users: [ u ] } }\n" \
	"deliver: { maildir: /mail/%%u }\n" \
	"spool: { path: /spool, segment: 256K, reserve: 64K }\n"

struct wish { const char *listen; struct config *config; };

/* Where libfyaml may have its stack. */
static int
config_make(void *arg)
{
	struct wish *w = arg;
	struct source_memory machine;
	struct problems problems;
	struct arena a;

	arena_init(&a, CONFIG_MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"),
	    arena_printf(&a, REST "listen: [ %s ]\n%s", w->listen, more)) == 0);
	w->config = config_load(&machine.source, STR("t.yaml"), &problems);
	if (w->config == NULL) {
		char said[1000];
		struct buf b = BUF_OF(said);

		problems_print(&problems, &b);
		fprintf(stderr, "%.*s\n", (int)b.n, said);
	}
	problems_clear(&problems);
	arena_clear(&a);
	must(w->config != NULL);
	return 0;
}

static yields int
reload(const char *listen)
{
	struct wish w = { .listen = listen };

	assert_int_equal(offload(config_make, &w), 0);
	return node_reload(&node, w.config);
}

/* ---- a node ---- */

static void
event_take(const struct event *e)
{
	if (e->type != EVENT_disconnected || n_connected == 8)
		return;
	for (size_t i = 0; i < e->n; i++)
		if (e->values[i].field == FIELD_listener)
			(void)str_cstr(e->values[i].string,
			    connected_at[n_connected++],
			    sizeof connected_at[0]);
}

static yields void
started(void *arg, struct node *n)
{
	(void)arg;
	act(n);
	node_stop(n);
}

/* Another life in the same world. */
static void
run_again(const char *listen, yields void (*fn)(struct node *))
{
	struct wish w = { .listen = listen };
	struct node_setup setup = { TEST_NODE, .cores = n_cores, .tls = tls,
		.started = started, .leaving = leaving };

	act = fn;
	test_event = event_take;
	n_connected = 0;
	(void)config_make(&w);
	setup.config = w.config;
	assert_int_equal(node_run(&node, &setup), 0);
}

static void
run(const char *listen, yields void (*fn)(struct node *))
{
	struct sim_net net;

	sim_begin(1);
	net = sim_net();
	assert_true(address_parse(STR("192.0.2.1"), 0, &net.self_v4));
	sim_net_set(net);
	run_again(listen, fn);
}

/* ---- clients ---- */

static yields struct net_end *
dial(uint16_t port)
{
	struct address at;

	assert_true(address_parse(STR("192.0.2.1"), port, &at));
	return net_connect(&at, NULL, mono_add(clock_mono(), NS_PER_SECOND));
}

static yields void
hear(struct stream *s, const char *prefix)
{
	enum line_ending ending;
	struct str line;

	assert_int_equal(stream_line(s, 512, &line, &ending), 0);
	assert_true(str_eq(str_sub(line, 0, strlen(prefix)), str_of(prefix)));
}

static yields void
visit_begin(struct stream *s, uint16_t port)
{
	struct net_end *end = dial(port);

	assert_non_null(end);
	stream_init(s, end);
	s->deadline = mono_add(clock_mono(), 60 * NS_PER_SECOND);
	hear(s, "220 ");
}

static yields void
visit_end(struct stream *s)
{
	stream_put(s, STR("QUIT\r\n"));
	hear(s, "221 ");
	stream_close(s);
	fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
}

static yields bool
is_open(uint16_t port)
{
	struct net_end *end = dial(port);

	err_clear();
	if (end != NULL)
		net_close(end);
	return end != NULL;
}

/* ---- a door changes ---- */

static yields void
change(struct node *n)
{
	struct stream before, after;

	(void)n;
	visit_begin(&before, 25);
	assert_int_equal(reload("{ name: two, address: 192.0.2.1, port: 25, "
	    "role: submission, connections: 2 }"), 0);
	visit_begin(&after, 25);
	/* Both count for the door, whatever it was called when they came. */
	assert_int_equal(node.doors[0].sessions, 2);
	visit_end(&before);
	visit_end(&after);
	assert_int_equal(n_connected, 2);
	assert_string_equal(connected_at[0], "one");
	assert_string_equal(connected_at[1], "two");
	assert_int_equal(node.doors[0].sessions, 0);
	/* Cores and those who accept there hold one listener. */
	assert_int_equal(node.doors[0].users, 1);
}

static void
a_session_keeps_the_listener_it_began_with(void **state)
{
	(void)state;
	run("{ name: one, address: 192.0.2.1, port: 25, role: mx }", change);
}

/* ---- all or nothing ---- */

#define ONE "{ address: 192.0.2.1, port: 25, role: mx }"
#define TWO "{ address: 192.0.2.1, port: 26, role: mx }"

static yields void
fail_halfway(struct node *n)
{
	const struct config *before = config_now(&n->cores[0].holder);

	/* One door on two cores was bound; of the new ones the last fails. */
	sim_fault_nth(SIM_listen, CORES + CORES, 1, EADDRINUSE);
	assert_int_equal(reload(TWO), -1);
	err_clear();
	for (unsigned i = 0; i < CORES; i++)
		assert_ptr_equal(config_now(&n->cores[i].holder), before);
	assert_true(is_open(25));
	assert_false(is_open(26));
	sim_faults_clear();
	assert_int_equal(reload(TWO), 0);
	assert_false(is_open(25));
	assert_true(is_open(26));
	for (unsigned i = 0; i < CORES; i++)
		assert_ptr_not_equal(config_now(&n->cores[i].holder), before);
}

static void
a_reload_is_taken_by_all_cores_or_none(void **state)
{
	(void)state;
	run(ONE, fail_halfway);
}

/* ---- many addresses, one after the other ---- */

static yields void
wander(struct node *n)
{
	struct stream guest;
	char listen[80];

	(void)n;
	visit_begin(&guest, 25);
	for (unsigned i = 1; i <= 3 * NODE_DOORS; i++) {
		snprintf(listen, sizeof listen,
		    "{ address: 192.0.2.1, port: %u, role: mx }", 100 + i);
		assert_int_equal(reload(listen), 0);
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND / 10));
	}
	assert_true(is_open(100 + 3 * NODE_DOORS));
	assert_false(is_open(100 + 3 * NODE_DOORS - 1));
	visit_end(&guest);
}

static void
places_of_former_doors_serve_again(void **state)
{
	(void)state;
	run(ONE, wander);
}

/* ---- permits of connections ---- */

static struct other {			/* a server that takes everything */
	const char *ip;
	struct net_end *door;
	unsigned connections, messages;
} others[2] = { { .ip = "198.51.100.11" }, { .ip = "198.51.100.12" } };

struct call { struct other *other; struct stream s; };

static yields void
call_run(void *arg)
{
	struct call *c = arg;
	enum line_ending ending;
	bool is_body = false;
	struct str line;

	c->s.deadline = MONO_NEVER;
	stream_put(&c->s, STR("220 other\r\n"));
	while (stream_line(&c->s, 1000, &line, &ending) == 0) {
		if (is_body && !str_eq(line, STR(".")))
			continue;
		c->other->messages += is_body;
		is_body = str_eq(line, STR("DATA"));
		stream_put(&c->s, is_body ? STR("354 go\r\n") :
		    STR("250 ok\r\n"));
	}
	stream_close(&c->s);
	free(c);
}

static yields void
other_run(void *arg)
{
	struct other *o = arg;
	struct address peer;
	struct net_end *end;
	struct call *c;

	while ((end = net_accept(o->door, &peer, MONO_NEVER)) != NULL) {
		o->connections++;
		c = calloc(1, sizeof *c);
		must(c != NULL);
		c->other = o;
		stream_init(&c->s, end);
		must(fiber_go("call", call_run, c) == 0);
	}
	net_close(o->door);
}

static yields void
others_open(void)
{
	struct address at;

	for (size_t i = 0; i < 2; i++) {
		assert_true(address_parse(str_of(others[i].ip), 25, &at));
		others[i].connections = others[i].messages = 0;
		assert_non_null(others[i].door = net_listen(&at));
		assert_int_equal(fiber_go("other", other_run, &others[i]), 0);
	}
}

static yields void
send_to(const char *domain)
{
	struct stream s;

	visit_begin(&s, 25);
	stream_printf(&s, "HELO me.test\r\n");
	hear(&s, "250 ");
	stream_printf(&s, "MAIL FROM:<>\r\n");
	hear(&s, "250 ");
	stream_printf(&s, "RCPT TO:<a@%s>\r\n", domain);
	hear(&s, "250 ");
	stream_printf(&s, "DATA\r\n");
	hear(&s, "354 ");
	stream_printf(&s, "Subject: x\r\n\r\nx\r\n.\r\n");
	hear(&s, "250 ");
	visit_end(&s);
}

static yields void
share(struct node *n)
{
	(void)n;
	others_open();
	send_to("one.test");
	send_to("one.test");
	fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_SECOND));
	/* Nobody needs its permit: the line rests, and is used again. */
	assert_int_equal(others[0].connections, 1);
	assert_int_equal(others[0].messages, 2);
	send_to("two.test");
	fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_SECOND));
	assert_int_equal(others[1].messages, 1);
	send_to("one.test");
	fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_SECOND));
	assert_int_equal(others[0].connections, 2);
	assert_int_equal(others[0].messages, 3);
	for (size_t i = 0; i < 2; i++)
		net_stop_listening(others[i].door);
}

static void
an_idle_connection_gives_way(void **state)
{
	(void)state;
	n_cores = 1;
	more = "outbound: { connections_total: 1, idle: 5m }\n"
	    "route:\n"
	    "- { if: { rcpt_domain: one.test }, relay: smtp://198.51.100.11 }\n"
	    "- { if: { rcpt_domain: two.test }, relay: smtp://198.51.100.12 }\n";
	run(ONE, share);
	n_cores = CORES;
	more = "";
}

/* ---- a hold is as long as it is, over restarts ---- */

#define HOUR_NS (3600 * NS_PER_SECOND)

static uint64_t held_id;

static yields void
hold(struct node *n)
{
	struct view_filter all = { .id = 0 };
	struct view_cursor at = { 0 };
	struct view_item item;

	send_to("one.test");
	assert_int_equal(view_next(n->cores[0].deliver->queue, &all, &at,
	    &item), VIEW_FOUND);
	held_id = item.ref.id;
	assert_true(queue_hold(n->cores[0].deliver->queue, clock_mono(),
	    item.ref));
	assert_int_equal(spool_hold(n->cores[0].spools[0], held_id,
	    STR("look")), 0);
	fiber_sleep(mono_add(clock_mono(), 8 * HOUR_NS));
	assert_int_equal(node_kept(n), 1);
}

static yields void
hold_on(struct node *n)
{
	fiber_sleep(mono_add(clock_mono(), HOUR_NS));
	assert_int_equal(node_kept(n), 1);
	fiber_sleep(mono_add(clock_mono(), 2 * HOUR_NS));
	assert_int_equal(node_kept(n), 0);
}

static void
a_hold_goes_on_after_a_restart(void **state)
{
	(void)state;
	n_cores = 1;
	more = "outbound: { hold: 10h }\n"
	    "route: [ { relay: smtp://198.51.100.11 } ]\n";
	run(ONE, hold);
	run_again(ONE, hold_on);
	n_cores = CORES;
	more = "";
}

/* ---- while the spool is read ---- */

static struct early {
	struct mono greeted_at, judged_at, started_at;
	char says[4];			/* to MAIL */
	bool is_over;
} early;

static yields void
early_run(void *arg)
{
	enum line_ending ending;
	struct stream s;
	struct str line;

	(void)arg;
	while (!is_open(25))
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND / 10));
	visit_begin(&s, 25);
	early.greeted_at = clock_mono();
	s.deadline = mono_add(clock_mono(), HOUR_NS);
	stream_put(&s, STR("HELO me.test\r\n"));
	hear(&s, "250 ");
	stream_put(&s, STR("MAIL FROM:<>\r\n"));
	assert_int_equal(stream_line(&s, 512, &line, &ending), 0);
	(void)str_cstr(str_sub(line, 0, 3), early.says, sizeof early.says);
	early.judged_at = clock_mono();
	visit_end(&s);
	early.is_over = true;
}

static yields void
look(struct node *n)
{
	(void)n;
}

/* The last that a core does before its doors open. */
static int
early_begin(void *arg, struct node_core *c)
{
	(void)arg;
	return c->index == 0 ? fiber_go("early", early_run, NULL) : 0;
}

static yields void
late(struct node *n)
{
	(void)n;
	early.started_at = clock_mono();
	while (!early.is_over)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
}

/* With a disk that takes so long for each thing it does. */
static void
start_slowly(int64_t verb_ns)
{
	struct sim_disk_costs costs = { .verb_ns = verb_ns };

	n_cores = 1;
	early = (struct early){ .is_over = false };
	run(ONE, look);
	sim_disk_costs(costs);
	tls = early_begin;
	run_again(ONE, late);
	tls = NULL;
	n_cores = CORES;
}

static void
who_comes_while_the_spool_is_read_waits_with_his_mail(void **state)
{
	(void)state;
	start_slowly(NS_PER_SECOND);
	assert_true(mono_is_before(early.greeted_at, early.started_at));
	assert_true(early.judged_at.ns - early.greeted_at.ns >
	    2 * NS_PER_SECOND);
	assert_string_equal(early.says, "250");
}

static void
who_waited_for_a_minute_is_asked_to_come_again(void **state)
{
	(void)state;
	start_slowly(30 * NS_PER_SECOND);
	assert_true(mono_is_before(early.judged_at, early.started_at));
	assert_string_equal(early.says, "451");
}

/* ---- the end ---- */

static yields void
stop_without_memory(struct node *n)
{
	is_exhausted = true;
	node_stop(n);
	is_exhausted = false;
}

/* Else its cores would wait for ever, which the world tells. */
static void
a_stop_needs_no_memory(void **state)
{
	(void)state;
	run(ONE, stop_without_memory);
}

static void
nothing_is_asked(struct node *n)
{
	(void)n;
}

static yields void
core_look(void *arg)
{
	const struct node_core *c = &node.cores[core_index()];

	*(bool *)arg = c->spools[c->index] != NULL && c->sink != NULL;
}

/* As the control socket does, whose requests go on for a moment. */
static yields void
leave_slowly(void *arg, unsigned core)
{
	(void)arg;
	for (unsigned i = 0; core == 0 && i < CORES; i++) {
		bool is_there = false;

		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
		assert_int_equal(core_call(i, core_look, &is_there), 0);
		assert_true(is_there);
	}
}

static void
who_leaves_finds_all_cores(void **state)
{
	(void)state;
	leaving = leave_slowly;
	run(ONE, nothing_is_asked);
	leaving = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_keeps_the_listener_it_began_with),
		cmocka_unit_test(a_reload_is_taken_by_all_cores_or_none),
		cmocka_unit_test(places_of_former_doors_serve_again),
		cmocka_unit_test(an_idle_connection_gives_way),
		cmocka_unit_test(a_hold_goes_on_after_a_restart),
		cmocka_unit_test(
		    who_comes_while_the_spool_is_read_waits_with_his_mail),
		cmocka_unit_test(who_waited_for_a_minute_is_asked_to_come_again),
		cmocka_unit_test(a_stop_needs_no_memory),
		cmocka_unit_test(who_leaves_finds_all_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
