/* route_queue_test.c -- what an operator does to messages with many destinations,
 * on one core, in memory. */
#include "fiber/test_core.h"

#include "http/route_queue.c"

#include <string.h>

enum { MANY = 150, VERY_MANY = 1500, MOST = 30000 };

static struct control control;
static struct queue *queue;
static struct intake_core intake;
static struct event_sink sink;
static struct spool *spools[CONTROL_SPOOLS];
static unsigned cancelled, held_told;
static struct stream client;
static struct talk talk;
static char heard[1024];

static void
event_take(struct event_sink *s, const struct event *e)
{
	(void)s;
	held_told += e->type == EVENT_held;
}

static void
cancel_note(void *arg, unsigned core, const struct handoff *h)
{
	(void)arg;
	(void)core;
	(void)h;
	cancelled++;
}

static void
wake_nobody(void *arg, unsigned core)
{
	(void)arg;
	(void)core;
}

static void
admit(uint64_t id, unsigned nth)
{
	char domain[32];
	struct queue_entry e = { .id = id, .tenant = STR("t"),
		.stream = STR("s"), .priority = PRIORITY_NORMAL, .n_rcpts = 1,
		.size = 10, .due = mono_add(clock_mono(), NS_PER_SECOND),
		.arrived = clock_mono(), .expires = in_ms(86400000) };

	snprintf(domain, sizeof domain, "d%u.example", nth);
	e.domain = str_of(domain);
	assert_int_equal(queue_admit(queue, clock_mono(), &e), 0);
}

static yields void
begin(void)
{
	static struct shard_map map;
	static struct queue_config config;
	struct stream server;

	config = queue_config_default();
	shard_map_spread(&map, 1);
	config.map = &map;
	assert_non_null(queue = queue_open(0, &config));
	sink.take = event_take;
	intake = (struct intake_core){ .sink = &sink };
	memset(spools, 0, sizeof spools);
	cancelled = held_told = 0;
	control = (struct control){ .setup = { .n_cores = 1,
		.cancel = cancel_note } };
	control.setup.cores[0] = (struct control_core){ .queue = queue,
		.intake = &intake, .spools = spools, .wake = wake_nobody };
	make_pair(&client, &server);
	talk_init(&talk, server.end);
}

static yields void
end(void)
{
	stream_close(&client);
	talk_close(&talk);
	queue_close(queue);
}

/* The status, and all of the answer in `heard'. */
static yields unsigned
ask(const char *target, yields void (*route)(struct request *))
{
	struct request q = { .control = &control, .talk = &talk };
	struct buf b = BUF_OF(heard);
	struct str bytes = STR_NONE, line;
	uint64_t status = 0;

	stream_printf(&client, "POST %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(talk_hear(&talk), 0);
	route(&q);
	assert_int_equal(stream_flush(&talk.net), 0);
	while (bytes.n < 2 || bytes.p[bytes.n - 2] != '}')
		assert_int_equal(stream_peek_more(&client, bytes.n, &bytes), 0);
	buf_put(&b, bytes);
	stream_consume(&client, bytes.n);
	buf_putc(&b, '\0');
	assert_false(b.full);
	line = str_of(heard);
	assert_true(str_skip(&line, STR("HTTP/1.1 ")));
	assert_true(parse_u64(str_cut(&line, ' '), 999, &status));
	return (unsigned)status;
}

static unsigned
held_of(uint64_t id)
{
	static const struct view_filter all;
	static struct view_item v[MANY];
	size_t n = view_message(queue, &all, id, v, MANY);
	unsigned held = 0;

	for (size_t i = 0; i < n; i++)
		held += v[i].is_held;
	return held;
}

static void
assert_says(const char *words)
{
	if (strstr(heard, words) == NULL)
		fail_msg("no '%s' in: %s", words, heard);
}

/* ---- */

static yields void
all_destinations_are_held(void *arg)
{
	(void)arg;
	begin();
	for (unsigned i = 0; i < MANY; i++) {
		admit(7, i);
		admit(8, i);
	}
	admit(9, 0);
	assert_int_equal(ask("/v1/queue/hold?id=0000000000007",
	    route_queue_hold), 200);
	assert_says("{\"matched\":150,\"changed\":1}");
	assert_int_equal(held_of(7), MANY);
	assert_int_equal(held_of(8), 0);
	/* of all, each message once, wherever its destinations stand */
	assert_int_equal(ask("/v1/queue/hold?domain=d0.example",
	    route_queue_hold), 200);
	assert_says("{\"matched\":3,\"changed\":3}");
	assert_int_equal(ask("/v1/queue/hold?all=yes", route_queue_hold), 200);
	assert_says("{\"matched\":301,\"changed\":3}");
	assert_int_equal(held_of(8) + held_of(9), MANY + 1);
	end();
}

/* Whose turn it is is asked once for a message, not for each destination. */
static yields void
a_message_of_most_destinations_is_one(void *arg)
{
	(void)arg;
	begin();
	for (unsigned i = 0; i < MOST; i++)
		admit(7, i);
	assert_int_equal(ask("/v1/queue/hold?all=yes",
	    route_queue_hold), 200);
	assert_says("{\"matched\":30000,\"changed\":1}");
	end();
}

static yields void
all_destinations_are_deleted(void *arg)
{
	(void)arg;
	begin();
	for (unsigned i = 0; i < MANY; i++) {
		admit(7, i);
		admit(8, i);
	}
	assert_int_equal(ask("/v1/queue/delete?id=0000000000007&dry_run=yes",
	    route_queue_delete), 200);
	assert_int_equal(cancelled, 0);
	assert_int_equal(ask("/v1/queue/delete?id=0000000000007",
	    route_queue_delete), 200);
	assert_says("\"changed\":1}");
	assert_int_equal(cancelled, MANY);
	end();
}

/* A filter that cannot be read is no filter, not all messages. */
static yields void
a_broken_filter_changes_nothing(void *arg)
{
	(void)arg;
	begin();
	admit(7, 0);
	assert_int_equal(ask("/v1/queue/hold", route_queue_hold), 422);
	assert_int_equal(ask("/v1/queue/hold?status=odd", route_queue_hold),
	    422);
	assert_int_equal(held_of(7), 0);
	stream_put(&client, STR("POST /v1/queue/hold?status=any&domain=%zz "
	    "HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(talk_hear(&talk), -1);
	end();
}

/* What the disk did not take is not told as done: here a message that the spool
 * does not know. */
static yields void
what_is_not_kept_is_told(void *arg)
{
	struct spool_config s = { .path = "/spool", .segment_bytes = 1 << 18,
		.reserve_bytes = 4096 };

	(void)arg;
	begin();
	assert_int_equal(spool_open(&s, &spools[0]), SPOOL_FINE);
	assert_int_equal(spool_recover(spools[0], NULL, NULL), SPOOL_FINE);
	admit(7, 0);
	assert_int_equal(ask("/v1/queue/hold?all=yes", route_queue_hold), 503);
	assert_says("1 of them could not be kept so");
	assert_int_equal(held_of(7), 1);
	assert_int_equal(spool_close(spools[0]), SPOOL_FINE);
	end();
}

/* A message with more recipients and destinations than a line has. */
static yields void
a_large_message_is_shown(void *arg)
{
	static struct recipient rcpts[VERY_MANY];
	static bool ended[VERY_MANY];
	struct envelope e = { .rcpts = rcpts, .n_rcpts = VERY_MANY };
	struct show_work w = { .work.core = &control.setup.cores[0], .id = 7 };
	struct arena a;
	struct json j;

	(void)arg;
	begin();
	for (unsigned i = 0; i < VERY_MANY; i++) {
		rcpts[i].address = STR("somebody.with.a.long.name.and.more."
		    "of.it.so.that.it.is.long@department.example.com");
		rcpts[i].orig = rcpts[i].address;
		admit(7, i);
	}
	arena_init(&a, ENVELOPE_MEMORY);
	w.arena = &a;
	w.out = (struct buf){ .p = arena_alloc(&a, LINE_MOST),
		.cap = LINE_MOST };
	json_begin(&j, &w.out);
	json_put_object(&j, NULL);
	recipients_json(&j, &e, ended);
	items_json(&j, &w);
	json_end_object(&j);
	buf_putc(&w.out, '\0');
	assert_false(w.out.full);
	assert_non_null(strstr(w.out.p, "\"recipients_left_out\":"));
	assert_non_null(strstr(w.out.p, "\"destinations_left_out\":"));
	arena_clear(&a);
	end();
}

#define TEST(name) \
	static void test_##name(void **state) { (void)state; on_core(name); }
TEST(all_destinations_are_held) TEST(all_destinations_are_deleted)
TEST(a_broken_filter_changes_nothing) TEST(what_is_not_kept_is_told)
TEST(a_large_message_is_shown) TEST(a_message_of_most_destinations_is_one)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_destinations_are_held),
		cmocka_unit_test(test_all_destinations_are_deleted),
		cmocka_unit_test(test_a_broken_filter_changes_nothing),
		cmocka_unit_test(test_what_is_not_kept_is_told),
		cmocka_unit_test(test_a_large_message_is_shown),
		cmocka_unit_test(test_a_message_of_most_destinations_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
