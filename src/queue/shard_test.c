#include "queue/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_spreads_evenly(void **state)
{
	static const unsigned cores[] = { 1, 2, 3, 7, 8, 63, 64, SHARDS };

	(void)state;
	for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
		static struct shard_map m;
		static unsigned n[SHARDS];

		memset(n, 0, sizeof n);
		shard_map_spread(&m, cores[i]);
		for (unsigned s = 0; s < SHARDS; s++)
			n[shard_owner(&m, s)]++;
		for (unsigned c = 0; c < cores[i]; c++)
			assert_in_range(n[c], SHARDS / cores[i],
			    SHARDS / cores[i] + 1);
	}
}

/* These numbers must never change: nodes of different age share a cluster. */
static void
test_is_the_same_on_all_nodes(void **state)
{
	(void)state;
	assert_int_equal(shard_of(STR("192.0.2.1"), STR("10 mx.example")),
	    964);
	assert_int_equal(shard_of(STR("192.0.2.2"), STR("10 mx.example")),
	    213);
	assert_int_equal(shard_of(STR("192.0.2.1"), STR("10 mx2.example")),
	    292);
}

static void
test_sites_fill_all_shards(void **state)
{
	static unsigned n[SHARDS];
	char text[32];

	(void)state;
	for (int i = 0; i < 100 * SHARDS; i++) {
		int len = snprintf(text, sizeof text, "10 mx%d.example", i);

		n[shard_of(STR("192.0.2.1"),
		    (struct str){ text, (size_t)len })]++;
	}
	for (unsigned s = 0; s < SHARDS; s++)
		assert_in_range(n[s], 50, 150);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spreads_evenly),
		cmocka_unit_test(test_is_the_same_on_all_nodes),
		cmocka_unit_test(test_sites_fill_all_shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
