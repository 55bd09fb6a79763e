#include "policy/judge.h"
#include "policy/test_conf.h"

static struct config *config;
static struct judge_client stranger, friend;

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	config = conf_of("hostname: mx.example.org\n"
	    "trusted: [ 192.0.2.0/24 ]\n"
	    "limits: { size: 64K, recipients: 100 }\n"
	    "domains: { example.org: { users: [ alice ] } }\n");
	assert_true(address_parse(STR("203.0.113.5"), 0, &stranger.address));
	assert_true(address_parse(STR("192.0.2.5"), 0, &friend.address));
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

static const char *
print(struct judgment j)
{
	static const char *const reasons[] = {
#define JUDGE(name, code, esc, text) #name,
#include "policy/judge.def"
#undef JUDGE
	};
	static char said[VERDICT_TEXT + 64];

	snprintf(said, sizeof said, "%s %d %s %s", reasons[j.reason],
	    j.verdict.code, esc_print(j.verdict.esc).text, j.verdict.text);
	return said;
}

static struct path
forward(const char *text)
{
	struct str s = str_of(text);
	struct path p;

	assert_null(path_take_forward(&s, MAILBOX_STRICT, &p));
	return p;
}

static void
test_takes_any_name_for_a_name(void **state)
{
	static const struct { struct str helo; bool fine; } cases[] = {
		{ STR_INIT("a.example"), true }, { STR_INIT("my_pc"), true },
		{ STR_INIT("[192.0.2.1]"), true }, { STR_INIT("x"), true },
		{ STR_INIT(""), false }, { STR_INIT("a b"), false },
		{ STR_INIT("a\0b"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct judgment j = judge_helo(config, &stranger,
		    cases[i].helo);

		assert_int_equal(judgment_is_yes(&j), cases[i].fine);
		assert_int_equal(j.verdict.code, cases[i].fine ? 250 : 501);
	}
}

static struct judgment
mail(const struct judge_client *client, const struct path *from, uint64_t size)
{
	struct arena arena;
	struct judgment j;

	arena_init(&arena, 64 << 10);
	j = judge_mail(config, client, from, size, &arena);
	arena_clear(&arena);
	return j;
}

static void
test_judges_senders(void **state)
{
	struct path from = { .is_null = true };
	uint64_t most = config->limits.size;

	(void)state;
	stranger.role = friend.role = ROLE_MX;
	assert_string_equal(print(mail(&stranger, &from, 0)),
	    "sender_ok 250 2.1.0 Ok");
	assert_string_equal(print(mail(&stranger, &from, most)),
	    "sender_ok 250 2.1.0 Ok");
	assert_string_equal(print(mail(&stranger, &from,
	    most + 1)),
	    "too_big 552 5.3.4 Message size exceeds fixed limit");
	assert_int_equal(mail(&friend, &from, UINT64_MAX).reason,
	    JUDGE_too_big);
	stranger.role = friend.role = ROLE_SUBMISSION;
	assert_string_equal(print(mail(&stranger, &from, 0)),
	    "auth_required 530 5.7.0 Authentication required: only trusted "
	    "networks submit without STARTTLS and AUTH");
	assert_int_equal(mail(&friend, &from, 0).reason,
	    JUDGE_sender_ok);
	stranger.role = ROLE_RELAY;
	assert_int_equal(mail(&stranger, &from, 0).reason,
	    JUDGE_auth_required);
	stranger.role = friend.role = ROLE_MX;
}

static void
test_judges_recipients(void **state)
{
	static const struct { const char *to; bool trusted; size_t n;
	    const char *says; } cases[] = {
		{ "<alice@example.org>", false, 0, "rcpt_ok 250 2.1.5 Ok" },
		{ "<alice@example.org>", false, 99, "rcpt_ok 250 2.1.5 Ok" },
		{ "<alice@example.org>", false, 100,
		    "rcpt_many 452 4.5.3 Too many recipients" },
		{ "<alice@example.org>", true, 100,
		    "rcpt_many 452 4.5.3 Too many recipients" },
		{ "<eve@example.org>", false, 0, "user_unknown 550 5.1.1 "
		    "<eve@example.org>: Recipient address rejected: User "
		    "unknown" },
		{ "<eve@far.example>", false, 0, "relay_denied 550 5.7.1 "
		    "<eve@far.example>: Relay access denied" },
		{ "<eve@far.example>", true, 0, "rcpt_ok 250 2.1.5 Ok" },
		{ "<Postmaster>", false, 0, "rcpt_ok 250 2.1.5 Ok" },
		{ "<POSTMASTER@example.org>", false, 0, "rcpt_ok 250 2.1.5 Ok" },
		{ "<abuse@example.org>", false, 0, "rcpt_ok 250 2.1.5 Ok" },
		{ "<root@mx.example.org>", false, 0, "rcpt_ok 250 2.1.5 Ok" },
		{ "<a%s@example.org>", false, 0, "user_unknown 550 5.1.1 "
		    "<a%s@example.org>: Recipient address rejected: User "
		    "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct path to = forward(cases[i].to);

		assert_string_equal(print(judge_rcpt(config, cases[i].trusted ?
		    &friend : &stranger, STR(""), &to, cases[i].n)),
		    cases[i].says);
	}
}

/* Who logged in is judged by what he is, in a trusted network too. */
static void
test_judges_who_logged_in(void **state)
{
	static const struct { const char *from, *says; } cases[] = {
		{ "<alice@example.org>", "sender_ok 250 2.1.0 Ok" },
		{ "<alice+x@example.org>", "sender_ok 250 2.1.0 Ok" },
		{ "<bob@example.org>", "sender_foreign 553 5.7.1 "
		    "<bob@example.org>: Sender address rejected: not owned by "
		    "the user who logged in" },
		{ "<ceo@bank.example>", "sender_foreign 553 5.7.1 "
		    "<ceo@bank.example>: Sender address rejected: not owned by "
		    "the user who logged in" },
		{ "<>", "sender_foreign 553 5.7.1 <>: Sender address rejected: "
		    "not owned by the user who logged in" },
	};
	struct account alice = { .name = STR("alice@example.org") };
	struct judge_client clients[] = { stranger, friend };
	struct str reports[] = { STR("<>") };
	struct path from;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		struct judge_client *client = &clients[i % 2];
		struct str text = str_of(cases[i / 2].from);

		client->account = &alice;
		client->user = alice.name;
		client->role = ROLE_SUBMISSION;
		assert_null(path_take_reverse(&text, MAILBOX_STRICT, &from));
		assert_string_equal(print(mail(client, &from, 0)),
		    cases[i / 2].says);
	}
	alice.from = (struct conf_strings){ reports, 1 };
	assert_int_equal(mail(&clients[0], &from, 0).reason, JUDGE_sender_ok);
}

static void
test_judges_authors(void **state)
{
	static const struct { const char *local, *domain; bool fine; } cases[] = {
		{ "alice", "example.org", true },
		{ "ALICE", "Example.ORG", true },
		{ "alice@example.org", "evil.example", false },
		{ "", "example.org", false }, { "alice", "", false },
		{ "alice", "example.org\r\nBcc: x", false },
		{ "alice", "[192.0.2.1]", false },
		{ "a\0b", "example.org", false },
	};
	struct account alice = { .name = STR("alice@example.org") };
	char many[300];
	struct arena arena;

	(void)state;
	arena_init(&arena, 64 << 10);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct judgment j = judge_author(config, &alice, true,
		    str_of(cases[i].local), str_of(cases[i].domain), &arena);

		if (judgment_is_yes(&j) != cases[i].fine)
			fail_msg("%s@%s", cases[i].local, cases[i].domain);
		assert_true(cases[i].fine || j.reason == JUDGE_from_foreign);
	}
	memset(many, 'a', sizeof many);
	assert_int_equal(judge_author(config, &alice, false,
	    (struct str){ many, sizeof many }, STR("example.org"),
	    &arena).reason, JUDGE_sender_field);
	arena_clear(&arena);
}

/* Log readers look for these. */
static void
test_every_reason_has_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < JUDGE_REASONS; i++) {
		struct judgment j = judge_say((enum judge_reason)i, STR("x@y"));

		assert_true(strlen(j.verdict.text) > 1);
		assert_null(strstr(j.verdict.text, "%s"));
		assert_int_equal(j.verdict.code / 100, j.verdict.esc.class);
		assert_int_equal(judgment_is_yes(&j), j.verdict.code == 250);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_any_name_for_a_name),
		cmocka_unit_test(test_judges_senders),
		cmocka_unit_test(test_judges_recipients),
		cmocka_unit_test(test_judges_who_logged_in),
		cmocka_unit_test(test_judges_authors),
		cmocka_unit_test(test_every_reason_has_words),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
