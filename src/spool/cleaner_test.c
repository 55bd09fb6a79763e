/* cleaner_test.c -- who lies in the way of the log's front is moved, whole. */
#include "spool/spool_test.h"

#include "fiber/test_life.h"

#include <errno.h>

enum { BIG = 200000 };

/* So many short lives that the log goes round, were its front free. */
static yields void
turn_over(struct spool *sp)
{
	uint64_t id = 0;

	for (uint64_t i = 3; i < 600; i++) {
		must(test_commit(sp, i, 6000, 1, &id) == DRAFT_FINE);
		must(test_deliver(sp, id, 0) == 0);
	}
	fiber_sleep(in_ms(60000));
}

static yields struct draft *
begin_draft(struct spool *sp, struct arena *a, uint64_t seed)
{
	enum draft_trouble trouble;
	struct draft *d;

	arena_init(a, 1 << 20);
	d = draft_open(sp, a, &trouble);
	must(d != NULL && test_append(d, seed, 0, BIG) == DRAFT_FINE);
	return d;
}

static yields uint64_t
end_draft(struct draft *d, uint64_t seed)
{
	struct recipient to = { .address = STR("z@b.example"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .rcpts = &to, .n_rcpts = 1, .arrived = { 1 } };

	must(test_append(d, seed, BIG, BIG + 100000) == DRAFT_FINE);
	must(draft_commit(d, &e) == DRAFT_FINE && e.size == BIG + 100000);
	return e.id;
}

/* Hours pass between the octets of one client; another's connection breaks. */
static yields void
slow_clients(void *arg)
{
	struct spool *sp = test_open();
	struct arena slow, lost;
	struct draft *d = begin_draft(sp, &slow, 1);
	uint64_t id;

	(void)arg;
	(void)begin_draft(sp, &lost, 4);
	turn_over(sp);
	must(spool_stats(sp).recycled > 5 && spool_stats(sp).kept == 0);
	must(spool_stats(sp).segments <= 11);
	arena_clear(&lost);
	turn_over(sp);
	id = end_draft(d, 1);
	arena_clear(&slow);
	must(test_body(sp, id, 1, BIG + 100000) == 1);
	turn_over(sp);			/* moved once more, as a message */
	must(test_body(sp, id, 1, BIG + 100000) == 1);
	must(spool_stats(sp).live_bytes < 2 * (BIG + 100000));
	must(spool_close(sp) == SPOOL_FINE);
	sp = test_open();
	must(test_body(sp, id, 1, BIG + 100000) == 1);
	must(spool_stats(sp).kept == 1 && spool_stats(sp).damaged == 0);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
drafts_do_not_hold_the_log(void **state)
{
	(void)state;
	sim_begin(8);
	on_core(slow_clients);
}

/* What cannot be read cannot be moved: it stays where it is, its segment too, and
 * that is told once; when the disk is well again all goes on. */
static unsigned told;

static void
count(struct event_sink *sink, const struct event *e)
{
	(void)sink;
	told += e->type == EVENT_trouble;
}

static yields void
unreadable(void *arg)
{
	struct event_sink sink = { .take = count };
	struct spool_config c = test_config();
	struct spool *sp;
	struct arena slow;
	struct draft *d;
	uint64_t id = 0, stuck = 0;

	(void)arg;
	c.sink = &sink;
	sp = test_open_with(c, NULL, NULL);
	must(test_commit(sp, 1, 3000, 1, &stuck) == DRAFT_FINE);
	d = begin_draft(sp, &slow, 1);
	sim_fault_rate(SIM_disk_pread, 1000000, EIO);
	turn_over(sp);
	must(told >= 1 && told < 5);
	must(spool_stats(sp).recycled == 0 && spool_stats(sp).segments > 11);
	sim_faults_clear();
	fiber_sleep(in_ms(60000));
	must(spool_stats(sp).recycled > 5);
	must(test_body(sp, stuck, 1, 3000) == 1);
	id = end_draft(d, 1);
	arena_clear(&slow);
	must(test_body(sp, id, 1, BIG + 100000) == 1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
what_cannot_be_read_stays(void **state)
{
	(void)state;
	sim_begin(8);
	told = 0;
	on_core(unreadable);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drafts_do_not_hold_the_log),
		cmocka_unit_test(what_cannot_be_read_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
