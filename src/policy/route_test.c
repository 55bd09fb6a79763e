#include "policy/judge.h"
#include "policy/route.h"
#include "policy/test_conf.h"

static struct config *config;

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	conf_file("/aliases", "info: alice, helper@other.example\n"
	    "loop: loop\n\"odd one\": alice\n");
	config = conf_of(
	    "hostname: mx.example.org\n"
	    "admin: alice@example.org\n"
	    "trusted: [ 127.0.0.0/8, '::1', 10.0.0.0/8 ]\n"
	    "domains:\n"
	    "  example.org: { users: [ alice, bob, a-b ], aliases: /aliases,\n"
	    "    subaddress: +- }\n"
	    "  example.net: { alias_of: example.org }\n"
	    "  all.example: { users: [ carol ], catch_all: carol }\n"
	    "  gate.example: { relay_to: 'smtp://inner.example:2525' }\n"
	    "  half.example: { relay_to: mx, users: [ dave ] }\n"
	    "  plain.example: { users: [ x ], subaddress: none }\n"
	    "route:\n"
	    "  - { if: { rcpt_domain: drop.example }, discard: a test }\n"
	    "  - { if: { rcpt_domain: [ no.example, '*.no.example' ] },\n"
	    "      refuse: go away, name: gone }\n"
	    "  - { if: { sender_domain: example.org, rcpt_domain: '*.dom' },\n"
	    "      relay: [ 'smtp://a.dom', 'smtp://[2001:db8::1]:26' ] }\n"
	    "  - { if: { sender_domain: '<>' , rcpt_domain: b.example },\n"
	    "      relay: 'smtp://192.0.2.9' }\n"
	    "  - { if: { rcpt_domain: direct.example }, relay: mx }\n"
	    "  - { if: { rcpt_domain: '*.smart.example' },\n"
	    "      relay: 'smtp://smart.example' }\n");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	config_free(config);
	conf_end();
	return 0;
}

/* "local alice +x", "relay smtp://h", "mx", "discard ...", "refused 5.1.1" */
static const char *
print(struct route r)
{
	static const char *const kinds[] = {
		[ROUTE_LOCAL] = "local", [ROUTE_RELAY_MX] = "mx",
		[ROUTE_RELAY_HOST] = "relay", [ROUTE_REPORTS] = "reports",
		[ROUTE_DISCARD] = "discard", [ROUTE_REFUSED] = "refused",
	};
	static char said[512];
	struct buf b = BUF_OF(said);

	buf_put(&b, str_of(kinds[r.kind]));
	if (r.kind == ROUTE_LOCAL)
		buf_printf(&b, " "STR_FMT"@"STR_FMT"%s"STR_FMT,
		    STR_ARG(r.user == NULL ? STR("(admin)") : r.user->name),
		    STR_ARG(r.home->name), r.has_detail ? "+" : "",
		    STR_ARG(route_detail(&r)));
	if (r.kind == ROUTE_RELAY_HOST)
		buf_printf(&b, " "STR_FMT, STR_ARG(r.relay->text));
	if (r.kind == ROUTE_REFUSED || r.kind == ROUTE_DISCARD)
		buf_printf(&b, " %d %s %s", r.why.code,
		    esc_print(r.why.esc).text, r.why.text);
	if (r.rule.n > 0)
		buf_printf(&b, " by "STR_FMT, STR_ARG(r.rule));
	buf_putc(&b, '\0');
	return said;
}

static void
test_finds_the_way(void **state)
{
	static const struct { const char *sender, *rcpt, *way; } cases[] = {
		{ "", "alice@example.org", "local alice@example.org" },
		{ "", "ALICE@Example.Org", "local alice@example.org" },
		{ "", "alice@example.net", "local alice@example.org" },
		{ "", "alice+x@example.org", "local alice@example.org+x" },
		{ "", "alice-x+y@example.org", "local alice@example.org+x+y" },
		{ "", "a-b@example.org", "local a-b@example.org" },
		{ "", "a-b-c@example.org", "local a-b@example.org+c" },
		{ "", "alice+@example.org", "local alice@example.org+" },
		{ "", "x+y@plain.example",
		    "refused 550 5.1.1 <x+y@plain.example>: User unknown" },
		{ "", "nobody@example.org",
		    "refused 550 5.1.1 <nobody@example.org>: User unknown" },
		{ "", "\"alice\"@example.org", "local alice@example.org" },
		{ "", "postmaster@example.org", "local (admin)@example.org" },
		{ "", "Abuse@plain.example", "local (admin)@plain.example" },
		{ "", "root@mx.example.org", "local (admin)@mx.example.org" },
		{ "", "alice@mx.example.org", "local alice@mx.example.org" },
		{ "", "bob@localhost", "local bob@mx.example.org" },
		{ "", "daemon@localhost",
		    "refused 550 5.1.1 <daemon@localhost>: User unknown" },
		{ "", "any@gate.example", "relay smtp://inner.example:2525" },
		{ "", "dave@half.example", "mx" },
		{ "", "eve@half.example",
		    "refused 550 5.1.1 <eve@half.example>: User unknown" },
		{ "", "x@drop.example",
		    "discard 250 2.0.0 Discarded by rule route[0]: a test by route[0]" },
		{ "", "x@no.example", "refused 550 5.7.1 go away by gone" },
		{ "", "x@A.b.NO.example", "refused 550 5.7.1 go away by gone" },
		{ "", "x@sno.example", "mx" },
		{ "a@example.org", "x@y.dom",
		    "relay smtp://a.dom, smtp://[2001:db8::1]:26 by route[2]" },
		{ "a@EXAMPLE.org", "x@y.dom",
		    "relay smtp://a.dom, smtp://[2001:db8::1]:26 by route[2]" },
		{ "a@example.net", "x@y.dom", "mx" },
		{ "", "x@y.dom", "mx" },
		{ "a@example.org", "x@dom", "mx" },
		{ "", "x@b.example", "relay smtp://192.0.2.9 by route[3]" },
		{ "a@b.example", "x@b.example", "mx" },
		{ "", "x@direct.example", "mx by route[4]" },
		{ "", "x@a.smart.example",
		    "relay smtp://smart.example by route[5]" },
		{ "", "x@smart.example", "mx" },
		{ "", "x@[192.0.2.1]", "mx" },
		{ "", "no address",
		    "refused 501 5.1.3 <no address>: That is not a recipient's "
		    "address" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(print(route_find(config,
		    str_of(cases[i].sender), str_of(cases[i].rcpt))),
		    cases[i].way);
}

/* ---- SECURITY.md row 13: never an open relay ---- */

/* What a stranger says, and what he hears; "" is refused by the grammar. */
static const struct { const char *rcpt, *hears; } tricks[] = {
	/* plainly elsewhere */
	{ "<victim@other.example>", "550 5.7.1" },
	{ "<victim@OTHER.EXAMPLE>", "550 5.7.1" },
	/* the percent hack */
	{ "<victim%other.example@example.org>", "550 5.1.1" },
	{ "<\"victim%other.example\"@example.org>", "550 5.1.1" },
	{ "<victim%other.example>", "" },
	/* a source route is stripped, not followed */
	{ "<@example.org:victim@other.example>", "550 5.7.1" },
	{ "<@example.org,@mx.example.org:victim@other.example>", "550 5.7.1" },
	{ "<@other.example:alice@example.org>", "250 2.1.5" },
	/* bang paths */
	{ "<other.example!victim@example.org>", "550 5.1.1" },
	{ "<example.org!other.example!victim>", "" },
	/* a second @, bare or quoted */
	{ "<victim@other.example@example.org>", "" },
	{ "<\"victim@other.example\"@example.org>", "550 5.1.1" },
	{ "<\"victim@other.example\">", "" },
	{ "<alice@example.org@other.example>", "" },
	{ "<\"alice@example.org\"@other.example>", "550 5.7.1" },
	/* literals and names like ours */
	{ "<victim@[192.0.2.7]>", "550 5.7.1" },
	{ "<alice@[127.0.0.1]>", "550 5.7.1" },
	{ "<victim%other.example@[127.0.0.1]>", "550 5.7.1" },
	{ "<victim@[IPv6:2001:db8::7]>", "550 5.7.1" },
	{ "<alice@example.org.other.example>", "550 5.7.1" },
	{ "<alice@notexample.org>", "550 5.7.1" },
	{ "<alice@example.org.>", "" },
	{ "<alice@sub.example.org>", "550 5.7.1" },
	/* roles and details of ours carry nothing onward */
	{ "<postmaster@other.example>", "550 5.7.1" },
	{ "<postmaster%other.example@example.org>", "550 5.1.1" },
	{ "<alice+victim%other.example@example.org>", "250 2.1.5" },
	{ "<victim%other.example@all.example>", "250 2.1.5" },
	{ "<victim@other.example@all.example>", "" },
	{ "<alice@example.org%other.example>", "" },
	{ "< victim@other.example>", "" },
	{ "<victim @other.example>", "" },
	{ "<victim@other.example,alice@example.org>", "" },
};

static const char *
hear(const struct judge_client *client, const char *rcpt)
{
	static char said[32];
	struct str s = str_of(rcpt);
	struct judgment j;
	struct path to;

	if (path_take_forward(&s, MAILBOX_STRICT, &to) != NULL || s.n > 0)
		return "";
	j = judge_rcpt(config, client, STR("x@other.example"), &to, 0);
	snprintf(said, sizeof said, "%d %s", j.verdict.code,
	    esc_print(j.verdict.esc).text);
	return said;
}

static void
test_relays_for_no_stranger(void **state)
{
	struct judge_client client = { .role = ROLE_MX };

	(void)state;
	assert_true(address_parse(STR("203.0.113.5"), 0, &client.address));
	for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++)
		if (strcmp(hear(&client, tricks[i].rcpt), tricks[i].hears) != 0)
			fail_msg("%s heard '%s', not '%s'", tricks[i].rcpt,
			    hear(&client, tricks[i].rcpt), tricks[i].hears);
}

/* What a stranger got in with stays here: none of it leads anywhere else. */
static void
test_tricks_end_here(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
		struct str s = str_of(tricks[i].rcpt);
		struct path to;

		if (strcmp(tricks[i].hears, "250 2.1.5") != 0)
			continue;
		assert_null(path_take_forward(&s, MAILBOX_STRICT, &to));
		assert_non_null(config_domain(config, to.mailbox.domain));
	}
}

static void
test_trusted_may_relay_but_not_by_tricks(void **state)
{
	struct judge_client client = { .role = ROLE_MX };

	(void)state;
	assert_true(address_parse(STR("10.1.2.3"), 0, &client.address));
	assert_string_equal(hear(&client, "<victim@other.example>"),
	    "250 2.1.5");
	assert_string_equal(hear(&client, "<x@no.example>"), "550 5.7.1");
	assert_string_equal(hear(&client,
	    "<victim%other.example@example.org>"), "550 5.1.1");
	assert_string_equal(hear(&client, "<other.example!x@example.org>"),
	    "550 5.1.1");
	client.address.of.ip[0] = 11;
	assert_string_equal(hear(&client, "<victim@other.example>"),
	    "550 5.7.1");
	client.user = STR("alice");
	assert_string_equal(hear(&client, "<victim@other.example>"),
	    "250 2.1.5");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_way),
		cmocka_unit_test(test_relays_for_no_stranger),
		cmocka_unit_test(test_tricks_end_here),
		cmocka_unit_test(test_trusted_may_relay_but_not_by_tricks),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
