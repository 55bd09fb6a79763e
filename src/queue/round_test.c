#include "queue/round.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { TURNS = 8, ENTRIES = 4096 };

static struct round_entry entries[ENTRIES];
static struct turn turns[TURNS];
static size_t served[TURNS], cost[TURNS];

static void
add(struct round *r, unsigned turn, unsigned entry, uint32_t c)
{
	entries[entry] = (struct round_entry){ .cost = c };
	round_add(r, &turns[turn], &entries[entry]);
}

static void
begin(struct round *r)
{
	round_init(r);
	for (int i = 0; i < TURNS; i++)
		served[i] = cost[i] = 0;
}

/* Take n, putting each back at the end of its turn, so that all always wait. */
static void
take_round(struct round *r, unsigned n)
{
	struct round_entry *e;
	struct turn *t;

	while (n-- > 0) {
		e = round_take(r);
		assert_non_null(e);
		t = e->turn;
		served[t - turns]++;
		cost[t - turns] += e->cost;
		round_add(r, t, e);
	}
}

static void
test_equals_alternate(void **state)
{
	struct round r;

	(void)state;
	begin(&r);
	assert_null(round_take(&r));
	assert_null(round_peek(&r));
	assert_null(round_drop(&r));
	for (unsigned i = 0; i < 4; i++) {
		turn_init(&turns[i], 4, false);
		for (unsigned j = 0; j < 10; j++)
			add(&r, i, 10 * i + j, 4);
	}
	assert_int_equal(r.n, 40);
	for (unsigned n = 0; n < 40; n++) {
		struct round_entry *e = round_take(&r);

		/* one each, first come first */
		assert_ptr_equal(e, &entries[10 * (n % 4) + n / 4]);
	}
	assert_null(round_take(&r));
	assert_int_equal(r.n, 0);
}

static void
test_weights(void **state)
{
	struct round r;

	(void)state;
	begin(&r);
	for (unsigned i = 0; i < 3; i++) {
		turn_init(&turns[i], 4 * (i + 1), false);
		for (unsigned j = 0; j < 100; j++)
			add(&r, i, 100 * i + j, 4);
	}
	take_round(&r, 600);
	assert_int_equal(served[0], 100);
	assert_int_equal(served[1], 200);
	assert_int_equal(served[2], 300);
	/* a low one: a quarter of a plain one */
	begin(&r);
	turn_init(&turns[0], 1, false);
	turn_init(&turns[1], 4, false);
	for (unsigned j = 0; j < 20; j++)
		add(&r, j % 2, j, 4);
	take_round(&r, 500);
	assert_in_range(served[0], 99, 101);
}

static uint64_t seed;

/* 31 bits, the same in every run. */
static uint32_t
draw(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* The promise of the header, for random costs and weights. */
static void
test_shares_are_of_cost(void **state)
{
	struct round r;
	double all = 0, quanta = 0;

	(void)state;
	seed = 11;
	for (int run = 0; run < 50; run++) {
		begin(&r);
		all = quanta = 0;
		for (unsigned i = 0; i < TURNS; i++) {
			turn_init(&turns[i], 1 + draw() % 64, false);
			quanta += turns[i].quantum;
			for (unsigned j = 0; j < 50; j++)
				add(&r, i, 50 * i + j, 1 +
				    draw() % ROUND_COST_MOST);
		}
		take_round(&r, 2000);
		for (unsigned i = 0; i < TURNS; i++)
			all += (double)cost[i];
		for (unsigned i = 0; i < TURNS; i++) {
			double q = turns[i].quantum;
			double fair = all * q / quanta;
			double off = (double)cost[i] - fair;

			/* One largest cost and one quantum of its own, and
			 * its part of the same of the others. */
			assert_true(off < 2 * (ROUND_COST_MOST + 64));
			assert_true(-off < 2 * (ROUND_COST_MOST + 64));
		}
	}
}

static void
test_urgent_goes_first_but_not_for_ever(void **state)
{
	struct round r;

	(void)state;
	begin(&r);
	for (unsigned i = 0; i < 3; i++)
		turn_init(&turns[i], 4, i == 2);
	for (unsigned j = 0; j < 40; j++)
		add(&r, j % 2, j, 4);
	take_round(&r, 10);
	add(&r, 2, 100, 4);
	assert_ptr_equal(round_take(&r), &entries[100]);
	/* A flood of urgent mail gains one in ROUND_RESERVE at most. */
	for (unsigned j = 0; j < 40; j++)
		add(&r, 2, 100 + j, 4);
	served[0] = served[1] = served[2] = 0;
	take_round(&r, ROUND_SAVED - 1);
	assert_int_equal(served[2], ROUND_SAVED - 1);
	served[2] = 0;
	take_round(&r, 9000);
	assert_in_range(served[2], 9000 / 3, 9000 / 3 + 9000 / ROUND_RESERVE);
	assert_in_range(served[0], 2400, 3000);
	assert_in_range(served[1], 2400, 3000);
}

static void
test_alone_and_dropped(void **state)
{
	struct round r;

	(void)state;
	begin(&r);
	turn_init(&turns[0], 1, true);
	for (unsigned j = 0; j < 100; j++)
		add(&r, 0, j, ROUND_COST_MOST);
	for (unsigned j = 0; j < 50; j++)
		assert_ptr_equal(round_take(&r), &entries[j]);
	for (unsigned j = 50; j < 100; j++) {
		assert_ptr_equal(round_peek(&r), &entries[j]);
		assert_ptr_equal(round_drop(&r), &entries[j]);
	}
	assert_null(round_peek(&r));
	assert_true(list_is_empty(&r.urgent) && list_is_empty(&r.ring));
	add(&r, 0, 1, 1);			/* it may come again */
	assert_ptr_equal(round_take(&r), &entries[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_alternate),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_shares_are_of_cost),
		cmocka_unit_test(test_urgent_goes_first_but_not_for_ever),
		cmocka_unit_test(test_alone_and_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
