#include "fiber/test_core.h"

#include "fiber/world.h"

static struct stream client, server;

static void
close_both(void)
{
	stream_close(&client);
	stream_close(&server);
}

static yields void
say(const char *text)
{
	stream_put(&client, str_of(text));
	assert_int_equal(stream_flush(&client), 0);
}

static yields void
expect_line(const char *text, enum line_ending how)
{
	struct str line;
	enum line_ending ending;

	assert_int_equal(stream_line(&server, 512, &line, &ending), 0);
	assert_int_equal(line.n, strlen(text));
	assert_memory_equal(line.p, text, line.n);
	assert_int_equal(ending, how);
}

static void
say_slowly(void *arg)
{
	for (const char *p = arg; *p != '\0'; p++) {
		char one[2] = { *p, '\0' };

		say(one);
		fiber_sleep(in_ms(1));
	}
}

static void
body_lines(void *arg)
{
	(void)arg;
	make_pair(&client, &server);
	say("EHLO a\r\nRSET\n\r\n\nbare\rcr\r\nha");
	expect_line("EHLO a", LINE_CRLF);
	expect_line("RSET", LINE_LF);
	expect_line("", LINE_CRLF);
	expect_line("", LINE_LF);
	expect_line("bare\rcr", LINE_CRLF);
	assert_int_equal(fiber_go("slow", say_slowly,
	    (void *)(uintptr_t)"lf\r\nsplit\r\n"), 0);
	expect_line("half", LINE_CRLF);
	expect_line("split", LINE_CRLF);
	assert_int_equal(stream_buffered(&server), 0);
	close_both();
}

static void
test_lines(void **state)
{
	(void)state;
	on_core(body_lines);
}

/* Last words go with the end, but not where the end would be a reset. */
static void
body_last(void *arg)
{
	enum line_ending ending;
	struct str bytes;

	(void)arg;
	make_pair(&client, &server);
	stream_put(&server, STR("221 bye\r\n"));
	server.end->can_read = false;
	assert_int_equal(stream_flush_last(&server), 0);
	assert_true(server.end->has_more);
	say("late\r\n");
	assert_int_equal(stream_peek(&server, &bytes), 0);
	assert_int_equal(stream_flush_last(&server), 0);
	assert_false(server.end->has_more);
	stream_consume(&server, bytes.n);
	server.end->can_read = true;	/* nobody has looked yet */
	assert_int_equal(stream_flush_last(&server), 0);
	assert_false(server.end->has_more);
	stream_close(&server);
	assert_int_equal(stream_line(&client, 512, &bytes, &ending), 0);
	assert_true(str_eq(bytes, STR("221 bye")));
	assert_int_equal(stream_peek(&client, &bytes), -1);
	stream_close(&client);
}

static void
test_last_words_go_with_the_end(void **state)
{
	(void)state;
	on_core(body_last);
}

/* `most' octets are a line, one more is not; by CRLF and by LF. */
static yields void
try_length(size_t n, const char *ending_text, bool fits)
{
	enum { MOST = 100 };
	char text[MOST + 2];
	struct str line;
	enum line_ending ending;

	memset(text, 'x', n);
	stream_put(&client, (struct str){ text, n });
	say(ending_text);
	if (fits) {
		assert_int_equal(stream_line(&server, MOST, &line, &ending), 0);
		assert_int_equal(line.n, n);
		return;
	}
	assert_int_equal(stream_line(&server, MOST, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LONG);
	assert_int_equal(stream_line(&server, MOST, &line, &ending), -1);
	assert_int_equal(stream_skip_line(&server, 1000), 0);
	assert_int_equal(server.trouble, STREAM_FINE);
	assert_int_equal(stream_buffered(&server), 0);
}

static void
body_long(void *arg)
{
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	try_length(99, "\r\n", true);
	try_length(100, "\r\n", true);
	try_length(101, "\r\n", false);
	try_length(100, "\n", true);
	try_length(101, "\n", false);
	/* told before the end has come */
	stream_put(&client, STR("0123456789ab"));
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(stream_line(&server, 10, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LONG);
	say("cdef\nnext\r\n");
	assert_int_equal(stream_skip_line(&server, 17), 0);
	expect_line("next", LINE_CRLF);
	/* no LF in as much as may be skipped: 17 octets with theirs */
	say("0123456789abcdef\nnext\r\n");
	assert_int_equal(stream_skip_line(&server, 16), -1);
	close_both();
}

static void
test_long(void **state)
{
	(void)state;
	on_core(body_long);
}

/* Whoever waits for the rest of a line holds what has come, not a buffer: 2048
 * octets of it, and one more stays where it is. */
static yields void
try_half(size_t n, bool is_small)
{
	static char text[4096];
	enum line_ending ending;
	struct str line;

	memset(text, 'h', sizeof text);
	stream_put(&client, (struct str){ text, n });
	assert_int_equal(stream_flush(&client), 0);
	server.deadline = in_ms(20);
	assert_int_equal(stream_line(&server, sizeof text, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LATE);
	assert_int_equal(server.rest != NULL, is_small);
	assert_int_equal(server.in == NULL, is_small);
	assert_int_equal(stream_buffered(&server), n);
	server.trouble = STREAM_FINE;
	server.deadline = MONO_NEVER;
	say("other half\r\nnext\r\n");
	assert_int_equal(stream_line(&server, sizeof text, &line, &ending), 0);
	assert_null(server.rest);
	assert_int_equal(line.n, n + strlen("other half"));
	assert_memory_equal(line.p, text, n);
	assert_memory_equal(line.p + n, "other half", strlen("other half"));
	expect_line("next", LINE_CRLF);
}

static void
body_half(void *arg)
{
	struct str bytes;

	(void)arg;
	make_pair(&client, &server);
	try_half(1, true);
	try_half(2047, true);
	try_half(2048, true);
	try_half(2049, false);
	/* it can be taken, wiped and closed as it lies there */
	say("secret");
	server.deadline = in_ms(20);
	assert_int_equal(stream_peek_more(&server, 6, &bytes), -1);
	assert_non_null(server.rest);
	stream_consume(&server, 3);
	stream_wipe(&server);
	assert_int_equal(server.rest[0], 0);
	assert_int_equal(stream_buffered(&server), 3);
	server.trouble = STREAM_FINE;
	assert_int_equal(stream_peek(&server, &bytes), 0);
	assert_true(str_eq(bytes, STR("ret")));
	close_both();
}

static void
test_half_a_line_is_held_small(void **state)
{
	(void)state;
	on_core(body_half);
}

static void
body_silent(void *arg)
{
	struct mono began;
	struct str bytes;

	(void)arg;
	make_pair(&client, &server);
	began = clock_mono();
	assert_true(stream_is_silent(&server, in_ms(50)));
	assert_true(clock_mono().ns - began.ns >= 50 * NS_PER_MS);
	assert_int_equal(server.trouble, STREAM_FINE);
	/* not behind the deadline: that is for the read to tell */
	server.deadline = in_ms(20);
	assert_false(stream_is_silent(&server, in_ms(50)));
	server.deadline = MONO_NEVER;
	assert_int_equal(fiber_go("slow", say_slowly,
	    (void *)(uintptr_t)"some"), 0);
	assert_false(stream_is_silent(&server, in_ms(60000)));
	assert_int_equal(stream_peek_more(&server, 3, &bytes), 0);
	assert_true(str_eq(bytes, STR("some")));
	assert_false(stream_is_silent(&server, in_ms(60000)));
	stream_consume(&server, bytes.n);
	stream_close(&client);
	assert_false(stream_is_silent(&server, in_ms(60000)));
	assert_int_equal(server.trouble, STREAM_GONE);
	stream_close(&server);
}

static void
test_silence(void **state)
{
	(void)state;
	on_core(body_silent);
}

static void
put_big(void *arg)
{
	static char big[STREAM_BUFFER - 2];
	size_t n = *(size_t *)arg;

	memset(big, 'y', sizeof big);
	stream_put(&client, STR("first\r\n"));	/* so that room must be made */
	stream_put(&client, (struct str){ big, n > sizeof big ? sizeof big : n });
	if (n > sizeof big)
		stream_put(&client, STR("z"));
	say("\r\n");
}

static yields void
try_big(size_t n, bool fits)
{
	struct str line;
	enum line_ending ending;

	make_pair(&client, &server);
	assert_int_equal(fiber_go("big", put_big, &n), 0);
	expect_line("first", LINE_CRLF);
	assert_int_equal(stream_line(&server, STREAM_BUFFER - 2, &line,
	    &ending), fits ? 0 : -1);
	if (fits)
		assert_int_equal(line.n, n);
	else
		assert_int_equal(server.trouble, STREAM_LONG);
	fiber_sleep(in_ms(20));
	close_both();
}

static void
body_big(void *arg)
{
	(void)arg;
	try_big(STREAM_BUFFER - 2, true);
	try_big(STREAM_BUFFER - 1, false);
}

static void
test_big(void **state)
{
	(void)state;
	on_core(body_big);
}

static void
body_peek(void *arg)
{
	struct str bytes;

	(void)arg;
	make_pair(&client, &server);
	say("abc");
	assert_int_equal(stream_peek(&server, &bytes), 0);
	while (bytes.n < 3)
		assert_int_equal(stream_peek_more(&server, bytes.n, &bytes), 0);
	assert_memory_equal(bytes.p, "abc", 3);
	stream_consume(&server, 2);
	assert_int_equal(stream_buffered(&server), 1);
	assert_int_equal(fiber_go("slow", say_slowly,
	    (void *)(uintptr_t)"de"), 0);
	assert_int_equal(stream_peek_more(&server, 2, &bytes), 0);
	assert_int_equal(bytes.n, 3);
	assert_memory_equal(bytes.p, "cde", 3);
	assert_int_equal(server.bytes_in, 5);
	assert_int_equal(client.bytes_out, 5);
	close_both();
}

static void
test_peek(void **state)
{
	(void)state;
	on_core(body_peek);
}

static void
put_much(void *arg)
{
	static char text[100000];

	(void)arg;
	memset(text, 'm', sizeof text);
	stream_put(&client, (struct str){ text, sizeof text });
	stream_put(&client, STR("!"));
	assert_int_equal(stream_flush(&client), 0);
}

static void
body_peek_full(void *arg)
{
	struct str bytes;
	size_t have = 0, sum;

	(void)arg;
	make_pair(&client, &server);
	assert_int_equal(fiber_go("much", put_much, NULL), 0);
	while (stream_peek_more(&server, have, &bytes) == 0)
		have = bytes.n;
	assert_int_equal(server.trouble, STREAM_LONG);
	assert_int_equal(have, STREAM_BUFFER);
	server.trouble = STREAM_FINE;
	for (sum = 0; sum < 100001; sum += bytes.n) {
		assert_int_equal(stream_peek(&server, &bytes), 0);
		stream_consume(&server, bytes.n);
	}
	assert_int_equal(sum, 100001);
	close_both();
}

static void
test_peek_full(void **state)
{
	(void)state;
	on_core(body_peek_full);
}

static void
body_gone(void *arg)
{
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	say("QUIT\r\nhalf a line");
	stream_close(&client);
	/* what was said before is heard; then the trouble sticks */
	expect_line("QUIT", LINE_CRLF);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
		assert_int_equal(server.trouble, STREAM_GONE);
	}
	assert_int_equal(stream_peek(&server, &line), -1);
	assert_int_equal(stream_skip_line(&server, 100), -1);
	stream_put(&server, STR("221 bye\r\n"));
	assert_int_equal(stream_flush(&server), -1);
	assert_int_equal(server.bytes_out, 0);
	stream_close(&server);
	/* a closed stream is merely gone */
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	stream_put(&server, STR("x"));
	stream_printf(&server, "%d", 1);
	assert_int_equal(stream_flush(&server), -1);
}

static void
test_gone(void **state)
{
	(void)state;
	on_core(body_gone);
}

static void
body_late(void *arg)
{
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	server.deadline = in_ms(3);
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LATE);
	say("too late\r\n");
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LATE);
	/* but it may still be told */
	server.deadline = in_ms(5000);
	stream_printf(&server, "421 %s\r\n", "4.4.2 Late");
	assert_int_equal(stream_flush(&server), 0);
	assert_int_equal(stream_line(&client, 512, &line, &ending), 0);
	assert_int_equal(line.n, 14);
	close_both();
}

static void
test_late(void **state)
{
	(void)state;
	on_core(body_late);
}

static void
hurry(void *arg)
{
	stream_hurry(&server, *(struct mono *)arg);
}

static void
body_hurry(void *arg)
{
	struct str line;
	enum line_ending ending;
	struct mono at;

	(void)arg;
	make_pair(&client, &server);
	server.deadline = in_ms(60000);
	at = in_ms(5);
	assert_int_equal(fiber_go("hurry", hurry, &at), 0);
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_LATE);
	assert_false(mono_is_before(clock_mono(), at));
	assert_true(mono_is_before(clock_mono(), mono_add(at, NS_PER_SECOND)));
	close_both();
}

static void
test_hurry(void **state)
{
	(void)state;
	on_core(body_hurry);
}

/* Who does not read us is gone, at the deadline. */
static void
body_unread(void *arg)
{
	static char text[1 << 20];
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	server.deadline = in_ms(30);
	for (int i = 0; i < 64 && server.trouble == STREAM_FINE; i++)
		stream_put(&server, (struct str){ text, sizeof text });
	assert_int_equal(server.trouble, STREAM_GONE);
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	close_both();
}

static void
test_unread(void **state)
{
	(void)state;
	on_core(body_unread);
}

static void
body_printf(void *arg)
{
	char text[2000];
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	memset(text, 'p', sizeof text);
	stream_printf(&client, "%.*s\r\n", 1022, text);
	stream_printf(&client, "%.*s\r\n", 1023, text);
	stream_printf(&client, "%.*s", 2000, text);
	stream_printf(&client, "\r\n");
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(stream_line(&server, 4000, &line, &ending), 0);
	assert_int_equal(line.n, 1022);
	assert_int_equal(stream_line(&server, 4000, &line, &ending), 0);
	assert_int_equal(line.n, 1022);		/* one was cut, not its CRLF */
	assert_int_equal(stream_line(&server, 4000, &line, &ending), 0);
	assert_int_equal(line.n, 1024);
	close_both();
}

static void
test_printf(void **state)
{
	(void)state;
	on_core(body_printf);
}

static void
body_idle(void *arg)
{
	struct str line;
	enum line_ending ending;

	(void)arg;
	make_pair(&client, &server);
	say("x\r\n");
	expect_line("x", LINE_CRLF);
	server.deadline = in_ms(2);
	stream_put(&server, STR("y"));
	assert_non_null(server.out);
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	/* it waited: what it had to say was sent, and it holds nothing */
	assert_null(server.in);
	assert_null(server.out);
	assert_int_equal(stream_peek(&client, &line), 0);
	assert_int_equal(line.n, 1);
	close_both();
}

static void
test_idle(void **state)
{
	(void)state;
	on_core(body_idle);
}

/* The peer reset while we had much to say. */
static void
body_reset(void *arg)
{
	static char text[200000];

	(void)arg;
	make_pair(&client, &server);
	say("unread");
	stream_put(&client, STR("x"));
	fiber_sleep(in_ms(5));
	stream_close(&server);		/* with bytes unread: a reset */
	fiber_sleep(in_ms(5));
	for (int i = 0; i < 5 && client.trouble == STREAM_FINE; i++)
		stream_put(&client, (struct str){ text, sizeof text });
	assert_int_equal(client.trouble, STREAM_GONE);
	assert_int_equal(stream_flush(&client), -1);
	stream_close(&client);
}

static void
test_reset(void **state)
{
	(void)state;
	on_core(body_reset);
}

static void
body_has_ended(void *arg)
{
	struct str bytes;

	(void)arg;
	make_pair(&client, &server);
	assert_false(stream_has_ended(&server));
	say("abc");
	fiber_sleep(in_ms(20));
	assert_true(stream_has_ended(&server));		/* unasked */
	stream_close(&server);
	stream_close(&client);
	make_pair(&client, &server);
	say("abc");
	assert_int_equal(stream_peek(&server, &bytes), 0);
	assert_true(stream_has_ended(&server));		/* still unread */
	while (bytes.n < 3)
		assert_int_equal(stream_peek_more(&server, bytes.n, &bytes), 0);
	stream_consume(&server, 3);
	assert_false(stream_has_ended(&server));
	stream_close(&client);
	fiber_sleep(in_ms(20));
	assert_true(stream_has_ended(&server));
	stream_close(&server);
}

static void
test_has_ended(void **state)
{
	(void)state;
	on_core(body_has_ended);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_last_words_go_with_the_end),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_half_a_line_is_held_small),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_peek_full),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
