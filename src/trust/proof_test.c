#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/proof.h"

static const char zone[] =
    "1.2.0.192.in-addr.arpa. PTR mx.a.test.\n"
    "mx.a.test. A 192.0.2.1\n"
    "mx.a.test. TXT \"v=spf1 a -all\"\n"
    "2.2.0.192.in-addr.arpa. PTR lie.test.\n"
    "lie.test. A 192.0.2.9\n"
    "3.2.0.192.in-addr.arpa. PTR nowhere.test.\n"
    "4.2.0.192.in-addr.arpa. SERVFAIL\n"
    "5.2.0.192.in-addr.arpa. PTR dead.test.\n"
    "dead.test. SERVFAIL\n"
    "7.2.0.192.in-addr.arpa. TIMEOUT\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
    " PTR six.test.\n"
    "six.test. AAAA 2001:db8::1\n"
    "a.test. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "_dmarc.a.test. TXT \"v=DMARC1; p=reject\"\n"
    "hungry.test. TXT \"v=spf1 mx:h0.test mx:h1.test mx:h2.test mx:h3.test "
    "mx:h4.test mx:h5.test mx:h6.test mx:h7.test mx:h8.test -all\"\n"
    "slow.test. TXT \"v=spf1 include:t0.test include:t1.test -all\"\n"
    "t0.test. TIMEOUT\nt1.test. TIMEOUT\n";

static struct arena arena;

static struct proof *
proof_of(const char *client, const char *helo, const char *domain)
{
	struct proof_ask ask = { .helo = str_of(helo), .local = STR("ann"),
		.domain = str_of(domain), .receiver = STR("mx.test"),
		.wants_iprev = true, .wants_spf = true, .wants_dkim = true,
		.wants_arc = true, .wants_dmarc = true };
	struct proof *p;

	assert_true(address_parse(str_of(client), 0, &ask.client));
	arena_init(&arena, 8 << 20);
	p = proof_new(&ask, &arena);
	assert_non_null(p);
	return p;
}

/* A whole message, whose header is this. */
static yields void
prove(struct proof *p, const char *header)
{
	struct digest *d = digest_new(&arena);
	struct str text = str_of(header);
	struct header_scan scan;
	struct field field;

	proof_envelope(p);
	header_begin(&scan, &arena);
	while (header_next(&scan, &text, &field) == HEADER_FIELD) {
		assert_true(digest_field(d, &field));
		assert_true(proof_field(p, &field));
	}
	while (header_finish(&scan, &field) == HEADER_FIELD) {
		assert_true(digest_field(d, &field));
		assert_true(proof_field(p, &field));
	}
	assert_true(proof_header_end(p, d));
	digest_body(d, STR("hello\r\n"));
	assert_true(digest_end(d));
	proof_conclude(p);
}

static void
expect_results(const struct proof *p, const char *want)
{
	static char room[4096];
	struct buf b = BUF_OF(room);

	proof_results(p, &b);
	buf_putc(&b, '\0');
	assert_string_equal(room, want);
}

static yields void
body_iprev(void *arg)
{
	static const struct { const char *client; enum iprev_result result;
	    const char *name; } cases[] = {
		{ "192.0.2.1", IPREV_PASS, "mx.a.test" },
		{ "192.0.2.2", IPREV_FAIL, "" },
		{ "192.0.2.3", IPREV_FAIL, "" },
		{ "192.0.2.4", IPREV_TEMPERROR, "" },
		{ "192.0.2.5", IPREV_TEMPERROR, "" },
		{ "192.0.2.6", IPREV_PERMERROR, "" },
		{ "192.0.2.7", IPREV_TEMPERROR, "" },
		{ "2001:db8::1", IPREV_PASS, "six.test" },
		{ "2001:db8::2", IPREV_PERMERROR, "" },
	};
	struct proof *p;

	(void)arg;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		p = proof_of(cases[i].client, "mx.a.test", "a.test");
		proof_envelope(p);
		assert_int_equal(p->iprev, cases[i].result);
		assert_true(str_eq(p->iprev_name, str_of(cases[i].name)));
		assert_int_equal(p->iprev_why.n == 0,
		    cases[i].result == IPREV_PASS);
		arena_clear(&arena);
	}
	/* a name that is known already is asked of nobody */
	p = proof_of("192.0.2.6", "x.test", "");
	p->ask.client_name = STR("known.test");
	p->ask.wants_spf = false;
	proof_envelope(p);
	assert_int_equal(p->iprev, IPREV_PASS);
	assert_int_equal(p->budget, PROOF_QUESTIONS);
	arena_clear(&arena);
}

/* RFC 9989 5.3.1, 11.5; SECURITY.md row 31 */
static yields void
body_authors(void *arg)
{
	static const struct { const char *header; enum proof_authors authors;
	    const char *author; unsigned fields; } cases[] = {
		{ "From: a@a.test\r\n", PROOF_ONE_AUTHOR, "a.test", 1 },
		{ "From: A <a@A.Test>\r\n", PROOF_ONE_AUTHOR, "a.test", 1 },
		{ "From: a@a.test, b@A.TEST\r\n", PROOF_ONE_AUTHOR, "a.test",
		    1 },
		{ "From: us: a@a.test, b@a.test;\r\n", PROOF_ONE_AUTHOR,
		    "a.test", 1 },
		{ "From: a@b\xc3\xbc" "cher.test\r\n", PROOF_ONE_AUTHOR,
		    "xn--bcher-kva.test", 1 },
		{ "From: \"b@b.test\" <a@a.test>\r\n", PROOF_ONE_AUTHOR,
		    "a.test", 1 },
		{ "From: (b@b.test) a\r\n (x) @a.test\r\n", PROOF_ONE_AUTHOR,
		    "a.test", 1 },
		{ "From: a@a.test\r\nfrom : b@a.test\r\n", PROOF_AUTHORS,
		    "", 2 },
		{ "From: a@a.test, b@b.test\r\n", PROOF_AUTHORS, "", 1 },
		{ "From: a@a.test\r\nFrom: b@b.test\r\n", PROOF_AUTHORS, "",
		    2 },
		{ "From: us: a@a.test;, b@sub.a.test\r\n", PROOF_AUTHORS, "",
		    1 },
		{ "Subject: x\r\n", PROOF_NO_AUTHOR, "", 0 },
		{ "From: Nobody:;\r\n", PROOF_NO_AUTHOR, "", 1 },
		{ "From:\r\n", PROOF_NO_AUTHOR, "", 1 },
		{ "From: a@[192.0.2.1]\r\n", PROOF_UNREADABLE, "", 1 },
		{ "From: a@a.test, b\r\n", PROOF_UNREADABLE, "", 1 },
		{ "From: a@a.test@b.test\r\n", PROOF_UNREADABLE, "", 1 },
		{ "From: <a@a.test> <b@b.test>\r\n", PROOF_UNREADABLE, "", 1 },
		{ "From: a@b\xfc" "cher.test\r\n", PROOF_UNREADABLE, "", 1 },
		{ "From: a@-a.test\r\n", PROOF_UNREADABLE, "", 1 },
	};
	struct proof *p;

	(void)arg;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		p = proof_of("192.0.2.1", "mx.a.test", "a.test");
		prove(p, cases[i].header);
		if (p->authors != cases[i].authors)
			fail_msg("%s: %d", cases[i].header, (int)p->authors);
		assert_true(str_eq(p->author, str_of(cases[i].author)));
		assert_int_equal(p->author_fields, cases[i].fields);
		assert_int_equal(p->dmarc.where.n > 0,
		    str_eq(p->author, STR("a.test")));
		arena_clear(&arena);
	}
}

static yields void
body_results(void *arg)
{
	struct proof *p = proof_of("192.0.2.1", "mx.a.test", "a.test");
	static char room[1024];
	struct buf b = BUF_OF(room);

	(void)arg;
	expect_results(p, "");
	prove(p, "From: ann@a.test\r\n");
	expect_results(p, "iprev=pass policy.iprev=192.0.2.1; spf=pass "
	    "smtp.mailfrom=a.test; spf=pass smtp.helo=mx.a.test; dkim=none; "
	    "arc=none smtp.remote-ip=192.0.2.1; dmarc=pass header.from=a.test "
	    "policy.dmarc=reject");
	assert_ptr_equal(proof_spf(p), &p->mail);
	proof_received_spf(p, &b);
	assert_true(str_eq(buf_str(&b), STR("pass (mx.test: 192.0.2.1 is a "
	    "permitted sender) receiver=mx.test; client-ip=192.0.2.1; "
	    "envelope-from=\"ann@a.test\"; helo=mx.a.test; identity=mailfrom; "
	    "mechanism=\"ip4:192.0.2.1\"")));
	/* results are there whole, or not at all */
	for (size_t n = 0; n < 200; n++) {
		b = (struct buf){ .p = room, .cap = n };
		proof_results(p, &b);
		assert_false(b.full);
		assert_true(b.n == 0 || b.n == 33 || b.n == 64 || b.n == 94 ||
		    b.n == 105 || b.n == 140 || b.n > 140);
	}
	arena_clear(&arena);
	p = proof_of("2001:db8::1", "mx.a.test", "");
	prove(p, "From: ann@a.test\r\n");
	assert_ptr_equal(proof_spf(p), &p->helo);
	expect_results(p, "iprev=pass policy.iprev=\"2001:db8::1\"; spf=fail "
	    "smtp.helo=mx.a.test; dkim=none; arc=none "
	    "smtp.remote-ip=\"2001:db8::1\"; dmarc=fail reason=\"neither SPF nor "
	    "DKIM passed for a domain aligned with a.test\" header.from=a.test "
	    "policy.dmarc=reject");
	arena_clear(&arena);
}

/* What a sender's records cost leaves enough for the author's (row 29). */
static yields void
body_shares(void *arg)
{
	struct proof *p = proof_of("192.0.2.1", "hungry.test", "hungry.test");

	(void)arg;
	prove(p, "From: ann@a.test\r\n");
	assert_in_range(p->budget, 12, PROOF_QUESTIONS);
	assert_int_equal(p->dmarc.result, DMARC_FAIL);
	arena_clear(&arena);
	p = proof_of("192.0.2.7", "slow.test", "slow.test");
	prove(p, "From: ann@a.test\r\n");
	assert_int_equal(p->iprev, IPREV_TEMPERROR);
	assert_int_equal(p->mail.result, SPF_TEMPERROR);
	assert_int_equal(p->helo.result, SPF_TEMPERROR);
	assert_int_equal(p->dmarc.result, DMARC_FAIL);
	assert_true(p->patience >= 5 * NS_PER_SECOND);
	arena_clear(&arena);
}

/* Literals have no record, and local clients no address. */
static yields void
body_nobody(void *arg)
{
	struct proof *p = proof_of("192.0.2.1", "[192.0.2.1]", "[192.0.2.1]");

	(void)arg;
	p->ask.wants_iprev = false;
	proof_envelope(p);
	assert_false(p->has_mail || p->has_helo);
	assert_null(proof_spf(p));
	assert_int_equal(p->budget, PROOF_QUESTIONS);
	prove(p, "From: ann@a.test\r\n");
	assert_int_equal(p->dmarc.result, DMARC_FAIL);
	arena_clear(&arena);
	p = proof_of("192.0.2.1", "x.test", "a.test");
	p->ask.client = (struct address){ .family = ADDRESS_NONE };
	prove(p, "From: ann@a.test\r\n");
	assert_int_equal(p->iprev, IPREV_NONE);
	assert_null(proof_spf(p));
	arena_clear(&arena);
}

static void
play(yields void (*body)(void *))
{
	sim_begin(1);
	assert_int_equal(sim_zone(str_of(zone)), 0);
	on_core(body);
}

static void
test_iprev(void **state)
{
	(void)state;
	play(body_iprev);
}

static void
test_authors(void **state)
{
	(void)state;
	play(body_authors);
}

static void
test_results(void **state)
{
	(void)state;
	play(body_results);
}

static void
test_shares(void **state)
{
	(void)state;
	play(body_shares);
}

static void
test_nobody(void **state)
{
	(void)state;
	play(body_nobody);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iprev),
		cmocka_unit_test(test_authors),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
