/*
 * test_core.h -- run a test's body as the first fiber of one core.
 *
 * The promise: on_core(fn) runs fn(NULL) on core 0 of 1, in whichever world
 * the test is linked with, and returns when all fibers have ended.
 * Not for: the server.
 * Waiting: the body may yield.
 * Memory: none.
 * Errors: a cores' failure fails the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_FIBER_TEST_CORE_H
#define NM_FIBER_TEST_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/stream.h"

static inline void
on_core(yields void (*fn)(void *))
{
	/* A failed assertion cannot jump off a fiber's stack: let it say where
	 * it stood and abort. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	assert_int_equal(core_run_all(1, fn, NULL), 0);
}

/* An instant `ms' milliseconds from now. */
static inline struct mono
in_ms(int64_t ms)
{
	return mono_add(clock_mono(), ms * NS_PER_MS);
}

/* Two ends of one connection over the world's loopback. */
static inline yields void
make_pair(struct stream *client, struct stream *server)
{
	struct address at, peer;
	struct net_end *l, *e;

	assert_true(address_parse(STR("127.0.0.1"), 0, &at));
	assert_non_null(l = net_listen(&at));
	assert_true(net_local(l, &at));
	assert_non_null(e = net_connect(&at, NULL, in_ms(5000)));
	stream_init(client, e);
	assert_non_null(e = net_accept(l, &peer, in_ms(5000)));
	stream_init(server, e);
	assert_true(address_is_loopback(&peer));
	net_close(l);
	client->deadline = server->deadline = in_ms(5000);
}

#endif
