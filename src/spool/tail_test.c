/* tail_test.c -- who follows the log waits for what is not there yet. */
#include "spool/spool_test.h"

#include "base/err.h"
#include "fiber/disk.h"
#include "fiber/test_life.h"
#include "spool/segment.h"
#include "spool/tail.h"

#include <errno.h>

static struct spool *spool;

static yields struct spool *
open_followed(void)
{
	struct spool_config c = test_config();
	struct spool *sp;

	must(spool_open(&c, &sp) == SPOOL_FINE);
	spool_projection(sp, 0);
	must(spool_recover(sp, NULL, NULL) == SPOOL_FINE);
	return sp;
}

static yields void
write_later(void *arg)
{
	(void)arg;
	fiber_sleep(in_ms(1000));
	must(test_commit(spool, 1, 100, 1, NULL) == DRAFT_FINE);
}

static yields void
wait_for_more(void *arg)
{
	struct tail_place at = { 0, 0 };
	struct mono began;
	struct record r;
	struct tail *t;

	(void)arg;
	spool = open_followed();
	t = tail_open(spool, at, TAIL_OF(RECORD_COMMIT));
	must(tail_next(t, &r, &at) == 0);
	must(fiber_go("writer", write_later, NULL) == 0);
	began = clock_mono();
	tail_await(t, in_ms(60000));
	must(clock_mono().ns - began.ns >= NS_PER_SECOND);
	must(clock_mono().ns - began.ns < 2 * NS_PER_SECOND);
	must(tail_next(t, &r, &at) == 1 && r.type == RECORD_COMMIT);
	must(tail_next(t, &r, &at) == 0);
	/* nobody writes: until the deadline, and no longer */
	began = clock_mono();
	tail_await(t, in_ms(5000));
	must(clock_mono().ns - began.ns == 5 * NS_PER_SECOND);
	/* what came since the last look is not waited for */
	must(test_commit(spool, 2, 100, 1, NULL) == DRAFT_FINE);
	began = clock_mono();
	tail_await(t, in_ms(5000));
	must(clock_mono().ns == began.ns);
	must(tail_next(t, &r, &at) == 1);
	tail_close(t);
	must(spool_close(spool) == SPOOL_FINE);
}

static void
it_waits_for_what_is_written(void **state)
{
	(void)state;
	sim_begin(2);
	on_core(wait_for_more);
}

/* ---- after a crash ---- */

static yields void
write_and_die(void *arg)
{
	(void)arg;
	spool = open_followed();
	must(test_commit(spool, 1, 100, 1, NULL) == DRAFT_FINE);
	sim_crash_at(sim_verbs() + 1, SIM_KILL);
	(void)disk_unlink("/nothing");
}

/* Nothing has been written since: all that was recovered may be read. */
static yields void
follow_again(void *arg)
{
	struct tail_place at = { 0, 0 };
	struct record r;
	struct tail *t;

	(void)arg;
	spool = open_followed();
	t = tail_open(spool, at, TAIL_OF(RECORD_COMMIT));
	must(tail_next(t, &r, &at) == 1 && r.type == RECORD_COMMIT);
	tail_close(t);
	must(spool_close(spool) == SPOOL_FINE);
}

static void
what_was_recovered_is_there_at_once(void **state)
{
	(void)state;
	sim_begin(2);
	assert_int_equal(test_life(write_and_die), SIM_CRASHED);
	assert_int_equal(test_life(follow_again), SIM_ENDED);
}

/* ---- a disk that fails ---- */

static yields void
read_badly(void *arg)
{
	struct tail_place at = { 0, 0 }, before;
	struct record r;
	struct tail *t;
	int got, n = 0;

	(void)arg;
	spool = open_followed();
	for (uint64_t i = 0; i < 100; i++)
		must(test_commit(spool, i, 9000, 1, NULL) == DRAFT_FINE);
	t = tail_open(spool, at, TAIL_OF(RECORD_COMMIT));
	while ((got = tail_next(t, &r, &at)) != 0) {
		must(got == 1 && ++n <= 100);
		before = at;
		sim_fault_rate(SIM_disk_pread, 400000, EIO);
		while ((got = tail_next(t, &r, &at)) < 0) {
			must(at.segment == before.segment);
			must(at.offset == before.offset);
			must(strlen(err_text()) > 0);
			err_clear();
		}
		n += got;
		sim_faults_clear();
		if (got == 0)
			break;
	}
	must(n == 100);			/* each once, none twice */
	tail_close(t);
	must(spool_close(spool) == SPOOL_FINE);
}

static void
what_could_not_be_read_comes_again(void **state)
{
	(void)state;
	sim_begin(2);
	on_core(read_badly);
}

/* A broken spool keeps no marks, and who gives one must hear of it. */
static yields void
mark_broken(void *arg)
{
	struct tail_place at = { 1, SEGMENT_HEAD };

	(void)arg;
	spool = open_followed();
	must(test_commit(spool, 1, 100, 1, NULL) == DRAFT_FINE);
	sim_fault_rate(SIM_disk_fdatasync, 1000000, EIO);
	sim_fault_rate(SIM_disk_pwrite, 1000000, EIO);
	for (int i = 0; i < 3; i++)
		must(test_commit(spool, 2, 100, 1, NULL) != DRAFT_FINE);
	must(spool_health(spool) == SPOOL_BROKEN);
	must(spool_mark(spool, 0, at) == 0 || strlen(err_text()) > 0);
	sim_faults_clear();
	(void)spool_close(spool);
	spool = open_followed();
	must(spool_place(spool, 0).segment <= 1);
	must(spool_close(spool) == SPOOL_FINE);
}

static void
a_broken_spool_marks_nothing(void **state)
{
	(void)state;
	sim_begin(2);
	on_core(mark_broken);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_waits_for_what_is_written),
		cmocka_unit_test(what_was_recovered_is_there_at_once),
		cmocka_unit_test(what_could_not_be_read_comes_again),
		cmocka_unit_test(a_broken_spool_marks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
