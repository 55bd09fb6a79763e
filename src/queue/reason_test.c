/* reason_test.c -- why an item was put off, and all items of one message. */
#include "queue/test_queue.h"

#include "queue/name.h"

static void
try_with(const char *reason, size_t n)
{
	struct handoff h = hand_out();

	(void)queue_settle(q, now, h.ref, (struct queue_result){
	    .end = QUEUE_RETRY, .n_rcpts = h.n_rcpts,
	    .reason = { reason, n } });
}

static struct str
reason_of(uint64_t id)
{
	struct view_item v;

	assert_true(see(id, &v) > 0);
	return v.reason;
}

static void
test_the_last_one_is_kept(void **state)
{
	(void)state;
	admit(1, "a.test");
	assert_null(reason_of(1).p);
	try_with("busy", 4);
	assert_true(str_eq(reason_of(1), STR("busy")));
	assert_true(queue_retry_now(q, now, ref(1)));
	try_with("full", 4);
	assert_true(str_eq(reason_of(1), STR("full")));
	assert_true(queue_retry_now(q, now, ref(1)));
	(void)settle(hand_out(), QUEUE_PUT_OFF);	/* no try: it stays */
	assert_true(str_eq(reason_of(1), STR("full")));
	assert_true(queue_retry_now(q, now, ref(1)));
	try_with(NULL, 0);
	assert_null(reason_of(1).p);
}

static void
test_it_is_cut(void **state)
{
	static char text[NAME_MOST + 2];

	(void)state;
	memset(text, 'x', sizeof text);
	admit(1, "a.test");
	for (size_t n = NAME_MOST - 1; n <= NAME_MOST + 1; n++) {
		try_with(text, n);
		assert_int_equal(reason_of(1).n, n < NAME_MOST ? n : NAME_MOST);
		assert_true(queue_retry_now(q, now, ref(1)));
	}
}

/* However many messages wait for the same reason, it is there once; and it is
 * given back with the last of them. */
static void
test_it_costs_once(void **state)
{
	size_t before = view_counts(q).memory, one;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		admit(i, "a.test");
	try_with("the same for all", 16);
	one = view_counts(q).memory;
	for (unsigned i = 1; i < 100; i++)
		try_with("the same for all", 16);
	assert_int_equal(view_counts(q).memory, one);
	for (uint64_t i = 1; i <= 100; i++)
		assert_true(queue_retry_now(q, now, ref(i)));
	for (unsigned i = 0; i < 100; i++)
		(void)settle(hand_out(), QUEUE_ENDED);
	assert_true(view_counts(q).memory >= before);
	assert_int_equal(view_counts(q).items, 0);
}

static void
test_items_of_a_message(void **state)
{
	struct view_filter all = { 0 }, b = { .domain = STR("b.test") };
	struct view_item list[3];
	unsigned firsts = 0;

	(void)state;
	admit(7, "a.test");
	admit(7, "b.test");
	admit(7, "c.test");
	admit(8, "b.test");
	assert_int_equal(view_message(q, &all, 7, list, 3), 3);
	assert_int_equal(view_message(q, &all, 7, NULL, 0), 3);
	for (unsigned i = 0; i < 3; i++)
		firsts += view_is_first(q, &all, list[i].ref);
	assert_int_equal(firsts, 1);
	assert_int_equal(view_message(q, &b, 7, list, 3), 1);
	assert_true(str_eq(list[0].domain, STR("b.test")));
	assert_true(view_is_first(q, &b, list[0].ref));
	assert_int_equal(view_message(q, &all, 9, list, 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_last_one_is_kept),
		TEST(test_it_is_cut),
		TEST(test_it_costs_once),
		TEST(test_items_of_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
