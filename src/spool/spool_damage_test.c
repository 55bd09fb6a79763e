#include "spool/spool_test.h"

#include "base/crc32c.h"
#include "base/poison.h"
#include "fiber/disk.h"
#include "fiber/test_life.h"
#include "spool/audit.h"
#include "spool/check.h"
#include "spool/fault.h"
#include "spool/segment.h"

#include <stdio.h>

/* What rots, vanishes or is foreign (SECURITY.md B5, row 42). */

enum { N = 60, BODY = 7000 };		/* two segments and a bit */

static struct findings {
	uint64_t ids[N];
	uint64_t told, first_told;
	struct spool_stats stats;
	enum spool_trouble trouble;
	unsigned good, damaged, gone;
	uint64_t check_damaged, check_live, check_records, check_lines;
	uint64_t sidecars_bad, audit_damaged, audit_told;
	enum spool_trouble audit_trouble;
	struct poison_table poison;
} *ledger;

static char *
file_of(uint64_t number, enum segment_kind kind)
{
	static char path[SEGMENT_PATH_MOST];

	segment_path(path, TEST_PATH, number, kind);
	return path;
}

static yields void
fill(void *arg)
{
	struct spool *sp = test_open();

	(void)arg;
	for (uint64_t i = 0; i < N; i++)
		must(test_commit(sp, i, BODY, 1, &ledger->ids[i]) == DRAFT_FINE);
	fiber_sleep(in_ms(1000));		/* sidecars */
	must(spool_stats(sp).segments == 2);
	must(spool_close(sp) == SPOOL_FINE);
}

static yields void
count_told(void *arg, const struct kept *k, const struct envelope *e)
{
	(void)arg;
	(void)k;
	if (ledger->told++ == 0)
		ledger->first_told = e->id;
}

/* Open, look at every body, close. */
static yields void
look(void *arg)
{
	struct spool_config c = test_config();
	struct spool *sp;

	(void)arg;
	ledger->told = 0;
	ledger->good = ledger->damaged = ledger->gone = 0;
	ledger->trouble = spool_open(&c, &sp);
	if (ledger->trouble != SPOOL_FINE)
		return;
	ledger->trouble = spool_recover(sp, count_told, NULL);
	for (uint64_t i = 0; ledger->trouble == SPOOL_FINE && i < N; i++) {
		int64_t got = test_body(sp, ledger->ids[i], i, BODY);

		must(got != BODY_FAILED);
		ledger->good += got == 1;
		ledger->gone += got == 0;
		ledger->damaged += got == BODY_DAMAGED;
	}
	ledger->stats = spool_stats(sp);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
check_line(struct check *c, struct str line)
{
	(void)c;
	must(line.n > 0);
	ledger->check_lines++;
}

static yields void
check(void *arg)
{
	struct check c = { .line = check_line };

	(void)arg;
	ledger->check_lines = 0;
	ledger->trouble = spool_dump(TEST_PATH, &c);
	ledger->check_damaged = c.damaged;
	ledger->check_live = c.live;
	ledger->check_records = c.records;
	ledger->sidecars_bad = c.sidecars_bad;
	must(!c.is_in_use);
}

static void
audit_line(struct audit *a, uint64_t segment, uint64_t at, struct str text)
{
	(void)a, (void)segment, (void)at;
	must(text.n > 0);
	ledger->audit_told++;
}

static yields void
audit(void *arg)
{
	struct audit a = { .tell = audit_line };

	(void)arg;
	ledger->audit_told = 0;
	ledger->audit_trouble = spool_audit(TEST_PATH, &a);
	ledger->audit_damaged = a.damaged;
	must(ledger->audit_told >= a.damaged);
}

/* Both look, and find so many places. */
static void
looks_find(uint64_t damaged)
{
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_int_equal(ledger->check_damaged, damaged);
	assert_int_equal(test_life(audit), SIM_ENDED);
	assert_int_equal(ledger->audit_trouble, SPOOL_FINE);
	assert_int_equal(ledger->audit_damaged, damaged);
}

static int
world_with_messages(void **state)
{
	(void)state;
	sim_begin(11);
	ledger = sim_ledger(sizeof *ledger);
	return test_life(fill) == SIM_ENDED ? 0 : -1;
}

static void
all_is_well(void **state)
{
	(void)state;
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_int_equal(ledger->check_damaged, 0);
	assert_int_equal(ledger->check_live, N);
	assert_int_equal(ledger->check_records, N);
	assert_int_equal(ledger->check_lines, 2 * N);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->good, N);
	assert_int_equal(ledger->told, N);
	assert_int_equal(ledger->stats.damaged, 0);
}

static void
a_rotten_body_is_never_read(void **state)
{
	(void)state;
	sim_disk_rot(file_of(1, SEGMENT_LOG), 50000, 0x10);
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_int_equal(ledger->check_damaged, 1);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->told, N);	/* its envelope is whole */
	assert_int_equal(ledger->good, N - 1);
	assert_int_equal(ledger->damaged, 1);
}

/* Told from the sidecar, and found when it is wanted itself. */
static yields void
read_envelope(void *arg)
{
	struct spool *sp = test_open();
	struct envelope e;
	const bool *ended;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	must(spool_envelope(sp, ledger->ids[0], &a, &e, &ended) == BODY_DAMAGED);
	must(spool_envelope(sp, ledger->ids[1], &a, &e, &ended) == 0);
	must(e.size == BODY && e.n_rcpts == 1 && !ended[0]);
	must(spool_envelope(sp, 12345, &a, &e, &ended) == -1);
	arena_clear(&a);
	arena_init(&a, 0);
	must(spool_envelope(sp, ledger->ids[1], &a, &e, &ended) == -1);
	arena_clear(&a);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_rotten_envelope_is_never_believed(void **state)
{
	(void)state;
	sim_disk_rot(file_of(1, SEGMENT_LOG), SEGMENT_HEAD + RECORD_HEADER + 20,
	    0x10);
	assert_int_equal(test_life(read_envelope), SIM_ENDED);
	looks_find(1);
}

/* The last records are as if they had never been written. */
static void
what_is_missing_at_the_end_is_told(void **state)
{
	static char zeros[256 << 10];
	struct arena a;
	struct str log;
	char *now;

	(void)state;
	arena_init(&a, 1 << 20);
	log = sim_disk_get(file_of(2, SEGMENT_LOG), &a);
	now = arena_alloc(&a, log.n);
	memcpy(now, log.p, log.n);
	memcpy(now + SEGMENT_HEAD, zeros, log.n - SEGMENT_HEAD);
	sim_disk_put(file_of(2, SEGMENT_LOG), (struct str){ now, log.n });
	arena_clear(&a);
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_true(ledger->check_damaged >= 1);
	assert_int_equal(test_life(audit), SIM_ENDED);
	assert_true(ledger->audit_damaged >= 1);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_true(ledger->stats.damaged >= 1);
	assert_true(ledger->told > 20 && ledger->told == ledger->good);
}

static void
without_its_sidecar_it_is_set_aside(void **state)
{
	char path[100];
	size_t kept = 0;
	struct arena a;

	(void)state;
	sim_disk_rot(file_of(1, SEGMENT_LOG), 50000, 0x10);
	sim_disk_rot(file_of(1, SEGMENT_SIDECAR), 5, 0x10);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->told, N - 1);
	assert_int_equal(ledger->good, N - 1);
	assert_int_equal(ledger->gone, 1);
	assert_int_equal(ledger->stats.damaged, 1);
	arena_init(&a, 1 << 20);
	for (unsigned at = 50000 - BODY - 1000; at < 50000 && kept == 0; at++) {
		snprintf(path, sizeof path,
		    TEST_PATH "/quarantine/0000000001-%010u.bad", at);
		kept = sim_disk_get(path, &a).n;
	}
	assert_true(kept > BODY);
	arena_clear(&a);
}

static void
a_rotten_sidecar_is_no_loss(void **state)
{
	(void)state;
	for (uint64_t at = 3; at < 6000; at += 1500) {
		sim_disk_rot(file_of(1, SEGMENT_SIDECAR), at, 0x01);
		looks_find(0);
		assert_int_equal(ledger->sidecars_bad, 1);
		assert_int_equal(test_life(look), SIM_ENDED);
		assert_int_equal(ledger->told, N);
		assert_int_equal(ledger->good, N);
		assert_int_equal(ledger->stats.damaged, 0);
		sim_disk_rot(file_of(1, SEGMENT_SIDECAR), at, 0x01);
	}
}

static void
a_rotten_header_of_a_segment_is_made_up_for(void **state)
{
	(void)state;
	sim_disk_rot(file_of(1, SEGMENT_LOG), 26, 0xff);
	sim_disk_rot(file_of(2, SEGMENT_LOG), 26, 0xff);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->told, N);
	assert_int_equal(ledger->good, N);
	assert_int_equal(ledger->stats.damaged, 2);
}

static yields void
lengthen(void *arg)
{
	int fd = disk_open(file_of(1, SEGMENT_LOG), DISK_WRITE, 0);

	(void)arg;
	must(fd >= 0);
	must(disk_pwrite(fd, STR("12345678"), 256 << 10) == 0);
	disk_close(fd);
}

static void
a_segment_longer_than_it_was_made_is_told(void **state)
{
	(void)state;
	assert_int_equal(test_life(lengthen), SIM_ENDED);
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_int_equal(ledger->check_damaged, 1);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->good, N);
	assert_int_equal(ledger->stats.damaged, 1);
}

static void
one_copy_of_the_superblock_is_enough(void **state)
{
	(void)state;
	sim_disk_rot(TEST_PATH "/superblock", 20, 0x01);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_int_equal(ledger->good, N);
}

static yields void
fill_more(void *arg)
{
	struct spool *sp = test_open();
	uint64_t id = 0;

	(void)arg;
	must(test_commit(sp, 0, BODY, 1, &id) == DRAFT_FINE);
	must(id > ledger->ids[N - 1] + (UINT64_C(1) << 31));
	must(test_deliver(sp, id, 0) == 0);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
without_any_the_log_speaks_for_itself(void **state)
{
	(void)state;
	sim_disk_rot(TEST_PATH "/superblock", 20, 0x02);
	sim_disk_rot(TEST_PATH "/superblock", 4096 + 20, 0x04);
	looks_find(1);
	assert_int_equal(ledger->check_live, N);
	assert_int_equal(test_life(fill_more), SIM_ENDED);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->good, N);
	assert_int_equal(ledger->stats.damaged, 0);
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_int_equal(ledger->check_damaged, 0);
}

static yields void
lose_one(void *arg)
{
	(void)arg;
	must(disk_unlink(file_of(1, SEGMENT_LOG)) == 0);
	must(disk_sync_directory(TEST_PATH) == 0);
}

static yields void
fill_three(void *arg)
{
	struct spool *sp = test_open();
	uint64_t id = 0, first = 0;

	(void)arg;
	for (uint64_t i = 0; i < 100; i++) {
		must(test_commit(sp, i, BODY, 1, &id) == DRAFT_FINE);
		first = i == 0 ? id : first;
	}
	ledger->ids[0] = first;
	must(spool_close(sp) == SPOOL_FINE);
	must(disk_unlink(file_of(3, SEGMENT_LOG)) == 0);
}

static void
a_lost_segment_costs_only_its_messages(void **state)
{
	(void)state;
	assert_int_equal(test_life(lose_one), SIM_ENDED);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_true(ledger->told > 20 && ledger->told < 30);
	assert_int_equal(ledger->good, ledger->told);
	/* one in the middle is noticed */
	assert_int_equal(test_life(fill_three), SIM_ENDED);
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_true(ledger->check_damaged >= 1);
	assert_int_equal(test_life(audit), SIM_ENDED);
	assert_true(ledger->audit_damaged >= 1);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_true(ledger->stats.damaged >= 1);
}

/* ---- what is not known to this version ---- */

static yields void
write_record(uint8_t type, uint16_t flags, struct str payload)
{
	char head[64], room[256];
	struct record last, r;
	struct segment s;
	uint64_t at = SEGMENT_HEAD;
	int fd;

	/* behind the last record of the last segment */
	(void)segment_open(TEST_PATH, 2, 0, true, &s);
	fd = s.fd;
	must(fd >= 0);
	r = (struct record){ .type = type, .flags = flags,
		.payload_n = (uint32_t)payload.n,
		.payload_sum = crc32c(0, payload) };
	while (disk_pread(fd, head, sizeof head, at) > 0 &&
	    record_read_header((struct str){ head, sizeof head }, &last) ==
	    RECORD_WHOLE) {
		r.salt = last.salt;
		r.sequence = last.sequence + 1;
		at += record_size(last.payload_n, last.body_n);
	}
	must(at > SEGMENT_HEAD && payload.n < 100);
	record_seal(&r, room);
	if (payload.n > 0)
		memcpy(room + RECORD_HEADER, payload.p, payload.n);
	must(disk_pwrite(fd, (struct str){ room, RECORD_HEADER + payload.n },
	    at) == 0);
	must(disk_fsync(fd) == 0);
	disk_close(fd);
	/* as if not stopped cleanly: the end is looked for */
	fd = disk_open(TEST_PATH "/superblock", DISK_WRITE, 0);
	must(disk_pwrite(fd, (struct str){ room + 8, 8 }, 4096) == 0);
	must(disk_pread(fd, room, 96, 0) == 96);
	room[40] = 0;
	memcpy(room + 92, &(uint32_t){ crc32c(0, (struct str){ room, 92 }) }, 4);
	must(disk_pwrite(fd, (struct str){ room, 96 }, 0) == 0);
	must(disk_fsync(fd) == 0);
	disk_close(fd);
}

static yields void
write_foreign(void *arg)
{
	(void)arg;
	write_record(77, RECORD_MUST, STR("new law"));
}

static yields void
write_skippable(void *arg)
{
	(void)arg;
	write_record(77, 0, STR("a hint"));
}

static yields void
write_nonsense(void *arg)
{
	(void)arg;
	write_record(RECORD_COMMIT, RECORD_MUST, STR("\1\377\377\377"));
}

static void
an_unknown_law_refuses_to_start(void **state)
{
	(void)state;
	assert_int_equal(test_life(write_foreign), SIM_ENDED);
	assert_int_equal(test_life(audit), SIM_ENDED);
	assert_int_equal(ledger->audit_trouble, SPOOL_FOREIGN);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FOREIGN);
	assert_int_equal(test_life(check), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FOREIGN);
}

static void
an_unknown_hint_is_skipped(void **state)
{
	(void)state;
	assert_int_equal(test_life(write_skippable), SIM_ENDED);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_int_equal(ledger->good, N);
	assert_int_equal(ledger->stats.damaged, 0);
}

static void
nonsense_in_a_whole_record_is_set_aside(void **state)
{
	(void)state;
	assert_int_equal(test_life(write_nonsense), SIM_ENDED);
	looks_find(1);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_int_equal(ledger->good, N);
	assert_int_equal(ledger->stats.damaged, 1);
}

/* ---- what kills its reader ---- */

static yields void
look_and_die(void *arg)
{
	must(fault_set(STR("recover_record:crash:5")));
	look(arg);
}

static void
a_record_that_kills_is_passed_over_at_last(void **state)
{
	unsigned deaths = 0;

	(void)state;
	/* the fifth record is passed over, then the new fifth kills, and so on:
	 * each costs its deaths, the first one also that of the careless try */
	while (deaths < 10 && test_life(look_and_die) == SIM_BROKEN)
		deaths++;
	assert_true(deaths >= 6);
	assert_int_equal(test_life(look), SIM_ENDED);
	assert_int_equal(ledger->trouble, SPOOL_FINE);
	assert_true(ledger->gone >= 1 && ledger->gone <= 3);
	assert_int_equal(ledger->good, N - ledger->gone);
	assert_int_equal(ledger->told, N - ledger->gone);
}

static yields void
tell_and_die(void *arg)
{
	must(fault_set(STR("recover_tell:crash:5")));
	look(arg);
}

static void
a_message_whose_telling_kills_is_passed_over(void **state)
{
	unsigned deaths = 0;

	(void)state;
	while (deaths < 10 && test_life(tell_and_die) == SIM_BROKEN)
		deaths++;
	/* one careless, three at the fifth; then the sixth is the fifth told */
	assert_int_equal(deaths, 10);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(test_life(look), SIM_ENDED);
		assert_int_equal(ledger->trouble, SPOOL_FINE);
		assert_true(ledger->gone >= 1 && ledger->gone <= 3);
		assert_int_equal(ledger->good, N - ledger->gone);
		assert_int_equal(ledger->told, N - ledger->gone);
	}
}

/* All but one have ended: it is written again further on. */
static yields void
compact(void *arg)
{
	struct spool *sp = test_open();
	uint64_t id = 0;

	(void)arg;
	poison_use(&ledger->poison);
	must(fault_set(STR("compact_before_copy:crash:1")));
	for (uint64_t i = 0; i < N; i++)
		if (i != 3)
			(void)test_deliver(sp, ledger->ids[i], 0);
	for (uint64_t i = 0; i < N; i++) {	/* the log goes on */
		must(test_commit(sp, i, BODY, 1, &id) == DRAFT_FINE);
		must(test_deliver(sp, id, 0) == 0);
	}
	fiber_sleep(in_ms(60000));
	must(test_body(sp, ledger->ids[3], 3, BODY) == 1);
	must(spool_stats(sp).compacted == 0);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_message_whose_moving_kills_stays_where_it_is(void **state)
{
	(void)state;
	for (unsigned death = 1; death <= POISON_DEATHS; death++) {
		assert_int_equal(test_life(compact), SIM_BROKEN);
		assert_int_equal(poison_count(&ledger->poison),
		    death == POISON_DEATHS);
	}
	assert_int_equal(test_life(compact), SIM_ENDED);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_with_messages)
	const struct CMUnitTest tests[] = {
		TEST(all_is_well),
		TEST(a_rotten_body_is_never_read),
		TEST(a_rotten_envelope_is_never_believed),
		TEST(what_is_missing_at_the_end_is_told),
		TEST(without_its_sidecar_it_is_set_aside),
		TEST(a_rotten_sidecar_is_no_loss),
		TEST(a_rotten_header_of_a_segment_is_made_up_for),
		TEST(a_segment_longer_than_it_was_made_is_told),
		TEST(one_copy_of_the_superblock_is_enough),
		TEST(without_any_the_log_speaks_for_itself),
		TEST(a_lost_segment_costs_only_its_messages),
		TEST(an_unknown_law_refuses_to_start),
		TEST(an_unknown_hint_is_skipped),
		TEST(nonsense_in_a_whole_record_is_set_aside),
		TEST(a_record_that_kills_is_passed_over_at_last),
		TEST(a_message_whose_telling_kills_is_passed_over),
		TEST(a_message_whose_moving_kills_stays_where_it_is),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
