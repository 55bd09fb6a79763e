#include "fiber/test_core.h"
#include "base/must.h"
#include "fiber/net.h"
#include "fiber/stream.h"
#include "fiber/world_sim.h"

#include <time.h>

static struct address
at(const char *ip, uint16_t port)
{
	struct address a;

	must(address_parse(str_of(ip), port, &a));
	return a;
}

/* ---- time ---- */

static yields void
sleeper(void *arg)
{
	struct mono end = in_ms(INT64_C(4) * 24 * 3600 * 1000);
	size_t *naps = arg;

	while (mono_is_before(clock_mono(), end)) {
		fiber_sleep(in_ms(60 * 1000));
		++*naps;
	}
}

static yields void
start_sleepers(void *arg)
{
	for (int i = 0; i < 10; i++)
		must(fiber_go("sleeper", sleeper, arg) == 0);
}

static void
four_days_pass_in_no_time(void **state)
{
	size_t naps = 0;
	struct timespec before, after;

	(void)state;
	sim_begin(1);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(core_run_all(1, start_sleepers, &naps), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(naps >= 10 * (4 * 24 * 60 - 1) && naps <= 10 * 4 * 24 * 60);
	assert_true(after.tv_sec - before.tv_sec < 5);
}

/* ---- net ---- */

static struct { unsigned echoed; int refused, silent; int64_t waited; } seen;

static yields void
echo_one(void *arg)
{
	struct stream s;
	struct str line;
	enum line_ending ending;

	stream_init(&s, arg);
	s.deadline = in_ms(60000);
	while (stream_line(&s, 1000, &line, &ending) == 0) {
		must(ending == LINE_CRLF);
		stream_put(&s, line);
		stream_put(&s, STR("\r\n"));
		s.deadline = in_ms(60000);
	}
	must(s.trouble == STREAM_GONE);
	stream_close(&s);
}

static yields void
echo_server(void *arg)
{
	struct net_end *listener = arg, *end;
	struct address peer;

	for (int i = 0; i < 3; i++) {
		end = net_accept(listener, &peer, in_ms(60000));
		must(end != NULL && peer.of.ip[0] == 198);
		must(fiber_go("echo", echo_one, end) == 0);
	}
	net_close(listener);
}

static yields void
echo_client(void *arg)
{
	struct address to = at("192.0.2.1", 25);
	struct stream s;
	struct str line;
	enum line_ending ending;

	(void)arg;
	stream_init(&s, net_connect(&to, NULL, in_ms(1000)));
	must(s.end != NULL);
	for (int i = 0; i < 500; i++) {
		s.deadline = in_ms(60000);
		stream_printf(&s, "a line of some length, number %d\r\n", i);
		must(stream_line(&s, 1000, &line, &ending) == 0);
		must(line.n > 30);
		seen.echoed++;
	}
	stream_close(&s);
}

static yields void
echo_start(void *arg)
{
	struct address here = at("192.0.2.1", 25);

	(void)arg;
	must(fiber_go("server", echo_server, net_listen(&here)) == 0);
	for (int i = 0; i < 3; i++)
		must(fiber_go("client", echo_client, NULL) == 0);
}

static void
lines_cross_the_network(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		memset(&seen, 0, sizeof seen);
		sim_begin(seed);
		assert_int_equal(core_run_all(1, echo_start, NULL), 0);
		assert_int_equal(seen.echoed, 1500);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_days_pass_in_no_time),
		cmocka_unit_test(lines_cross_the_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
