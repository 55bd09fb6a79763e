#include "queue/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { ITEMS = 10000 };

static struct shard_map map;
static struct queue_config config;
static struct queue *q;
static struct mono now;
static unsigned char seen[2 * ITEMS];

static int
begin(void **state)
{
	(void)state;
	shard_map_spread(&map, 1);
	config = queue_config_default();
	config.map = &map;
	now = (struct mono){ NS_PER_SECOND };
	q = queue_open(0, &config);
	memset(seen, 0, sizeof seen);
	return q == NULL ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	queue_close(q);
	return 0;
}

static void
admit(uint64_t id)
{
	struct queue_entry e = { .id = id,
		.domain = id % 2 == 0 ? STR("even.example") :
		    STR("odd.example"),
		.tenant = id % 3 == 0 ? STR("t3") : STR("t"),
		.stream = id % 5 == 0 ? STR("s5") : STR("s"),
		.priority = PRIORITY_NORMAL, .n_rcpts = 2, .size = 10,
		.tries = id % 7 == 0, .arrived = { (int64_t)id },
		.expires = { 1000 * NS_PER_SECOND } };

	assert_int_equal(queue_admit(q, now, &e), 0);
}

static unsigned
count(struct view_filter f)
{
	struct view_cursor c = { 0 };
	struct view_item v;
	enum view_step step;
	unsigned n = 0;

	while ((step = view_next(q, &f, &c, &v)) != VIEW_END)
		n += step == VIEW_FOUND;
	return n;
}

static void
test_filters(void **state)
{
	struct view_filter f = { 0 };
	struct handoff h;
	struct str domain;

	(void)state;
	for (uint64_t i = 1; i <= 210; i++)
		admit(i);
	assert_int_equal(count(f), 210);
	f.domain = STR("even.example");
	assert_int_equal(count(f), 105);
	f.tenant = STR("t3");
	assert_int_equal(count(f), 35);
	f.stream = STR("s5");
	assert_int_equal(count(f), 7);
	f.is_deferred = true;
	assert_int_equal(count(f), 1);
	assert_int_equal(count((struct view_filter){ .id = 7 }), 1);
	assert_int_equal(count((struct view_filter){ .id = 211 }), 0);
	assert_int_equal(count((struct view_filter){
	    .arrived_before = { 50 } }), 49);
	assert_int_equal(count((struct view_filter){
	    .states = 1u << ITEM_DUE }), 210);
	assert_int_equal(count((struct view_filter){
	    .site = STR("mx") }), 0);
	assert_true(queue_due_domain(q, now, &domain));
	assert_int_equal(queue_domain_resolved(q, now, domain,
	    &(struct queue_route){ STR("mx"), STR(""), STR("s"), 1 }), 0);
	assert_int_equal(count((struct view_filter){
	    .site = STR("mx") }), 105);
	assert_true(queue_hand_out(q, now, &h));
	assert_int_equal(count((struct view_filter){
	    .states = 1u << ITEM_AWAY | 1u << ITEM_HELD }), 1);
}

/* Between its calls items end and others take their places. */
static void
test_walk_shows_what_stays_once(void **state)
{
	struct view_filter all = { 0 };
	struct view_cursor c = { 0 };
	struct view_item v;
	struct handoff h;
	enum view_step step;
	uint64_t next = ITEMS;

	(void)state;
	for (uint64_t i = 1; i < ITEMS; i++)
		admit(i);
	while ((step = view_next(q, &all, &c, &v)) != VIEW_END) {
		if (step == VIEW_PAUSE)
			continue;
		assert_int_equal(seen[v.ref.id]++, 0);
		/* Thirds are taken out in another order, new ones come. */
		if (v.ref.id % 3 != 0 || v.ref.id >= ITEMS ||
		    view_message(q, &all, ITEMS - v.ref.id, &v, 1) == 0)
			continue;
		if (queue_cancel(q, now, v.ref, &h) == CANCEL_NOW) {
			seen[v.ref.id] = 2;	/* gone: not promised */
			(void)queue_settle(q, now, h.ref,
			    (struct queue_result){ .end = QUEUE_ENDED });
			admit(next++);
		}
	}
	for (uint64_t i = 1; i < ITEMS; i++)
		assert_true(seen[i] == 1 || seen[i] == 2);
	assert_true(next > ITEMS + 1000);
}

static void
test_a_step_is_bounded(void **state)
{
	struct view_filter none = { .id = UINT64_MAX };
	struct view_cursor c = { 0 };
	struct view_item v;
	unsigned calls = 1;

	(void)state;
	for (uint64_t i = 1; i < ITEMS; i++)
		admit(i);
	for (; view_next(q, &none, &c, &v) == VIEW_PAUSE; calls++)
		;
	assert_in_range(calls, ITEMS / VIEW_STEPS, ITEMS / VIEW_STEPS + 2);
}

static void
test_names_of_states(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ITEM_STATES; i++) {
		assert_non_null(item_state_name(i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(item_state_name(i),
			    item_state_name(j));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_filters),
		TEST(test_walk_shows_what_stays_once),
		TEST(test_a_step_is_bounded),
		TEST(test_names_of_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
