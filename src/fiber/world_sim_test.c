#include "fiber/test_core.h"

#include "base/must.h"
#include "fiber/disk.h"
#include "fiber/dns.h"
#include "fiber/offload.h"
#include "fiber/random.h"
#include "fiber/world_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct ledger { unsigned n; int64_t mono_ns, wall_us; } *ledger;

static void
begin(uint64_t seed)
{
	sim_begin(seed);
	ledger = sim_ledger(sizeof *ledger);
}

struct body { yields void (*fn)(void *); unsigned cores; };

static void
run_body(void *arg)
{
	struct body *b = arg;

	assert_int_equal(core_run_all(b->cores, b->fn, NULL), 0);
}

static enum sim_ending
life(yields void (*fn)(void *), unsigned cores)
{
	struct body b = { fn, cores };

	return sim_life(run_body, &b);
}

/* What a broken life tells is of no interest here. */
static enum sim_ending
life_quietly(yields void (*fn)(void *))
{
	int saved = dup(2);
	enum sim_ending ending;

	assert_non_null(freopen("/dev/null", "w", stderr));
	ending = life(fn, 1);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	return ending;
}

/* ---- time ---- */

static yields void
sleeper(void *arg)
{
	struct mono end = in_ms(INT64_C(4) * 24 * 3600 * 1000);

	(void)arg;
	while (mono_is_before(clock_mono(), end)) {
		fiber_sleep(in_ms(60 * 1000));
		ledger->n++;
	}
}

static yields void
start_sleepers(void *arg)
{
	for (int i = 0; i < 10; i++)
		must(fiber_go("sleeper", sleeper, arg) == 0);
}

static void
test_four_days(void **state)
{
	struct timespec before, after;

	(void)state;
	begin(1);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(life(start_sleepers, 1), SIM_ENDED);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_in_range(ledger->n, 10 * (4 * 24 * 60 - 1), 10 * 4 * 24 * 60);
	assert_true(after.tv_sec - before.tv_sec < 5);
}

static yields void
watch_walls(void *arg)
{
	struct mono start = clock_mono();
	struct wall before = clock_wall();

	(void)arg;
	sim_wall_jump_at(in_ms(5000), -3600 * US_PER_SECOND);
	fiber_sleep(in_ms(4000));
	assert_true(clock_wall().us - before.us >= 4 * US_PER_SECOND);
	fiber_sleep(in_ms(4000));
	assert_true(clock_wall().us - before.us < -3500 * US_PER_SECOND);
	assert_in_range(clock_mono().ns - start.ns, 8 * NS_PER_SECOND,
	    8 * NS_PER_SECOND + NS_PER_MS);
	sim_wall_jump(7200 * US_PER_SECOND);
	fiber_sleep(in_ms(1));
	assert_true(clock_wall().us - before.us > 3600 * US_PER_SECOND);
}

static void
test_walls(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(life(watch_walls, 1), SIM_ENDED);
}

static yields void
note_clocks(void *arg)
{
	(void)arg;
	ledger->mono_ns = clock_mono().ns;
	ledger->wall_us = clock_wall().us;
	fiber_sleep(MONO_NEVER);
}

/* A kill leaves the machine up; after a power cut mono begins again. */
static void
test_clocks_after(void **state)
{
	struct ledger first;
	struct mono at;

	(void)state;
	begin(1);
	at = mono_add((struct mono){ 1000 * NS_PER_SECOND }, 5 * NS_PER_SECOND);
	sim_crash_at_time(at, SIM_KILL);
	assert_int_equal(life(note_clocks, 1), SIM_CRASHED);
	first = *ledger;
	sim_crash_at_time(mono_add(at, 3600 * NS_PER_SECOND), SIM_POWER);
	assert_int_equal(life(note_clocks, 1), SIM_CRASHED);
	assert_true(ledger->mono_ns > at.ns);
	assert_true(ledger->wall_us > first.wall_us + 5 * US_PER_SECOND);
	first = *ledger;
	sim_crash_at(1, SIM_KILL);
	assert_int_equal(life_quietly(note_clocks), SIM_BROKEN);
	assert_true(ledger->mono_ns < 60 * NS_PER_SECOND);
	assert_true(ledger->wall_us > first.wall_us + 3000 * US_PER_SECOND);
}

static yields void
sleep_an_hour(void *arg)
{
	int64_t world = sim_world_mono().ns;
	struct wall wall = clock_wall();
	int ppm = *(int *)arg;

	sim_drift(ppm);
	assert_in_range(clock_wall().us - wall.us, 0, 1);
	fiber_sleep(in_ms(3600 * 1000));
	assert_in_range((sim_world_mono().ns - world) / 1000000 *
	    (1000000 + ppm) / 1000000, 3600 * 1000 - 1, 3600 * 1000 + 1);
	assert_in_range((clock_wall().us - wall.us) / 1000, 3600 * 1000 - 1,
	    3600 * 1000 + 1);
	sim_drift(0);
	assert_in_range((clock_wall().us - wall.us) / 1000, 3600 * 1000 - 1,
	    3600 * 1000 + 1);
}

static int rate;

static void
live_at_a_rate(void *arg)
{
	must(core_run_all(1, sleep_an_hour, arg) == 0);
}

/* Whoever sleeps by a clock that is fast wakes early, and his wall agrees. */
static void
test_drift(void **state)
{
	static const int rates[] = { 0, 1, -1, 200, -200, 100000, -100000 };

	(void)state;
	begin(1);
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		rate = rates[i];
		assert_int_equal(sim_life(live_at_a_rate, &rate), SIM_ENDED);
	}
}

/* ---- lives that break ---- */

static yields void
wait_for_ever(void *arg)
{
	(void)arg;
	(void)fiber_park(MONO_NEVER);
}

static yields void
yield_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		fiber_yield();
}

static yields void
leave_file_open(void *arg)
{
	(void)arg;
	assert_true(disk_open("/f", DISK_WRITE | DISK_CREATE, 0600) >= 0);
}

static yields void
leave_listener(void *arg)
{
	struct address a;

	(void)arg;
	assert_true(address_parse(STR("192.0.2.1"), 25, &a));
	assert_non_null(net_listen(&a));
}

static yields void
fail_must(void *arg)
{
	must(arg != NULL);
}

static yields void
fail_assert(void *arg)
{
	assert_non_null(arg);
}

static void
test_broken(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(life_quietly(wait_for_ever), SIM_BROKEN);
	sim_turns_most(1000);
	assert_int_equal(life_quietly(yield_for_ever), SIM_BROKEN);
	sim_turns_most(0);
	assert_int_equal(life_quietly(leave_file_open), SIM_BROKEN);
	assert_int_equal(life_quietly(leave_listener), SIM_BROKEN);
	assert_int_equal(life_quietly(fail_must), SIM_BROKEN);
	assert_int_equal(life_quietly(fail_assert), SIM_BROKEN);
}

/* A fiber that looks at the clock again and again gets somewhere. */
static yields void
poll_clock(void *arg)
{
	struct mono end = in_ms(2);

	(void)arg;
	while (mono_is_before(clock_mono(), end))
		fiber_yield();
}

static void
test_polling(void **state)
{
	(void)state;
	begin(1);
	sim_turns_most(10000);
	assert_int_equal(life(poll_clock, 1), SIM_ENDED);
}

/* ---- the same again ---- */

static int
work(void *arg)
{
	*(uint64_t *)arg += sim_chance(10);
	return 0;
}

static yields void
busy(void *arg)
{
	struct dns_answer answer;
	struct arena a;
	uint64_t sum = random_u64();
	int fd;

	(void)arg;
	arena_init(&a, 65536);
	fd = disk_open("/f", DISK_WRITE | DISK_CREATE, 0600);
	assert_true(fd >= 0);
	for (int i = 0; i < 20; i++) {
		assert_true(offload(work, &sum) == 0);
		assert_int_equal(disk_pwrite(fd, (struct str){
		    (const char *)&sum, sizeof sum }, random_below(4096)), 0);
		assert_int_equal(disk_fdatasync(fd), 0);
		dns_ask(STR("example.test"), DNS_A, &a, in_ms(1000), &answer);
		assert_int_equal(answer.status, DNS_FOUND);
		fiber_sleep(in_ms((int64_t)random_below(20)));
	}
	disk_close(fd);
	arena_clear(&a);
}

static yields void
talk(void *arg)
{
	struct stream client, server;
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	for (int i = 0; i < 40; i++) {
		stream_printf(&client, "line %d\r\n", i);
		assert_int_equal(stream_flush(&client), 0);
		assert_int_equal(stream_line(&server, 100, &line, &ending), 0);
	}
	stream_close(&client);
	stream_close(&server);
}

static yields void
start_busy(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fiber_go("busy", busy, NULL), 0);
		assert_int_equal(fiber_go("talk", talk, NULL), 0);
	}
}

static uint64_t
trace_of(uint64_t seed, uint64_t crash_at)
{
	begin(seed);
	assert_int_equal(sim_zone(STR("example.test A 192.0.2.1\n")), 0);
	if (crash_at > 0) {
		sim_crash_at(crash_at, SIM_POWER);
		assert_int_equal(life(start_busy, 3), SIM_CRASHED);
		assert_int_equal(sim_verbs(), crash_at);
	}
	assert_int_equal(life(start_busy, 3), SIM_ENDED);
	return sim_trace();
}

static void
test_again(void **state)
{
	uint64_t first = trace_of(7, 0), crashed = trace_of(7, 200);

	(void)state;
	assert_true(first == trace_of(7, 0));
	assert_true(crashed == trace_of(7, 200));
	assert_true(first != crashed);
	assert_true(first != trace_of(8, 0));
	assert_true(crashed != trace_of(7, 201));
}

static yields void
draw(void *arg)
{
	unsigned char bytes[13];

	random_bytes(bytes, sizeof bytes);
	memcpy(arg, bytes, sizeof bytes);
}

static void
test_random(void **state)
{
	unsigned char a[13], b[13], c[13];

	(void)state;
	begin(5);
	assert_int_equal(core_run_all(1, draw, a), 0);
	begin(5);
	assert_int_equal(core_run_all(1, draw, b), 0);
	assert_int_equal(core_run_all(1, draw, c), 0);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(b, c, sizeof a);
}

/* The ledger and the seed's order of chances go on from life to life. */
static yields void
count_life(void *arg)
{
	(void)arg;
	ledger->n++;
}

static void
test_ledger(void **state)
{
	(void)state;
	begin(1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(life(count_life, 2), SIM_ENDED);
	assert_int_equal(ledger->n, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four_days),
		cmocka_unit_test(test_walls),
		cmocka_unit_test(test_clocks_after),
		cmocka_unit_test(test_drift),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_polling),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
