#include "queue/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct shard_map map;

static struct queue_config
sane(void)
{
	struct queue_config c = queue_config_default();

	c.map = &map;
	return c;
}

static void
test_default_is_sane_but_for_the_map(void **state)
{
	struct queue_config c = queue_config_default();

	(void)state;
	assert_false(queue_config_is_sane(&c));
	c = sane();
	assert_true(queue_config_is_sane(&c));
}

/* Not in place: each copy on a stack has walls around it under ASan. */
static __attribute__((noinline)) void
be_sane(struct queue_config *c)
{
	*c = sane();
}

static void
test_insane(void **state)
{
	struct queue_config c;
	struct site_rule rule = { .site = STR("a") };
	struct flow_weight weight = { .weight = FLOW_WEIGHT_MOST };

	(void)state;
#define INSANE(set) 	do { be_sane(&c); set; assert_false(queue_config_is_sane(&c)); } while (0)
	INSANE(c.retry.n = 0);
	INSANE(c.n_warnings = 1; c.warn_ns[0] = 0);
	INSANE(c.n_warnings = QUEUE_WARNINGS_MOST + 1);
	INSANE(c.put_off_ns = 0);
	INSANE(c.hold_most_ns = 0);
	INSANE(c.domain_backoff.first_ns = 0);
	INSANE(c.site_backoff.cap_ns = c.site_backoff.first_ns - 1);
	INSANE(c.limits.connections = 0);
	INSANE((c.limits.rate = (struct gcra_limit){ 1, 0, 0 }));
	INSANE(c.items_most = 0);
	INSANE(c.items_most = (size_t)QUEUE_ITEMS_MOST + 1);
	INSANE(c.away_most = 0);
	INSANE((c.rules = &rule, c.n_rules = 1));
	be_sane(&c);
	c.weights = &weight;
	c.n_weights = 1;
	assert_true(queue_config_is_sane(&c));
	weight.weight++;
	assert_false(queue_config_is_sane(&c));
	weight.weight = 0;
	assert_false(queue_config_is_sane(&c));
}

static void
test_first_match(void **state)
{
	static const struct site_rule rules[] = {
		{ { "a", 1 }, false, { .connections = 3 } },
		{ { "a", 1 }, false, { .connections = 4 } },
		{ { "p:a", 3 }, true, { .connections = 5 } },
	};
	static const struct flow_weight weights[] = {
		{ { "t", 1 }, { "s", 1 }, 2 }, { { "t", 1 }, { NULL, 0 }, 3 },
		{ { NULL, 0 }, { "s", 1 }, 4 },
	};
	struct queue_config c = sane();

	(void)state;
	c.rules = rules;
	c.n_rules = 3;
	c.weights = weights;
	c.n_weights = 3;
	assert_int_equal(queue_config_limits(&c, STR("a"))->connections, 3);
	assert_ptr_equal(queue_config_limits(&c, STR("b")), &c.limits);
	assert_ptr_equal(queue_config_limits(&c, STR("a b")), &c.limits);
	assert_ptr_equal(queue_config_limits(&c, STR("p:ab")), &c.limits);
	assert_int_equal(queue_config_limits(&c, STR("p:a"))->connections, 5);
	assert_int_equal(queue_config_limits(&c, STR("p:a for b"))->connections,
	    5);
	assert_int_equal(queue_config_weight(&c, STR("t"), STR("s")), 2);
	assert_int_equal(queue_config_weight(&c, STR("t"), STR("x")), 3);
	assert_int_equal(queue_config_weight(&c, STR("x"), STR("s")), 4);
	assert_int_equal(queue_config_weight(&c, STR("x"), STR("x")), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_is_sane_but_for_the_map),
		cmocka_unit_test(test_insane),
		cmocka_unit_test(test_first_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
