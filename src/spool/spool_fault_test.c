#include "spool/spool_test.h"

#include "fiber/disk.h"
#include "fiber/test_life.h"
#include "spool/fault.h"

#include <errno.h>
#include <stdio.h>

/*
 * One short life of a spool: messages of all sizes from three writers, some
 * delivered, segments filled and emptied.  It is killed before each of its verbs,
 * loses its power there, and has each verb fail; then, on a good disk, each
 * message that was acknowledged must be there (SECURITY.md B7 T4, T5, T6).
 */
enum { WRITERS = 3, EACH = 9, N = WRITERS * EACH };

static struct ledger {
	struct { uint64_t id, size; bool is_acked, is_given, has_ended; } m[N];
	unsigned told, refused;
	enum spool_health health;
	bool has_started;
} *ledger;

static unsigned writers;
static struct spool *spool;

static uint64_t
size_of(unsigned i)
{
	static const uint64_t sizes[] = { 0, 300, 5000, 9000, 20000, 64512,
		70000, 1, 150000 };

	return sizes[i % (sizeof sizes / sizeof *sizes)];
}

static yields void
write_some(void *arg)
{
	unsigned me = *(unsigned *)arg, i;

	for (unsigned k = 0; k < EACH; k++) {
		i = me * EACH + k;
		ledger->m[i].size = size_of(i);
		if (test_commit(spool, i, size_of(i), 1, &ledger->m[i].id) !=
		    DRAFT_FINE) {
			ledger->refused++;
			continue;
		}
		ledger->m[i].is_acked = true;
		must(test_body(spool, ledger->m[i].id, i, size_of(i)) != 0);
		if (i % 4 == 0)
			continue;	/* stays queued */
		ledger->m[i].is_given = true;
		(void)test_deliver(spool, ledger->m[i].id, 0);
	}
	writers--;
}

static yields void
work(void *arg)
{
	static unsigned numbers[WRITERS] = { 0, 1, 2 };
	struct spool_config c = test_config();

	(void)arg;
	if (spool_open(&c, &spool) != SPOOL_FINE)
		return;
	if (spool_recover(spool, NULL, NULL) != SPOOL_FINE) {
		(void)spool_close(spool);
		return;
	}
	ledger->has_started = true;
	writers = WRITERS;
	for (unsigned i = 0; i < WRITERS; i++)
		must(fiber_go("writer", write_some, &numbers[i]) == 0);
	while (writers > 0)
		fiber_sleep(in_ms(20));
	fiber_sleep(in_ms(500));
	ledger->health = spool_health(spool);
	(void)spool_close(spool);
}

static yields void
told_one(void *arg, const struct kept *k, const struct envelope *e)
{
	(void)arg;
	for (unsigned i = 0; i < N; i++)
		if (ledger->m[i].id == e->id && ledger->m[i].id != 0) {
			must(e->size == ledger->m[i].size);
			must(kept_left(k) == 1);
			ledger->told++;
			return;
		}
	must(!"a message nobody gave");
}

/* Each acknowledged message that was not given away is there, and right. */
static yields void
verify(void *arg)
{
	struct spool_config c = test_config();

	(void)arg;
	must(spool_open(&c, &spool) == SPOOL_FINE);
	must(spool_recover(spool, told_one, NULL) == SPOOL_FINE);
	for (unsigned i = 0; i < N; i++) {
		int64_t got = ledger->m[i].id == 0 ? 0 :
		    test_body(spool, ledger->m[i].id, i, ledger->m[i].size);

		must(got == 1 || got == 0);
		must(got == 1 || !ledger->m[i].is_acked || ledger->m[i].is_given);
	}
	must(test_commit(spool, 7, 1234, 1, NULL) == DRAFT_FINE);
	must(spool_close(spool) == SPOOL_FINE);
}

static void
world_begin(void)
{
	sim_begin(5);
	sim_turns_most(200000);
	ledger = sim_ledger(sizeof *ledger);
}

static void
verify_in_peace(const char *what, uint64_t n)
{
	sim_crash_at(0, SIM_KILL);
	sim_faults_clear();
	sim_disk_size(UINT64_C(1) << 30);
	if (test_life(verify) == SIM_ENDED)
		return;
	print_message("%s %llu\n", what, (unsigned long long)n);
	fail();
}

static uint64_t
verbs_of_work(void)
{
	world_begin();
	assert_int_equal(test_life(work), SIM_ENDED);
	for (unsigned i = 0; i < N; i++)
		assert_true(ledger->m[i].is_acked);
	return sim_verbs();
}

/* All of them take minutes: ./check --long does. */
static uint64_t
stride(uint64_t of_others)
{
	const char *mode = getenv("CHECK_MODE");

	return mode != NULL && strcmp(mode, "long") == 0 ? 1 : of_others;
}

static void
killed_before(enum sim_crash how, uint64_t step)
{
	uint64_t n = verbs_of_work();

	verify_in_peace("whole", 0);
	assert_true(n > 300 && n < 3000);
	for (uint64_t i = 1; i <= n; i += step) {
		world_begin();
		sim_crash_at(i, how);
		(void)test_life(work);
		verify_in_peace(how == SIM_KILL ? "killed before verb" :
		    "without power before verb", i);
	}
}

static void
killed_before_each_verb(void **state)
{
	(void)state;
	killed_before(SIM_KILL, stride(13));
}

static void
without_power_before_each_verb(void **state)
{
	(void)state;
	killed_before(SIM_POWER, stride(7));
}

/* ---- failing verbs ---- */

static const struct { enum sim_verb verb; const char *name; } verbs[] = {
	{ SIM_disk_pwrite, "pwrite" }, { SIM_disk_fdatasync, "fdatasync" },
	{ SIM_disk_fsync, "fsync" }, { SIM_disk_open, "open" },
	{ SIM_disk_rename, "rename" }, { SIM_disk_truncate, "truncate" },
	{ SIM_disk_unlink, "unlink" }, { SIM_disk_space, "space" },
	{ SIM_disk_mkdir, "mkdir" }, { SIM_disk_list, "list" },
};

static void
each_fails(uint64_t most, uint64_t times, int error)
{
	uint64_t step = stride(11);

	for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
		for (uint64_t n = 1 + v % step; n <= most; n += step) {
			world_begin();
			sim_fault_nth(verbs[v].verb, n, times, error);
			if (test_life(work) != SIM_ENDED) {
				print_message("%s %llu hangs\n", verbs[v].name,
				    (unsigned long long)n);
				fail();
			}
			verify_in_peace(verbs[v].name, n);
		}
}

static void
each_verb_fails_once(void **state)
{
	(void)state;
	each_fails(100, 1, EIO);
}

static void
each_verb_fails_from_then_on(void **state)
{
	(void)state;
	each_fails(40, UINT64_MAX, EIO);
}

static void
the_disk_is_full_once(void **state)
{
	(void)state;
	each_fails(60, 1, ENOSPC);
}

static void
the_disk_stays_full(void **state)
{
	(void)state;
	each_fails(30, UINT64_MAX, ENOSPC);
}

/* ---- two errors within a minute ---- */

/* A commit while no sync works. */
static yields enum draft_trouble
commit_badly(struct spool *sp)
{
	enum draft_trouble trouble;

	sim_fault_rate(SIM_disk_fdatasync, 1000000, EIO);
	trouble = test_commit(sp, 2, 100, 1, NULL);
	sim_faults_clear();
	return trouble;
}

static yields void
err_twice(void *arg)
{
	struct spool *sp = test_open();
	enum draft_trouble why;
	uint64_t id = 0;
	struct arena a;

	(void)arg;
	must(test_commit(sp, 1, 100, 1, &id) == DRAFT_FINE);
	must(commit_badly(sp) == DRAFT_DISK_FAILED);
	must(spool_health(sp) == SPOOL_HEALTHY);
	must(test_commit(sp, 3, 100, 1, NULL) == DRAFT_FINE);
	fiber_sleep(in_ms(61000));
	must(commit_badly(sp) == DRAFT_DISK_FAILED);
	must(spool_health(sp) == SPOOL_HEALTHY);
	must(test_commit(sp, 4, 100, 1, NULL) == DRAFT_FINE);
	must(commit_badly(sp) == DRAFT_BROKEN);
	must(spool_health(sp) == SPOOL_BROKEN);
	arena_init(&a, 4096);
	must(draft_open(sp, &a, &why) == NULL && why == DRAFT_BROKEN);
	arena_clear(&a);
	/* what is there can be read, and its end is known to memory at least */
	must(test_body(sp, id, 1, 100) == 1);
	(void)test_deliver(sp, id, 0);
	must(spool_find(sp, id) == NULL);
	must(spool_stats(sp).device_errors == 3);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
two_device_errors_in_a_minute_break_it(void **state)
{
	(void)state;
	world_begin();
	assert_int_equal(test_life(err_twice), SIM_ENDED);
}

/* ---- a disk that takes its time ---- */

static yields void
commit_slowly(void *arg)
{
	(void)arg;
	(void)test_commit(spool, 2, 100, 1, NULL);
	must(!"the life ends before this sync");
}

static yields void
end_while_it_syncs(void *arg)
{
	struct disk_space space;

	(void)arg;
	spool = test_open();
	must(test_commit(spool, 1, 100, 2, &ledger->m[0].id) == DRAFT_FINE);
	must(fiber_go("writer", commit_slowly, NULL) == 0);
	fiber_sleep(in_ms(300));
	must(test_deliver(spool, ledger->m[0].id, 1) == 0);
	fiber_sleep(in_ms(100));
	sim_crash_at(sim_verbs() + 1, SIM_KILL);
	(void)disk_space(TEST_PATH, &space);
}

static yields void
it_has_ended(void *arg)
{
	(void)arg;
	spool = test_open();
	must(kept_left(spool_find(spool, ledger->m[0].id)) == 1);
	must(kept_has_ended(spool_find(spool, ledger->m[0].id), 1));
	must(spool_close(spool) == SPOOL_FINE);
}

/* Its own sync begins when that of the message has ended, a second after which it
 * is on disk: it has waited long enough by then. */
static yields void
commit_meanwhile(void *arg)
{
	(void)arg;
	(void)test_commit(spool, 2, 100, 1, NULL);
}

static yields void
one_behind_the_other(void *arg)
{
	struct spool_config c = test_config();

	(void)arg;
	c.outcome_delay_ns = NS_PER_SECOND / 2;
	spool = test_open_with(c, NULL, NULL);
	must(test_commit(spool, 1, 100, 2, &ledger->m[0].id) == DRAFT_FINE);
	must(fiber_go("writer", commit_meanwhile, NULL) == 0);
	fiber_sleep(in_ms(300));
	must(test_deliver(spool, ledger->m[0].id, 1) == 0);
	fiber_sleep(in_ms(1900));
	must(spool_stats(spool).syncs == 3);
	must(spool_close(spool) == SPOOL_FINE);
}

static void
an_outcome_waits_for_one_sync_at_most(void **state)
{
	(void)state;
	world_begin();
	sim_disk_costs((struct sim_disk_costs){ .sync_ns = NS_PER_SECOND });
	assert_int_equal(test_life(one_behind_the_other), SIM_ENDED);
}

static void
an_outcome_does_not_wait_for_a_sync(void **state)
{
	(void)state;
	world_begin();
	sim_disk_costs((struct sim_disk_costs){ .sync_ns = NS_PER_SECOND });
	assert_int_equal(test_life(end_while_it_syncs), SIM_CRASHED);
	assert_int_equal(test_life(it_has_ended), SIM_ENDED);
}

/* ---- room ---- */

static yields void
fill_up(void *arg)
{
	struct spool_config c = test_config();
	struct spool *sp;
	static uint64_t ids[2000];
	enum draft_trouble trouble = DRAFT_FINE;
	size_t n = 0;

	(void)arg;
	c.reserve_bytes = 300 << 10;
	sp = test_open_with(c, NULL, NULL);
	while (n < 2000 && (trouble = test_commit(sp, n, 5000, 1, &ids[n])) ==
	    DRAFT_FINE)
		n++;
	must(trouble == DRAFT_NO_ROOM && n > 100);
	fiber_sleep(in_ms(3000));
	must(spool_health(sp) == SPOOL_NO_ROOM);
	must(test_commit(sp, 1, 10, 1, NULL) == DRAFT_NO_ROOM);
	/* delivering goes on, and makes room */
	for (size_t i = 0; i < n; i++) {
		must(test_body(sp, ids[i], i, 5000) == 1);
		must(test_deliver(sp, ids[i], 0) == 0);
	}
	fiber_sleep(in_ms(30000));
	(void)test_commit(sp, 1, 10, 1, NULL);	/* asks for a look */
	fiber_sleep(in_ms(2000));
	must(spool_health(sp) == SPOOL_HEALTHY);
	must(test_commit(sp, 1, 10, 1, &ids[0]) == DRAFT_FINE);
	must(spool_stats(sp).kept >= 1 && spool_stats(sp).kept <= 2);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_full_disk_refuses_and_delivers_on(void **state)
{
	(void)state;
	world_begin();
	sim_disk_size(4 << 20);
	assert_int_equal(test_life(fill_up), SIM_ENDED);
}

/* ---- the named places ---- */

static yields void
work_with_fault(void *arg)
{
	struct arena a;
	struct str spec;

	arena_init(&a, 4096);
	spec = sim_disk_get("/fault", &a);
	must(fault_set(spec));
	arena_clear(&a);
	work(arg);
}

static void
each_named_place_may_fail(void **state)
{
	static const char *const actions[] = { "eio:1", "enospc:1", "delay" };
	static const char *const faults[] = {
#define FAULT(name, says) #name,
#include "spool/fault.def"
#undef FAULT
	};
	char spec[100];

	(void)state;
	for (unsigned f = 0; f < FAULTS; f++)
		for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
			snprintf(spec, sizeof spec, "%s:%s",
			    faults[f], actions[i]);
			world_begin();
			sim_disk_put("/fault", str_of(spec));
			assert_int_equal(test_life(work_with_fault), SIM_ENDED);
			verify_in_peace(spec, 0);
		}
	assert_false(fault_set(STR("nowhere:eio")));
	assert_false(fault_set(STR("lazy_after_write:sing")));
	assert_false(fault_set(STR("lazy_after_write:eio:x")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_before_each_verb),
		cmocka_unit_test(without_power_before_each_verb),
		cmocka_unit_test(each_verb_fails_once),
		cmocka_unit_test(each_verb_fails_from_then_on),
		cmocka_unit_test(the_disk_is_full_once),
		cmocka_unit_test(the_disk_stays_full),
		cmocka_unit_test(two_device_errors_in_a_minute_break_it),
		cmocka_unit_test(an_outcome_does_not_wait_for_a_sync),
		cmocka_unit_test(an_outcome_waits_for_one_sync_at_most),
		cmocka_unit_test(a_full_disk_refuses_and_delivers_on),
		cmocka_unit_test(each_named_place_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
