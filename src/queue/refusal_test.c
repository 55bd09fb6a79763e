/*
 * Memory is refused at each allocation in turn, for all of a story: what could
 * not be done is said, nothing is half done, and it works when tried again.
 *
 * The owners of memory are compiled into this test with an allocator that
 * refuses when told to; the rest comes from the library.
 */
#include "queue/ready.h"
#include "queue/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned countdown;	/* the allocation that is refused; 0: none */
static unsigned refused;

static bool
is_refused(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	refused++;
	return true;
}

static void *
refusing_malloc(size_t size)
{
	return is_refused() ? NULL : malloc(size);
}

static void *
refusing_calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : calloc(n, size);
}

static void *
refusing_realloc(void *p, size_t size)
{
	return is_refused() ? NULL : realloc(p, size);
}

#define malloc refusing_malloc
#define calloc refusing_calloc
#define realloc refusing_realloc
#include "base/table.c"
#include "queue/name.c"
#include "queue/slab.c"

enum { MESSAGES = 40 };

static struct shard_map map;
static struct queue_config config;
static struct queue *q;
static struct ready *r;
static struct mono now;

static int
admit(uint64_t id)
{
	char domain[32], tenant[32];
	int n = snprintf(domain, sizeof domain, "d%u.example",
	    (unsigned)(id % 7));
	int m = snprintf(tenant, sizeof tenant, "t%u", (unsigned)(id % 5));

	return queue_admit(q, now, &(struct queue_entry){ .id = id,
	    .domain = { domain, (size_t)n }, .tenant = { tenant, (size_t)m },
	    .stream = STR("default"), .priority = PRIORITY_NORMAL,
	    .n_rcpts = 1, .due = now, .expires = { 1000 * NS_PER_SECOND } });
}

static void
admit_all(void)
{
	struct view_counts before;

	for (uint64_t id = 1; id <= MESSAGES; id++) {
		before = view_counts(q);
		if (admit(id) == 0)
			continue;
		assert_int_equal(view_counts(q).items, before.items);
		assert_int_equal(view_counts(q).rcpts, before.rcpts);
		assert_int_equal(view_counts(q).admitted, before.admitted);
		assert_int_equal(admit(id), 0);
	}
}

static unsigned
resolve_all(void)
{
	struct str domain;
	unsigned refusals = 0;

	while (queue_due_domain(q, now, &domain))
		if (queue_domain_resolved(q, now, domain,
		    &(struct queue_route){ domain, STR("pool"), STR("source"),
		    NS_PER_SECOND * 1000 }) != 0)
			refusals++;
	return refusals;
}

static void
hand_out_all(void)
{
	struct handoff h;

	while (queue_hand_out(q, now, &h)) {
		if (ready_admit(r, now, &h) == 0)
			continue;
		assert_int_equal(queue_settle(q, now, h.ref,
		    (struct queue_result){ .end = QUEUE_PUT_OFF }).state,
		    ITEM_SCHEDULED);
	}
}

static unsigned
deliver_all(void)
{
	struct ready_connection c;
	struct handoff h;
	struct mono until;
	unsigned n = 0;

	while (ready_next_site(r, now, &c)) {
		ready_opened(r, now, &c);
		for (; ready_take(r, now, &c, &h, &until) == READY_TAKEN; n++)
			(void)queue_settle(q, now, h.ref,
			    (struct queue_result){ .end = QUEUE_ENDED });
		ready_closed(r, now, &c);
	}
	return n;
}

static void
story(unsigned refuse)
{
	unsigned ended = 0, trouble;

	now = (struct mono){ NS_PER_SECOND };
	q = queue_open(0, &config);
	r = ready_open(0, &config);
	assert_true(q != NULL && r != NULL);
	refused = 0;
	countdown = refuse;
	admit_all();
	while (ended < MESSAGES) {
		trouble = resolve_all();
		hand_out_all();
		ended += deliver_all();
		assert_true(ended == MESSAGES || trouble + refused > 0);
		/* A route that was refused is asked for after a back-off. */
		now = mono_add(now, 100 * NS_PER_SECOND);
	}
	assert_int_equal(view_counts(q).items, 0);
	assert_int_equal(ready_counts(r).waiting, 0);
	ready_close(r);
	queue_close(q);
}

static void
test_each_allocation_in_turn(void **state)
{
	unsigned n = 1;

	(void)state;
	shard_map_spread(&map, 1);
	config = queue_config_default();
	config.map = &map;
	for (story(n); refused > 0; n++)
		story(n + 1);
	assert_in_range(n, 30, 1000);
	countdown = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
