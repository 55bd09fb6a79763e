/*
 * test_node.h -- a whole server in memory, without master: what it is given.
 *
 * The promise: TEST_NODE stands in a struct node_setup for doors that each core
 * binds itself, events that go to test_event, and an end that asks nothing.
 * Not for: the server.
 * Waiting: none.
 * Memory: static.
 * Errors: none.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_APP_TEST_NODE_H
#define NM_APP_TEST_NODE_H

#include "app/node.h"

static void (*test_event)(const struct event *);	/* NULL: nobody listens */

static inline int
test_no_door(void *arg, const struct address *at, unsigned core)
{
	(void)arg, (void)at, (void)core;
	return -1;
}

static inline void
test_event_take(struct event_sink *sink, const struct event *e)
{
	(void)sink;
	if (test_event != NULL)
		test_event(e);
}

static inline struct event_sink *
test_sink(void *arg, unsigned core)
{
	static struct event_sink sink = { .take = test_event_take };

	(void)arg, (void)core;
	return &sink;
}

static inline yields void
test_ended(void *arg, unsigned core)
{
	(void)arg, (void)core;
}

#define TEST_NODE .door_fd = test_no_door, .sink = test_sink, \
	.ended = test_ended, .porter_fd = -1

#endif
