/* client_test.c -- the client meets servers of every kind, in memory. */
#include "smtp/test_client.h"

static yields void
body_pipelined(void *arg)
{
	static const char *const lines[] = { PIPELINED,
		"C MAIL FROM:<ann@one.test> SIZE=", "C RCPT TO:<bob@two.test>",
		"C RCPT TO:<carol@two.test>", "C RCPT TO:<dave@two.test>",
		"C DATA", "S 250 2.1.0 ok", "S 250 2.1.5 ok",
		"S 550 5.1.1 no such user", "S 451 4.7.1 grey", "S 354 go",
		"BODY", "S 250 2.0.0 Kept as 1", "C QUIT", "S 221 bye", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, FAILED, 550, "5.1.1");
	expect(2, DEFERRED, 451, "4.7.1");
	assert_true(client_is_usable(&client));
	client_quit(&client);
	part();
	assert_memory_equal(heard, "Subject: x\r\n\r\n..dot\r\nbye\r\n", heard_n);
	/* EHLO; MAIL to DATA; QUIT */
	assert_int_equal(packets, 3);
}

static yields void
body_one_by_one(void *arg)
{
	static const char *const lines[] = { PLAIN,
		"C MAIL FROM:<ann@one.test>", "S 250 ok",
		"C RCPT TO:<bob@two.test>", "S 250 ok",
		"C RCPT TO:<carol@two.test>", "S 550 no",
		"C DATA", "S 354 go", "BODY", "S 250 ok",
		"C MAIL FROM:<>", "S 250 ok",
		"C RCPT TO:<bob@two.test>", "S 550 5.1.1 no",
		/* half a transaction is left: reset it */
		"C RSET", "S 250 ok", "C MAIL FROM:<ann@one.test>", "S 250 ok",
		"C RCPT TO:<bob@two.test>", "S 250 ok",
		"C DATA", "S 354 go", "BODY", "S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, FAILED, 550, "5.0.0");
	message_set(STR("x\r\n"));
	message.sender = STR("");
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.1.1");
	assert_true(client_is_usable(&client));
	message_set(STR("y\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	assert_int_equal(client.transactions, 3);
	part();
}

static yields void
body_helo(void *arg)
{
	static const char *const lines[] = { "S 220-old", "S 220 server",
		"C EHLO me.test", "S 500 what?", "C HELO me.test", "S 250 hello",
		"C MAIL FROM:<ann@one.test>", "S 250 ok",
		"C RCPT TO:<bob@two.test>", "S 251 will forward",
		"C DATA", "S 354 go", "BODY", "S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	assert_int_equal(client.ehlo.has, 0);
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

/* MAIL refused, everything behind it answered: the connection lives on. */
static yields void
body_sender_refused(void *arg)
{
	static const char *const lines[] = { PIPELINED,
		"C MAIL", "C RCPT", "C RCPT", "C DATA",
		"S 550 5.7.1 not you", "S 503 5.5.1 no", "S 503 5.5.1 no",
		"S 503 5.5.1 no",
		"C MAIL", "C RCPT", "C DATA", "S 250 ok", "S 250 ok", "S 354 go",
		"BODY", "S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.7.1");
	expect(1, FAILED, 550, "5.7.1");
	message_set(STR("x\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

/* RFC 2920 3.1: 354 although nobody was accepted is answered by a lone dot. */
static yields void
body_nobody_accepted(void *arg)
{
	static const char *const lines[] = { PIPELINED,
		"C MAIL", "C RCPT", "C DATA", "S 250 ok", "S 550 5.1.1 no",
		"S 354 go", "C .", "S 554 5.5.1 no recipients",
		"C MAIL", "C RCPT", "C DATA", "S 250 ok", "S 450 4.2.0 no",
		"S 554 5.5.1 no recipients", "C RSET", "C MAIL", "C RCPT",
		"C DATA", "S 250 reset", "S 250 ok", "S 250 ok", "S 354 go",
		"BODY", "S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.1.1");
	assert_true(client_is_usable(&client));
	message_set(STR("x\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 450, "4.2.0");
	message_set(STR("x\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

/* Told at EHLO what it will not take: not a word more is said. */
static yields void
body_not_even_tried(void *arg)
{
	static const char *const lines[] = { GREETING, "S 250-SIZE 10",
		"S 250 LIMITS RCPTMAX=1", "C QUIT", "S 221 bye", NULL };
	static const struct client_recipient bad[] = {
		{ .address = STR_INIT("a@b\r\nRSET") },
		{ .address = STR_INIT("j\xc3\xbcrg@two.test") } };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 552, "5.3.4");
	message_set(STR("\r\n\xff\r\n"));
	message.size = 11;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 552, "5.3.4");
	message_set(STR("A: \xff\r\n"));
	message.body = CLIENT_BODY_8BIT;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 0, "5.6.3");
	message.body = CLIENT_BODY_7BIT;
	message.recipients = bad;
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 0, "5.1.3");
	expect(1, FAILED, 0, "5.6.7");
	message.recipients = rcpts;
	message.n = 1;
	message.sender = STR("a b@c");
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 0, "5.1.7");
	client_quit(&client);
	part();
}

static yields void
body_rcptmax(void *arg)
{
	static const char *const lines[] = { GREETING, "S 250-PIPELINING",
		"S 250 LIMITS RCPTMAX=2", "C MAIL FROM:<ann@one.test>", "C RCPT",
		"C RCPT TO:<carol@two.test>", "C DATA", "S 250 ok", "S 250 ok",
		"S 552 too many", "S 354 go", "BODY", "S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, DEFERRED, 552, "4.0.0");	/* RFC 5321 4.5.3.1.10 */
	expect(2, DEFERRED, 452, "4.5.3");
	part();
}

static yields void
body_mailbox_full(void *arg)
{
	static const char *const lines[] = { PLAIN, "C MAIL", "S 250 ok",
		"C RCPT", "S 552 5.2.2 mailbox full", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 552, "5.2.2");
	part();
}

/* 421 may come at any time. */
static yields void
body_421(void *arg)
{
	static const char *const lines[] = { PIPELINED,
		"C MAIL", "C RCPT", "C RCPT", "C DATA", "S 250 ok", "S 250 ok",
		"S 421 4.3.2 going down", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 421, "4.3.2");
	expect(1, DEFERRED, 421, "4.3.2");
	assert_false(client_is_usable(&client));
	client_quit(&client);
	part();
}

static yields void
body_lost_after_dot(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "BODY", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.4.2");
	assert_false(client_is_usable(&client));
	part();
}

/* Ten minutes for the reply to the dot, not one second less.  RFC 5321
 * 4.5.3.2.6 */
static yields void
body_silent(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "BODY", "WAIT",
		NULL };
	struct mono began;

	(void)arg;
	meet(lines);
	greet();
	began = clock_mono();
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.4.2");
	assert_in_range(clock_mono().ns - began.ns, 600 * NS_PER_SECOND,
	    601 * NS_PER_SECOND);
	part();
}

static yields void
body_bad_greetings(void *arg)
{
	static const char *const cases[][8] = {
		{ "S 554 5.7.1 not you", NULL },
		{ "S 421 4.3.2 later", NULL },
		{ "S hello", NULL },
		{ "S 220 hi", "C EHLO", "S 421 4.3.2 later", NULL },
		{ "S 220 hi", "C EHLO", "S 451 4.3.0 later", NULL },
		{ "S 220 hi", "C EHLO", "S 550 no", "C HELO", "S 550 5.7.1 no",
		    NULL },
		{ NULL },
	};
	static const enum disposition want[] = { FAILED, DEFERRED, DEFERRED,
		DEFERRED, DEFERRED, FAILED, DEFERRED };
	struct verdict v;

	(void)arg;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		meet(cases[i]);
		v = client_greet(&client, STR("me.test"));
		assert_int_equal(v.disposition, want[i]);
		assert_false(client_is_usable(&client));
		part();
	}
}

/* What is left of a transaction stays: nothing more over this connection. */
static yields void
body_reset_refused(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 550 5.1.1 no", "S 554 no", "C RSET",
		"S 551 never", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.1.1");
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 551, "4.0.0");
	assert_false(client_is_usable(&client));
	part();
}

/* 250 to a dot that was not said yet. */
static yields void
body_hasty_peer(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "S 250 got it",
		"WAIT", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.5.0");
	assert_false(client_is_usable(&client));
	part();
}

/* 250 to DATA: what follows would be taken for who knows what. */
static yields void
body_strange_data(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 250, "4.0.0");
	assert_false(client_is_usable(&client));
	part();
}

/* Our own disk fails in the middle: the dot is never said. */
static yields void
body_unreadable(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", NULL };

	(void)arg;
	meet(lines);
	greet();
	source.fails = true;
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.3.0");
	assert_false(client_is_usable(&client));
	part();
}

/* A body in pieces of every size arrives as it was, dots doubled. */
static yields void
body_pieces(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "BODY", "S 250 ok",
		NULL };
	static char text[BODY_MOST];
	size_t n = 0;

	(void)arg;
	while (n + 20 < 50000) {
		size_t k = n % 17;

		memset(text + n, '.', k);
		memcpy(text + n + k, "\r\n", 2);
		n += k + 2;
	}
	for (size_t at_once = 1; at_once < 20000; at_once = at_once * 3 + 1) {
		meet(lines);
		greet();
		message_set((struct str){ text, n });
		source.at_once = at_once;
		client_send(&client, &message, verdicts);
		expect(0, DELIVERED, 250, "2.0.0");
		part();
		for (size_t i = 0, j = 0; i < n; i++, j++) {
			if (text[i] == '.' && (i == 0 || text[i - 1] == '\n'))
				assert_int_equal(heard[j++], '.');
			assert_int_equal(heard[j], text[i]);
		}
	}
}

/*
 * He has enough in the middle of the body, says so and closes; or says so and
 * goes on listening.  A refusal is his answer, a yes is none.
 */
struct interruption {
	const char *said;
	enum disposition disposition;
	short code;
	const char *esc;
	bool goes_on;
};

static yields void
interrupt(const struct interruption *i)
{
	const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT", "C RCPT",
		"C DATA", "S 250 ok", "S 550 5.1.1 no such user", "S 250 ok",
		"S 354 go", "PART", i->said, i->goes_on ? "WAIT" : NULL, NULL };
	static char text[BODY_MOST];

	for (size_t k = 0; k < sizeof text; k++)
		text[k] = k % 50 < 48 ? 'x' : k % 50 == 48 ? '\r' : '\n';
	meet(lines);
	greet();
	client.ehlo.size = 0;
	message_set((struct str){ text, sizeof text });
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.1.1");
	expect(1, i->disposition, i->code, i->esc);
	/* Once he closed, all that we say is lost at once, the dot too. */
	assert_true(!i->goes_on || !client_is_usable(&client));
	part();
}

static yields void
body_interrupted(void *arg)
{
	static const struct interruption list[] = {
		{ "S 552 5.3.4 too large", FAILED, 552, "5.3.4", false },
		{ "S 554 5.7.1 not this", FAILED, 554, "5.7.1", true },
		{ "S 554-5.7.1 not\r\n554 5.7.1 this", FAILED, 554, "5.7.1",
		    false },
		{ "S 451 4.3.0 later", DEFERRED, 451, "4.3.0", false },
		{ "S 421 4.3.2 closing", DEFERRED, 421, "4.3.2", false },
		{ "S 250 2.0.0 Kept", DEFERRED, 0, "4.5.0", true },
		{ "S 354 go on", DEFERRED, 0, "4.5.0", true },
		{ "S oops", DEFERRED, 0, "4.5.0", false },
		{ "S 554-half of it", DEFERRED, 0, "4.4.2", false },
	};
	struct sim_net before = sim_net(), net = before;

	(void)arg;
	/* Always much less under way than the body has. */
	for (net.window = 4096; net.window <= 16384; net.window *= 2) {
		sim_net_set(net);
		for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
			interrupt(&list[i]);
	}
	sim_net_set(before);
}

/* ---- LMTP ---- */

/* RFC 2033 4.2: each has his own reply, and who was refused has none. */
static yields void
body_lmtp(void *arg)
{
	static const char *const lines[] = { LMTP, "S 250-PIPELINING",
		"S 250 ENHANCEDSTATUSCODES", "C MAIL", "C RCPT", "C RCPT",
		"C RCPT", "C DATA", "S 250 ok", "S 250 ok", "S 550 5.1.1 no",
		"S 250 ok", "S 354 go", "BODY", "S 250 2.0.0 bob has it",
		"S 552 5.2.2 dave is full", "C MAIL", "C RCPT", "C DATA",
		"S 250 ok", "S 250 ok", "S 354 go", "BODY", "S 250 ok",
		"C QUIT", "S 221 bye", NULL };

	(void)arg;
	meet_kind(lines, CLIENT_LMTP);
	greet();
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, FAILED, 550, "5.1.1");
	expect(2, FAILED, 552, "5.2.2");
	message_set(STR("x\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	client_quit(&client);
	part();
}

/* Who was told keeps it; who was not is tried again.  And no PIPELINING unless
 * it was offered. */
static yields void
body_lmtp_lost(void *arg)
{
	static const char *const lines[] = { LMTP, "S 250 8BITMIME", "C MAIL",
		"S 250 ok", "C RCPT", "S 250 ok", "C RCPT", "S 250 ok",
		"C RCPT", "S 250 ok", "C DATA", "S 354 go", "BODY",
		"S 250 2.0.0 bob has it", NULL };
	static const char *const closing[] = { LMTP, "S 250 8BITMIME",
		"C MAIL", "S 250 ok", "C RCPT", "S 250 ok", "C RCPT",
		"S 250 ok", "C RCPT", "S 250 ok", "C DATA", "S 354 go",
		"BODY", "S 250 2.0.0 bob has it", "S 421 4.3.2 closing", NULL };

	(void)arg;
	meet_kind(lines, CLIENT_LMTP);
	greet();
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, DEFERRED, 0, "4.4.2");
	expect(2, DEFERRED, 0, "4.4.2");
	part();
	meet_kind(closing, CLIENT_LMTP);
	greet();
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, DEFERRED, 421, "4.3.2");
	expect(2, DEFERRED, 421, "4.3.2");
	assert_false(client_is_usable(&client));
	part();
}

/* LHLO or nothing; and a 354 for nobody leads nowhere. */
static yields void
body_lmtp_strange(void *arg)
{
	static const char *const smtp[] = { "S 220 mx", "C LHLO",
		"S 500 5.5.1 what?", "C QUIT", NULL };
	static const char *const nobody[] = { LMTP, "S 250 PIPELINING",
		"C MAIL", "C RCPT", "C DATA", "S 250 ok", "S 550 5.1.1 no",
		"S 354 go", NULL };
	struct verdict v;

	(void)arg;
	meet_kind(smtp, CLIENT_LMTP);
	v = client_greet(&client, STR("me.test"));
	assert_int_equal(v.disposition, FAILED);
	client_quit(&client);
	part();
	meet_kind(nobody, CLIENT_LMTP);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.1.1");
	assert_false(client_is_usable(&client));
	part();
}

static yields void (*const bodies[])(void *) = {
	body_pipelined, body_one_by_one, body_helo, body_sender_refused,
	body_nobody_accepted, body_not_even_tried, body_rcptmax,
	body_mailbox_full, body_421, body_lost_after_dot, body_silent,
	body_bad_greetings, body_strange_data, body_reset_refused,
	body_hasty_peer, body_unreadable, body_pieces, body_interrupted,
	body_lmtp, body_lmtp_lost, body_lmtp_strange,
};

static void
test_conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		sim_begin(i + 1);
		on_core(bodies[i]);
	}
}

/* However the network cuts it. */
static void
test_cut_network(void **state)
{
	struct sim_net net;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_begin(seed);
		net = sim_net();
		net.split_per_million = 500000;
		sim_net_set(net);
		on_core(body_one_by_one);
		on_core(body_nobody_accepted);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_cut_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
