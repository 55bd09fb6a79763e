#include "base/err.h"
#include "fiber/test_core.h"

/* ---- what both worlds do ---- */

static struct net_end *
listen_here(struct address *at)
{
	struct net_end *l;

	assert_true(address_parse(STR("127.0.0.1"), 0, at));
	l = net_listen(at);
	assert_non_null(l);
	assert_true(net_local(l, at));
	assert_int_not_equal(at->port, 0);
	return l;
}

static void
body_refused(void *arg)
{
	struct address at;
	struct net_end *l = listen_here(&at);

	(void)arg;
	net_close(l);
	assert_null(net_connect(&at, NULL, in_ms(1000)));
	assert_non_null(strstr(err_text(), "127.0.0.1"));
	assert_non_null(strstr(err_text(), "refused"));
}

static void
test_refused(void **state)
{
	(void)state;
	on_core(body_refused);
}

static void
body_accept_late(void *arg)
{
	struct address at, peer;
	struct net_end *l = listen_here(&at);
	struct mono until = in_ms(5);

	(void)arg;
	assert_null(net_accept(l, &peer, until));
	assert_false(mono_is_before(clock_mono(), until));
	net_close(l);
}

static void
test_accept_late(void **state)
{
	(void)state;
	on_core(body_accept_late);
}

static void
stop_listening(void *arg)
{
	net_stop_listening(arg);
}

static void
body_stop(void *arg)
{
	struct address at, peer;
	struct net_end *l = listen_here(&at);

	(void)arg;
	assert_int_equal(fiber_go("stopper", stop_listening, l), 0);
	assert_null(net_accept(l, &peer, MONO_NEVER));
	assert_null(net_accept(l, &peer, MONO_NEVER));	/* for good */
	assert_non_null(strstr(err_text(), "no longer listening"));
	net_close(l);
}

static void
test_stop(void **state)
{
	(void)state;
	on_core(body_stop);
}

static void
body_source(void *arg)
{
	struct address at, from, peer, none = { .family = ADDRESS_NONE };
	struct net_end *l = listen_here(&at), *a, *b;

	(void)arg;
	assert_true(address_parse(STR("127.0.0.9"), 0, &from));
	assert_non_null(a = net_connect(&at, &from, in_ms(1000)));
	assert_non_null(b = net_accept(l, &peer, in_ms(1000)));
	assert_true(address_eq_ip(&peer, &from));
	assert_int_not_equal(peer.port, 0);
	assert_true(net_local(b, &from));
	assert_int_equal(from.port, at.port);
	net_close(a);
	net_close(b);
	assert_non_null(a = net_connect(&at, &none, in_ms(1000)));
	net_close(a);
	net_close(l);
}

static void
test_source(void **state)
{
	(void)state;
	on_core(body_source);
}

/* Both directions at once through one end: a reader and a writer may wait. */
enum { MUCH = 300000 };

static struct stream left, right;

static yields void
take_all(struct stream *s)
{
	struct str bytes;
	size_t n;

	for (n = 0; n < MUCH; n += bytes.n) {
		assert_int_equal(stream_peek(s, &bytes), 0);
		stream_consume(s, bytes.n);
	}
	assert_int_equal(n, MUCH);
}

static void
put_all(void *arg)
{
	static char much[MUCH];
	struct stream *s = arg;

	stream_put(s, (struct str){ much, sizeof much });
	assert_int_equal(stream_flush(s), 0);
}

static void
body_both_ways(void *arg)
{
	(void)arg;
	make_pair(&left, &right);
	assert_int_equal(fiber_go("puts", put_all, &left), 0);
	assert_int_equal(fiber_go("puts", put_all, &right), 0);
	take_all(&left);
	take_all(&right);
	fiber_sleep(in_ms(1));
	stream_close(&left);
	stream_close(&right);
}

static void
test_both_ways(void **state)
{
	(void)state;
	on_core(body_both_ways);
}

/* Crowds at the door do not keep those inside from being served. */
enum { CROWD = 100 };

static bool is_over;
static unsigned ticks;

static void
tick(void *arg)
{
	(void)arg;
	while (!is_over) {
		ticks++;
		fiber_yield();
	}
}

static void
body_crowd(void *arg)
{
	static struct net_end *ends[CROWD];
	struct address at, peer;
	struct net_end *l = listen_here(&at);

	(void)arg;
	for (unsigned i = 0; i < CROWD; i++)
		assert_non_null(ends[i] = net_connect(&at, NULL, in_ms(5000)));
	fiber_sleep(in_ms(10));
	is_over = false;
	ticks = 0;
	assert_int_equal(fiber_go("ticks", tick, NULL), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		struct net_end *e = net_accept(l, &peer, in_ms(5000));

		assert_non_null(e);
		net_close(e);
	}
	is_over = true;
	assert_true(ticks >= 2);
	for (unsigned i = 0; i < CROWD; i++)
		net_close(ends[i]);
	net_close(l);
}

static void
test_crowd(void **state)
{
	(void)state;
	on_core(body_crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accept_late),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
