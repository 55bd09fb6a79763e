#include "spool/spool_test.h"

#include "fiber/world_sim.h"

/*
 * What is put in front of a body stands there, however long both are: in memory,
 * over the edge of a block, behind blocks that went to disk.  Crashes and errors
 * of the disk are spool_fault_test.c's, which puts a third of some bodies in
 * front.
 */
enum { BLOCK = 64 << 10 };	/* RECORD_BODY_MOST */

static const uint64_t tails[] = { 0, 1, 500, BLOCK - 1, BLOCK, BLOCK + 1,
	3 * BLOCK };
static const uint64_t fronts[] = { 0, 1, BLOCK - 500, BLOCK - 1, BLOCK,
	BLOCK + 1, 2 * BLOCK + 7 };

enum { N_TAILS = sizeof tails / sizeof *tails,
	N_FRONTS = sizeof fronts / sizeof *fronts };

static void
in_world(yields void (*fn)(void *))
{
	sim_begin(7);
	on_core(fn);
}

/* A body of the two, in so many pieces in front. */
static yields uint64_t
keep(struct spool *sp, uint64_t front, uint64_t tail, uint64_t pieces)
{
	struct recipient to = { .address = STR("a@example.org"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .sender = STR(""), .n_rcpts = 1, .rcpts = &to };
	enum draft_trouble why;
	struct draft *d;
	struct arena a;
	uint64_t id;

	arena_init(&a, 1 << 20);
	d = draft_open(sp, &a, &why);
	must(d != NULL);
	must(test_append(d, 1, front, front + tail) == DRAFT_FINE);
	for (uint64_t i = pieces; i-- > 0;)
		must(test_prepend(d, 1, front * i / pieces,
		    front * (i + 1) / pieces) == DRAFT_FINE);
	/* and on it goes behind */
	must(test_append(d, 1, front + tail, front + tail + 10) == DRAFT_FINE);
	must(draft_commit(d, &e) == DRAFT_FINE);
	must(e.size == front + tail + 10);
	id = e.id;
	arena_clear(&a);
	return id;
}

static yields void
keep_all(void *arg)
{
	struct spool *sp = test_open();
	uint64_t ids[N_TAILS * N_FRONTS] = { 0 };
	uint64_t pieces;

	(void)arg;
	for (size_t i = 0; i < N_TAILS * N_FRONTS; i++) {
		pieces = 1 + i % 3;
		ids[i] = keep(sp, fronts[i % N_FRONTS], tails[i / N_FRONTS],
		    pieces);
	}
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < N_TAILS * N_FRONTS; i++)
			must(test_body(sp, ids[i], 1, fronts[i % N_FRONTS] +
			    tails[i / N_FRONTS] + 10) == 1);
		must(spool_close(sp) == SPOOL_FINE);
		if (turn == 0)
			sp = test_open();
	}
}

/* Whoever rests in between, with little or much, loses nothing. */
static yields void
rest_all(void *arg)
{
	static const uint64_t sizes[] = { 0, 1, 2047, 2048, 2049, 7159, 7160,
		7161, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK };
	struct recipient to = { .address = STR("a@example.org"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .sender = STR(""), .n_rcpts = 1, .rcpts = &to };
	struct spool *sp = test_open();
	enum draft_trouble why;
	struct draft *d;
	struct arena a;

	(void)arg;
	for (size_t i = 0; i < 2 * (sizeof sizes / sizeof *sizes); i++) {
		uint64_t n = sizes[i / 2], front = i % 2 * 500;

		arena_init(&a, 1 << 20);
		d = draft_open(sp, &a, &why);
		must(draft_rest(d) == DRAFT_FINE);
		must(test_append(d, 1, front, front + n) == DRAFT_FINE);
		must(draft_rest(d) == DRAFT_FINE);
		must(draft_rest(d) == DRAFT_FINE);
		must(test_append(d, 1, front + n, front + n + 9) == DRAFT_FINE);
		must(draft_rest(d) == DRAFT_FINE);
		if (front > 0)
			must(test_prepend(d, 1, 0, front) == DRAFT_FINE);
		if (i % 3 > 0)
			must(draft_rest(d) == DRAFT_FINE);
		must(draft_commit(d, &e) == DRAFT_FINE);
		must(e.size == front + n + 9);
		must(test_body(sp, e.id, 1, front + n + 9) == 1);
		arena_clear(&a);
		/* and one that is given up */
		d = draft_open(sp, &a, &why);
		must(test_append(d, 1, 0, n + 1) == DRAFT_FINE);
		if (i % 2 > 0)
			must(draft_rest(d) == DRAFT_FINE);
		draft_give_up(d);
		must(draft_rest(d) == DRAFT_FINE);
		arena_clear(&a);
	}
	must(spool_close(sp) == SPOOL_FINE);
}

static void
who_rests_loses_nothing(void **state)
{
	(void)state;
	in_world(rest_all);
}

static void
all_lengths_are_read_in_order(void **state)
{
	(void)state;
	in_world(keep_all);
}

/* What was in front, moved by the compaction with all the rest. */
static yields void
move_about(void *arg)
{
	struct spool *sp = test_open();
	uint64_t id = keep(sp, 100000, 200000, 2), other = 0;

	(void)arg;
	for (uint64_t i = 0; i < 400; i++) {
		must(test_commit(sp, i, 20000, 1, &other) == DRAFT_FINE);
		must(test_deliver(sp, other, 0) == 0);
	}
	fiber_sleep(in_ms(60000));
	must(spool_stats(sp).compacted > 0);
	must(test_body(sp, id, 1, 300010) == 1);
	must(spool_close(sp) == SPOOL_FINE);
	sp = test_open();
	must(test_body(sp, id, 1, 300010) == 1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
compaction_keeps_the_order(void **state)
{
	(void)state;
	in_world(move_about);
}

/* The trouble sticks, and nothing of it is kept. */
static yields void
run_out(void *arg)
{
	struct recipient to = { .address = STR("a@example.org"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .sender = STR(""), .n_rcpts = 1, .rcpts = &to };
	struct spool *sp = test_open();
	enum draft_trouble why;
	struct draft *d;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	d = draft_open(sp, &a, &why);
	must(test_append(d, 1, 200000, 300000) == DRAFT_FINE);
	must(draft_prepend(d, STR("")) == DRAFT_FINE);
	sim_disk_size(1 << 20);
	for (int i = 0; i < 60 && why == DRAFT_FINE; i++)
		why = test_prepend(d, 1, 100000, 200000);
	must(why == DRAFT_NO_ROOM);
	sim_disk_size(UINT64_C(1) << 30);
	must(test_prepend(d, 1, 0, 10) == DRAFT_NO_ROOM);
	must(test_append(d, 1, 0, 10) == DRAFT_NO_ROOM);
	must(draft_commit(d, &e) == DRAFT_NO_ROOM);
	arena_clear(&a);
	must(spool_stats(sp).kept == 0);
	must(spool_close(sp) == SPOOL_FINE);
	sp = test_open();
	must(spool_stats(sp).kept == 0);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_full_disk_is_told(void **state)
{
	(void)state;
	in_world(run_out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_lengths_are_read_in_order),
		cmocka_unit_test(compaction_keeps_the_order),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(who_rests_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
