/*
 * What the runtime costs: a switch, a wait, a call to another core or thread,
 * a line there and back over loopback, and the memory of an idle connection.
 */
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/offload.h"
#include "fiber/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ROUNDS = 1000000, CALLS = 20000, LINES = 50000, IDLE_MOST = 4000 };

static unsigned n_idle = IDLE_MOST;

static void
tell(const char *what, struct mono since, unsigned n)
{
	int64_t ns = clock_mono_exact().ns - since.ns;

	printf("%-34s %8.1f ns\n", what, (double)ns / n);
	fflush(stdout);
}

/* ---- switches ---- */

static void
yielder(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS / 2; i++)
		fiber_yield();
}

static yields void
bench_yield(void)
{
	struct mono t = clock_mono_exact();

	must(fiber_go("yielder", yielder, NULL) == 0);
	yielder(NULL);
	tell("yield (two switches)", t, ROUNDS);
}

struct pair { struct fiber *a, *b; bool has_deadline; };

static struct mono
pair_deadline(const struct pair *p)
{
	return p->has_deadline ? mono_add(clock_mono(), 300 * NS_PER_SECOND) :
	    MONO_NEVER;
}

static void
ponger(void *arg)
{
	struct pair *p = arg;

	p->b = fiber_self();
	for (unsigned i = 0; i < ROUNDS; i++) {
		fiber_park(pair_deadline(p));
		fiber_wake(p->a);
	}
}

static yields void
bench_park(bool has_deadline)
{
	struct pair p = { .a = fiber_self(), .has_deadline = has_deadline };
	struct mono t;

	must(fiber_go("ponger", ponger, &p) == 0);
	fiber_yield();
	t = clock_mono_exact();
	for (unsigned i = 0; i < ROUNDS; i++) {
		fiber_wake(p.b);
		fiber_park(pair_deadline(&p));
	}
	tell(has_deadline ? "park and wake, deadline (each)" :
	    "park and wake (each)", t, 2 * ROUNDS);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static yields void
bench_go(void)
{
	struct mono t = clock_mono_exact();

	for (unsigned i = 0; i < ROUNDS; i++) {
		must(fiber_go("nothing", nothing, NULL) == 0);
		if (i % 8 == 7)
			fiber_yield();
	}
	tell("go, run, end", t, ROUNDS);
}

/* ---- calls ---- */

static int
nothing_there(void *arg)
{
	(void)arg;
	return 0;
}

static yields void
bench_calls(void)
{
	struct mono t = clock_mono_exact();

	for (unsigned i = 0; i < CALLS; i++)
		must(core_call(1, nothing, NULL) == 0);
	tell("core_call, both asleep between", t, CALLS);
	t = clock_mono_exact();
	for (unsigned i = 0; i < CALLS; i++)
		must(offload(nothing_there, NULL) == 0);
	tell("offload, both asleep between", t, CALLS);
}

/* ---- lines ---- */

static yields void
make_pair(struct net_end *l, struct stream *client, struct stream *server)
{
	struct address at, peer;
	struct mono late = mono_add(clock_mono(), 5 * NS_PER_SECOND);

	must(net_local(l, &at));
	stream_init(client, net_connect(&at, NULL, late));
	stream_init(server, net_accept(l, &peer, late));
	must(client->end != NULL && server->end != NULL);
}

static struct net_end *
make_listener(void)
{
	struct address at;
	struct net_end *l;

	must(address_parse(STR("127.0.0.1"), 0, &at));
	l = net_listen(&at);
	must(l != NULL);
	return l;
}

static void
echo(void *arg)
{
	struct stream *s = arg;
	enum line_ending ending;
	struct str line;

	s->deadline = mono_add(clock_mono(), 300 * NS_PER_SECOND);
	while (stream_line(s, 512, &line, &ending) == 0) {
		stream_put(s, line);
		stream_put(s, STR("\r\n"));
		s->deadline = mono_add(clock_mono(), 300 * NS_PER_SECOND);
	}
	stream_close(s);
}

static yields void
bench_lines(void)
{
	struct net_end *l = make_listener();
	struct stream client, server;
	enum line_ending ending;
	struct str line;
	struct mono t;

	make_pair(l, &client, &server);
	must(fiber_go("echo", echo, &server) == 0);
	t = clock_mono_exact();
	for (unsigned i = 0; i < LINES; i++) {
		stream_put(&client, STR("MAIL FROM:<someone@example.org>\r\n"));
		must(stream_line(&client, 512, &line, &ending) == 0);
	}
	tell("a line there and back (both here)", t, LINES);
	stream_close(&client);
	net_close(l);
	while (server.end != NULL)	/* it stands on our stack */
		fiber_sleep(mono_add(clock_mono(), NS_PER_MS));
}

/* ---- memory ---- */

static int64_t
resident(void)
{
	char line[256];
	uint64_t kib = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	struct str s;

	must(f != NULL);
	while (fgets(line, sizeof line, f) != NULL) {
		s = str_of(line);
		if (!str_skip(&s, STR("Rss:")))
			continue;
		s = str_trim(s);
		must(parse_u64(str_cut(&s, ' '), INT64_MAX / 1024, &kib));
	}
	fclose(f);
	return (int64_t)kib * 1024;
}

/* Like a session: a few frames, a reply formatted, then it waits. */
static void
idle_session(void *arg)
{
	struct stream *s = arg;
	enum line_ending ending;
	struct str line;

	stream_printf(s, "220 %s ESMTP\r\n", "mail.example.org");
	while (stream_line(s, 512, &line, &ending) == 0)
		stream_printf(s, "250 %.*s\r\n", (int)line.n, line.p);
	stream_close(s);
}

static yields void
open_idle(struct net_end *l, struct stream *client, struct stream *server)
{
	enum line_ending ending;
	struct str line;

	make_pair(l, client, server);
	must(fiber_go("session", idle_session, server) == 0);
	must(stream_line(client, 512, &line, &ending) == 0);
	stream_put(client, STR("EHLO client.example.net\r\n"));
	must(stream_line(client, 512, &line, &ending) == 0);
	client->deadline = clock_mono();	/* gives its buffer back */
	must(stream_peek(client, &line) == -1);
}

static yields void
bench_memory(void)
{
	struct stream *all = calloc(2 * n_idle, sizeof *all);
	struct net_end *l = make_listener();
	int64_t before, opened, swept;

	must(all != NULL);
	for (unsigned i = 0; i < 2 * n_idle; i++)
		all[i].bytes_in = 1;	/* touch it before we look */
	before = resident();
	for (unsigned i = 0; i < n_idle; i++)
		open_idle(l, &all[2 * i], &all[2 * i + 1]);
	opened = resident();
	fiber_sleep(mono_add(clock_mono(), 5 * NS_PER_SECOND));
	swept = resident();
	printf("%-34s %8.0f bytes at once, %.0f after 5 s\n",
	    "idle connection (and its client)",
	    (double)(opened - before) / n_idle,
	    (double)(swept - before) / n_idle);
	for (unsigned i = 0; i < n_idle; i++)
		stream_close(&all[2 * i]);
	for (unsigned i = 0; i < n_idle; i++)
		while (all[2 * i + 1].end != NULL)
			fiber_sleep(mono_add(clock_mono(), NS_PER_MS));
	net_close(l);
	free(all);
}

static void
start(void *arg)
{
	struct fiber_stats s;

	(void)arg;
	if (core_index() != 0)
		return;
	bench_yield();
	bench_park(false);
	bench_park(true);
	bench_go();
	bench_calls();
	bench_lines();
	bench_memory();
	s = fiber_stats();
	printf("deepest stack %zu bytes (%s), %llu switches, %llu turns\n",
	    s.stack_high, s.stack_high_name, (unsigned long long)s.switches,
	    (unsigned long long)s.polls);
}

int
main(void)
{
	struct rlimit files;

	must(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur / 2 - 50 < n_idle)
		n_idle = (unsigned)(files.rlim_cur / 2 - 50);
	return core_run_all(2, start, NULL) == 0 ? 0 : 1;
}
