/* transaction_test.c -- what MAIL and RCPT ask for, and what is kept of it. */
#include "smtp/test_server.h"

/* ---- what the sender wants to hear: RFC 3461 ---- */

static yields void
body_wishes(void *arg)
{
	static const char *const steps[] = { HELLO,
		"C MAIL FROM:<ann@one.test> RET=HDRS ENVID=QQ+2B3+20x BODY=BINARYMIME",
		"S 250 2.1.0",
		"C RCPT TO:<bob@two.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bx@a",
		"S 250 2.1.5", "C RCPT TO:<alice@two.test> NOTIFY=NEVER",
		"S 250 2.1.5", "C RCPT TO:<carol@two.test>", "S 250 2.1.5",
		"C DATA", "S 503 5.5.1 A BINARYMIME", "C BDAT 0 LAST",
		"S 250 2.0.0", NULL };
	struct arena arena;
	struct envelope e;
	const bool *ended;

	(void)arg;
	open_server(ROLE_MX);
	play_new(steps);
	arena_init(&arena, 64 << 10);
	assert_int_equal(spool_envelope(house.spool, house.last, &arena, &e,
	    &ended), 0);
	assert_true(str_eq(e.envid, STR("QQ+3 x")));
	assert_int_equal(e.ret, RET_HDRS);
	assert_int_equal(e.flags, ENVELOPE_BINARY);
	assert_int_equal(e.n_rcpts, 3);
	assert_int_equal(e.rcpts[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_true(str_eq(e.rcpts[0].orcpt, STR("rfc822;B+x@a")));
	assert_int_equal(e.rcpts[1].notify, NOTIFY_NEVER);
	assert_null(e.rcpts[1].orcpt.p);
	assert_int_equal(e.rcpts[2].notify, 0);
	arena_clear(&arena);
	stream_close(&net);
	close_server();
}

/* ---- mailboxes beyond ASCII: RFC 6531 ---- */

#define BOM "\xce\xb2\xce\xbf\xce\xbc"

static yields void
body_utf8(void *arg)
{
	static const char *const steps[] = { HELLO,
		"C MAIL FROM:<" BOM "@b\xc3\xbc""cher.test> SMTPUTF8", "S 250 2.1.0",
		"C RCPT TO:<" BOM "@B\xc3\x9c""CHER.test>", "S 250 2.1.5",
		"C RCPT TO:<\xc3\xa9@\xc3\xbc.test>", "S 550 5.7.1",
		"C RCPT TO:<bob@\xe2\x99\xa5.test>", "S 501 5.1.3",
		"C RCPT TO:<bob@\xff.test>", "S 501 5.5.2",
		"C RCPT TO:<bob@two.test> ORCPT=utf-8;" BOM "@x", "S 250 2.1.5",
		"C BDAT 0 LAST", "S 250 2.0.0",
		"C MAIL FROM:<ann@one.test>", "S 250 2.1.0",
		"C RCPT TO:<" BOM "@b\xc3\xbc""cher.test>", "S 553 5.6.7",
		"C RSET", "S 250", "C MAIL FROM:<" BOM "@one.test>", "S 553 5.6.7",
		"C MAIL FROM:<\xff@one.test> SMTPUTF8", "S 501 5.5.2",
		"C VRFY " BOM " SMTPUTF8", "S 252", "C VRFY " BOM, "S 553 5.6.7",
		NULL };
	struct arena arena;
	struct envelope e;
	const bool *ended;

	(void)arg;
	open_server(ROLE_MX);
	play_new(steps);
	arena_init(&arena, 64 << 10);
	assert_int_equal(spool_envelope(house.spool, house.last, &arena, &e,
	    &ended), 0);
	assert_int_equal(e.flags, ENVELOPE_SMTPUTF8);
	assert_true(str_eq(e.protocol, STR("UTF8SMTP")));
	assert_true(str_eq(e.sender, STR(BOM "@xn--bcher-kva.test")));
	assert_int_equal(e.n_rcpts, 2);
	assert_true(str_eq(e.rcpts[0].address, STR(BOM "@xn--bcher-kva.test")));
	assert_true(str_eq(e.rcpts[1].orcpt, STR("utf-8;" BOM "@x")));
	arena_clear(&arena);
	stream_close(&net);
	close_server();
}

/* ---- limits.memory ---- */

/* What all sessions hold, up to it and beyond. */
static yields void
body_memory_of_all(void *arg)
{
	static const char *const hello[] = { HELLO, NULL };
	static const char *const fits[] = { "C MAIL FROM:<ann@one.test>",
		"S 250 2.1.0", "C RSET", "S 250", NULL };
	static const char *const full[] = { "C MAIL FROM:<ann@one.test>",
		"S 452 4.3.1", NULL };
	uint64_t mine, most = 1 << 20;

	(void)arg;
	open_server(ROLE_MX);
	play_new(hello);
	mine = server.memory;
	for (uint64_t n = most - 1; n <= most + 1; n++) {
		server.memory = n;
		play(&net, n <= most ? fits : full);
		server.memory = mine;
	}
	stream_close(&net);
	close_server();
}

/* ---- proxies: XCLIENT_README ---- */

static yields void
body_xclient(void *arg)
{
	static const char *const refused[] = { "S 220", "C XCLIENT ADDR=127.0.0.1",
		"S 550 5.7.0", "C QUIT", "S 221", "E", NULL };
	static const char *const steps[] = { HELLO,
		"C XCLIENT ADDR=IPV6:2001:db8::7 NAME=spike.test LOGIN=a+2Bb",
		"S 220 mx.test", "C MAIL FROM:<ann@one.test>", "S 503 5.5.1",
		"C EHLO spike.test", "M 250", "C MAIL FROM:<ann@one.test>",
		"S 250 2.1.0", "C RCPT TO:<dave@far.test>", "S 250 2.1.5",
		"C BDAT 0 LAST", "S 250 2.0.0", "C XCLIENT LOGIN=[UNAVAILABLE]",
		"S 220", "C EHLO spike.test", "M 250",
		"C MAIL FROM:<ann@one.test>", "S 250 2.1.0",
		"C RCPT TO:<dave@far.test>", "S 550 5.7.1", "C QUIT", "S 221", "E",
		NULL };
	struct arena arena;
	struct envelope e;
	const bool *ended;

	(void)arg;
	open_server(ROLE_MX);
	play_new(refused);
	stream_close(&net);
	client_ip = "192.0.2.4";
	play_new(steps);
	stream_close(&net);
	arena_init(&arena, 64 << 10);
	assert_int_equal(spool_envelope(house.spool, house.last, &arena, &e,
	    &ended), 0);
	assert_true(str_eq(e.client, STR("2001:db8::7")));
	assert_true(str_eq(e.client_name, STR("spike.test")));
	assert_true(str_eq(e.user, STR("a+b")));
	assert_true(str_eq(e.protocol, STR("ESMTPA")));
	arena_clear(&arena);
	close_server();
}

/* A proxy's client is counted where he belongs, and given back there. */
static yields void
body_xclient_counts(void *arg)
{
	static const char *const first[] = { "S 220",
		"C XCLIENT ADDR=198.51.100.1", "S 220", NULL };
	static const char *const full[] = { "S 220",
		"C XCLIENT ADDR=198.51.100.2", "S 421 4.7.0", "E", NULL };
	static struct stream held;

	(void)arg;
	open_server(ROLE_MX);
	client_ip = "192.0.2.4";
	dial(&held);
	play(&held, first);
	play_new(full);
	stream_close(&net);
	stream_close(&held);
	fiber_sleep(in_ms(2000));
	play_new(first);
	stream_close(&net);
	close_server();
}

/* ---- ETRN: RFC 1985 ---- */

static char flushed[64];
static int64_t flush_says;

static yields int64_t
flush(void *arg, struct str domain, bool is_below)
{
	assert_true(arg == &flush_says);
	snprintf(flushed, sizeof flushed, "%s" STR_FMT, is_below ? "@" : "",
	    STR_ARG(domain));
	return flush_says;
}

static yields void
etrn(const char *command, int64_t says, const char *reply, const char *want)
{
	flushed[0] = '\0';
	flush_says = says;
	stream_printf(&net, "%s\r\n", command);
	hear(&net, reply);
	assert_string_equal(flushed, want);
}

static yields void
body_etrn(void *arg)
{
	static const char *const hello[] = { HELLO, NULL };

	(void)arg;
	open_server(ROLE_MX);
	servers.flush = flush;
	servers.flush_arg = &flush_says;
	play_new(hello);
	etrn("ETRN two.test", 0, "459 4.7.1", "");
	stream_close(&net);
	client_ip = "192.0.2.4";
	play_new(hello);
	etrn("ETRN Two.TEST", 0, "251 2.0.0 OK, no messages", "two.test");
	etrn("ETRN @two.test", 7, "253 2.0.0 OK, 7 pending", "@two.test");
	etrn("ETRN two.test", -1, "458 4.3.0", "two.test");
	etrn("ETRN #two.test", 1, "501 5.5.4", "");
	etrn("ETRN two.test x", 1, "501 5.5.4", "");
	stream_close(&net);
	close_server();
}

TEST(memory_of_all, "limits: { memory: 1M }\n")
TEST(wishes, "")
TEST(utf8, "")
TEST(xclient, "xclient: [ 192.0.2.4 ]\n")
TEST(xclient_counts, "xclient: [ 192.0.2.4 ]\n"
    "limits: { connections_per_ip: 1 }\n")
TEST(etrn, "etrn: [ 192.0.2.4 ]\n")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_of_all),
		cmocka_unit_test(test_wishes), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_xclient),
		cmocka_unit_test(test_xclient_counts), cmocka_unit_test(test_etrn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
