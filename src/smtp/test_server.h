/*
 * test_server.h -- clients of every kind meet the server, in memory.
 *
 * The promise: open_server() starts one on the simulated world; play() has a
 * client say and hear a list of steps: "C line" says the line and CRLF, "R
 * octets" just the octets, "S prefix" hears a line that begins so, "M code" a
 * whole reply with that code, "E" hears the end.
 * Not for: the server.
 * Waiting: all that opens, says or hears yields.
 * Memory: static; one server at a time.
 * Errors: fail the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_SMTP_TEST_SERVER_H
#define NM_SMTP_TEST_SERVER_H

#include "intake/test_intake.h"

#include "fiber/disk.h"
#include "smtp/session.h"
#include "wire/command.h"

#include <errno.h>

enum { SEEDS = 10 };

static struct server_house servers;
static struct server server;
static struct server_listener listener;
static unsigned _Atomic at_listener;
static struct net_end *door;
static struct address door_at;
static struct stream net;
static unsigned sessions_over;
static const char *client_ip;

/* ---- a server, and whoever connects to it ---- */

static inline yields void
serve_one(void *arg)
{
	struct net_end *end = arg;
	struct address client;

	must(address_parse(str_of(client_ip), 4000, &client));
	server_session(&server, &listener, end, &client);
	sessions_over++;
}

static inline yields void
serve_all(void *arg)
{
	struct net_end *end;
	struct address peer;

	(void)arg;
	while ((end = net_accept(door, &peer, MONO_NEVER)) != NULL)
		must(fiber_go("session", serve_one, end) == 0);
}

static inline yields void
open_server(enum listener_role role)
{
	house_open();
	servers = (struct server_house){ .key = { 1, 2 }, .n = 1 };
	must(server_open(&server, &servers, &house.core, &house.holder) == 0);
	listener = (struct server_listener){ .name = STR("mx"), .role = role,
		.sessions = &at_listener };
	sessions_over = 0;
	client_ip = "192.0.2.7";
	assert_true(address_parse(STR("127.0.0.1"), 0, &door_at));
	assert_non_null(door = net_listen(&door_at));
	assert_true(net_local(door, &door_at));
	assert_int_equal(fiber_go("serve", serve_all, NULL), 0);
}

static inline yields void
close_server(void)
{
	net_stop_listening(door);
	fiber_sleep(in_ms(600 * 1000));
	assert_int_equal(server.sessions, 0);
	assert_int_equal(servers.sessions, 0);
	net_close(door);
	server_close(&server);
	house_close();
}

static inline yields void
dial(struct stream *s)
{
	struct net_end *end = net_connect(&door_at, NULL, in_ms(5000));

	assert_non_null(end);
	stream_init(s, end);
	s->deadline = mono_add(clock_mono(), 86400 * NS_PER_SECOND);
}

static inline yields void
hear(struct stream *s, const char *prefix)
{
	enum line_ending ending;
	struct str line;

	if (stream_line(s, 512, &line, &ending) != 0) {
		fprintf(stderr, "wanted '%s', heard the end\n", prefix);
		fail();
	}
	if (!str_eq(str_sub(line, 0, strlen(prefix)), str_of(prefix)))
		fprintf(stderr, "wanted '%s', heard '" STR_FMT "'\n", prefix,
		    STR_ARG(line));
	assert_true(str_eq(str_sub(line, 0, strlen(prefix)), str_of(prefix)));
	assert_int_equal(ending, LINE_CRLF);
}

static inline yields void
hear_all(struct stream *s, const char *code)
{
	enum line_ending ending;
	struct str line;

	do {
		assert_int_equal(stream_line(s, 512, &line, &ending), 0);
		assert_true(str_eq(str_sub(line, 0, 3), str_of(code)));
	} while (line.p[3] == '-');
}

static inline yields void
hear_end(struct stream *s)
{
	struct str bytes;

	assert_int_equal(stream_peek(s, &bytes), -1);
	assert_int_equal(s->trouble, STREAM_GONE);
}

static inline yields void
play(struct stream *s, const char *const *steps)
{
	for (; *steps != NULL; steps++) {
		const char *text = *steps + ((*steps)[1] == ' ' ? 2 : 1);

		switch ((*steps)[0]) {
		case 'C':
			stream_put(s, str_of(text));
			stream_put(s, STR("\r\n"));
			break;
		case 'R':
			stream_put(s, str_of(text));
			break;
		case 'S':
			hear(s, text);
			break;
		case 'M':
			hear_all(s, text);
			break;
		default:
			hear_end(s);
			break;
		}
	}
	stream_flush(s);
}

#define HELLO "S 220 mx.test ", "C EHLO me.test", "M 250"
#define ENVELOPE "C MAIL FROM:<ann@one.test>", "S 250 2.1.0", \
	"C RCPT TO:<bob@two.test>", "S 250 2.1.5"
#define MESSAGE ENVELOPE, "C DATA", "S 354 ", "C Subject: x", "C ", "C x", "C .", \
	"S 250 2.0.0 Kept as "

static inline yields void
play_new(const char *const *steps)
{
	dial(&net);
	play(&net, steps);
}

static inline void
run(yields void (*body)(void *), const char *more)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		sim_begin(seed);
		house_use(more);
		on_core(body);
	}
}

#define TEST(name, more) \
	static void \
	test_##name(void **state) \
	{ \
		(void)state; \
		run(body_##name, more); \
	}

#endif
