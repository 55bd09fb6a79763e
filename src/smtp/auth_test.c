/* auth_test.c -- logging in: its forms, its refusals, and what is known then. */
#include "smtp/test_login.h"
#include "wire/base64.h"

#define SUBMISSION "auth: { mechanisms: [scram-sha-256-plus, scram-sha-256, " \
	"oauthbearer, xoauth2, plain, login] }\n"

static struct arena arena;		/* the client's */

/* ---- the forms ---- */

/* The transcript that every client's manual has. */
static void
body_login(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("C AUTH LOGIN", "S 334 VXNlcm5hbWU6", "C YW5u",
	    "S 334 UGFzc3dvcmQ6", "C cGVuY2ls", "S 235 2.7.0", MAILS,
	    "C QUIT", "S 221", "E");
	assert_int_equal(house_told("\"queued\"", "ESMTPSA"), 1);
	assert_int_equal(house_told("\"queued\"", "ann@two.test"), 1);
	assert_int_equal(house_told("\"queued\"", "LOGIN"), 1);
	assert_true(known.protocol.n > 0);
	assert_string_equal(known.name, "ann");
	assert_string_equal(known.client, "192.0.2.7");
	close_login();
}

TEST(login, SUBMISSION)

/* ... and the same without the second EHLO. */
static void
body_one_ehlo(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	go_private();
	PLAY("C AUTH LOGIN", "S 334 VXNlcm5hbWU6", "C YW5u",
	    "S 334 UGFzc3dvcmQ6", "C cGVuY2ls", "S 235 2.7.0", MAILS,
	    "C QUIT", "S 221", "E");
	assert_int_equal(house_told("\"queued\"", "\"[192.0.2.7]\""), 1);
	assert_int_equal(house_told("\"queued\"", "ESMTPSA"), 1);
	close_login();
}

TEST(one_ehlo, SUBMISSION)

static void
body_forms(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("C AUTH PLAIN " RIGHT, "S 235 2.7.0", "C AUTH PLAIN " RIGHT,
	    "S 503 5.5.1 We know you");
	again();
	greet();
	PLAY("C auth plain", "S 334 ", "C " RIGHT, "S 235 2.7.0",
	    "C EHLO me.test", "M 250", MAILS);
	again();
	greet();
	PLAY("C AUTH LOGIN YW5u", "S 334 UGFzc3dvcmQ6", "C cGVuY2ls",
	    "S 235 2.7.0");
	assert_int_equal(known.asked, 3);
	close_login();
}

TEST(forms, SUBMISSION)

static void
body_tokens(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	/* nobody issues any */
	PLAY("C AUTH XOAUTH2", "S 504 5.5.4");
	again();
	known.has_tokens = true;
	greet();
	/* user=ann^Aauth=Bearer token^A^A, then with another token */
	PLAY("C AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==",
	    "S 235 2.7.0");
	again();
	greet();
	PLAY("C AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rBQE=",
	    "S 501 5.5.2",
	    "C AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rAQE=",
	    "S 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=", "C ",
	    "S 535 5.7.8");
	/* n,a=ann,^Aauth=Bearer tok^A^A */
	PLAY("C AUTH OAUTHBEARER bixhPWFubiwBYXV0aD1CZWFyZXIgdG9rAQE=",
	    "S 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", "C AQ==",
	    "S 535 5.7.8");
	close_login();
}

TEST(tokens, SUBMISSION)

/* ---- the refusals ---- */

static void
body_refusals(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("C AUTH", "S 501 5.5.4", "C AUTH CRAM-MD5", "S 504 5.5.4",
	    "C AUTH SCRAM-SHA-1", "S 504 5.5.4", "C AUTH PLAIN ====",
	    "S 501 5.5.2", "C AUTH PLAIN A=AA", "S 501 5.5.2",
	    "C AUTH PLAIN", "S 334 ", "C no base64", "S 501 5.5.2",
	    "C AUTH PLAIN", "S 334 ", "C *", "S 501 5.7.0",
	    "C AUTH PLAIN =", "S 501 5.5.2", "C AUTH PLAIN YW5u",
	    "S 501 5.5.2", "C NOOP", "S 250");
	again();
	greet();
	PLAY("C AUTH LOGIN", "S 334", "C ", "S 535 5.7.8", "C AUTH LOGIN",
	    "S 334", "R YW5u\n", "S 500 5.5.2", "C AUTH LOGIN =",
	    "S 535 5.7.8", "C AUTH PLAIN " WRONG, "S 535 5.7.8",
	    "C MAIL FROM:<ann@two.test>", "S 530 5.7.0", "C AUTH PLAIN " RIGHT,
	    "S 235", "C MAIL FROM:<ann@two.test>", "S 250", "C AUTH PLAIN x",
	    "S 503 5.5.1 One message");
	assert_int_equal(known.asked, 2);
	close_login();
}

TEST(refusals, SUBMISSION)

static void
body_later(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("C AUTH PLAIN AGV2ZQBwdw==", "S 454 4.7.0", "C AUTH SCRAM-SHA-256"
	    " biwsbj1ldmUscj14", "S 454 4.7.0", "C AUTH PLAIN " RIGHT, "S 235");
	close_login();
}

TEST(later, SUBMISSION)

/* SECURITY.md row 10 */
static void
body_guesses(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("C AUTH PLAIN " WRONG, "S 535", "C AUTH PLAIN " WRONG, "S 535",
	    "C AUTH PLAIN " WRONG, "S 421 4.7.0", "E");
	assert_int_equal(known.asked, 3);
	close_login();
}

TEST(guesses, "auth: { failures: 3 }\n")

/* Known, but not from here. */
static void
body_elsewhere(void *arg)
{
	static struct network network;

	(void)arg;
	assert_true(network_parse(STR("203.0.113.0/24"), &network));
	elsewhere = (struct conf_networks){ &network, 1 };
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	known.has_others = true;
	greet();
	PLAY("C AUTH PLAIN " RIGHT, "S 535 5.7.8",
	    "C MAIL FROM:<ann@two.test>", "S 530 5.7.0");
	close_login();
}

TEST(elsewhere, SUBMISSION)

/* SECURITY.md row 8: not in clear text, and not where strangers deliver. */
static void
body_where(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	PLAY("S 220", "C AUTH PLAIN " RIGHT, "S 530 5.7.0", "C EHLO me.test",
	    "M 250", "C AUTH PLAIN " RIGHT, "S 530 5.7.0");
	again();
	listener.tls = TLS_OFFERED;
	PLAY("S 220", "C EHLO me.test", "M 250", "C AUTH PLAIN " RIGHT,
	    "S 538 5.7.11", "C AUTH SCRAM-SHA-256-PLUS", "S 538 5.7.11",
	    "C AUTH CRAM-MD5", "S 504 5.5.4");
	again();
	listener.role = ROLE_MX;
	PLAY("S 220", "C AUTH PLAIN", "S 503 5.5.1", "C EHLO me.test", "M 250",
	    "C AUTH PLAIN " RIGHT, "S 503 5.5.1", "C MAIL FROM:<a@b.test> "
	    "AUTH=<>", "S 555 5.5.4");
	again();
	listener.role = ROLE_RELAY;
	greet();
	PLAY("C AUTH PLAIN " RIGHT, "S 503 5.5.1");
	assert_int_equal(known.asked, 0);
	close_login();
}

TEST(where, SUBMISSION)

static void
body_weak(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_OFFERED);
	PLAY("S 220", "C EHLO me.test", "M 250", "C AUTH PLAIN " RIGHT,
	    "S 534 5.7.9");
	again();
	greet();
	PLAY("C AUTH LOGIN", "S 534 5.7.9", "C AUTH PLAIN " RIGHT,
	    "S 534 5.7.9");
	assert_int_equal(known.asked, 0);
	close_login();
}

TEST(weak, "auth: { mechanisms: [scram-sha-256] }\n")

/* Nobody knows what words before the question are. */
static void
body_pipelined(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("R AUTH LOGIN\r\nYW5u\r\ncGVuY2ls\r\n", "S 421 4.7.0", "E");
	again();
	greet();
	/* RFC 4954 4: what completes in one round trip may be followed */
	PLAY("R AUTH PLAIN " RIGHT "\r\nMAIL FROM:<ann@two.test>\r\n",
	    "S 235", "S 250");
	assert_int_equal(known.asked, 1);
	close_login();
}

TEST(pipelined, SUBMISSION)

/* ---- sizes: RFC 4954 4 ---- */

static yields void
try_size(const char *command, size_t n, const char *answer)
{
	static char letters[COMMAND_AUTH_MOST + 16];

	memset(letters, 'A', sizeof letters);
	if (command[0] != '\0') {
		stream_put(&net, str_of(command));
	} else {
		PLAY("C AUTH PLAIN", "S 334 ");
	}
	stream_put(&net, (struct str){ letters, n });
	stream_put(&net, STR("\r\n"));
	hear(&net, answer);
}

static void
body_sizes(void *arg)
{
	static char endless[1024];

	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	/* NULs only: not PLAIN's grammar, but base64 */
	try_size("AUTH PLAIN ", COMMAND_AUTH_MOST, "501 5.5.2 That is no mess");
	try_size("AUTH PLAIN ", COMMAND_AUTH_MOST + 4, "500 5.5.6");
	try_size("", COMMAND_AUTH_MOST, "501 5.5.2 That is no mess");
	try_size("", COMMAND_AUTH_MOST + 4, "500 5.5.6");
	PLAY("C NOOP", "S 250");
	/* a command that is no AUTH has the limit of before */
	try_size("NOOP ", 3000, "500 5.5.2");
	again();
	greet();
	PLAY("C AUTH PLAIN", "S 334 ");
	memset(endless, 'A', sizeof endless);
	/* A little more than is swallowed: who says much more may be cut off by
	 * a reset before he hears why. */
	for (int i = 0; i < 65; i++)
		stream_put(&net, (struct str){ endless, sizeof endless });
	PLAY("S 421 4.7.0");
	close_login();
}

TEST(sizes, SUBMISSION)

/* Octet by octet: its line is long all the same. */
static void
body_trickle(void *arg)
{
	static char text[4096] = "AUTH PLAIN ";

	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	memset(text + 11, 'A', 3000);
	memcpy(text + 3011, "\r\n", 3);
	for (size_t i = 0; i < 12; i++) {
		stream_put(&net, (struct str){ text + i, 1 });
		stream_flush(&net);
		fiber_sleep(in_ms(10));
	}
	stream_put(&net, str_of(text + 12));
	PLAY("S 501 5.5.2 That is no mess", "C NOOP", "S 250");
	close_login();
}

TEST(trickle, SUBMISSION)

/* Silence and a break in the middle of an exchange. */
static void
body_lost(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	greet();
	PLAY("C AUTH LOGIN", "S 334");
	fiber_sleep(in_ms(400 * 1000));
	PLAY("S 421 4.4.2", "E");
	again();
	greet();
	PLAY("C AUTH LOGIN", "S 334");
	again();
	fiber_sleep(in_ms(1000));
	assert_int_equal(house_told("\"refused\"", "\"gone\""), 1);
	greet();
	PLAY("C AUTH LOGIN", "S 334");
	server_shut(&server);
	PLAY("S 421 4.3.2", "E");
	close_login();
}

TEST(lost, SUBMISSION)

/* ---- SCRAM, in and outside of TLS ---- */

static yields struct str
hear_challenge(void)
{
	enum line_ending ending;
	struct str line;
	char *room;
	struct buf b;

	assert_int_equal(stream_line(&net, 4096, &line, &ending), 0);
	assert_true(str_skip(&line, STR("334 ")));
	room = arena_alloc(&arena, line.n + 1);
	b = (struct buf){ .p = room, .cap = line.n };
	assert_true(base64_decode(line, &b));
	return buf_str(&b);
}

static yields void
say_letters(const char *before, const struct buf *response)
{
	char room[3072];
	struct buf b = BUF_OF(room);

	buf_put(&b, str_of(before));
	base64_encode(buf_str(response), &b);
	buf_put(&b, STR("\r\n"));
	stream_put(&net, buf_str(&b));
}

static struct sasl_credentials who;
static struct sasl_client client;

/* Up to the proof; whatever the password is, it is said. */
static yields void
say_scram(enum sasl_mechanism m, const char *user,
    const struct sasl_binding *binding, uint32_t offered)
{
	char room[2048], command[64];
	struct buf out = BUF_OF(room);

	arena_clear(&arena);
	arena_init(&arena, 1 << 16);
	who.user = str_of(user);
	client = (struct sasl_client){ .mechanism = m, .arena = &arena,
		.credentials = &who, .binding = binding, .offered = offered,
		.nonce = STR("client") };
	(void)snprintf(command, sizeof command, "AUTH %s ",
	    sasl_traits(m)->name.p);
	assert_int_equal(sasl_client_begin(&client, &out), SASL_CLIENT_SAY);
	say_letters(command, &out);
	out = BUF_OF(room);
	assert_int_equal(sasl_client_take(&client, hear_challenge(), &out),
	    SASL_CLIENT_HASH);
	assert_int_equal(sasl_client_hash(&client), 0);
	assert_int_equal(sasl_client_proof(&client, &out), SASL_CLIENT_SAY);
	say_letters("", &out);
}

/* The server proves itself, and is answered with nothing. */
static yields void
hear_scram(void)
{
	char room[64];
	struct buf out = BUF_OF(room);

	assert_int_equal(sasl_client_take(&client, hear_challenge(), &out),
	    SASL_CLIENT_SAY);
	assert_true(sasl_client_is_done(&client));
	say_letters("", &out);
}

static void
body_scram(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_OFFERED);
	/* no password is shown: clear text will do */
	PLAY("S 220", "C EHLO me.test", "M 250");
	who.secret = STR("pencil");
	say_scram(SASL_SCRAM_SHA_256, "ann", NULL, 0);
	hear_scram();
	PLAY("S 235 2.7.0", MAILS);
	assert_int_equal(house_told("\"queued\"", "ESMTPA"), 1);
	assert_int_equal(known.proved, 1);
	/* and is forgotten when TLS begins */
	PLAY("C STARTTLS", "S 220");
	assert_int_equal(tls_connect(&net, asking, STR("mx.test")), 0);
	PLAY("C EHLO me.test", "M 250", "C MAIL FROM:<ann@two.test>",
	    "S 530 5.7.0");
	who.secret = STR("pen");
	say_scram(SASL_SCRAM_SHA_256, "ann", NULL, 0);
	PLAY("S 535 5.7.8");
	/* somebody who is nobody proves what the false verifier holds */
	who.secret = STR("pencil");
	say_scram(SASL_SCRAM_SHA_256, "nobody", NULL, 0);
	hear_scram();
	PLAY("S 535 5.7.8");
	assert_int_equal(known.proved, 1);
	arena_clear(&arena);
	close_login();
}

TEST(scram, SUBMISSION)

/* Either binding; and none when somebody stands between. */
static yields void
try_plus(bool has_exporter, bool is_other)
{
	struct sasl_binding binding = { .has_exporter = false };

	again();
	greet();
	assert_true(tls_exporter(&net, binding.exporter));
	assert_true(tls_end_point(&net, binding.end_point,
	    &binding.end_point_n));
	binding.has_exporter = has_exporter;
	binding.exporter[0] ^= is_other;
	binding.end_point[0] ^= is_other;
	say_scram(SASL_SCRAM_SHA_256_PLUS, "ann", &binding, SASL_SOME_BOUND);
}

static void
body_plus(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	who.secret = STR("pencil");
	try_plus(true, false);
	hear_scram();
	PLAY("S 235 2.7.0");
	try_plus(false, false);
	hear_scram();
	PLAY("S 235 2.7.0");
	try_plus(true, true);
	PLAY("S 535 5.7.8");
	try_plus(false, true);
	PLAY("S 535 5.7.8");
	/* y,,n=ann,r=x where -PLUS is offered; p=tls-exporter,,n=ann,r=x where
	 * it is not spoken */
	PLAY("C AUTH SCRAM-SHA-256 eSwsbj1hbm4scj14", "S 535 5.7.8",
	    "C AUTH SCRAM-SHA-256 cD10bHMtZXhwb3J0ZXIsLG49YW5uLHI9eA==",
	    "S 535 5.7.8");
	assert_int_equal(known.proved, 2);
	arena_clear(&arena);
	close_login();
}

TEST(plus, SUBMISSION)

/* ---- what EHLO tells ---- */

static yields void
hear_ehlo(const char *want)
{
	enum line_ending ending;
	struct str line;
	bool is_told = false;

	PLAY("C EHLO me.test");
	do {
		assert_int_equal(stream_line(&net, 512, &line, &ending), 0);
		if (str_has_prefix_icase(str_sub(line, 4, line.n),
		    STR("AUTH"))) {
			if (want == NULL || !str_eq(str_sub(line, 4, line.n),
			    str_of(want)))
				fail_msg("'"STR_FMT"'", STR_ARG(line));
			is_told = true;
		}
	} while (line.p[3] == '-');
	assert_int_equal(is_told, want != NULL);
}

static void
body_told(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_OFFERED);
	PLAY("S 220");
	hear_ehlo("AUTH SCRAM-SHA-256");
	PLAY("C STARTTLS", "S 220");
	assert_int_equal(tls_connect(&net, asking, STR("mx.test")), 0);
	hear_ehlo("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
	PLAY("C AUTH PLAIN " RIGHT, "S 235");
	hear_ehlo(NULL);
	again();
	known.has_tokens = true;
	go_private();
	hear_ehlo("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 OAUTHBEARER XOAUTH2 "
	    "PLAIN LOGIN");
	again();
	listener.role = ROLE_MX;
	go_private();
	hear_ehlo(NULL);
	again();
	listener.role = ROLE_SUBMISSION;
	servers.login = NULL;
	go_private();
	hear_ehlo(NULL);
	PLAY("C AUTH PLAIN " RIGHT, "S 503 5.5.1");
	close_login();
}

TEST(told, SUBMISSION)

static void
body_old_form(void *arg)
{
	(void)arg;
	open_login(ROLE_SUBMISSION, TLS_REQUIRED);
	go_private();
	PLAY("C EHLO me.test", "S 250-mx.test", "S 250-8BITMIME",
	    "S 250-AUTH PLAIN LOGIN", "S 250-AUTH=PLAIN LOGIN", "M 250");
	close_login();
}

TEST(old_form, "auth: { old_form: yes }\n")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_one_ehlo),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_trickle),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_plus),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_old_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
