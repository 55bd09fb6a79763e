/*
 * test_queue.h -- one queue and its clock, for the tests of queue/.
 *
 * The promise: begin() and end() give each test a fresh queue of core 1 and an
 * instant to begin at; the rest says in a word what tests do again and again.
 * Not for: anything but tests.
 * Waiting: none.
 * Memory: one queue at a time.
 * Errors: a failed assertion.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_QUEUE_TEST_QUEUE_H
#define NM_QUEUE_TEST_QUEUE_H

#include "queue/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static struct shard_map map;
static struct queue_config config;
static struct queue *q;
static struct mono now;

static inline int
begin(void **state)
{
	(void)state;
	shard_map_spread(&map, 4);
	config = queue_config_default();
	config.map = &map;
	config.key = (struct hash_key){ 3, 4 };
	now = (struct mono){ 1000 * SECOND };
	q = queue_open(1, &config);
	return q == NULL ? -1 : 0;
}

static inline int
end(void **state)
{
	(void)state;
	queue_close(q);
	return 0;
}

static inline struct queue_entry
entry(uint64_t id, const char *domain)
{
	return (struct queue_entry){ .id = id, .domain = str_of(domain),
		.tenant = STR("default"), .stream = STR("default"),
		.priority = PRIORITY_NORMAL, .n_rcpts = 1, .size = 1000,
		.arrived = now, .due = now,
		.expires = mono_add(now, 5 * DAY) };
}

static inline void
admit(uint64_t id, const char *domain)
{
	struct queue_entry e = entry(id, domain);

	assert_int_equal(queue_admit(q, now, &e), 0);
}

/* Each domain is a site of its own. */
static inline unsigned
resolve_all(void)
{
	struct str domain;
	unsigned n = 0;

	for (; queue_due_domain(q, now, &domain); n++)
		assert_int_equal(queue_domain_resolved(q, now, domain,
		    &(struct queue_route){ domain, STR("pool"), STR("source"),
		    HOUR }), 0);
	return n;
}

static inline struct handoff
hand_out(void)
{
	struct handoff h = { .ref = { 0, 0 } };

	(void)resolve_all();
	assert_true(queue_hand_out(q, now, &h));
	return h;
}

static inline bool
hands_out_nothing(void)
{
	struct handoff h;

	(void)resolve_all();
	return !queue_hand_out(q, now, &h);
}

static inline struct queue_settled
settle(struct handoff h, enum queue_end how)
{
	return queue_settle(q, now, h.ref,
	    (struct queue_result){ .end = how, .n_rcpts = h.n_rcpts });
}

static inline size_t
in_state(enum item_state s)
{
	struct view_counts c = view_counts(q);
	size_t sum = 0;

	for (unsigned i = 0; i < ITEM_STATES; i++)
		sum += c.states[i];
	assert_int_equal(sum, c.items);
	return c.states[s];
}

/* How many destinations it has; *v: one of them. */
static inline size_t
see(uint64_t id, struct view_item *v)
{
	return view_message(q, &(struct view_filter){ .id = 0 }, id, v, 1);
}

static inline bool
has_state(uint64_t id, enum item_state s)
{
	struct view_item v;

	return see(id, &v) > 0 && v.state == s;
}

static inline struct queue_ref
ref(uint64_t id)
{
	struct view_item v;

	assert_true(see(id, &v) > 0);
	return v.ref;
}

static inline void
wait_until(struct mono t)
{
	assert_false(mono_is_before(t, now));
	now = t;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
