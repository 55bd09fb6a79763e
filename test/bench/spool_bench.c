/*
 * What the spool costs: commits per second and processor time per message with 1,
 * 64 and 256 fibers, syncs per message, outcomes per second, and a restart with
 * 200,000 messages queued: time and memory.
 *
 *	spool_bench [DIRECTORY [MESSAGES]]	default: spool-bench.tmp 200000
 *
 * Each part is a process of its own, on one core, with bodies of 4 KiB.
 */
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "spool/body.h"
#include "spool/draft.h"
#include "spool/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BODY = 4096, FIBERS_MOST = 256, IDS = 20000 };

static struct {
	const char *directory;
	unsigned fibers;
	uint64_t messages, left;
	unsigned running;
	struct spool *spool;
	uint64_t ids[IDS];		/* of the first ones */
	uint64_t n_ids, told;
	bool delivers;
} bench;

static int64_t
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * US_PER_SECOND +
	    u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static long
rss_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	char text[128];
	struct str rest;
	uint64_t pages;

	must(f != NULL && fgets(text, sizeof text, f) != NULL);
	fclose(f);
	rest = str_of(text);
	(void)str_cut(&rest, ' ');		/* the whole size */
	must(parse_u64(str_cut(&rest, ' '), INT32_MAX, &pages));
	return (long)pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static yields void
told_one(void *arg, const struct kept *k, const struct envelope *e)
{
	(void)arg;
	(void)k;
	(void)e;
	bench.told++;
}

static yields void
bench_open(void)
{
	struct spool_config c = { .path = bench.directory, .node = 1,
		.reserve_bytes = 1 << 20 };

	must(spool_open(&c, &bench.spool) == SPOOL_FINE);
	must(spool_recover(bench.spool, told_one, NULL) == SPOOL_FINE);
}

/* ---- commits ---- */

static yields uint64_t
bench_commit(struct arena *a)
{
	static char body[BODY];
	struct recipient r = { .address = STR("recipient@example.org"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .sender = STR("sender@example.com"),
		.client = STR("192.0.2.1"), .helo = STR("client.example.com"),
		.client_name = STR("client.example.com"),
		.protocol = STR("ESMTP"), .listener = STR("mx:25"),
		.arrived = clock_wall(), .n_rcpts = 1, .rcpts = &r };
	enum draft_trouble why;
	struct draft *d = draft_open(bench.spool, a, &why);
	uint64_t id;

	must(d != NULL);
	memset(body, 'x', sizeof body);
	must(draft_append(d, (struct str){ body, sizeof body }) == DRAFT_FINE);
	why = draft_commit(d, &e);
	must(why == DRAFT_FINE);
	id = draft_id(d);
	arena_clear(a);
	return id;
}

static yields void
bench_deliver(uint64_t id)
{
	struct outcome o = { .kind = OUTCOME_DELIVERED, .code = 250,
		.text = STR("2.0.0 Ok: queued as 4Xb9") };
	char *room = malloc(8192);
	struct body b;
	struct pin p;

	must(room != NULL && spool_pin(bench.spool, id, &p));
	body_open(&b, &p);
	must(body_read(&b, room, 8192) == BODY);
	must(body_read(&b, room, 8192) == 0);
	spool_unpin(&p);
	free(room);
	must(spool_outcome(bench.spool, id, &o, 1) == 0);
}

static yields void
bench_writer(void *arg)
{
	struct arena a;

	(void)arg;
	arena_init(&a, 64 << 10);
	while (bench.left > 0) {
		uint64_t id;

		bench.left--;
		id = bench_commit(&a);
		if (bench.n_ids < IDS)
			bench.ids[bench.n_ids++] = id;
		if (bench.delivers)
			bench_deliver(id);
	}
	bench.running--;
}

static yields void
bench_run(const char *what)
{
	struct mono begin = clock_mono_exact();
	int64_t cpu = cpu_us(), ns;
	struct spool_stats before = spool_stats(bench.spool), s;

	bench.left = bench.messages;
	bench.running = bench.fibers;
	for (unsigned i = 0; i < bench.fibers; i++)
		must(fiber_go("writer", bench_writer, NULL) == 0);
	while (bench.running > 0)
		fiber_sleep(mono_add(clock_mono(), NS_PER_MS));
	ns = clock_mono_exact().ns - begin.ns;
	cpu = cpu_us() - cpu;
	s = spool_stats(bench.spool);
	printf("%-20s %3u fibers %9.0f messages/s %7.2f us cpu/message "
	    "%6.3f syncs/message, longest %5.1f ms\n", what, bench.fibers,
	    (double)bench.messages * 1e9 / (double)ns,
	    (double)cpu / (double)bench.messages,
	    (double)(s.syncs - before.syncs) / (double)bench.messages,
	    (double)s.sync_most_ns / 1e6);
	fflush(stdout);
}

static yields void
part_commits(void *arg)
{
	static const struct { unsigned fibers; uint64_t messages; } runs[] = {
		{ 1, 2000 }, { 64, 40000 }, { 256, 80000 } };

	(void)arg;
	bench_open();
	for (size_t i = 0; i < 2 * sizeof runs / sizeof *runs; i++) {
		bench.delivers = i % 2 == 1;
		bench.fibers = runs[i / 2].fibers;
		bench.messages = runs[i / 2].messages;
		bench_run(bench.delivers ? "commit, read, end" : "commit");
	}
	must(spool_close(bench.spool) == SPOOL_FINE);
}

/* ---- restart ---- */

static yields void
part_fill(void *arg)
{
	(void)arg;
	bench_open();
	bench.fibers = FIBERS_MOST;
	bench_run("fill");
	/* as after a kill: nobody says that all is clean */
	_exit(0);
}

static yields void
part_restart(void *arg)
{
	long before = rss_kib(), after;
	struct mono begin = clock_mono_exact();
	int64_t cpu = cpu_us();
	struct spool_stats s;

	(void)arg;
	bench_open();
	after = rss_kib();
	s = spool_stats(bench.spool);
	printf("restart              %zu queued in %.3f s, %.3f s cpu; "
	    "%.1f MiB more resident, %.0f octets/message\n", s.kept,
	    (double)(clock_mono_exact().ns - begin.ns) / 1e9,
	    (double)(cpu_us() - cpu) / 1e6, (double)(after - before) / 1024,
	    (double)(after - before) * 1024 / (double)s.kept);
	must(bench.told == s.kept);
	must(spool_close(bench.spool) == SPOOL_FINE);
}

/* ---- parts ---- */

static void
directory_remove(void)
{
	pid_t child = fork();
	int status;

	must(child >= 0);
	if (child == 0) {
		execlp("rm", "rm", "-rf", "--", bench.directory, (char *)NULL);
		_exit(127);
	}
	must(waitpid(child, &status, 0) == child && status == 0);
}

static void
part(yields void (*fn)(void *), bool is_fresh)
{
	int status;
	pid_t child;

	if (is_fresh)
		directory_remove();
	child = fork();
	must(child >= 0);
	if (child == 0)
		exit(core_run_all(1, fn, NULL) == 0 ? 0 : 1);
	must(waitpid(child, &status, 0) == child);
	if (status != 0)
		exit(1);
}

int
main(int argc, char **argv)
{
	bench.directory = argc > 1 ? argv[1] : "spool-bench.tmp";
	bench.messages = 200000;
	if (argc > 2 && !parse_u64(str_of(argv[2]), 10000000, &bench.messages))
		return 64;
	part(part_commits, true);
	part(part_fill, true);
	part(part_restart, false);
	part(part_restart, false);
	directory_remove();
	return 0;
}
