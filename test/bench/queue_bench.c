/*
 * queue_bench -- what the queue costs in time and memory, with no disk and no
 * network near it.
 *
 *	queue_bench [messages]		1,000,000 by default
 *
 * "way" lets each message go the whole way: admit, hand out, admitted at its
 * site, taken by a connection, settled.  "store" fills a queue and measures it
 * at rest, as it holds a million messages that wait for a retry.
 */
#include "queue/ready.h"
#include "queue/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TENANTS = 100, SITES = 64, BATCH = 1000 };

static struct shard_map map;

/* Of this thread: nobody waits here, and neighbours should not count. */
static int64_t
bench_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static struct queue_config
bench_config(void)
{
	struct queue_config c = queue_config_default();

	shard_map_spread(&map, 1);
	c.map = &map;
	c.key = (struct hash_key){ 1, 2 };
	c.limits = (struct site_limits){ .connections = 4 };
	return c;
}

/* Domains are as unlike in size as those of real mail: rank r has a share of
 * 1/r (Zipf), drawn by u in [0, 1) as n to the power u. */
static unsigned
bench_domain(uint64_t i, unsigned n)
{
	uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	unsigned bits = 0;

	while ((1u << bits) < n)
		bits++;
	z ^= z >> 29;
	bits = (unsigned)((z >> 3) % (bits + 1));
	z = (z * UINT64_C(0xbf58476d1ce4e5b9)) >> 20;
	return (unsigned)(z % (1u << bits)) % n;
}

static struct queue_entry
bench_entry(uint64_t i, unsigned domain, char text[static 64])
{
	int n = snprintf(text, 32, "domain-%u.example", domain);
	int m = snprintf(text + 32, 32, "tenant-%u", (unsigned)(i % TENANTS));

	return (struct queue_entry){
		.id = i + 1, .domain = { text, (size_t)n },
		.tenant = { text + 32, (size_t)m }, .stream = STR("default"),
		.priority = PRIORITY_NORMAL, .n_rcpts = 1, .size = 4096,
		.expires = { 5 * 86400 * NS_PER_SECOND },
	};
}

static void
bench_fail(const char *what)
{
	fprintf(stderr, "queue_bench: %s\n", what);
	exit(1);
}

static void
bench_resolve(struct queue *q, struct mono now)
{
	struct str domain;
	char key[32];
	int n;

	while (queue_due_domain(q, now, &domain)) {
		n = snprintf(key, sizeof key, "mx%zu",
		    (size_t)domain.p[domain.n - 9] % SITES + domain.n);
		if (queue_domain_resolved(q, now, domain,
		    &(struct queue_route){ { key, (size_t)n }, STR("default"),
		    STR("192.0.2.1"), 3600 * NS_PER_SECOND }) != 0)
			bench_fail("no memory");
	}
}

static uint64_t
bench_connection(struct queue *q, struct ready *r, struct mono now,
    struct ready_connection *c)
{
	struct handoff h;
	struct mono until;
	uint64_t n = 0;

	for (; ready_take(r, now, c, &h, &until) == READY_TAKEN; n++)
		(void)queue_settle(q, now, h.ref,
		    (struct queue_result){ .end = QUEUE_ENDED });
	return n;
}

/* Each fiber's work of a turn, without the fibers. */
static uint64_t
bench_turn(struct queue *q, struct ready *r, struct mono now,
    struct ready_connection *fresh)
{
	struct ready_connection *c;
	struct handoff h;
	uint64_t n = 0;

	bench_resolve(q, now);
	while (queue_hand_out(q, now, &h))
		if (ready_admit(r, now, &h) != 0)
			bench_fail("no memory");
	while ((c = ready_next_idle(r, now)) != NULL)
		n += bench_connection(q, r, now, c);
	while (ready_next_site(r, now, fresh)) {
		ready_opened(r, now, fresh);
		n += bench_connection(q, r, now, fresh);
		ready_closed(r, now, fresh);
	}
	return n;
}

static void
bench_way(uint64_t messages, unsigned domains)
{
	struct queue_config c = bench_config();
	struct queue *q = queue_open(0, &c);
	struct ready *r = ready_open(0, &c);
	struct ready_connection fresh;
	struct mono now = { NS_PER_SECOND };
	struct queue_entry e;
	uint64_t done = 0;
	char text[64];
	int64_t took, entry;

	entry = bench_clock();
	for (uint64_t i = 0; i < messages; i++)
		(void)bench_entry(i, bench_domain(i, domains), text);
	entry = bench_clock() - entry;
	took = bench_clock();
	for (uint64_t i = 0; i < messages; i++) {
		e = bench_entry(i, bench_domain(i, domains), text);
		if (queue_admit(q, now, &e) != 0)
			bench_fail("no memory");
		if (i % BATCH == BATCH - 1 || i + 1 == messages) {
			now = mono_add(now, NS_PER_MS);
			done += bench_turn(q, r, now, &fresh);
		}
	}
	while (done < messages) {
		now = mono_add(now, NS_PER_MS);
		done += bench_turn(q, r, now, &fresh);
	}
	took = bench_clock() - took - entry;
	printf("way    %8llu messages, %7u domains: %6.2f M/s (%lld ns each)\n",
	    (unsigned long long)messages, domains,
	    (double)messages * 1e3 / (double)took,
	    (long long)(took / (int64_t)messages));
	ready_close(r);
	queue_close(q);
}

static void
bench_store(uint64_t messages, unsigned domains)
{
	struct queue_config c = bench_config();
	struct queue *q;
	struct queue_entry e;
	struct view_counts n;
	struct handoff h;
	struct mono now = { NS_PER_SECOND };
	char text[64];
	int64_t took, one, slowest = 0, walk;
	struct view_cursor at = { 0 };
	struct view_item item;
	struct view_filter none = { .id = UINT64_MAX };

	q = queue_open(0, &c);
	took = bench_clock();
	for (uint64_t i = 0; i < messages; i++) {
		e = bench_entry(i, domains < messages ?
		    bench_domain(i, domains) : (unsigned)i, text);
		e.due = mono_add(now, (int64_t)(1 + i % 14400) * NS_PER_SECOND);
		one = bench_clock();
		if (queue_admit(q, now, &e) != 0)
			bench_fail("no memory");
		one = bench_clock() - one;
		slowest = one > slowest ? one : slowest;
	}
	took = bench_clock() - took;
	n = view_counts(q);
	printf("store  %8zu messages, %7zu domains: %5.1f octets each; "
	    "filled in %.2f s, slowest admit %.1f ms\n", n.items, n.domains,
	    (double)n.memory / (double)n.items, (double)took / 1e9,
	    (double)slowest / 1e6);
	walk = bench_clock();
	while (view_next(q, &none, &at, &item) != VIEW_END)
		;
	walk = bench_clock() - walk;
	took = bench_clock();
	slowest = 0;
	now = mono_add(now, 14401 * NS_PER_SECOND);
	for (size_t i = 0; i < messages;) {
		if (mono_is_before(now, queue_next_at(q)))
			bench_fail("stuck");
		bench_resolve(q, now);
		one = bench_clock();
		if (queue_hand_out(q, now, &h)) {
			(void)queue_settle(q, now, h.ref,
			    (struct queue_result){ .end = QUEUE_ENDED });
			i++;
		}
		one = bench_clock() - one;
		slowest = one > slowest ? one : slowest;
	}
	took = bench_clock() - took;
	n = view_counts(q);
	printf("       walked in %.1f ms; all due at once: drained in %.2f s, "
	    "slowest step %.1f ms; %zu octets left\n", (double)walk / 1e6,
	    (double)took / 1e9, (double)slowest / 1e6, n.memory);
	queue_close(q);
}

int
main(int argc, char **argv)
{
	uint64_t messages = 1000000;

	if (argc > 2 || (argc == 2 && (!parse_u64(str_of(argv[1]), 1u << 28,
	    &messages) || messages == 0)))
		bench_fail("usage: queue_bench [messages]");
	bench_way(messages, 100);
	bench_way(messages, 10000);
	bench_store(messages, 1000);
	bench_store(messages, 50000);
	bench_store(messages, (unsigned)messages);
	return 0;
}
