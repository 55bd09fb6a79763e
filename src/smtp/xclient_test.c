/* xclient_test.c -- what a proxy may tell, and what is believed of it. */
#include "smtp/test_server.h"

#define PROXY "xclient: [ 192.0.2.7 ]\n"
#define PLAY(...) play_new((const char *const[]){ __VA_ARGS__, NULL })
#define FAR "C MAIL FROM:<ann@one.test>", "S 250 2.1.0", \
	"C RCPT TO:<dave@far.test>"
#define BYE "C QUIT", "S 221 2.0.0", "E"

/* With another address comes another client: the trust is his, not the proxy's. */
static yields void
body_trust(void *arg)
{
	(void)arg;
	open_server(ROLE_MX);
	PLAY(HELLO, "C XCLIENT ADDR=127.0.0.1 NAME=near.test",
	    "S 220 mx.test ", "C MAIL FROM:<ann@one.test>", "S 503 5.5.1",
	    "C EHLO me.test", "M 250", FAR, "S 250 2.1.5", "C RSET", "S 250",
	    /* 127.0.0.1 is gone, and its name with it */
	    "C XCLIENT ADDR=IPV6:2001:db8::8", "S 220 mx.test ",
	    "C EHLO me.test", "M 250", FAR, "S 550 5.7.1",
	    "C RCPT TO:<bob@two.test>", "S 250 2.1.5", "C DATA", "S 354 ",
	    "C x", "C .", "S 250 2.0.0", BYE);
	assert_int_equal(house_told("\"queued\"", "2001:db8::8"), 1);
	assert_int_equal(house_told("\"queued\"", "near.test"), 0);
	stream_close(&net);
	close_server();
}

TEST(trust, PROXY)

/* Who has no address is nobody's friend. */
static yields void
body_unknown(void *arg)
{
	(void)arg;
	open_server(ROLE_MX);
	PLAY(HELLO, "C XCLIENT ADDR=127.0.0.1", "S 220 ", "C XCLIENT "
	    "NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL] HELO=[UNAVAILABLE] "
	    "PORT=[TEMPUNAVAIL] PROTO=[UNAVAILABLE] DESTADDR=[UNAVAILABLE]",
	    "S 220 ", "C EHLO me.test", "M 250", FAR, "S 550 5.7.1", BYE);
	stream_close(&net);
	close_server();
}

TEST(unknown, PROXY)

/* The greeting as the proxy heard it holds until there is another. */
static yields void
body_greeted(void *arg)
{
	(void)arg;
	open_server(ROLE_MX);
	PLAY("S 220 ", "C XCLIENT HELO=told.test PROTO=SMTP", "S 220 ",
	    "C MAIL FROM:<ann@one.test> SIZE=1", "S 555 5.5.4", ENVELOPE,
	    "C DATA", "S 354 ", "C x", "C .", "S 250 2.0.0",
	    "C XCLIENT HELO=told.test PROTO=ESMTP PORT=25 DESTPORT=25 "
	    "DESTADDR=192.0.2.1", "S 220 ",
	    "C MAIL FROM:<ann@one.test> SIZE=1", "S 250 2.1.0", BYE);
	assert_int_equal(house_told("\"queued\"", "told.test"), 1);
	stream_close(&net);
	close_server();
}

TEST(greeted, PROXY)

static const char *const nonsense[] = { "", "ADDR", "ADDR=", "=x", "ADDR=1.2.3",
	"ADDR=nobody", "ADDR=IPV6:1.2.3.4.5", "COLOUR=blue",
	"ADDR=127.0.0.1 ADDR=127.0.0.1", "ADDR=127.0.0.1 addr=127.0.0.1",
	"PORT=65536", "PORT=x", "PROTO=LMTP", "NAME=a+0Ab", "NAME=a+2",
	"LOGIN=+C3+A9", "HELO=a+20b", "ADDR=127.0.0.1 COLOUR=blue",
	"ADDR=127.0.0.1 DESTADDR=x", "DESTPORT=-1", "DESTPORT=65536" };

/* All is read before anything is believed. */
static yields void
body_nonsense(void *arg)
{
	char line[200];

	(void)arg;
	open_server(ROLE_MX);
	PLAY(HELLO);
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		(void)snprintf(line, sizeof line, "C XCLIENT %s", nonsense[i]);
		play(&net, (const char *const[]){ line, "S 501 5.5.4", NULL });
	}
	play(&net, (const char *const[]){ FAR, "S 550 5.7.1", BYE, NULL });
	stream_close(&net);
	close_server();
}

TEST(nonsense, PROXY "limits: { errors: 100 }\n")

/* n - 1, n and n + 1 octets. */
static yields void
body_length(void *arg)
{
	char line[400], most[300];

	(void)arg;
	open_server(ROLE_MX);
	PLAY(HELLO);
	for (size_t n = SESSION_TOLD - 1; n <= SESSION_TOLD + 1; n++) {
		memset(most, 'a', n);
		most[n] = '\0';
		(void)snprintf(line, sizeof line, "C XCLIENT LOGIN=%s", most);
		play(&net, (const char *const[]){ line,
		    n <= SESSION_TOLD ? "S 220 " : "S 501 5.5.4", NULL });
	}
	play(&net, (const char *const[]){ BYE, NULL });
	stream_close(&net);
	close_server();
}

TEST(length, PROXY)

/* In the midst of a transaction, and from who is none. */
static yields void
body_turn(void *arg)
{
	(void)arg;
	open_server(ROLE_MX);
	PLAY(HELLO, ENVELOPE, "C XCLIENT ADDR=127.0.0.1", "S 503 5.5.1",
	    "C RSET", "S 250", BYE);
	stream_close(&net);
	client_ip = "192.0.2.8";
	PLAY(HELLO, "C XCLIENT ADDR=127.0.0.1", "S 550 5.7.0", FAR,
	    "S 550 5.7.1", BYE);
	stream_close(&net);
	close_server();
}

TEST(turn, PROXY)

/* Others' crowds are counted as theirs. */
static yields void
body_crowd(void *arg)
{
	struct stream one, two;

	(void)arg;
	open_server(ROLE_MX);
	dial(&one);
	play(&one, (const char *const[]){ HELLO, "C XCLIENT ADDR=203.0.113.9",
	    "S 220 ", NULL });
	dial(&two);
	play(&two, (const char *const[]){ HELLO, "C XCLIENT ADDR=203.0.113.9",
	    "S 421 4.7.0", "E", NULL });
	stream_close(&two);
	PLAY(HELLO, "C XCLIENT ADDR=198.51.100.9", "S 220 ", BYE);
	stream_close(&net);
	play(&one, (const char *const[]){ BYE, NULL });
	stream_close(&one);
	close_server();
}

TEST(crowd, PROXY "limits: { connections_per_ip: 1 }\n")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_greeted),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
