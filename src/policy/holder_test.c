#include "policy/holder.h"
#include "policy/test_conf.h"

#include <malloc.h>

static void
test_old_lives_while_pinned(void **state)
{
	struct config_holder h = { .core = 0 };
	struct config *one, *two, *pinned;

	(void)state;
	conf_begin();
	one = conf_of("node: one\n");
	two = conf_of("node: two\n");
	config_hold(&h, one);
	config_release(one);			/* the loader's */
	pinned = config_pin(&h);
	assert_ptr_equal(pinned, one);
	assert_ptr_equal(config_pin(&h), one);
	config_hold(&h, two);
	config_release(two);
	assert_ptr_equal(config_now(&h), two);
	assert_true(str_eq(pinned->node, STR("one")));
	config_unpin(&h, pinned);
	assert_int_equal(one->refs, 1);		/* one pin is left */
	config_unpin(&h, pinned);		/* gone; ASan would tell */
	assert_int_equal(two->refs, 1);
	config_unhold(&h);
	conf_end();
}

static void
test_last_core_frees(void **state)
{
	struct config_holder h[3] = { { .core = 0 }, { .core = 1 },
		{ .core = CORES_MOST - 1 } };
	struct config *c, *pinned;

	(void)state;
	conf_begin();
	c = conf_of("");
	for (size_t i = 0; i < 3; i++)
		config_hold(&h[i], c);
	assert_int_equal(c->refs, 4);
	config_release(c);
	pinned = config_pin(&h[1]);
	config_unhold(&h[0]);
	config_unhold(&h[1]);
	assert_int_equal(c->refs, 2);		/* the pin holds core 1's */
	config_unhold(&h[2]);
	assert_int_equal(c->refs, 1);
	config_unpin(&h[1], pinned);
	conf_end();
}

enum { RELOADS = 2000 };

static void
test_reloads_leave_nothing(void **state)
{
	static const char yaml[] = "hostname: mx.example.com\n"
	    "listen: [ { port: 25 } ]\n"
	    "domains: { example.com: { users: system } }\n"
	    "route: [ { relay: smtp://h.example } ]\n";
	struct config_holder h = { .core = 0 };
	size_t before = 0, after;

	(void)state;
	conf_begin();
	for (int i = 0; i < RELOADS; i++) {
		struct problems ps;
		struct config *c;

		if (i == 0)
			conf_file("t.yaml", yaml);
		problems_init(&ps);
		c = config_load(&conf_machine.source, STR("t.yaml"), &ps);
		assert_non_null(c);
		config_hold(&h, c);
		config_release(c);
		problems_clear(&ps);
		if (i == RELOADS / 4)	/* malloc's own caches are full */
			before = mallinfo2().uordblks;
	}
	after = mallinfo2().uordblks;
	/* a rest of a chunk is malloc's; a leak would be thousands of them */
	assert_true(after <= before + RELOADS);
	config_unhold(&h);
	conf_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_lives_while_pinned),
		cmocka_unit_test(test_last_core_frees),
		cmocka_unit_test(test_reloads_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
