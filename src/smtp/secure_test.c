/* secure_test.c -- the client goes private, or does not. */
#include "smtp/test_side.h"

static void
begins(enum tls_level level, bool is_trusted, const char *told)
{
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS", "S 220 go"),
		.private = LINES(INSIDE) };
	side_meet(level, "mx.test", is_trusted);
	greet();
	assert_true(stream_is_private(&client_net));
	assert_string_equal(client.security.told, told);
	/* RFC 3207 4.2 */
	assert_int_equal(client.ehlo.has, CAPABILITY_BIT(SIZE));
	assert_int_equal(client.lies, 0);
	side_part();
}

static void
body_begins(void *arg)
{
	(void)arg;
	begins(TLS_LEVEL_MAY, false, "TLSv1.3/encrypt");
	begins(TLS_LEVEL_ENCRYPT, false, "TLSv1.3/encrypt");
	begins(TLS_LEVEL_MAY, true, "TLSv1.3/verify");
	begins(TLS_LEVEL_VERIFY, true, "TLSv1.3/verify");
}

TEST(begins)

/* RFC 8689 4.2.1: to who proved his name, and promises the same of others. */
static void
keeps(enum tls_level level, bool is_trusted, const char *offers, bool it_does)
{
	bool is_offered = strcmp(offers, "S 250 REQUIRETLS") == 0;

	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS", "S 220 go"),
		.private = LINES("C EHLO me.test", "S 250-mx", offers,
		    is_offered ? "C MAIL FROM:<ann@one.test> REQUIRETLS" :
		    "C MAIL FROM:<ann@one.test> SIZE=", "S 250 ok",
		    "C RCPT TO:<bob@two.test>", "S 250 ok", "C DATA",
		    "S 354 go", "C Subject: x", "C ", "C .", "S 250 kept",
		    "C QUIT", "S 221 bye") };
	side_meet(level, "mx.test", is_trusted);
	greet();
	assert_true(client_keeps_tls(&client) == it_does);
	message_set(STR("Subject: x\r\n\r\n"));
	message.requires_tls = true;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	side_part();
	assert_true(side.is_played);
}

static void
body_keeps(void *arg)
{
	(void)arg;
	keeps(TLS_LEVEL_VERIFY, true, "S 250 REQUIRETLS", true);
	keeps(TLS_LEVEL_MAY, false, "S 250 REQUIRETLS", false);
	keeps(TLS_LEVEL_VERIFY, true, "S 250 SIZE 1000", false);
}

TEST(keeps)

static void
body_implicit(void *arg)
{
	(void)arg;
	side = (struct side){ .private = LINES("S 220 mx", INSIDE) };
	side_meet(TLS_LEVEL_VERIFY, "mx.test", true);
	client.is_implicit = true;
	greet();
	assert_true(stream_is_private(&client_net));
	side_part();
}

TEST(implicit)

static yields void
expect_no(const char *esc, const char *text)
{
	struct verdict v = client_greet(&client, STR("me.test"));

	assert_int_equal(v.disposition, DEFERRED);
	assert_string_equal(esc_print(v.esc).text, esc);
	assert_string_equal(v.text, text);
	assert_false(client_is_usable(&client));
	assert_true(client.is_over);
	assert_true(client.breach[0] != '\0');
}

/* The certificate is not what was asked for. */
static void
body_certificates(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS", "S 220 go"),
		.private = LINES("C QUIT", "S 221") };
	side_meet(TLS_LEVEL_VERIFY, "mx.test", false);
	expect_no("4.7.5", "the host's certificate is not trusted: it is "
	    "signed by itself (route[0] asks for 'verify')");
	assert_string_equal(client.breach, "TLS: certificate-not-trusted");
	side_part();
	side_meet(TLS_LEVEL_VERIFY, "mx.other", true);
	expect_no("4.7.5", "the host's certificate is not for mx.test "
	    "(route[0] asks for 'verify')");
	assert_int_equal(client.lies, 0);
	side_part();
}

TEST(certificates)

/* Somebody takes the word out of the reply, or the host has none. */
static void
body_stripped(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES("S 220 mx", "C EHLO", "S 250-mx",
	    "S 250 XXXXXXXA", "C QUIT", "S 221") };
	for (int l = TLS_LEVEL_NONE; l <= TLS_LEVEL_MAY; l++) {
		side_meet((enum tls_level)l, "mx.test", true);
		greet();
		assert_string_equal(client.security.told, "clear");
		side_part();
	}
	for (int l = TLS_LEVEL_ENCRYPT; l <= TLS_LEVEL_DANE; l++) {
		side_meet((enum tls_level)l, "mx.test", true);
		demand.asked_in = STR("");
		expect_no("4.7.4", "the host does not offer STARTTLS");
		side_part();
	}
}

TEST(stripped)

/* RFC 3207 4: 454, and what else may come for it. */
static void
body_refused(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS",
	    "S 454 4.7.0 not now", "C QUIT", "S 221") };
	side_meet(TLS_LEVEL_MAY, "mx.test", true);
	greet();
	assert_false(stream_is_private(&client_net));
	assert_int_equal(client.lies, CAPABILITY_BIT(STARTTLS));
	side_part();
	side_meet(TLS_LEVEL_ENCRYPT, "mx.test", true);
	expect_no("4.7.4", "the host offers STARTTLS and refuses it (route[0] "
	    "asks for 'encrypt')");
	side_part();
}

TEST(refused)

/* The handshake breaks: never clear text on the same connection. */
static void
body_broken(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS", "S 220 go"),
		.is_broken = true };
	for (int l = TLS_LEVEL_MAY; l <= TLS_LEVEL_ENCRYPT; l++) {
		side_meet((enum tls_level)l, "mx.test", true);
		expect_no("4.7.5", "TLS handshake: wrong version number");
		assert_string_equal(client.breach,
		    "TLS handshake: wrong version number");
		assert_int_equal(client.lies, CAPABILITY_BIT(STARTTLS));
		side_part();
	}
}

TEST(broken)

/* What was noted is heeded where clear text will do, and only there. */
static void
body_remembered(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES(OFFER, "C QUIT", "S 221") };
	side_meet(TLS_LEVEL_MAY, "mx.test", true);
	client.distrust = CAPABILITY_BIT(STARTTLS);
	greet();
	assert_false(stream_is_private(&client_net));
	side_part();
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS", "S 220 go"),
		.private = LINES(INSIDE) };
	side_meet(TLS_LEVEL_ENCRYPT, "mx.test", true);
	client.distrust = CAPABILITY_BIT(STARTTLS);
	greet();
	assert_true(stream_is_private(&client_net));
	side_part();
}

TEST(remembered)

/* SECURITY.md row 5 */
static void
body_behind(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS",
	    "R 220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n") };
	for (int l = TLS_LEVEL_MAY; l <= TLS_LEVEL_ENCRYPT; l++) {
		side_meet((enum tls_level)l, "mx.test", true);
		expect_no("4.7.0", "there was text behind the answer to "
		    "STARTTLS, as if somebody stood between");
		assert_int_equal(client.lies, 0);
		side_part();
	}
}

TEST(behind)

/* The handshake has a deadline of its own. */
static void
body_silent(void *arg)
{
	(void)arg;
	side = (struct side){ .clear = LINES(OFFER, "C STARTTLS", "S 220 go", "W") };
	side_meet(TLS_LEVEL_MAY, "mx.test", true);
	expect_no("4.7.5", "TLS handshake: nothing in time");
	assert_int_equal(client.lies, CAPABILITY_BIT(STARTTLS));
	side_part();
	fiber_sleep(in_ms(2 * 3600 * 1000));
}

TEST(silent)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_implicit),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
