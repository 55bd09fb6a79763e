/* A client and a server on machines of their own: what of one a crash of the
 * other leaves, and what it sees. */
#include "fiber/test_core.h"

#include "base/must.h"
#include "fiber/disk.h"
#include "fiber/world_sim.h"

#include <stdio.h>
#include <unistd.h>

#define SERVER "192.0.2.1"
#define CLIENT "192.0.2.2"

static struct ledger {
	unsigned lives, echoed, refused, lost, late;
	unsigned most;			/* lives of the server */
	unsigned memory_seen;		/* of its life before: never */
	bool is_over, is_hung, is_eager, has_file;
	int64_t off_ns;
	struct mono mono_at_start;
} *ledger;

static unsigned memory;			/* of a process */

static struct address
server_at(void)
{
	struct address a;

	must(address_parse(STR(SERVER), 25, &a));
	return a;
}

static yields void
echo(struct net_end *end)
{
	enum line_ending ending;
	struct stream s;
	struct str line;

	stream_init(&s, end);
	for (;;) {
		s.deadline = ledger->is_hung ? MONO_NEVER : in_ms(60 * 1000);
		if (stream_line(&s, 100, &line, &ending) != 0)
			break;
		stream_printf(&s, STR_FMT "\r\n", STR_ARG(line));
		(void)stream_flush(&s);
	}
	stream_close(&s);
}

static yields void
serve(void *arg)
{
	struct address at = server_at(), peer;
	struct net_end *door, *end;
	int fd;

	(void)arg;
	ledger->memory_seen += memory++;
	ledger->mono_at_start = clock_mono();
	fd = disk_open("/there", DISK_READ, 0);
	ledger->has_file = fd >= 0;
	if (fd < 0) {
		fd = disk_open("/there", DISK_WRITE | DISK_CREATE, 0600);
		must(fd >= 0 && disk_sync_directory("/") == 0);
	}
	disk_close(fd);
	door = net_listen(&at);
	must(door != NULL);
	while ((end = net_accept(door, &peer, in_ms(1000))) != NULL ||
	    !ledger->is_over)
		if (end != NULL)
			echo(end);
	net_close(door);
}

static void
server_live(void *arg)
{
	ledger->lives++;
	must(core_run_all(1, serve, arg) == 0);
}

static int64_t
server_again(void *arg, enum sim_ending e)
{
	(void)arg;
	return e == SIM_CRASHED && ledger->lives < ledger->most ?
	    ledger->off_ns : -1;
}

/* Does not wait for the answer before it says more. */
static yields void
insist(struct stream *s)
{
	(void)stream_flush(s);
	fiber_sleep(in_ms(3000));
	stream_put(s, STR("hello\r\n"));
}

/* One word there and back. */
static yields void
say(void)
{
	struct address at = server_at();
	struct net_end *end = net_connect(&at, NULL, in_ms(20 * 1000));
	enum line_ending ending;
	struct stream s;
	struct str line;

	if (end == NULL) {
		ledger->refused++;
		return;
	}
	stream_init(&s, end);
	for (unsigned i = 0; i < 50; i++) {
		s.deadline = in_ms(30 * 1000);
		stream_put(&s, STR("hello\r\n"));
		if (ledger->is_eager)
			insist(&s);
		if (stream_line(&s, 100, &line, &ending) != 0) {
			ledger->lost++;
			ledger->late += !mono_is_before(clock_mono(),
			    s.deadline);
			break;
		}
		must(str_eq(line, STR("hello")));
		ledger->echoed++;
		fiber_sleep(in_ms(100));
	}
	stream_close(&s);
}

static yields void
talk(void *arg)
{
	(void)arg;
	must(disk_open("/there", DISK_READ, 0) < 0);	/* that is another's */
	for (unsigned i = 0; i < 30; i++) {
		say();
		fiber_sleep(in_ms(2000));
	}
	ledger->is_over = true;
}

static void
client_live(void *arg)
{
	must(core_run_all(1, talk, arg) == 0);
}

static const struct sim_program programs[] = {
	{ .live = client_live }, { .live = server_live, .again = server_again }
};

static bool is_eager;

static bool
run(uint64_t seed, uint64_t verb, enum sim_crash how, int64_t off_ns)
{
	sim_begin(seed);
	ledger = sim_ledger(sizeof *ledger);
	ledger->is_eager = is_eager;
	ledger->most = 2;
	ledger->off_ns = off_ns;
	sim_at(0);
	sim_machine_address(CLIENT);
	sim_at(1);
	sim_machine_address(SERVER);
	sim_crash_at(verb, how);
	return sim_run(programs, 2);
}

static void
test_peace(void **state)
{
	uint64_t trace;

	(void)state;
	assert_true(run(1, 0, SIM_KILL, 0));
	assert_int_equal(ledger->echoed, 30 * 50);
	assert_int_equal(ledger->lives, 1);
	trace = sim_trace();
	assert_true(run(1, 0, SIM_KILL, 0));
	assert_true(sim_trace() == trace);
	assert_true(run(2, 0, SIM_KILL, 0));
	assert_false(sim_trace() == trace);
}

/* Reset at once; refused until the machine is back; nothing in its memory. */
static void
test_kill(void **state)
{
	(void)state;
	assert_true(run(3, 500, SIM_KILL, 60 * NS_PER_SECOND));
	assert_int_equal(ledger->lives, 2);
	assert_int_equal(ledger->memory_seen, 0);
	assert_true(ledger->has_file);
	assert_int_equal(ledger->lost, 1);
	assert_int_equal(ledger->late, 0);
	assert_true(ledger->refused > 10);
}

/* Silence until the deadline; its clock begins again. */
static void
test_power(void **state)
{
	(void)state;
	assert_true(run(4, 500, SIM_POWER, 600 * NS_PER_SECOND));
	assert_int_equal(ledger->lost, 1);
	assert_int_equal(ledger->late, 1);
	assert_true(ledger->refused > 10);
	assert_true(ledger->mono_at_start.ns < 40 * NS_PER_SECOND);
}

/* Who is back soon does not know the connection, and says so when asked. */
static void
test_power_short(void **state)
{
	(void)state;
	is_eager = true;
	assert_true(run(5, 500, SIM_POWER, NS_PER_SECOND));
	is_eager = false;
	assert_int_equal(ledger->lost, 1);
	assert_int_equal(ledger->late, 0);
}

static void
test_every_verb(void **state)
{
	(void)state;
	for (uint64_t verb = 1; verb < 60; verb++) {
		assert_true(run(6, verb, verb % 2 == 0 ? SIM_KILL : SIM_POWER,
		    NS_PER_SECOND));
		assert_int_equal(ledger->lives, 2);
		assert_int_equal(ledger->memory_seen, 0);
	}
}

/* An end that is waited on without a deadline is noticed. */
static void
test_silence(void **state)
{
	int saved = dup(2);
	bool ok;

	(void)state;
	assert_non_null(freopen("/dev/null", "w", stderr));
	sim_begin(7);
	ledger = sim_ledger(sizeof *ledger);
	ledger->is_hung = true;
	sim_at(1);
	sim_machine_address(SERVER);
	sim_silence_most(90 * NS_PER_SECOND);
	sim_cut(CLIENT, SERVER);
	sim_at(0);
	sim_machine_address(CLIENT);
	sim_cuts_heal();
	sim_crash_at(40, SIM_POWER);
	ok = sim_run(programs, 2);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	assert_false(ok);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peace),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_power_short),
		cmocka_unit_test(test_every_verb),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
