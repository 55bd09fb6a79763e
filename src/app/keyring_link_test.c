/* A core's fibers at their end of a line, and a keyring that does as it likes. */
#include "app/keyring_link.h"

#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/world_sim.h"

enum { WINDOW = 4096, ASKERS = 8, BODY = 6000 };

static struct keyring_link *line;
static struct stream keyring;		/* its end */
static unsigned n_gone, n_hangs, n_done, n_failed;

static void
lost(void *arg, bool hangs)
{
	assert_ptr_equal(arg, &keyring);
	*(hangs ? &n_hangs : &n_gone) += 1;
}

static yields void
line_open(void)
{
	struct address at, peer;
	struct net_end *listener, *core;

	n_gone = n_hangs = n_done = n_failed = 0;
	assert_true(address_parse(STR("127.0.0.1"), 0, &at));
	assert_non_null(listener = net_listen(&at));
	assert_true(net_local(listener, &at));
	assert_non_null(core = net_connect(&at, NULL, in_ms(5000)));
	stream_init(&keyring, net_accept(listener, &peer, in_ms(5000)));
	net_close(listener);
	assert_non_null(line = keyring_link_open(core, lost, &keyring));
}

static void
on_line(yields void (*fn)(void *))
{
	struct sim_net net;

	sim_begin(1);
	net = sim_net();
	net.window = WINDOW;
	sim_net_set(net);
	on_core(fn);
}

static yields void
ask(void *arg)
{
	static const char octets[BODY];
	const struct str field = { octets, sizeof octets };
	char room[64];
	struct buf out = BUF_OF(room);

	(void)arg;
	if (keyring_link_ask(line, KEYRING_SIGN, 7, &field, 1, &out) == 0) {
		assert_true(str_eq(buf_str(&out), STR("signed")));
		n_done++;
	} else {
		n_failed++;
		err_clear();
	}
}

static yields void
ask_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fiber_go("ask", ask, NULL), 0);
}

/* Read a request to its last octet, and say that it is done. */
static yields int
answer(void)
{
	struct keyring_frame q;
	struct str bytes;

	if (stream_peek_more(&keyring, sizeof q - 1, &bytes) != 0)
		return -1;
	memcpy(&q, bytes.p, sizeof q);
	assert_int_equal(q.magic, KEYRING_MAGIC);
	assert_int_equal(q.what, KEYRING_SIGN);
	assert_int_equal(q.length, sizeof(uint32_t) + BODY);
	assert_int_equal(stream_peek_more(&keyring, sizeof q + q.length - 1,
	    &bytes), 0);
	stream_consume(&keyring, sizeof q + q.length);
	q.what = 0;
	q.length = 6;
	stream_put(&keyring, (struct str){ (const char *)&q, sizeof q });
	stream_put(&keyring, STR("signed"));
	assert_int_equal(stream_flush(&keyring), 0);
	return 0;
}

static yields void
sleep_s(int64_t s)
{
	fiber_sleep(in_ms(s * 1000));
}

static yields void
line_close(void)
{
	keyring_link_drop(line);
	sleep_s(1);
	stream_close(&keyring);
}

/* ---- one that reads nothing for a while ---- */

static yields void
body_half_said(void *arg)
{
	(void)arg;
	line_open();
	ask_many(ASKERS);
	sleep_s(KEYRING_PATIENCE + 1);
	assert_int_equal(n_failed, ASKERS);
	assert_int_equal(n_gone + n_hangs, 0);
	keyring.deadline = in_ms(5000);
	for (unsigned i = 0; i < ASKERS; i++)	/* each is heard whole */
		assert_int_equal(answer(), 0);
	ask_many(2);
	assert_int_equal(answer(), 0);
	assert_int_equal(answer(), 0);
	sleep_s(1);
	assert_int_equal(n_done, 2);
	line_close();
	assert_int_equal(n_gone + n_hangs, 0);
}

static void
what_was_half_said_is_said_later(void **state)
{
	(void)state;
	on_line(body_half_said);
}

/* ---- more than may wait ---- */

static yields void
body_crowd(void *arg)
{
	enum { MANY = 200 };		/* 1.2 MB */

	(void)arg;
	line_open();
	keyring.deadline = in_ms(60000);
	ask_many(MANY);
	sleep_s(1);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(answer(), 0);
	sleep_s(1);
	assert_int_equal(n_done, MANY);
	line_close();
}

static void
a_crowd_waits_for_room_in_turn(void **state)
{
	(void)state;
	on_line(body_crowd);
}

/* ---- one that reads nothing any more ---- */

static yields void
body_hangs(void *arg)
{
	(void)arg;
	line_open();
	for (int s = 0; s + KEYRING_PATIENCE <= KEYRING_HANGS;
	    s += KEYRING_PATIENCE) {
		assert_int_equal(n_hangs, 0);
		ask_many(1);
		sleep_s(KEYRING_PATIENCE);
	}
	ask_many(3);
	sleep_s(KEYRING_PATIENCE + 1);
	assert_int_equal(n_hangs, 1);
	ask_many(3);
	sleep_s(KEYRING_PATIENCE + 1);
	assert_int_equal(n_hangs, 1);	/* said once */
	assert_int_equal(n_gone, 0);
	line_close();
}

static void
one_that_hangs_is_told(void **state)
{
	(void)state;
	on_line(body_hangs);
}

/* A slow one answers something, each time before a minute is over. */
static yields void
body_slow(void *arg)
{
	(void)arg;
	line_open();
	keyring.deadline = in_ms(3600 * 1000);
	for (unsigned i = 0; i < 10; i++) {
		ask_many(4);
		sleep_s(KEYRING_HANGS - 5);
		assert_int_equal(answer(), 0);
	}
	assert_int_equal(n_hangs, 0);
	assert_int_equal(n_failed, 40);
	line_close();
}

static void
a_slow_one_is_left_alone(void **state)
{
	(void)state;
	on_line(body_slow);
}

/* ---- its end ---- */

static yields void
body_end(void *arg)
{
	struct mono began;

	(void)arg;
	line_open();
	ask_many(ASKERS);
	fiber_yield();
	began = clock_mono();
	stream_close(&keyring);
	while (n_failed < ASKERS)
		fiber_yield();
	assert_int_equal(n_gone, 1);
	assert_true(clock_mono().ns - began.ns < NS_PER_SECOND);
	ask(NULL);			/* at once */
	assert_int_equal(n_failed, ASKERS + 1);
	keyring_link_drop(line);
	assert_int_equal(n_gone, 1);
}

static void
its_end_is_told_to_who_has_it(void **state)
{
	(void)state;
	on_line(body_end);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_half_said_is_said_later),
		cmocka_unit_test(a_crowd_waits_for_room_in_turn),
		cmocka_unit_test(one_that_hangs_is_told),
		cmocka_unit_test(a_slow_one_is_left_alone),
		cmocka_unit_test(its_end_is_told_to_who_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
