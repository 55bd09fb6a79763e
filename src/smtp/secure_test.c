/* secure_test.c -- the client goes private, or does not. */
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
};
static struct side side;

static yields void
side_say(const char *text)
{
	stream_put(&peer_net, str_of(text));
	stream_put(&peer_net, STR("\r\n"));
}

/* "S text", "C prefix", "R octets", "W" for an hour. */
static yields int
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
		if (stream_line(&peer_net, 2000, &line, &ending) != 0)
			return -1;
		if (!str_has_prefix_icase(line, str_of(*steps + 2)))
			fprintf(stderr, "wanted '%s', heard '" STR_FMT "'\n",
			    *steps + 2, STR_ARG(line));
		must(str_has_prefix_icase(line, str_of(*steps + 2)));
	}
	return stream_flush(&peer_net);
}

static yields void
side_run(void *arg)
{
	struct str hello;

	(void)arg;
	peer_net.deadline = mono_add(clock_mono(), 86400 * NS_PER_SECOND);
	if (side_play(side.clear) == 0 && side.private != NULL &&
	    !side.is_broken && tls_accept(&peer_net, serving) == 0)
		(void)side_play(side.private);
	if (side.is_broken && stream_peek(&peer_net, &hello) == 0) {
		side_say("220 not TLS at all");
		(void)stream_flush(&peer_net);
	}
	fiber_sleep(in_ms(100));
	stream_close(&peer_net);
}

/* name: of the certificate; trusted: it is its own anchor. */
static yields void
begin(enum tls_level level, const char *name, bool is_trusted)
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

static yields void
end(void)
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

static void
begins(enum tls_level level, bool is_trusted, const char *told)
{
	side = (struct side){ LINES(OFFER, "C STARTTLS", "S 220 go"),
		LINES(INSIDE), false };
	begin(level, "mx.test", is_trusted);
	greet();
	assert_true(stream_is_private(&client_net));
	assert_string_equal(client.security.told, told);
	/* RFC 3207 4.2 */
	assert_int_equal(client.ehlo.has, CAPABILITY_BIT(SIZE));
	assert_int_equal(client.lies, 0);
	end();
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

static void
body_implicit(void *arg)
{
	(void)arg;
	side = (struct side){ NULL, LINES("S 220 mx", INSIDE), false };
	begin(TLS_LEVEL_VERIFY, "mx.test", true);
	client.is_implicit = true;
	greet();
	assert_true(stream_is_private(&client_net));
	end();
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
	side = (struct side){ LINES(OFFER, "C STARTTLS", "S 220 go"),
		LINES("C QUIT", "S 221"), false };
	begin(TLS_LEVEL_VERIFY, "mx.test", false);
	expect_no("4.7.5", "the host's certificate is not trusted: it is "
	    "signed by itself (route[0] asks for 'verify')");
	assert_string_equal(client.breach, "TLS: certificate-not-trusted");
	end();
	begin(TLS_LEVEL_VERIFY, "mx.other", true);
	expect_no("4.7.5", "the host's certificate is not for mx.test "
	    "(route[0] asks for 'verify')");
	assert_int_equal(client.lies, 0);
	end();
}

TEST(certificates)

/* Somebody takes the word out of the reply, or the host has none. */
static void
body_stripped(void *arg)
{
	(void)arg;
	side = (struct side){ LINES("S 220 mx", "C EHLO", "S 250-mx",
	    "S 250 XXXXXXXA", "C QUIT", "S 221"), NULL, false };
	for (int l = TLS_LEVEL_NONE; l <= TLS_LEVEL_MAY; l++) {
		begin((enum tls_level)l, "mx.test", true);
		greet();
		assert_string_equal(client.security.told, "clear");
		end();
	}
	for (int l = TLS_LEVEL_ENCRYPT; l <= TLS_LEVEL_DANE; l++) {
		begin((enum tls_level)l, "mx.test", true);
		demand.asked_in = STR("");
		expect_no("4.7.4", "the host does not offer STARTTLS");
		end();
	}
}

TEST(stripped)

/* RFC 3207 4: 454, and what else may come for it. */
static void
body_refused(void *arg)
{
	(void)arg;
	side = (struct side){ LINES(OFFER, "C STARTTLS",
	    "S 454 4.7.0 not now", "C QUIT", "S 221"), NULL, false };
	begin(TLS_LEVEL_MAY, "mx.test", true);
	greet();
	assert_false(stream_is_private(&client_net));
	assert_int_equal(client.lies, CAPABILITY_BIT(STARTTLS));
	end();
	begin(TLS_LEVEL_ENCRYPT, "mx.test", true);
	expect_no("4.7.4", "the host offers STARTTLS and refuses it (route[0] "
	    "asks for 'encrypt')");
	end();
}

TEST(refused)

/* The handshake breaks: never clear text on the same connection. */
static void
body_broken(void *arg)
{
	(void)arg;
	side = (struct side){ LINES(OFFER, "C STARTTLS", "S 220 go"), NULL,
		true };
	for (int l = TLS_LEVEL_MAY; l <= TLS_LEVEL_ENCRYPT; l++) {
		begin((enum tls_level)l, "mx.test", true);
		expect_no("4.7.5", "TLS handshake: wrong version number");
		assert_string_equal(client.breach,
		    "TLS handshake: wrong version number");
		assert_int_equal(client.lies, CAPABILITY_BIT(STARTTLS));
		end();
	}
}

TEST(broken)

/* What was noted is heeded where clear text will do, and only there. */
static void
body_remembered(void *arg)
{
	(void)arg;
	side = (struct side){ LINES(OFFER, "C QUIT", "S 221"), NULL, false };
	begin(TLS_LEVEL_MAY, "mx.test", true);
	client.distrust = CAPABILITY_BIT(STARTTLS);
	greet();
	assert_false(stream_is_private(&client_net));
	end();
	side = (struct side){ LINES(OFFER, "C STARTTLS", "S 220 go"),
		LINES(INSIDE), false };
	begin(TLS_LEVEL_ENCRYPT, "mx.test", true);
	client.distrust = CAPABILITY_BIT(STARTTLS);
	greet();
	assert_true(stream_is_private(&client_net));
	end();
}

TEST(remembered)

/* SECURITY.md row 5 */
static void
body_behind(void *arg)
{
	(void)arg;
	side = (struct side){ LINES(OFFER, "C STARTTLS",
	    "R 220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n"), NULL, false };
	for (int l = TLS_LEVEL_MAY; l <= TLS_LEVEL_ENCRYPT; l++) {
		begin((enum tls_level)l, "mx.test", true);
		expect_no("4.7.0", "there was text behind the answer to "
		    "STARTTLS, as if somebody stood between");
		assert_int_equal(client.lies, 0);
		end();
	}
}

TEST(behind)

/* The handshake has a deadline of its own. */
static void
body_silent(void *arg)
{
	(void)arg;
	side = (struct side){ LINES(OFFER, "C STARTTLS", "S 220 go", "W"),
		NULL, false };
	begin(TLS_LEVEL_MAY, "mx.test", true);
	expect_no("4.7.5", "TLS handshake: nothing in time");
	assert_int_equal(client.lies, CAPABILITY_BIT(STARTTLS));
	end();
	fiber_sleep(in_ms(2 * 3600 * 1000));
}

TEST(silent)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins),
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
