/* sasl_test.c -- clients that speak well, and clients that cheat. */
#include "trust/test_sasl.h"

static struct sasl sasl;

static void
begin(enum sasl_mechanism m)
{
	sasl_begin(&sasl, m, &arena, &tls, STR("3rfcNHYJY1ZVvWVs7j"));
}

static enum sasl_step
take(struct str message)
{
	out = BUF_OF(room);
	return sasl_take(&sasl, message, &out);
}

/* One message is answered so at once. */
static void
assert_first(enum sasl_mechanism m, struct str message, enum sasl_step want)
{
	enum sasl_step got;

	begin(m);
	got = take(message);
	if (got != want)
		fail_msg("'"STR_FMT"' is %d, not %d (%s)", STR_ARG(message),
		    (int)got, (int)want, sasl.why == NULL ? "" : sasl.why);
	assert_true((got != SASL_BAD && got != SASL_REFUSED) ||
	    sasl.why != NULL);
}

/* ---- mechanisms ---- */

static void
test_names(void **state)
{
	(void)state;
	assert_int_equal(sasl_find(STR("plain")), SASL_PLAIN);
	assert_int_equal(sasl_find(STR("SCRAM-SHA-256-PLUS")),
	    SASL_SCRAM_SHA_256_PLUS);
	assert_int_equal(sasl_find(STR("CRAM-MD5")), SASL_UNKNOWN);
	assert_int_equal(sasl_find(STR("")), SASL_UNKNOWN);
	for (enum sasl_mechanism m = 0; m < SASL_MECHANISMS; m++)
		assert_int_equal(sasl_find(sasl_traits(m)->name), m);
	assert_int_equal(sasl_offered(STR("LOGIN PLAIN X scram-sha-256")),
	    SASL_BIT(SASL_LOGIN) | SASL_BIT(SASL_PLAIN) |
	    SASL_BIT(SASL_SCRAM_SHA_256));
}

/* RFC 4616 4 */
static void
test_plain(void **state)
{
	(void)state;
	talk_read("rfc4616-s4-plain.txt");
	begin(SASL_PLAIN);
	assert_int_equal(take(STR_NONE), SASL_SAY);
	assert_out(STR(""));
	assert_int_equal(take(with_nuls(talk_line('C', "<NUL>tim"))),
	    SASL_CHECK);
	assert_str(sasl.user, STR("tim"));
	assert_str(sasl.secret, STR("tanstaaftanstaaf"));
	assert_int_equal(sasl_judge(&sasl, true, STR_NONE, &out), SASL_DONE);
	/* the second example: another identity */
	assert_first(SASL_PLAIN, with_nuls(talk_line('C', "Ursel")),
	    SASL_REFUSED);
	begin(SASL_PLAIN);
	assert_int_equal(take(STR("tim\0tim\0x")), SASL_CHECK);
	assert_int_equal(sasl_judge(&sasl, false, STR_NONE, &out),
	    SASL_REFUSED);
}

static void
test_plain_bad(void **state)
{
	static const char grammar[][12] = { "", "a", "a\0b", "\0a\0b\0c" };
	static const size_t sizes[] = { 0, 1, 3, 6 };
	char big[SASL_PASSWORD_MOST + 8] = "\0tim";

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_first(SASL_PLAIN, (struct str){ grammar[i], sizes[i] },
		    SASL_BAD);
	assert_first(SASL_PLAIN, STR("\0\0pw"), SASL_REFUSED);
	assert_first(SASL_PLAIN, STR("\0tim\0"), SASL_REFUSED);
	assert_first(SASL_PLAIN, STR("\0t\x01m\0pw"), SASL_REFUSED);
	assert_first(SASL_PLAIN, STR("\0t\xff\0pw"), SASL_REFUSED);
	memset(big + 5, 'x', SASL_PASSWORD_MOST + 1);
	assert_first(SASL_PLAIN, (struct str){ big, 5 + SASL_PASSWORD_MOST },
	    SASL_CHECK);
	assert_first(SASL_PLAIN, (struct str){ big, 6 + SASL_PASSWORD_MOST },
	    SASL_REFUSED);
	memset(big, 'n', SASL_NAME_MOST + 2);
	big[0] = big[SASL_NAME_MOST + 1] = '\0';
	assert_first(SASL_PLAIN, (struct str){ big, SASL_NAME_MOST + 4 },
	    SASL_CHECK);
	big[SASL_NAME_MOST + 1] = 'n';
	big[SASL_NAME_MOST + 2] = '\0';
	assert_first(SASL_PLAIN, (struct str){ big, SASL_NAME_MOST + 5 },
	    SASL_REFUSED);
}

static void
test_login(void **state)
{
	(void)state;
	begin(SASL_LOGIN);
	assert_int_equal(take(STR_NONE), SASL_SAY);
	assert_out(STR("Username:"));
	assert_int_equal(take(STR("tim")), SASL_SAY);
	assert_out(STR("Password:"));
	assert_int_equal(take(STR("secret")), SASL_CHECK);
	assert_str(sasl.user, STR("tim"));
	assert_str(sasl.secret, STR("secret"));
	/* the name as initial response */
	begin(SASL_LOGIN);
	assert_int_equal(take(STR("tim")), SASL_SAY);
	assert_out(STR("Password:"));
	assert_int_equal(take(STR("")), SASL_REFUSED);
	assert_first(SASL_LOGIN, STR(""), SASL_REFUSED);
	begin(SASL_LOGIN);
	assert_int_equal(take(STR("tim")), SASL_SAY);
	assert_int_equal(take(STR("a\0b")), SASL_REFUSED);
}

/* The name on the wire is a wish, and the certificate's may be another. */
static void
test_external(void **state)
{
	(void)state;
	begin(SASL_EXTERNAL);
	assert_int_equal(take(STR_NONE), SASL_SAY);
	assert_out(STR(""));
	assert_int_equal(take(STR("")), SASL_CHECK);
	assert_int_equal(sasl.user.n, 0);
	assert_first(SASL_EXTERNAL, STR("ann"), SASL_CHECK);
	assert_str(sasl.user, STR("ann"));
	assert_int_equal(sasl_judge(&sasl, false, STR_NONE, &out),
	    SASL_REFUSED);
	assert_first(SASL_EXTERNAL, STR("a\0b"), SASL_REFUSED);
}

/* RFC 7628 4.1, 4.3, and the errata's reading of 4.4. */
static void
test_oauthbearer(void **state)
{
	(void)state;
	talk_read("rfc7628-s4-oauthbearer.txt");
	assert_first(SASL_OAUTHBEARER, decoded(talk_said('C', "t1 AUTH OAUTH")),
	    SASL_CHECK);
	assert_str(sasl.user, STR("user@example.com"));
	assert_str(sasl.secret,
	    STR("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
	assert_int_equal(sasl_judge(&sasl, true, STR_NONE, &out), SASL_DONE);
	/* nobody asks about an empty one */
	assert_first(SASL_OAUTHBEARER,
	    STR("n,a=u,\1host=x\1port=143\1auth=\1\1"), SASL_SAY);
	assert_out(STR("{\"status\":\"invalid_token\"}"));
	assert_int_equal(take(STR("\1")), SASL_REFUSED);
	assert_first(SASL_OAUTHBEARER, STR("n,,\1auth=bEARER t.-_~+/0=\1\1"),
	    SASL_CHECK);
	assert_int_equal(sasl.user.n, 0);
	out = BUF_OF(room);
	assert_int_equal(sasl_judge(&sasl, false, STR("{\"a\":1}"), &out),
	    SASL_SAY);
	assert_out(STR("{\"a\":1}"));
	assert_int_equal(take(STR("whatever")), SASL_REFUSED);
	assert_first(SASL_OAUTHBEARER, STR("y,a=a=2Cb=3D,\1auth=Bearer t\1\1"),
	    SASL_CHECK);
	assert_str(sasl.user, STR("a,b="));
}

static void
test_token_bad(void **state)
{
	static const char *const bad[] = { "", "\1", "n,,", "n,,\1",
		"n,,\1auth=Bearer t", "n,,\1auth=Bearer t\1",
		"n,,\1auth=Bearer t\1\1x", "n,,\1auth=Basic t\1\1",
		"n,,\1auth=Bearer \1\1", "n,,\1auth=Bearer a b\1\1",
		"n,,\1auth=Bearer =\1\1", "n,,\1auth=Bearer t\1auth=Bearer u\1\1",
		"n,,\1=x\1\1", "n,,\1auth\1\1", "p=tls-exporter,,\1auth=Bearer t\1\1",
		"x,,\1auth=Bearer t\1\1", "n,a=,\1auth=Bearer t\1\1",
		"n,b=u,\1auth=Bearer t\1\1", "n,a=u=,\1auth=Bearer t\1\1",
		"n,auth=Bearer t\1\1" };
	static const char *const x_bad[] = { "", "user=u\1\1auth=Bearer t\1\1",
		"auth=Bearer t\1\1", "user=\1auth=Bearer t\1\1",
		"user=u\1auth=Bearer t\1", "user=u" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_first(SASL_OAUTHBEARER, str_of(bad[i]), SASL_BAD);
	for (size_t i = 0; i < sizeof x_bad / sizeof *x_bad; i++)
		assert_first(SASL_XOAUTH2, str_of(x_bad[i]), SASL_BAD);
	assert_first(SASL_XOAUTH2, STR("user=u\1auth=Bearer t\1\1"),
	    SASL_CHECK);
	out = BUF_OF(room);
	assert_int_equal(sasl_judge(&sasl, false, STR_NONE, &out), SASL_SAY);
	assert_out(STR("{\"status\":\"401\",\"schemes\":\"bearer\"}"));
	assert_int_equal(take(STR("")), SASL_REFUSED);
}

/* ---- SCRAM ---- */

/* Both sides say what the RFC says, word for word. */
static void
play_vector(const char *file, enum sasl_mechanism m, size_t ours)
{
	struct sasl_credentials who = { .user = STR("user"),
		.secret = STR("pencil") };
	struct sasl_client client = { .mechanism = m, .arena = &arena,
		.credentials = &who };
	struct scram_verifier verifier;
	struct str first, challenge, final, proof, nonce;
	uint64_t rounds;

	talk_read(file);
	first = str_of(talk[0].text);
	challenge = str_of(talk[1].text);
	final = str_of(talk[2].text);
	proof = str_of(talk[3].text);
	nonce = attribute(challenge, 'r');
	assert_true(str_eq(attribute(challenge, 'i'), STR("4096")));
	rounds = 4096;
	assert_int_equal(scram_make(sasl_traits(m)->hash, who.secret,
	    decoded(attribute(challenge, 's')), (uint32_t)rounds, &verifier), 0);
	if ((sasl_traits(m)->more & SASL_CLIENT) == 0) {
		sasl_begin(&sasl, m, &arena, NULL, str_sub(nonce, ours,
		    nonce.n));
		assert_int_equal(take(first), SASL_VERIFY);
		assert_str(sasl.user, who.user);
		assert_int_equal(sasl_verify(&sasl, &verifier, 1, &out), SASL_SAY);
		assert_out(challenge);
		assert_false(sasl_is_proved(&sasl));
		assert_int_equal(take(final), SASL_SAY);
		assert_out(proof);
		assert_true(sasl_is_proved(&sasl));
		assert_int_equal(take(STR("")), SASL_DONE);
	}
	client.nonce = str_sub(nonce, 0, ours);
	out = BUF_OF(room);
	assert_int_equal(sasl_client_begin(&client, &out), SASL_CLIENT_SAY);
	assert_out(first);
	out = BUF_OF(room);
	assert_int_equal(sasl_client_take(&client, challenge, &out),
	    SASL_CLIENT_HASH);
	assert_int_equal(sasl_client_hash(&client), 0);
	assert_int_equal(sasl_client_proof(&client, &out), SASL_CLIENT_SAY);
	assert_out(final);
	out = BUF_OF(room);
	assert_false(sasl_client_is_done(&client));
	assert_int_equal(sasl_client_take(&client, proof, &out),
	    SASL_CLIENT_SAY);
	assert_out(STR(""));
	assert_true(sasl_client_is_done(&client));
}

static void
test_scram_vectors(void **state)
{
	(void)state;
	play_vector("rfc7677-s3-scram-sha-256.txt", SASL_SCRAM_SHA_256, 20);
	play_vector("rfc5802-s5-scram-sha-1.txt", SASL_SCRAM_SHA_1, 24);
}

/* A whole exchange between our two sides.  0: both are content. */
static int
meet(enum sasl_mechanism m, const struct sasl_binding *server,
    const struct sasl_binding *client_tls, uint32_t offered, const char *knows,
    const char *says)
{
	struct sasl_credentials who = { .user = STR("b\xc3\xb6rk,="),
		.secret = str_of(says) };
	struct sasl_client client = { .mechanism = m, .arena = &arena,
		.credentials = &who, .binding = client_tls,
		.offered = offered, .nonce = STR("abcdefgh") };
	static struct scram_verifier verifier;
	char other_room[2048];
	struct buf other = BUF_OF(other_room);
	enum sasl_step step;

	assert_int_equal(scram_make(SCRAM_SHA_256, str_of(knows),
	    STR("0123456789abcdef"), SCRAM_ROUNDS_LEAST, &verifier), 0);
	sasl_begin(&sasl, m, &arena, server, STR("ijklmnop"));
	sasl.offers_bound = (offered & SASL_SOME_BOUND) != 0;
	assert_int_equal(sasl_client_begin(&client, &other), SASL_CLIENT_SAY);
	step = take(arena_copy(&arena, buf_str(&other)));
	if (step != SASL_VERIFY)
		return (int)step;
	assert_str(sasl.user, who.user);
	assert_int_equal(sasl_verify(&sasl, &verifier, 1, &out), SASL_SAY);
	other = BUF_OF(other_room);
	assert_int_equal(sasl_client_take(&client, arena_copy(&arena,
	    buf_str(&out)), &other), SASL_CLIENT_HASH);
	assert_int_equal(sasl_client_hash(&client), 0);
	assert_int_equal(sasl_client_proof(&client, &other), SASL_CLIENT_SAY);
	step = take(arena_copy(&arena, buf_str(&other)));
	if (step != SASL_SAY)
		return (int)step;
	other = BUF_OF(other_room);
	assert_int_equal(sasl_client_take(&client, buf_str(&out), &other),
	    SASL_CLIENT_SAY);
	assert_true(sasl_client_is_done(&client));
	assert_int_equal(take(buf_str(&other)), SASL_DONE);
	return 0;
}

static void
test_scram_meets(void **state)
{
	struct sasl_binding end_point = tls, other = tls;

	(void)state;
	end_point.has_exporter = false;
	other.exporter[31] ^= 1;
	assert_int_equal(meet(SASL_SCRAM_SHA_256, NULL, NULL, 0, "pw", "pw"),
	    0);
	assert_int_equal(meet(SASL_SCRAM_SHA_256, NULL, NULL, 0, "pw", "pW"),
	    SASL_REFUSED);
	/* passwords are compared prepared: NBSP is a space, 1/2 is 3 letters */
	assert_int_equal(meet(SASL_SCRAM_SHA_256, NULL, NULL, 0,
	    "a\xc2\xa0\xc2\xbd", "a 1\xe2\x81\x84""2"), 0);
	assert_int_equal(meet(SASL_SCRAM_SHA_256_PLUS, &tls, &tls,
	    SASL_SOME_BOUND, "pw", "pw"), 0);
	assert_int_equal(meet(SASL_SCRAM_SHA_256_PLUS, &end_point, &end_point,
	    SASL_SOME_BOUND, "pw", "pw"), 0);
	assert_int_equal(meet(SASL_SCRAM_SHA_256_PLUS, &tls, &end_point,
	    SASL_SOME_BOUND, "pw", "pw"), 0);
	/* somebody in the middle has another connection */
	assert_int_equal(meet(SASL_SCRAM_SHA_256_PLUS, &other, &tls,
	    SASL_SOME_BOUND, "pw", "pw"), SASL_REFUSED);
	assert_int_equal(meet(SASL_SCRAM_SHA_256_PLUS, &end_point, &tls,
	    SASL_SOME_BOUND, "pw", "pw"), SASL_REFUSED);
	/* "y": believed only where nothing was offered */
	assert_int_equal(meet(SASL_SCRAM_SHA_256, &tls, &tls, 0, "pw", "pw"),
	    0);
	assert_int_equal(meet(SASL_SCRAM_SHA_256, &tls, &tls,
	    SASL_SOME_BOUND, "pw", "pw"), 0);
}

static void
test_scram_first(void **state)
{
	static const struct { const char *text; enum sasl_step step; } rows[] = {
		{ "n,,n=u,r=x", SASL_VERIFY },
		{ "n,a=u,n=u,r=x", SASL_VERIFY },
		{ "n,a=v,n=u,r=x", SASL_REFUSED },
		{ "n,,n=u,r=x,z=ext,y=1", SASL_VERIFY },
		{ "n,,n=u,r=x,z", SASL_BAD }, { "n,,n=u,r=x,1=a", SASL_BAD },
		{ "n,,m=ext,n=u,r=x", SASL_BAD }, { "n,,n=u", SASL_BAD },
		{ "n,,n=u,r=", SASL_BAD }, { "n,,n=u,r=a b", SASL_BAD },
		{ "n,,n=u,r=\x7f", SASL_BAD }, { "n,,n=,r=x", SASL_REFUSED },
		{ "n,,n=a=,r=x", SASL_BAD }, { "n,,n=a=2c,r=x", SASL_BAD },
		{ "n,n=u,r=x", SASL_BAD }, { "n", SASL_BAD }, { "", SASL_BAD },
		{ "q,,n=u,r=x", SASL_BAD }, { "nn,,n=u,r=x", SASL_BAD },
		{ "p=tls-exporter,,n=u,r=x", SASL_REFUSED },
		{ "p=,,n=u,r=x", SASL_BAD }, { "p=tls_x,,n=u,r=x", SASL_BAD },
		{ "F,n,,n=u,r=x", SASL_BAD }, { "y,,n=u,r=x", SASL_VERIFY },
	};
	static const struct { const char *text; enum sasl_step step; } plus[] = {
		{ "p=tls-exporter,,n=u,r=x", SASL_VERIFY },
		{ "p=tls-server-end-point,,n=u,r=x", SASL_VERIFY },
		{ "p=tls-unique,,n=u,r=x", SASL_REFUSED },
		{ "n,,n=u,r=x", SASL_REFUSED }, { "y,,n=u,r=x", SASL_REFUSED },
	};
	static char longest[2049] = "n,,n=u,r=";

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_first(SASL_SCRAM_SHA_256, str_of(rows[i].text),
		    rows[i].step);
	for (size_t i = 0; i < sizeof plus / sizeof *plus; i++)
		assert_first(SASL_SCRAM_SHA_256_PLUS, str_of(plus[i].text),
		    plus[i].step);
	begin(SASL_SCRAM_SHA_256);
	sasl.offers_bound = true;
	assert_int_equal(take(STR("y,,n=u,r=x")), SASL_REFUSED);
	begin(SASL_SCRAM_SHA_256);
	sasl.offers_bound = true;
	assert_int_equal(take(STR("n,,n=u,r=x")), SASL_VERIFY);
	memset(longest + 9, 'x', sizeof longest - 9);
	assert_first(SASL_SCRAM_SHA_256, (struct str){ longest, 2048 },
	    SASL_VERIFY);
	assert_first(SASL_SCRAM_SHA_256, (struct str){ longest, 2049 },
	    SASL_BAD);
}

/* Every octet of a right last message, changed, is refused. */
static void
test_scram_final(void **state)
{
	struct scram_verifier verifier;
	struct str final;
	char changed[512];

	(void)state;
	talk_read("rfc7677-s3-scram-sha-256.txt");
	final = str_of(talk[2].text);
	assert_int_equal(scram_make(SCRAM_SHA_256, STR("pencil"),
	    decoded(attribute(str_of(talk[1].text), 's')), 4096, &verifier), 0);
	for (size_t i = 0; i <= final.n; i++) {
		enum sasl_step step;

		arena_clear(&arena);
		sasl_begin(&sasl, SASL_SCRAM_SHA_256, &arena, NULL,
		    STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
		assert_int_equal(take(str_of(talk[0].text)), SASL_VERIFY);
		assert_int_equal(sasl_verify(&sasl, &verifier, 1, &out), SASL_SAY);
		memcpy(changed, final.p, final.n);
		if (i < final.n)
			changed[i] ^= 1;
		step = take((struct str){ changed, final.n });
		if (i < final.n)
			assert_true(step == SASL_REFUSED || step == SASL_BAD);
		else
			assert_int_equal(step, SASL_SAY);
	}
	assert_int_equal(take(STR("x")), SASL_BAD);
}

/* Application passwords: any of them will do, and it is known which. */
static void
test_scram_several(void **state)
{
	struct scram_verifier v[3];
	struct str salt;

	(void)state;
	talk_read("rfc7677-s3-scram-sha-256.txt");
	salt = decoded(attribute(str_of(talk[1].text), 's'));
	for (size_t right = 0; right < 4; right++) {
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(scram_make(SCRAM_SHA_256, i == right ?
			    STR("pencil") : STR("pen"), salt, 4096, &v[i]), 0);
		sasl_begin(&sasl, SASL_SCRAM_SHA_256, &arena, NULL,
		    STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
		assert_int_equal(take(str_of(talk[0].text)), SASL_VERIFY);
		assert_int_equal(sasl_verify(&sasl, v, 3, &out), SASL_SAY);
		assert_int_equal(take(str_of(talk[2].text)), right == 3 ?
		    SASL_REFUSED : SASL_SAY);
		if (right < 3)
			assert_int_equal(sasl.scram.proved, right);
	}
}

/* A nonce that leaves no room for the challenge. */
static void
test_scram_room(void **state)
{
	char tight[64];
	struct scram_verifier verifier;

	(void)state;
	scram_false((const unsigned char *)"0123456789abcdef0123456789abcdef",
	    STR("u"), &verifier);
	begin(SASL_SCRAM_SHA_256);
	assert_int_equal(take(STR("n,,n=u,r=x")), SASL_VERIFY);
	out = BUF_OF(tight);
	out.cap = 20;
	assert_int_equal(sasl_verify(&sasl, &verifier, 1, &out), SASL_BAD);
	arena_clear(&arena);
	arena_init(&arena, 16);
	sasl_begin(&sasl, SASL_SCRAM_SHA_256, &arena, NULL, STR("n"));
	assert_int_equal(take(STR("n,,n=u,r=x")), SASL_FULL);
	sasl_begin(&sasl, SASL_PLAIN, &arena, NULL, STR("n"));
	assert_int_equal(take(STR("\0u\0p")), SASL_FULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names),
		CASE(plain),
		CASE(plain_bad),
		CASE(login),
		CASE(external),
		CASE(oauthbearer),
		CASE(token_bad),
		CASE(scram_vectors),
		CASE(scram_meets),
		CASE(scram_first),
		CASE(scram_final),
		CASE(scram_several),
		CASE(scram_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
