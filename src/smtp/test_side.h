/*
 * test_side.h -- a relay that is a script, in clear text and then inside TLS.
 *
 * The promise: side_meet() connects a client to `side', which plays one list of steps
 * in clear text and another after its handshake: "S text" is said, "C prefix" is
 * a line it must hear, "R octets" are said as they are, "W" is an hour, and "X" is
 * whatever `side.more' does.
 * Not for: the client.
 * Waiting: all that talks yields.
 * Memory: static; one conversation at a time, until side_part().
 * Errors: fail the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_SMTP_TEST_SIDE_H
#define NM_SMTP_TEST_SIDE_H

#include "smtp/test_client.h"

#include "fiber/test_tls.h"

static struct tls_identity shown;
static struct tls_context *asking, *serving;
static struct tls_demand demand;
static X509_STORE *anchors;

/* The other side: clear text by one script, TLS, then by another. */
struct side {
	const char *const *clear, *const *private;
	bool is_broken;			/* no TLS behind the 220 */
	yields int (*more)(const char *step);
	bool is_played;			/* to its end */
};
static struct side side;

static inline yields void
side_say(const char *text)
{
	stream_put(&peer_net, str_of(text));
	stream_put(&peer_net, STR("\r\n"));
}

static inline bool
line_is(struct str line, const char *prefix)
{
	return str_skip(&line, str_of(prefix));
}

static inline yields int
side_play(const char *const *steps)
{
	enum line_ending ending;
	struct str line;

	for (; steps != NULL && *steps != NULL; steps++) {
		if ((*steps)[0] == 'S') {
			side_say(*steps + 2);
			continue;
		}
		if ((*steps)[0] == 'W') {
			(void)stream_flush(&peer_net);
			fiber_sleep(in_ms(3600 * 1000));
			return -1;
		}
		if ((*steps)[0] == 'R') {
			stream_put(&peer_net, str_of(*steps + 2));
			continue;
		}
		if ((*steps)[0] == 'X') {
			if (side.more(*steps) != 0)
				return -1;
			continue;
		}
		if (stream_line(&peer_net, 2000, &line, &ending) != 0)
			return -1;
		if (!line_is(line, *steps + 2))
			fprintf(stderr, "wanted '%s', heard '" STR_FMT "'\n",
			    *steps + 2, STR_ARG(line));
		must(line_is(line, *steps + 2));
	}
	return stream_flush(&peer_net);
}

static inline yields void
side_run(void *arg)
{
	struct str hello;

	(void)arg;
	peer_net.deadline = mono_add(clock_mono(), 86400 * NS_PER_SECOND);
	side.is_played = false;
	if (side_play(side.clear) == 0 && side.private != NULL &&
	    !side.is_broken && tls_accept(&peer_net, serving) == 0)
		side.is_played = side_play(side.private) == 0;
	if (side.is_broken && stream_peek(&peer_net, &hello) == 0) {
		side_say("220 not TLS at all");
		(void)stream_flush(&peer_net);
	}
	fiber_sleep(in_ms(100));
	stream_close(&peer_net);
}

/* name: of the certificate; trusted: it is its own anchor. */
static inline yields void
side_meet(enum tls_level level, const char *name, bool is_trusted)
{
	struct tls_client_setup setup = { 0 };

	shown = test_identity("EC", name);
	serving = tls_server_new(&(struct tls_server_setup){
	    .identities = &shown, .n = 1 });
	anchors = X509_STORE_new();
	if (is_trusted)
		X509_STORE_add_cert(anchors, shown.leaf);
	setup.anchors = anchors;
	asking = tls_client_new(&setup);
	demand = (struct tls_demand){ .level = level, .sni = STR("mx.test"),
		.n_names = 1, .names = { STR("mx.test") }, .names_are_sure = true,
		.asked_in = STR("route[0]") };
	make_pair(&client_net, &peer_net);
	assert_int_equal(fiber_go("side", side_run, NULL), 0);
	client_init(&client, &client_net, CLIENT_SMTP, &patience);
	client.tls = asking;
	client.demand = &demand;
}

static inline yields void
side_part(void)
{
	client_quit(&client);
	stream_close(&client_net);
	fiber_sleep(in_ms(1000));
	tls_drop(asking);
	tls_drop(serving);
	X509_STORE_free(anchors);
	test_identity_free(&shown);
}

#define TEST(name) \
	static void \
	test_##name(void **state) \
	{ \
		(void)state; \
		on_core(body_##name); \
	}
#define LINES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define OFFER "S 220 mx", "C EHLO me.test", "S 250-mx", "S 250-AUTH LOGIN", \
	"S 250 STARTTLS"
#define INSIDE "C EHLO me.test", "S 250-mx", "S 250 SIZE 1000", "C QUIT", \
	"S 221 bye"

#endif
