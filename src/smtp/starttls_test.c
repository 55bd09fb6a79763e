#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "smtp/test_server.h"

static struct tls_identity shown;
static struct tls_context *asking;

static yields void
open_private(enum listener_role role, enum listener_tls tls)
{
	static const struct tls_client_setup plain;

	open_server(role);
	shown = test_identity("EC", "mx.test");
	server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &shown, .n = 1 });
	assert_non_null(server.tls);
	listener.tls = tls;
	asking = tls_client_new(&plain);
	dial(&net);
}

static yields void
close_private(void)
{
	stream_close(&net);
	close_server();
	tls_drop(asking);
	test_identity_free(&shown);
}

static yields void
go_private(void)
{
	assert_int_equal(tls_connect(&net, asking, STR("mx.test")), 0);
}

#define PLAY(...) play(&net, (const char *const[]){ __VA_ARGS__, NULL })

/* EHLO, STARTTLS, EHLO, mail; and the same without the second EHLO's words. */
static void
body_begins(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_OFFERED);
	PLAY("S 220 mx.test", "C STARTTLS", "S 503 5.5.1 Say EHLO",
	    "C EHLO me.test", "M 250", "C STARTTLS now", "S 501 5.5.4",
	    "C STARTTLS", "S 220 2.0.0");
	go_private();
	PLAY("C MAIL FROM:<ann@one.test>", "S 503 5.5.1 Say EHLO",
	    "C EHLO me.test", "M 250", "C STARTTLS", "S 503 5.5.1 We speak",
	    "C MAIL FROM:<ann@one.test>", "S 250", "C RCPT TO:<bob@two.test>",
	    "S 250", "C DATA", "S 354", "C Subject: x", "C ", "C .",
	    "S 250 2.0.0 Kept", "C QUIT", "S 221", "E");
	assert_int_equal(house.kept, 1);
	assert_true(house_told("TLS_", "ESMTPS") > 0);
	close_private();
}

TEST(begins, "")

/* What was known before is not any more: no greeting, no transaction. */
static void
body_forgets(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_OFFERED);
	PLAY("S 220", "C EHLO me.test", "M 250", "C MAIL FROM:<ann@one.test>",
	    "S 250", "C STARTTLS", "S 503 5.5.1 One message", "C RSET", "S 250",
	    "C STARTTLS", "S 220 2.0.0");
	go_private();
	PLAY("C RCPT TO:<bob@two.test>", "S 503 5.5.1 Say EHLO", "C QUIT",
	    "S 221", "E");
	close_private();
}

TEST(forgets, "")

/* SECURITY.md row 4 */
static void
body_behind(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_OFFERED);
	PLAY("S 220", "C EHLO me.test", "M 250", "R STARTTLS\r\nRSET\r\n",
	    "S 554 5.5.0", "E");
	close_private();
}

TEST(behind, "")

static void
body_required(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_REQUIRED);
	PLAY("S 220", "C MAIL FROM:<ann@one.test>", "S 530 5.7.0",
	    "C EHLO me.test", "M 250", "C NOOP", "S 250", "C RSET", "S 250",
	    "C HELP", "M 214", "C VRFY ann", "S 530 5.7.0",
	    "C MAIL FROM:<ann@one.test>", "S 530 5.7.0", "C STARTTLS", "S 220");
	go_private();
	PLAY("C EHLO me.test", "M 250", "C MAIL FROM:<ann@one.test>", "S 250",
	    "C QUIT", "S 221", "E");
	close_private();
}

TEST(required, "")

/* A chunk that comes in clear is swallowed; none of it is a command, whether it
 * is there already or comes later. */
static void
body_chunk_in_clear(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_REQUIRED);
	PLAY("S 220", "C EHLO me.test", "M 250",
	    "R BDAT 10 LAST\r\nEHLO x.y\r\nNOOP\r\n", "S 530 5.7.0",
	    "S 250 2.0.0 Done", "R BDAT 10\r\n");
	stream_flush(&net);
	fiber_sleep(in_ms(1000));
	PLAY("R EHLO x.y\r\n", "S 530 5.7.0", "C BDAT 99999999999 LAST",
	    "S 530 5.7.0", "C QUIT");
	close_private();
}

TEST(chunk_in_clear, "")

static void
body_implicit(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_IMPLICIT);
	go_private();
	PLAY("S 220", "C EHLO me.test", "M 250", "C STARTTLS", "S 503 5.5.1",
	    "C QUIT", "S 221", "E");
	close_private();
}

TEST(implicit, "")

/* Clear text where TLS begins at once. */
static void
body_clear(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_IMPLICIT);
	PLAY("C EHLO me.test", "R \r\n");
	fiber_sleep(in_ms(1000));
	assert_int_equal(house_told("refused", "\"tls\""), 1);
	close_private();
}

TEST(clear, "")

static void
body_off(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_OFF);
	PLAY("S 220", "C EHLO me.test", "M 250", "C STARTTLS", "S 502 5.5.1",
	    "C QUIT", "S 221", "E");
	close_private();
}

TEST(off, "")

/* A client that stops in the middle of the handshake costs no more than its
 * deadline. */
static void
body_half(void *arg)
{
	(void)arg;
	open_private(ROLE_MX, TLS_OFFERED);
	PLAY("S 220", "C EHLO me.test", "M 250", "C STARTTLS", "S 220",
	    "R \x16\x03\x01");
	fiber_sleep(in_ms(3600 * 1000));
	assert_int_equal(sessions_over, 1);
	assert_int_equal(house_told("refused", "\"tls\""), 1);
	close_private();
}

TEST(half, "")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_chunk_in_clear),
		cmocka_unit_test(test_implicit),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
