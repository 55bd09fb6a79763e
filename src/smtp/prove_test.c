/* prove_test.c -- the client logs in: relays that are good, and relays that lie. */
#include "smtp/test_side.h"
#include "trust/sasl.h"
#include "wire/base64.h"

static struct client_login login;
static struct str allowed[4];		/* the operator's mechanisms */

#define OFFERED(words) "S 220 mx", "C EHLO me.test", "S 250-mx", \
	"S 250-AUTH " words, "S 250 SIZE 1000"
#define GONE "C QUIT", "S 221 bye"
/* user: ann, password: pencil */
#define PLAIN_RIGHT "C AUTH PLAIN AGFubgBwZW5jaWw="
#define BAD(esc, text, breach, ...) \
	fails(LINES(__VA_ARGS__), esc, text, "AUTH: " breach)

/* ---- a relay that knows SCRAM ---- */

static struct {
	struct arena arena;
	struct sasl sasl;
	struct scram_verifier verifier;
	const char *password;
} scram;

static struct str
scram_decoded(struct str letters)
{
	char *p = arena_alloc(&scram.arena, letters.n + 1);
	struct buf b = { .p = p, .cap = letters.n };

	must(p != NULL && base64_decode(letters, &b));
	return buf_str(&b);
}

static yields struct str
scram_hear(void)
{
	enum line_ending ending;
	struct str line;

	must(stream_line(&peer_net, 2000, &line, &ending) == 0);
	return arena_copy(&scram.arena, line);
}

static yields struct str
scram_begin(void)
{
	static const unsigned char octets[SASL_NONCE] = { 7 };
	struct sasl_binding binding = { .end_point_n = 0 };
	struct str line = scram_hear();

	must(str_skip(&line, STR("AUTH ")));
	binding.has_exporter = tls_exporter(&peer_net, binding.exporter);
	must(tls_end_point(&peer_net, binding.end_point, &binding.end_point_n));
	sasl_begin(&scram.sasl, sasl_find(str_cut(&line, ' ')), &scram.arena,
	    &binding, sasl_nonce(&scram.arena, octets));
	must(scram_make(SCRAM_SHA_256, str_of(scram.password), STR("salt"),
	    4096, &scram.verifier) == 0);
	return line;
}

/* "X n": AUTH is heard, n challenges are said and answered. */
static yields int
scram_play(const char *step)
{
	struct str heard_now = scram_begin();
	char room[SASL_CHALLENGE_MOST], letters[SASL_CHALLENGE_MOST * 2];

	scram.sasl.offers_bound = true;
	for (char n = '0'; n < step[2]; n++) {
		struct buf out = BUF_OF(room), b = BUF_OF(letters);
		enum sasl_step next = sasl_take(&scram.sasl,
		    scram_decoded(heard_now), &out);

		if (next == SASL_VERIFY)
			next = sasl_verify(&scram.sasl, &scram.verifier, 1,
			    &out);
		if (next != SASL_SAY) {
			side_say("535 5.7.8 no");
			return stream_flush(&peer_net);
		}
		base64_encode(buf_str(&out), &b);
		stream_printf(&peer_net, "334 "STR_FMT"\r\n",
		    STR_ARG(buf_str(&b)));
		must(stream_flush(&peer_net) == 0);
		heard_now = scram_hear();
	}
	return 0;
}

/* ---- how it ends ---- */

static void
login_is(const char *user, const char *secret)
{
	login = (struct client_login){ .user = str_of(user),
		.secret = str_of(secret), .host = STR("mx.test"),
		.port = 587 };
}

static void
only(const char *mechanism)
{
	allowed[login.mechanisms.n++] = str_of(mechanism);
	login.mechanisms.v = allowed;
}

static yields void
meet_side(const char *const *steps)
{
	side = (struct side){ .private = steps, .more = scram_play };
	arena_init(&scram.arena, 1 << 16);
	scram.password = scram.password == NULL ? "pencil" : scram.password;
	side_meet(TLS_LEVEL_VERIFY, "mx.test", true);
	client.is_implicit = true;
	client.login = &login;
}

static yields void
leave_side(void)
{
	side_part();
	assert_true(side.is_played);
	arena_clear(&scram.arena);
	scram.password = NULL;
}

static yields void
works(const char *const *steps)
{
	meet_side(steps);
	greet();
	assert_string_equal(client.breach, "");
	leave_side();
}

/* Whatever it says, the mail waits: our password is not the mail's fault. */
static yields void
fails(const char *const *steps, const char *esc, const char *text,
    const char *breach)
{
	struct verdict v;

	meet_side(steps);
	v = client_greet(&client, STR("me.test"));
	assert_int_equal(v.disposition, DEFERRED);
	assert_string_equal(v.text, text);
	assert_string_equal(esc_print(v.esc).text, esc);
	assert_string_equal(client.breach, breach);
	assert_false(client_is_usable(&client));
	leave_side();
}

/* ---- relays that are good ---- */

static void
body_passwords(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	works(LINES(OFFERED("LOGIN PLAIN X-OTHER"), PLAIN_RIGHT,
	    "S 235 2.7.0 welcome", GONE));
	works(LINES(OFFERED("LOGIN"), "C AUTH LOGIN", "S 334 VXNlcm5hbWU6",
	    "C YW5u", "S 334 UGFzc3dvcmQ6", "C cGVuY2ls", "S 235 ok", GONE));
	/* the operator's word stands over the offer's order */
	only("login");
	only("no such mechanism");
	works(LINES(OFFERED("PLAIN LOGIN"), "C AUTH LOGIN", "S 334 ",
	    "C YW5u", "S 334 ", "C cGVuY2ls", "S 235 ok", GONE));
}

TEST(passwords)

/* RFC 4954 5: we vouch for nobody where we have proved who we are. */
static void
body_vouches_for_nobody(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	meet_side(LINES(OFFERED("PLAIN"), PLAIN_RIGHT, "S 235 ok",
	    "C MAIL FROM:<ann@one.test> SIZE=14 AUTH=<>", "S 250 ok",
	    "C RCPT TO:<bob@two.test>", "S 250 ok", "C DATA", "S 354 go",
	    "C Subject: x", "C ", "C .", "S 250 kept", GONE));
	greet();
	message_set(STR("Subject: x\r\n\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	leave_side();
}

TEST(vouches_for_nobody)

static void
body_scram(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	works(LINES(OFFERED("PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"), "X 2",
	    "S 235 2.7.0 welcome", GONE));
	assert_int_equal(scram.sasl.mechanism, SASL_SCRAM_SHA_256_PLUS);
	assert_true(sasl_is_proved(&scram.sasl));
	only("scram-sha-256");
	works(LINES(OFFERED("PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"), "X 2",
	    "S 235 2.7.0 welcome", GONE));
	assert_int_equal(scram.sasl.mechanism, SASL_SCRAM_SHA_256);
	assert_true(sasl_is_proved(&scram.sasl));
}

TEST(scram)

/* A token of this length needs more than one piece of base64. */
static yields int
token_hear(const char *step)
{
	char room[2000];
	struct buf b = BUF_OF(room);
	enum line_ending ending;
	struct str line, said;

	(void)step;
	must(stream_line(&peer_net, 2000, &line, &ending) == 0);
	must(str_skip(&line, STR("AUTH XOAUTH2 ")));
	must(base64_decode(line, &b));
	said = buf_str(&b);
	must(str_skip(&said, STR("user=ann\1auth=Bearer ")));
	must(str_skip(&said, login.secret));
	must(str_eq(said, STR("\1\1")));
	return 0;
}

static void
body_tokens(void *arg)
{
	static char token[1000];

	(void)arg;
	login_is("ann", "t");
	login.is_token = true;
	works(LINES(OFFERED("PLAIN OAUTHBEARER"), "C AUTH OAUTHBEARER "
	    "bixhPWFubiwBaG9zdD1teC50ZXN0AXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHQBAQ==",
	    "S 235 ok", GONE));
	for (size_t n = 740; n < 760; n++) {	/* around a piece's end */
		memset(token, 'k', n);
		login.secret = (struct str){ token, n };
		meet_side(LINES(OFFERED("XOAUTH2"), "X", "S 235 ok", GONE));
		side.more = token_hear;
		greet();
		leave_side();
	}
}

TEST(tokens)

/* RFC 4954 4: it does not know what it offers; the next best is tried. */
static void
body_unknown(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	works(LINES(OFFERED("LOGIN PLAIN SCRAM-SHA-256"), "C AUTH SCRAM-SHA-256",
	    "S 504 5.5.4 what?", PLAIN_RIGHT, "S 504 5.5.4 what?",
	    "C AUTH LOGIN", "S 334 ", "C YW5u", "S 334 ", "C cGVuY2ls",
	    "S 235 ok", GONE));
	BAD("4.7.0", "logging in as ann: the relay offers no way to log in that "
	    "fits: PLAIN", "the relay offers no way to log in that fits",
	    OFFERED("PLAIN"), PLAIN_RIGHT, "S 504 5.5.4 what?", GONE);
}

TEST(unknown)

/* ---- relays that say no ---- */

static void
body_refused(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	BAD("4.7.8", "logging in as ann: the relay does not take our name and "
	    "password: 535 go away", "the relay does not take our "
	    "name and password", OFFERED("PLAIN"), PLAIN_RIGHT,
	    "S 535 5.7.8 go away", GONE);
	BAD("4.7.0", "logging in as ann: the relay cannot say now: 454 "
	    "later", "the relay cannot say now", OFFERED("PLAIN"),
	    PLAIN_RIGHT, "S 454 4.7.0 later", GONE);
	BAD("4.7.8", "logging in as ann: the relay does not take our name and "
	    "password: 250 fine", "the relay does not take our name and "
	    "password", OFFERED("PLAIN"), PLAIN_RIGHT, "S 250 fine", GONE);
	BAD("4.7.0", "logging in as ann: the relay cannot say now: 421 "
	    "stopping", "the relay cannot say now", OFFERED("PLAIN"),
	    PLAIN_RIGHT, "S 421 4.3.2 stopping");
	login.is_token = true;		/* RFC 7628 3.2.3 */
	BAD("4.7.8", "logging in as ann: the relay does not take our name and "
	    "password: 535 no", "the relay does not take our name "
	    "and password", OFFERED("OAUTHBEARER"), "C AUTH OAUTHBEARER ",
	    "S 334 e30=", "C AQ==", "S 535 5.7.8 no", GONE);
	BAD("4.7.8", "logging in as ann: the relay does not take our name and "
	    "password: 535 no", "the relay does not take our name "
	    "and password", OFFERED("XOAUTH2"), "C AUTH XOAUTH2 ",
	    "S 334 e30=", "C ", "S 535 5.7.8 no", GONE);
}

TEST(refused)

#define NO_WAY "the relay offers no way to log in that fits"

static void
body_nothing_fits(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	BAD("4.7.0", "logging in as ann: the relay offers no way to log in that "
	    "fits: OAUTHBEARER X-OTHER", NO_WAY,
	    OFFERED("OAUTHBEARER X-OTHER"), GONE);
	BAD("4.7.0", "logging in as ann: the relay offers no way to log in that "
	    "fits", NO_WAY, "S 220 mx", "C EHLO me.test", "S 250 mx", GONE);
	only("scram-sha-256");
	BAD("4.7.0", "logging in as ann: the relay offers no way to log in that "
	    "fits: PLAIN LOGIN", NO_WAY, OFFERED("PLAIN LOGIN"), GONE);
	login_is("ann", "pen\1cil");	/* RFC 4013: prohibited */
	BAD("4.7.0", "logging in as ann: our own name or password: the name or "
	    "the password has characters that SASL does not allow, or there is "
	    "no memory", "our own name or password",
	    OFFERED("SCRAM-SHA-256"), GONE);
}

TEST(nothing_fits)

/* ---- relays that lie ---- */

#define UNPROVEN "the server did not prove that it knows us"
#define WRONGLY "logging in as ann: the relay speaks the mechanism wrongly: "
#define WRONG_BREACH "the relay speaks the mechanism wrongly"
#define BOUND OFFERED("PLAIN SCRAM-SHA-256-PLUS")

/* It takes what we say, and knows nothing of us: 235 is not enough. */
static void
body_unproven(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	BAD("4.7.0", "logging in as ann: " UNPROVEN, UNPROVEN, BOUND, "X 0", "S 235 welcome", GONE);
	BAD("4.7.0", "logging in as ann: " UNPROVEN, UNPROVEN, BOUND, "X 1", "S 235 welcome", GONE);
	/* it has another's verifier: v= is missing, of a wrong length, wrong */
	BAD("4.7.0", WRONGLY "the server gave no proof", WRONG_BREACH, BOUND,
	    "X 1", "S 334 ZT1vdGhlcg==", "C *", "S 501 ended", GONE);
	BAD("4.7.0", WRONGLY "the server gave no proof", WRONG_BREACH, BOUND,
	    "X 1", "S 334 dj1BQUFB", "C *", "S 501 ended", GONE);
	BAD("4.7.0", WRONGLY "the server does not know our password",
	    WRONG_BREACH, BOUND, "X 1",
	    "S 334 dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0"
	    "PQ==", "C *", "S 235 welcome", GONE);
	scram.password = "another";
	BAD("4.7.8", "logging in as ann: the relay does not take our name and "
	    "password: 535 no", "the relay does not take our name "
	    "and password", BOUND, "X 2", GONE);
}

TEST(unproven)

static void
body_wrong_challenges(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	BAD("4.7.0", WRONGLY "its challenge is no base64", WRONG_BREACH, BOUND,
	    "X 0", "S 334 !!!", "C *", "S 501 ended", GONE);
	BAD("4.7.0", WRONGLY "the nonce is not an answer to ours", WRONG_BREACH,
	    BOUND, "X 0", "S 334 cj1mb28scz1BQUFBLGk9NDA5Ng==", "C *",
	    "S 501 ended", GONE);
	BAD("4.7.0", WRONGLY "the server goes on and on", WRONG_BREACH,
	    OFFERED("PLAIN"), PLAIN_RIGHT, "S 334 ", "C *", "S 501 ended",
	    GONE);
	login.is_token = true;
	BAD("4.7.0", WRONGLY "the server goes on and on", WRONG_BREACH,
	    OFFERED("OAUTHBEARER"), "C AUTH OAUTHBEARER", "S 334 e30=",
	    "C AQ==", "S 334 e30=", "C *", "S 501 ended", GONE);
}

TEST(wrong_challenges)

/* Gone in the middle: while we wait, and while we would cancel. */
static void
body_lost(void *arg)
{
	(void)arg;
	login_is("ann", "pencil");
	meet_side(LINES(OFFERED("PLAIN"), PLAIN_RIGHT, "R 334"));
	assert_int_equal(client_greet(&client, STR("me.test")).disposition,
	    DEFERRED);
	assert_true(client.is_over);
	leave_side();
	meet_side(LINES(OFFERED("PLAIN"), PLAIN_RIGHT, "S 334 !!!", "C *"));
	assert_int_equal(client_greet(&client, STR("me.test")).disposition,
	    DEFERRED);
	assert_true(client.is_over);
	leave_side();
	meet_side(LINES(OFFERED("PLAIN"), PLAIN_RIGHT, "W"));
	assert_int_equal(client_greet(&client, STR("me.test")).disposition,
	    DEFERRED);
	assert_true(client.is_over);
	side_part();
	fiber_sleep(in_ms(2 * 3600 * 1000));
	arena_clear(&scram.arena);
}

TEST(lost)

/* RFC 4954 9, SECURITY.md row 8: not a word of it in clear text. */
static void
body_clear_text(void *arg)
{
	struct verdict v;

	(void)arg;
	login_is("ann", "pencil");
	side = (struct side){ .clear = LINES(OFFERED("PLAIN"), GONE) };
	side_meet(TLS_LEVEL_MAY, "mx.test", true);
	client.login = &login;
	v = client_greet(&client, STR("me.test"));
	assert_int_equal(v.disposition, DEFERRED);
	assert_string_equal(esc_print(v.esc).text, "4.7.11");
	assert_string_equal(v.text, "logging in as ann: it is done inside TLS "
	    "only, and the relay has none");
	side_part();
}

TEST(clear_text)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_vouches_for_nobody),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nothing_fits),
		cmocka_unit_test(test_unproven),
		cmocka_unit_test(test_wrong_challenges),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_clear_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
