/* talk_test.c -- HTTP conversations in memory, whole and in single octets. */
#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "http/talk.h"

#include <string.h>

#define GET "GET /a?x=%41 HTTP/1.1\r\nHost: h\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: h\r\n"

static struct stream client;
static struct talk talk;
static bool has_ended;
static unsigned heard;

/* Answers each request with its method and body; /skip: without reading it;
 * /list: in chunks. */
static yields void
serve(void *arg)
{
	char room[1024];

	(void)arg;
	while (talk_hear(&talk) == 0) {
		struct buf b = BUF_OF(room);
		struct str piece;
		int rc = 0;

		heard++;
		buf_put(&b, talk.head->method);
		buf_putc(&b, ':');
		if (!str_eq(talk.head->path, STR("/skip")))
			while ((rc = talk_body(&talk, &piece)) == 1)
				buf_put(&b, piece);
		if (rc != 0) {
			talk_error(&talk, 400, "body", "odd");
			continue;
		}
		if (!str_eq(talk.head->path, STR("/list"))) {
			talk_say(&talk, 200, "text/plain", buf_str(&b));
			continue;
		}
		talk_begin(&talk, 200, "text/plain");
		talk_piece(&talk, STR("one "));
		talk_piece(&talk, STR(""));
		talk_piece(&talk, STR("two"));
		talk_end(&talk);
	}
	talk_close(&talk);
	has_ended = true;
}

static yields void
begin(void)
{
	struct stream server;

	make_pair(&client, &server);
	talk_init(&talk, server.end);
	has_ended = false;
	heard = 0;
	client.deadline = in_ms(3600 * 1000);
	assert_int_equal(fiber_go("talk", serve, NULL), 0);
}

static yields void
end(void)
{
	stream_close(&client);
	while (!has_ended)
		fiber_sleep(in_ms(1000));
}

static yields void
say(struct str s)
{
	stream_put(&client, s);
	assert_int_equal(stream_flush(&client), 0);
}

/* The clock's word: as many octets as a date has, whatever they are. */
#define TEN "\1\1\1\1\1\1\1\1\1\1"
#define DATE "Date: " TEN TEN "\1\1\1\1\1\1GMT\r\n"

static bool
octets_match(const char *got, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] != '\1' && text[i] != got[i])
			return false;
	return true;
}

/* All that comes is these octets, in the end. */
static yields void
expect(const char *text)
{
	size_t n = strlen(text), have = 0;
	struct str bytes = STR_NONE;

	while (have < n && stream_peek_more(&client, have, &bytes) == 0)
		have = bytes.n;
	if (have != n || !octets_match(bytes.p, text, n))
		fail_msg("heard: " STR_FMT, STR_ARG(bytes));
	stream_consume(&client, n);
}

#define OK(n, body) "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n" \
	"Content-Length: " #n "\r\n\r\n" body

static yields void
expect_end(void)
{
	struct str bytes;

	assert_int_equal(stream_peek(&client, &bytes), -1);
	assert_int_equal(client.trouble, STREAM_GONE);
}

/* ---- */

static void
body_pipelined(void *arg)
{
	(void)arg;
	begin();
	say(STR(GET "\r\n" POST "Content-Length: 3\r\n\r\nabc\r\n" GET "\r\n"
	    POST "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n"
	    "0\r\n\r\n" "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" GET "\r\n"));
	expect(OK(4, "GET:") OK(8, "POST:abc") OK(4, "GET:") OK(8, "POST:def")
	    OK(5, "") OK(4, "GET:"));
	assert_int_equal(heard, 6);
	end();
}

static void
body_octets(void *arg)
{
	struct str all = STR(POST "Transfer-Encoding: chunked\r\n\r\n"
	    "3;x\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n" GET "\r\n"
	    POST "Content-Length: 2\r\n\r\nhi");

	(void)arg;
	begin();
	for (size_t i = 0; i < all.n; i++) {
		say(str_sub(all, i, 1));
		fiber_sleep(in_ms(1));
	}
	expect(OK(10, "POST:abcde") OK(4, "GET:") OK(7, "POST:hi"));
	end();
}

/* What a handler did not read is not the next request. */
static void
body_dropped(void *arg)
{
	(void)arg;
	begin();
	say(STR("POST /skip HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
	    "GET /" GET "\r\n" "POST /skip HTTP/1.1\r\nHost: h\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET "\r\n"));
	expect(OK(5, "POST:") OK(4, "GET:") OK(5, "POST:") OK(4, "GET:"));
	end();
}

/* A long one is not waited for: answered, then the connection ends. */
static void
body_dropped_long(void *arg)
{
	static char room[1 << 20];
	struct str bytes;

	(void)arg;
	begin();
	memset(room, 'x', sizeof room);
	stream_put(&client, STR("POST /skip HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 99999999\r\n\r\n"));
	for (int i = 0; i < 4 && client.trouble == STREAM_FINE; i++)
		stream_put(&client, (struct str){ room, sizeof room });
	(void)stream_flush(&client);
	client.trouble = STREAM_FINE;
	assert_int_equal(stream_peek(&client, &bytes), 0);
	assert_true(str_has_prefix_icase(bytes, STR("HTTP/1.1 200 OK")));
	assert_int_equal(heard, 1);
	end();
}

static void
body_chunked_out(void *arg)
{
	(void)arg;
	begin();
	say(STR("GET /list HTTP/1.1\r\nHost: h\r\n\r\n"
	    "GET /list HTTP/1.0\r\n\r\n"));
	expect("HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n4\r\none \r\n3\r\ntwo\r\n"
	    "0\r\n\r\n" "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
	    "Connection: close\r\n\r\none two");
	expect_end();
	end();
}

static void
body_continue(void *arg)
{
	(void)arg;
	begin();
	say(STR(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
	expect("HTTP/1.1 100 Continue\r\n\r\n");
	say(STR("ok"));
	expect(OK(7, "POST:ok"));
	say(STR(GET "Expect: 100-continue\r\n\r\n"));	/* nothing to wait for */
	expect(OK(4, "GET:"));
	end();
}

#define MALFORMED(status) "HTTP/1.1 " status "\r\n" DATE \
	"Content-Type: application/json\r\nConnection: close\r\n" \
	"Content-Length: 78\r\n\r\n{\"error\":\"the request is not HTTP/1.1 as " \
	"RFC 9112 has it\",\"code\":\"malformed\"}\n"

static void
body_malformed(void *arg)
{
	(void)arg;
	begin();
	say(STR(GET "\r\n" POST "Content-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET "\r\n"));
	expect(OK(4, "GET:") MALFORMED("400 Bad Request"));
	expect_end();
	assert_int_equal(heard, 1);
	end();

	begin();				/* a bad chunk in the body */
	say(STR(POST "Transfer-Encoding: chunked\r\n\r\nzz\r\n" GET "\r\n"));
	expect("HTTP/1.1 400 Bad Request\r\n" DATE
	    "Content-Type: application/json\r\nContent-Length: 30\r\n\r\n"
	    "{\"error\":\"odd\",\"code\":\"body\"}\n");
	expect_end();
	assert_int_equal(heard, 1);
	end();
}

/* SECURITY.md row 34, slow HTTP: a head has 30 seconds, however it drips. */
static void
body_slow(void *arg)
{
	struct mono began;

	(void)arg;
	begin();
	began = clock_mono();
	for (int i = 0; i < 100 && !has_ended; i++) {
		stream_put(&client, STR("G"));
		(void)stream_flush(&client);
		fiber_sleep(in_ms(1000));
	}
	assert_true(has_ended);
	assert_true(clock_mono().ns - began.ns <=
	    (TALK_HEAD_S + 2) * NS_PER_SECOND);
	assert_int_equal(heard, 0);
	stream_close(&client);

	begin();		/* and an unread body that drips has 60, whole */
	began = clock_mono();
	say(STR("POST /skip HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n"));
	for (int i = 0; i < 200 && !has_ended; i++) {
		client.trouble = STREAM_FINE;
		stream_put(&client, STR("x"));
		(void)stream_flush(&client);
		fiber_sleep(in_ms(2000));
	}
	assert_true(has_ended);
	assert_true(clock_mono().ns - began.ns <=
	    (TALK_BODY_S + 5) * NS_PER_SECOND);
	stream_close(&client);
}

static void
body_long_head(void *arg)
{
	static char room[HTTP_HEAD_MOST];
	struct str bytes = STR_NONE;

	(void)arg;
	begin();
	memset(room, 'x', sizeof room);
	stream_put(&client, STR("GET / HTTP/1.1\r\nX: "));
	say((struct str){ room, sizeof room });
	while (bytes.n < 13)
		assert_int_equal(stream_peek_more(&client, bytes.n, &bytes), 0);
	assert_true(str_has_prefix_icase(bytes, STR("HTTP/1.1 431 ")));
	end();
}

/* A client that says nothing, or a little again and again, keeps nobody from
 * stopping. */
static yields void
body_hurried(void *arg)
{
	struct mono at;

	(void)arg;
	begin();
	fiber_sleep(in_ms(1000));
	at = in_ms(500);
	talk_hurry(&talk, at);
	fiber_sleep(in_ms(600));
	assert_true(has_ended);
	end();
	begin();
	say(STR(POST "Content-Length: 1000\r\n\r\n"));
	fiber_sleep(in_ms(1000));
	at = in_ms(500);
	talk_hurry(&talk, at);
	while (!has_ended && mono_is_before(clock_mono(), mono_add(at,
	    100 * NS_PER_MS))) {
		stream_put(&client, STR("x"));
		(void)stream_flush(&client);
		fiber_sleep(in_ms(20));
	}
	assert_true(has_ended);
	end();
}

/* Any delay, any split: the conversation is the same. */
static void
in_worlds(yields void (*body)(void *))
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct sim_net net;

		sim_begin(seed);
		net = sim_net();
		net.split_per_million = seed % 2 == 0 ? 500000 : 0;
		sim_net_set(net);
		on_core(body);
	}
}

#define TEST(name) \
	static void test_##name(void **state) { (void)state; in_worlds(body_##name); }
TEST(pipelined) TEST(octets) TEST(dropped) TEST(dropped_long) TEST(chunked_out)
TEST(continue) TEST(malformed) TEST(slow) TEST(long_head) TEST(hurried)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_dropped_long),
		cmocka_unit_test(test_chunked_out),
		cmocka_unit_test(test_continue),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_long_head),
		cmocka_unit_test(test_hurried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
