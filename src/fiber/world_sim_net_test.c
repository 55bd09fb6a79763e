#include "base/arena.h"
#include "base/err.h"
#include "fiber/test_life.h"

#include "fiber/net.h"

#include <errno.h>
#include <stdlib.h>

static struct address
at(const char *ip, uint16_t port)
{
	struct address a;

	assert_true(address_parse(str_of(ip), port, &a));
	return a;
}

/* ---- conversations ---- */

enum { CLIENTS = 3, LINES = 200 };

static struct ledger { unsigned lines, accepted[3]; } *ledger;

static yields void
echo_one(void *arg)
{
	struct stream s;
	struct str line;
	enum line_ending ending;

	stream_init(&s, arg);
	s.deadline = in_ms(600000);
	while (stream_line(&s, 1000, &line, &ending) == 0) {
		assert_int_equal(ending, LINE_CRLF);
		stream_put(&s, line);
		stream_put(&s, STR("\r\n"));
	}
	assert_int_equal(s.trouble, STREAM_GONE);
	stream_close(&s);
}

static yields void
echo_serve(void *arg)
{
	struct net_end *end;
	struct address peer, self = sim_net().self_v4;

	for (int i = 0; i < CLIENTS; i++) {
		end = net_accept(arg, &peer, in_ms(60000));
		assert_non_null(end);
		assert_true(address_eq_ip(&peer, &self));
		assert_int_equal(fiber_go("echo", echo_one, end), 0);
	}
	net_close(arg);
}

static yields void
echo_client(void *arg)
{
	struct address to = at("192.0.2.1", 25);
	struct stream s;
	struct str line, said;
	enum line_ending ending;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	stream_init(&s, net_connect(&to, NULL, in_ms(1000)));
	assert_non_null(s.end);
	s.deadline = in_ms(600000);
	for (int i = 0; i < LINES; i++) {
		said = arena_printf(&a, "a line of %d octets or so", i);
		stream_put(&s, said);
		stream_put(&s, STR("\r\n"));
		assert_int_equal(stream_line(&s, 1000, &line, &ending), 0);
		assert_true(str_eq(said, line));
		ledger->lines++;
	}
	stream_close(&s);
	arena_clear(&a);
}

static yields void
echo_start(void *arg)
{
	struct address here = at("192.0.2.1", 25);

	(void)arg;
	assert_int_equal(fiber_go("server", echo_serve, net_listen(&here)), 0);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(fiber_go("client", echo_client, NULL), 0);
}

static void
test_echo(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_begin(seed);
		ledger = sim_ledger(sizeof *ledger);
		assert_int_equal(test_life(echo_start), SIM_ENDED);
		assert_int_equal(ledger->lines, CLIENTS * LINES);
	}
}

/* ---- much, with a small window, through a slow reader ---- */

enum { MUCH = 300000 };

static yields void
pour(void *arg)
{
	struct stream *s = arg;
	char piece[1000];

	for (int i = 0; i < MUCH / 1000; i++) {
		memset(piece, 'a' + i % 26, sizeof piece);
		stream_put(s, (struct str){ piece, sizeof piece });
	}
	assert_int_equal(stream_flush(s), 0);
	stream_close(s);
}

static yields void
drink(void *arg)
{
	struct stream client, server;
	struct str got;
	size_t n = 0;

	(void)arg;
	make_pair(&client, &server);
	client.deadline = server.deadline = in_ms(600000);
	assert_int_equal(fiber_go("pour", pour, &client), 0);
	while (stream_peek(&server, &got) == 0) {
		for (size_t i = 0; i < got.n; i++, n++)
			assert_int_equal(got.p[i], 'a' + n / 1000 % 26);
		stream_consume(&server, got.n);
		if (sim_chance(10) == 0)
			fiber_sleep(in_ms(100));
	}
	assert_int_equal(server.trouble, STREAM_GONE);
	assert_int_equal(n, MUCH);
	stream_close(&server);
}

static void
test_much(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct sim_net net;

		sim_begin(seed);
		net = sim_net();
		net.window = 1 + 500 * seed;
		net.split_per_million = 500000;
		sim_net_set(net);
		assert_int_equal(test_life(drink), SIM_ENDED);
	}
}

/* ---- connections that do not come about ---- */

static yields void
call_nobody(void *arg)
{
	struct address to = at("192.0.2.9", 25);
	struct mono before = clock_mono();

	(void)arg;
	assert_null(net_connect(&to, NULL, in_ms(300000)));
	assert_non_null(strstr(err_text(), "refused"));
	sim_host_set("192.0.2.9", SIM_HOST_UNREACHABLE);
	assert_null(net_connect(&to, NULL, in_ms(300000)));
	assert_non_null(strstr(err_text(), "No route"));
	assert_true(clock_mono().ns - before.ns < NS_PER_SECOND);
	sim_host_set("192.0.2.9", SIM_HOST_SILENT);
	before = clock_mono();
	assert_null(net_connect(&to, NULL, in_ms(30000)));
	assert_in_range(clock_mono().ns - before.ns, 30 * NS_PER_SECOND,
	    31 * NS_PER_SECOND);
	assert_null(net_connect(&to, NULL, in_ms(300000)));
	assert_non_null(strstr(err_text(), "timed out"));
	assert_in_range(clock_mono().ns - before.ns, 150 * NS_PER_SECOND,
	    160 * NS_PER_SECOND);
	to = at("2001:db8::9", 25);
	assert_null(net_connect(&to, NULL, in_ms(1000)));
}

static void
test_nobody(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(test_life(call_nobody), SIM_ENDED);
}

/* A host that was away takes the call when it is back. */
static yields void
come_back(void *arg)
{
	fiber_sleep(in_ms(10000));
	sim_host_set("192.0.2.1", SIM_HOST_UP);
	(void)arg;
}

static yields void
call_away(void *arg)
{
	struct address here = at("192.0.2.1", 25), peer;
	struct net_end *l = net_listen(&here), *out, *in;
	struct mono before = clock_mono();

	(void)arg;
	sim_host_set("192.0.2.1", SIM_HOST_SILENT);
	assert_int_equal(fiber_go("back", come_back, NULL), 0);
	out = net_connect(&here, NULL, in_ms(60000));
	assert_non_null(out);
	assert_in_range(clock_mono().ns - before.ns, 10 * NS_PER_SECOND,
	    12 * NS_PER_SECOND);
	in = net_accept(l, &peer, in_ms(1000));
	assert_non_null(in);
	net_close(in);
	net_close(out);
	net_close(l);
}

static void
test_away(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(test_life(call_away), SIM_ENDED);
}

/* ---- connections that break ---- */

static yields void
open_pair(struct stream *client, struct stream *server)
{
	struct address here = at("192.0.2.1", 25), peer;
	struct net_end *l = net_listen(&here);

	stream_init(client, net_connect(&here, NULL, in_ms(5000)));
	stream_init(server, net_accept(l, &peer, in_ms(5000)));
	assert_non_null(client->end);
	assert_non_null(server->end);
	net_close(l);
}

/* The other side vanished: nothing arrives, and only a deadline tells. */
static yields void
half_open(void *arg)
{
	struct stream client, server;
	struct str line;
	enum line_ending ending;
	struct mono before;

	(void)arg;
	open_pair(&client, &server);
	sim_host_set("192.0.2.1", SIM_HOST_SILENT);
	client.deadline = server.deadline = in_ms(60000);
	stream_put(&client, STR("hello\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	before = clock_mono();
	server.deadline = in_ms(20000);
	assert_int_equal(stream_line(&server, 100, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LATE);
	assert_in_range(clock_mono().ns - before.ns, 20 * NS_PER_SECOND,
	    21 * NS_PER_SECOND);
	stream_close(&client);
	stream_close(&server);
}

/* ... and what was sent arrives when it is back. */
static yields void
silence_ends(void *arg)
{
	struct stream client, server;
	struct str line;
	enum line_ending ending;

	(void)arg;
	open_pair(&client, &server);
	sim_host_set("192.0.2.1", SIM_HOST_SILENT);
	client.deadline = server.deadline = in_ms(60000);
	stream_put(&client, STR("hello\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(fiber_go("back", come_back, NULL), 0);
	assert_int_equal(stream_line(&server, 100, &line, &ending), 0);
	assert_true(str_eq(line, STR("hello")));
	stream_close(&client);
	stream_close(&server);
}

/* Bytes nobody read at close: a reset; but what came before is read first. */
static yields void
close_unread(void *arg)
{
	struct stream client, server;
	struct str line;
	enum line_ending ending;

	(void)arg;
	open_pair(&client, &server);
	client.deadline = server.deadline = in_ms(60000);
	stream_put(&client, STR("never read\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	stream_put(&server, STR("421 go\r\n"));
	assert_int_equal(stream_flush(&server), 0);
	fiber_sleep(in_ms(1000));
	stream_close(&server);
	assert_int_equal(stream_line(&client, 100, &line, &ending), 0);
	assert_true(str_eq(line, STR("421 go")));
	assert_int_equal(stream_line(&client, 100, &line, &ending), -1);
	assert_int_equal(client.trouble, STREAM_GONE);
	stream_close(&client);
}

/* Writing to one who left ends in a reset too. */
static yields void
write_to_gone(void *arg)
{
	struct stream client, server;
	int tries = 0;

	(void)arg;
	open_pair(&client, &server);
	stream_close(&server);
	while (client.trouble == STREAM_FINE && tries++ < 10) {
		client.deadline = in_ms(60000);
		stream_put(&client, STR("are you there?\r\n"));
		(void)stream_flush(&client);
		fiber_sleep(in_ms(100));
	}
	assert_int_equal(client.trouble, STREAM_GONE);
	assert_in_range(tries, 1, 3);
	stream_close(&client);
}

static void
test_breaks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		sim_begin(seed);
		assert_int_equal(test_life(half_open), SIM_ENDED);
		sim_host_set("192.0.2.1", SIM_HOST_UP);
		assert_int_equal(test_life(silence_ends), SIM_ENDED);
		assert_int_equal(test_life(close_unread), SIM_ENDED);
		assert_int_equal(test_life(write_to_gone), SIM_ENDED);
	}
}

static yields void
talk_until_lost(void *arg)
{
	struct stream client, server;
	struct str line;
	enum line_ending ending;

	(void)arg;
	open_pair(&client, &server);
	for (int i = 0; i < 1000 && client.trouble == STREAM_FINE; i++) {
		client.deadline = server.deadline = in_ms(60000);
		stream_put(&client, STR("hello\r\n"));
		(void)stream_flush(&client);
		if (stream_line(&server, 100, &line, &ending) != 0)
			break;
		ledger->lines++;
	}
	stream_close(&client);
	stream_close(&server);
}

static void
test_lost(void **state)
{
	struct sim_net net;
	unsigned n_lost = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_begin(seed);
		ledger = sim_ledger(sizeof *ledger);
		net = sim_net();
		net.reset_per_million = 10000;
		sim_net_set(net);
		assert_int_equal(test_life(talk_until_lost), SIM_ENDED);
		n_lost += ledger->lines < 1000;
	}
	assert_in_range(n_lost, 15, 20);
}

/* ---- addresses ---- */

static yields void
say_whence(void *arg)
{
	struct address here = at("192.0.2.1", 0), from = at("203.0.113.7", 0);
	struct address peer, local;
	struct net_end *l = net_listen(&here), *out, *in;
	unsigned uid, gid;

	(void)arg;
	assert_true(net_local(l, &here));
	assert_true(here.port != 0);
	out = net_connect(&here, &from, in_ms(1000));
	in = net_accept(l, &peer, in_ms(1000));
	assert_true(address_eq_ip(&peer, &from));
	assert_true(net_local(out, &local));
	assert_true(address_eq_ip(&local, &from) && local.port == peer.port);
	assert_false(net_peer_uid(in, &uid, &gid));
	net_close(in);
	net_close(out);
	net_close(l);
}

static yields void
say_who(void *arg)
{
	struct address here = { .family = ADDRESS_UNIX, .of.path = "/run/x" };
	struct address peer;
	struct net_end *l, *out, *in;
	unsigned uid, gid;

	(void)arg;
	assert_null(net_connect(&here, NULL, in_ms(1000)));
	l = net_listen(&here);
	out = net_connect(&here, NULL, in_ms(1000));
	in = net_accept(l, &peer, in_ms(1000));
	assert_int_equal(peer.family, ADDRESS_UNIX);
	assert_true(net_peer_uid(in, &uid, &gid));
	assert_int_equal(uid, 1001);
	net_close(in);
	net_close(out);
	net_close(l);
}

static void
test_addresses(void **state)
{
	struct sim_net net;

	(void)state;
	sim_begin(1);
	net = sim_net();
	net.uid = 1001;
	sim_net_set(net);
	assert_int_equal(test_life(say_whence), SIM_ENDED);
	assert_int_equal(test_life(say_who), SIM_ENDED);
}

/* ---- one port, several cores ---- */

static yields void
accept_some(void *arg)
{
	struct address here = at("192.0.2.1", 25), peer;
	struct net_end *l = net_listen(&here), *in, *out[30];

	(void)arg;
	if (core_index() == 0)
		for (size_t i = 0; i < 30; i++) {
			out[i] = net_connect(&here, NULL, in_ms(5000));
			assert_non_null(out[i]);
		}
	while ((in = net_accept(l, &peer, in_ms(1000))) != NULL) {
		ledger->accepted[core_index()]++;
		net_close(in);
	}
	if (core_index() == 0)
		for (size_t i = 0; i < 30; i++)
			net_close(out[i]);
	net_close(l);
}

static void
run_three(void *arg)
{
	(void)arg;
	assert_int_equal(core_run_all(3, accept_some, NULL), 0);
}

static void
test_cores(void **state)
{
	unsigned n = 0;

	(void)state;
	sim_begin(1);
	ledger = sim_ledger(sizeof *ledger);
	assert_int_equal(sim_life(run_three, NULL), SIM_ENDED);
	for (int i = 0; i < 3; i++) {
		assert_true(ledger->accepted[i] > 2);
		n += ledger->accepted[i];
	}
	assert_int_equal(n, 30);
}

/* ---- faults by name ---- */

static yields void
meet_faults(void *arg)
{
	struct stream client, server;
	struct address here = at("192.0.2.1", 25), peer;
	struct net_end *l;

	(void)arg;
	assert_null(net_listen(&here));
	l = net_listen(&here);
	assert_null(net_connect(&here, NULL, in_ms(1000)));
	stream_init(&client, net_connect(&here, NULL, in_ms(1000)));
	stream_init(&server, net_accept(l, &peer, in_ms(1000)));
	client.deadline = in_ms(1000);
	stream_put(&client, STR("hello\r\n"));
	assert_int_equal(stream_flush(&client), -1);
	assert_int_equal(client.trouble, STREAM_GONE);
	stream_close(&client);
	stream_close(&server);
	net_close(l);
}

static void
test_faults(void **state)
{
	(void)state;
	sim_begin(1);
	sim_fault_nth(SIM_listen, 1, 1, EADDRINUSE);
	sim_fault_nth(SIM_connect, 1, 1, EMFILE);
	sim_fault_nth(SIM_send, 1, 1, EPIPE);
	assert_int_equal(test_life(meet_faults), SIM_ENDED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_breaks),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_cores),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
