/*
 * reload_fuzz.c -- the configuration changes under a running server.
 *
 * Input: reloads, one behind the other.  Each begins with the good configuration;
 * one octet says how many of its lines are changed (at most 7), and for each of
 * them one which, one how long the new line is, and its octets follow.  The last
 * line is a new one.
 *
 * What does not load says why; what loads is taken by all cores or by none; who
 * comes between is answered by the book; and the server ends in peace.
 */
#include "fuzz.h"

#include "app/test_node.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/offload.h"
#include "fiber/stream.h"
#include "fiber/world_sim.h"
#include "policy/config.h"
#include "policy/holder.h"
#include "policy/problem.h"
#include "policy/source.h"

enum { CORES = 2, RELOADS_MOST = 6, CHANGES_MOST = 8, MEMORY = 1 << 24 };

static const char *const good[] = {
	"hostname: mx.home.test",
	"admin: root@home.test",
	"listen: [ { address: 192.0.2.1, port: 25, role: mx } ]",
	"trusted: [ 192.0.2.0/24 ]",
	"domains: { home.test: { users: [ u ], aliases: /aliases } }",
	"deliver: { maildir: /mail/%u }",
	"spool: { path: /spool, segment: 256K, reserve: 64K }",
	"limits: { size: 1M, connections_per_ip: 3, per_ip: none }",
	"timeouts: { command: 5m }",
	"route: [ { relay: \"smtp://192.0.2.9\" } ]",
	"log: { format: json }",
	"",
};
enum { LINES = sizeof good / sizeof *good };

static struct node node;
static struct str input;
static struct stream client;

/* ---- a configuration ---- */

struct wish { struct str text; struct config *config; size_t n_problems; };

/* Where libfyaml may have its stack. */
static int
config_make(void *arg)
{
	struct wish *w = arg;
	struct source_memory machine;
	struct problems problems;
	struct arena a;

	arena_init(&a, MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"), w->text) == 0);
	must(source_memory_file(&machine, STR("/aliases"),
	    STR("a: u\nb: a, x@far.test\n")) == 0);
	w->config = config_load(&machine.source, STR("t.yaml"), &problems);
	w->n_problems = problems.n;
	problems_clear(&problems);
	arena_clear(&a);
	return 0;
}

static struct str
text_make(struct arena *a)
{
	struct str lines[LINES];
	struct buf b = { .p = arena_alloc(a, 8192), .cap = 8192 };

	must(b.p != NULL);
	for (size_t i = 0; i < LINES; i++)
		lines[i] = str_of(good[i]);
	for (unsigned n = fuzz_choice(&input) % CHANGES_MOST; n > 0; n--) {
		unsigned which = fuzz_choice(&input) % LINES;

		lines[which] = str_sub(input, 0, fuzz_choice(&input));
		lines[which] = str_sub(input, 0, lines[which].n);
		input = str_sub(input, lines[which].n, input.n);
	}
	for (size_t i = 0; i < LINES; i++) {
		buf_put(&b, lines[i]);
		buf_putc(&b, '\n');
	}
	must(!b.full);
	return buf_str(&b);
}

static yields struct config *
config_next(void)
{
	struct wish w = { .config = NULL };
	struct arena a;

	arena_init(&a, MEMORY);
	w.text = text_make(&a);
	must(offload(config_make, &w) == 0);
	must(w.config != NULL || w.n_problems > 0);
	arena_clear(&a);
	return w.config;
}

/* ---- who comes between ---- */

static yields bool
hear(void)
{
	enum line_ending ending;
	struct str line = STR_NONE;

	do {
		if (stream_line(&client, 512, &line, &ending) != 0)
			return false;
		must(ending == LINE_CRLF && line.n >= 4);
		must(line.p[0] >= '2' && line.p[0] <= '5');
		must(line.p[3] == ' ' || line.p[3] == '-');
	} while (line.p[3] == '-');
	return line.p[0] < '4';
}

static yields void
visit(void)
{
	static const char *const said[] = { "EHLO c.test", "MAIL FROM:<a@c.test>",
		"RCPT TO:<b@home.test>", "DATA", "x\r\n.", "QUIT" };
	struct address at;
	struct net_end *end;

	must(address_parse(STR("192.0.2.1"), 25, &at));
	end = net_connect(&at, NULL, mono_add(clock_mono(), NS_PER_SECOND));
	err_clear();
	if (end == NULL)
		return;			/* another configuration has other doors */
	stream_init(&client, end);
	client.deadline = mono_add(clock_mono(), 900 * NS_PER_SECOND);
	for (size_t i = 0; hear() && i < sizeof said / sizeof *said; i++) {
		stream_printf(&client, "%s\r\n", said[i]);
		(void)stream_flush(&client);
	}
	stream_close(&client);
}

/* ---- reloads ---- */

static const struct config *in_force[CORES];

static yields void
look(void *arg)
{
	(void)arg;
	in_force[core_index()] = config_now(&node.cores[core_index()].holder);
}

static yields void
all_have(const struct config *c)
{
	for (unsigned i = 0; i < CORES; i++) {
		must(core_call(i, look, NULL) == 0);
		must(in_force[i] == c);
	}
}

static yields void
started(void *arg, struct node *n)
{
	const struct config *now = config_now(&n->cores[0].holder);

	(void)arg;
	visit();
	for (unsigned i = 0; i < RELOADS_MOST && input.n > 0; i++) {
		struct config *c = config_next();

		if (c != NULL && node_reload(n, c) == 0)
			now = c;
		err_clear();
		all_have(now);
		visit();
	}
	node_stop(n);
}

FUZZ(in)
{
	struct node_setup setup = { TEST_NODE, .cores = CORES,
		.started = started };
	struct wish w = { .text = STR("hostname: mx.home.test\n"
	    "listen: [ { address: 192.0.2.1, port: 25, role: mx } ]\n"
	    "domains: { home.test: { users: [ u ] } }\n"
	    "deliver: { maildir: /mail/%u }\n"
	    "spool: { path: /spool, segment: 256K, reserve: 64K }\n") };
	struct sim_net net;

	input = in;
	sim_begin(1);
	net = sim_net();
	must(address_parse(STR("192.0.2.1"), 0, &net.self_v4));
	sim_net_set(net);
	must(config_make(&w) == 0 && w.config != NULL);
	setup.config = w.config;
	must(node_run(&node, &setup) == 0);
}
