/* sasl_client_test.c -- servers that speak well, and servers that cheat. */
#include "trust/test_sasl.h"

static enum sasl_client_step
hear(struct sasl_client *c, const char *challenge)
{
	out = BUF_OF(room);
	return sasl_client_take(c, str_of(challenge), &out);
}

static void
test_client_doubts(void **state)
{
	static const char *const bad[] = { "", "r=other,s=AAAA,i=4096",
		"r=abc,s=AAAA,i=4096", "r=abcx,s=,i=4096", "r=abcx,s=A,i=4096",
		"r=abcx,i=4096", "r=abcx,s=AAAA", "r=abcx,s=AAAA,i=4095",
		"r=abcx,s=AAAA,i=10000001", "r=abcx,s=AAAA,i=-1",
		"r=abcx,s=AAAA,i=99999999999999999999", "m=x,r=abcx,s=AAAA,i=4096",
		"e=other-error" };
	struct sasl_credentials who = { .user = STR("u"), .secret = STR("p") };
	struct sasl_client c;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		c = (struct sasl_client){ .mechanism = SASL_SCRAM_SHA_256,
			.arena = &arena, .credentials = &who,
			.nonce = STR("abc") };
		out = BUF_OF(room);
		assert_int_equal(sasl_client_begin(&c, &out), SASL_CLIENT_SAY);
		assert_int_equal(hear(&c, bad[i]), SASL_CLIENT_BAD);
		assert_non_null(c.why);
		assert_false(sasl_client_is_done(&c));
	}
	c.stage = 0;
	assert_int_equal(hear(&c, "r=abcx,s=AAAA,i=4096"), SASL_CLIENT_HASH);
	assert_int_equal(sasl_client_hash(&c), 0);
	out = BUF_OF(room);
	assert_int_equal(sasl_client_proof(&c, &out), SASL_CLIENT_SAY);
	assert_false(sasl_client_is_done(&c));
	assert_int_equal(hear(&c, "e=invalid-proof"), SASL_CLIENT_BAD);
	assert_int_equal(hear(&c, "v=AAAA"), SASL_CLIENT_BAD);
	assert_int_equal(hear(&c,
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
	    SASL_CLIENT_BAD);
	assert_false(sasl_client_is_done(&c));
}

static void
test_client_says(void **state)
{
	struct sasl_credentials who = { .user = STR("tim"),
		.secret = STR("pw"), .host = STR("h.test"), .port = 587 };
	struct sasl_client c = { .mechanism = SASL_PLAIN, .arena = &arena,
		.credentials = &who, .binding = &tls, .nonce = STR("abc") };

	(void)state;
	out = BUF_OF(room);
	assert_int_equal(sasl_client_begin(&c, &out), SASL_CLIENT_SAY);
	assert_out(STR("\0tim\0pw"));
	assert_true(sasl_client_is_done(&c));
	assert_int_equal(hear(&c, "more"), SASL_CLIENT_BAD);
	c = (struct sasl_client){ .mechanism = SASL_LOGIN, .arena = &arena,
		.credentials = &who, .binding = &tls, .nonce = STR("abc") };
	out = BUF_OF(room);
	assert_int_equal(sasl_client_begin(&c, &out), SASL_CLIENT_WAIT);
	assert_int_equal(hear(&c, "User Name"), SASL_CLIENT_SAY);
	assert_out(STR("tim"));
	assert_false(sasl_client_is_done(&c));
	assert_int_equal(hear(&c, "Password"), SASL_CLIENT_SAY);
	assert_out(STR("pw"));
	assert_true(sasl_client_is_done(&c));
	assert_int_equal(hear(&c, "Again"), SASL_CLIENT_BAD);
	who.is_token = true;
	c = (struct sasl_client){ .mechanism = SASL_OAUTHBEARER, .arena = &arena,
		.credentials = &who, .binding = &tls, .nonce = STR("abc") };
	out = BUF_OF(room);
	assert_int_equal(sasl_client_begin(&c, &out), SASL_CLIENT_SAY);
	assert_out(STR("n,a=tim,\1host=h.test\1port=587\1auth=Bearer pw\1\1"));
	assert_int_equal(hear(&c, "{}"), SASL_CLIENT_SAY);
	assert_out(STR("\1"));
	assert_str(c.error, STR("{}"));
	assert_false(sasl_client_is_done(&c));
	assert_int_equal(hear(&c, "{}"), SASL_CLIENT_BAD);
	c.mechanism = SASL_XOAUTH2;
	c.stage = 0;
	out = BUF_OF(room);
	assert_int_equal(sasl_client_begin(&c, &out), SASL_CLIENT_SAY);
	assert_out(STR("user=tim\1auth=Bearer pw\1\1"));
	assert_int_equal(hear(&c, "{}"), SASL_CLIENT_SAY);
	assert_out(STR(""));
}

static void
test_client_chooses(void **state)
{
	struct sasl_credentials who = { .user = STR("u"), .secret = STR("p") };
	struct sasl_binding unbound = { .has_exporter = false };
	uint32_t all = sasl_offered(STR("LOGIN PLAIN XOAUTH2 OAUTHBEARER "
	    "SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS EXTERNAL"));

	(void)state;
	assert_int_equal(sasl_choose(all, &who, &tls), SASL_SCRAM_SHA_256_PLUS);
	assert_int_equal(sasl_choose(all, &who, &unbound), SASL_SCRAM_SHA_256);
	assert_int_equal(sasl_choose(all, &who, NULL), SASL_SCRAM_SHA_256);
	assert_int_equal(sasl_choose(sasl_offered(STR("LOGIN PLAIN")), &who,
	    &tls), SASL_PLAIN);
	assert_int_equal(sasl_choose(sasl_offered(STR("LOGIN PLAIN")), &who,
	    NULL), SASL_UNKNOWN);
	assert_int_equal(sasl_choose(sasl_offered(STR("CRAM-MD5")), &who, &tls),
	    SASL_UNKNOWN);
	assert_int_equal(sasl_choose(sasl_offered(STR("EXTERNAL")), &who, &tls),
	    SASL_UNKNOWN);
	who.is_token = true;
	assert_int_equal(sasl_choose(all, &who, &tls), SASL_OAUTHBEARER);
	assert_int_equal(sasl_choose(all, &who, NULL), SASL_UNKNOWN);
}

/* RFC 5802 6: "y" only where nothing could have bound. */
static void
test_client_flags(void **state)
{
	static const struct { const char *words; bool is_bound;
		const char *says; } rows[] = {
		{ "SCRAM-SHA-256", true, "y,," },
		{ "SCRAM-SHA-256", false, "n,," },
		{ "SCRAM-SHA-256 SCRAM-SHA-1-PLUS", true, "n,," },
		{ "SCRAM-SHA-256-PLUS", true, "p=tls-exporter,," },
	};
	struct sasl_credentials who = { .user = STR("u"), .secret = STR("p") };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sasl_client c = { .arena = &arena, .credentials = &who,
			.binding = rows[i].is_bound ? &tls : NULL,
			.offered = sasl_offered(str_of(rows[i].words)),
			.nonce = STR("abc") };

		c.mechanism = sasl_choose(c.offered, &who, c.binding);
		out = BUF_OF(room);
		assert_int_equal(sasl_client_begin(&c, &out), SASL_CLIENT_SAY);
		assert_str(str_sub(buf_str(&out), 0, strlen(rows[i].says)),
		    str_of(rows[i].says));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(client_doubts),
		CASE(client_says),
		CASE(client_chooses),
		CASE(client_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
