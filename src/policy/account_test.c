#include "policy/account.h"
#include "policy/test_conf.h"

static struct config *config;
static struct arena arena;

static const char file[] =
    "hostname: mx.example.org\n"
    "domains:\n"
    "  example.org:\n"
    "    users: [ alice, bob, bob-smith, bob-smith-jr ]\n"
    "    aliases: /etc/aliases\n"
    "    subaddress: \"+-\"\n"
    "    catch_all: alice\n"
    "  example.net: { alias_of: example.org }\n"
    "  b\xc3\xbc" "cher.example: { users: [ alice ] }\n"
    "accounts:\n"
    "  News@Example.com:\n"
    "    from: [ news@example.com, \"@lists.example.com\",\n"
    "        \"@*.under.example.com\", <>, sales@example.org ]\n"
    "    networks: [ 192.0.2.0/24 ]\n"
    "    expires: 2026-12-31\n"
    "    tenant: acme\n"
    "    limits: { messages_per_hour: 10, bytes_per_day: none }\n"
    "  alice: { from: [], expires: never }\n"
    "  \"*\":\n"
    "    from: \"*\"\n"
    "    expires: 2030-01-01T12:30Z\n"
    "    limits: { messages_per_hour: 5, bytes_per_day: 1M,\n"
    "        bytes_per_hour: 100K }\n"
    "tenants:\n"
    "  acme: { limits: { messages_per_day: 1000 } }\n";

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	conf_file("/etc/aliases", "boss: bob\n" "all: alice, bob\n"
	    "deep: boss\n" "out: bob@elsewhere.example\n"
	    "sales: alice, bob\n" "box: bob+box\n" "run: \"|/bin/true\"\n"
	    "bob-list: alice\n");
	config = conf_of(file);
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&arena);
	config_free(config);
	conf_end();
	return 0;
}

static bool
may_send(const struct account *a, const char *as)
{
	struct mailbox m;

	assert_null(mailbox_parse(str_of(as), MAILBOX_UTF8, &m));
	return account_may_send(config, a, &m, &arena);
}

static void
test_sends_as_itself(void **state)
{
	static const struct { const char *name, *as; bool may; } cases[] = {
		{ "bob@example.org", "bob@example.org", true },
		{ "bob@example.org", "BOB@EXAMPLE.ORG", true },
		{ "bob@example.org", "\"bob\"@example.org", true },
		{ "bob@example.org", "bob@example.net", true },
		{ "bob@example.net", "bob@example.org", true },
		{ "Bob@Example.org", "bob@example.org", true },
		{ "bob@example.org", "bob+x@example.org", true },
		{ "bob@example.org", "bob-x@example.org", true },
		/* somebody else, and his subaddress */
		{ "bob@example.org", "bob-smith@example.org", false },
		{ "bob@example.org", "bob-smith+x@example.org", false },
		{ "bob@example.org", "bob-smith-jr@example.org", false },
		{ "bob-smith@example.org", "bob-smith-x@example.org", true },
		{ "bob@example.org", "bob-list@example.org", false },
		/* longer, shorter */
		{ "bob@example.org", "bobby@example.org", false },
		{ "bob@example.org", "bo@example.org", false },
		{ "bob@example.org", "bob+@example.org", false },
		{ "bob@example.org", "alice@example.org", false },
		{ "bob@example.org", "bob@mx.example.org", false },
		{ "bob@example.org", "bob@elsewhere.example", false },
		{ "bob@elsewhere.example", "bob@elsewhere.example", false },
		{ "bob", "bob@example.org", false },
		/* aliases that lead to him alone */
		{ "bob@example.org", "boss@example.org", true },
		{ "bob@example.org", "boss+x@example.org", true },
		{ "bob@example.org", "deep@example.org", true },
		{ "bob@example.org", "box@example.org", true },
		{ "bob@example.org", "all@example.org", false },
		{ "bob@example.org", "out@example.org", false },
		{ "bob@example.org", "run@example.org", false },
		{ "alice@example.org", "boss@example.org", false },
		/* catch-all is no name of his */
		{ "alice@example.org", "whatever@example.org", false },
		/* an account without a mailbox is an address all the same */
		{ "robot@example.org", "robot@example.org", true },
		{ "robot@example.org", "robot+x@example.org", true },
		{ "alice@b\xc3\xbc" "cher.example",
		    "alice@xn--bcher-kva.example", true },
		{ "alice@xn--bcher-kva.example",
		    "alice@xn--bcher-kva.example", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct account a = { .name = str_of(cases[i].name) };

		if (may_send(&a, cases[i].as) != cases[i].may)
			fail_msg("%s as %s", cases[i].name, cases[i].as);
		assert_false(account_may_report(&a));
	}
}

static void
test_sends_as_it_was_given(void **state)
{
	static const struct { const char *as; bool may; } cases[] = {
		{ "news@example.com", true }, { "NEWS@Example.Com", true },
		{ "news+x@example.com", false }, /* not ours: who knows */
		{ "new@example.com", false }, { "x@example.com", false },
		{ "x@lists.example.com", true },
		{ "x@a.lists.example.com", false },
		{ "x@xlists.example.com", false },
		{ "x@a.under.example.com", true },
		{ "x@b.a.under.example.com", true },
		{ "x@under.example.com", false },
		{ "sales@example.org", true }, { "sales+1@example.org", true },
		{ "sales@example.net", true }, { "alice@example.org", false },
		{ "\"@lists.example.com\"@x.example", false },
	};
	struct account told = { .name = STR("nEWS@example.com") }, a;

	(void)state;
	account_settle(config, &told, &a);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (may_send(&a, cases[i].as) != cases[i].may)
			fail_msg("%s", cases[i].as);
	assert_true(account_may_report(&a));
}

static void
test_file_stands_above_source_and_all_below(void **state)
{
	struct str own[] = { STR("source@example.com") };
	struct account told = { .name = STR("news@EXAMPLE.com"),
		.source = "ldap", .tenant = STR("other"),
		.from = { own, 1 }, .expires = { 5 },
		.limits = { [ACCOUNT_MESSAGES] = { 7, 8 },
		    [ACCOUNT_RECIPIENTS] = { 9, 0 } } };
	struct account a;

	(void)state;
	account_settle(config, &told, &a);
	assert_true(str_eq(a.name, told.name));
	assert_string_equal(a.source, "ldap");
	assert_true(str_eq(a.tenant, STR("acme")));
	assert_false(may_send(&a, "source@example.com"));
	assert_int_equal(a.expires.us, INT64_C(1798675200) * US_PER_SECOND);
	assert_int_equal(a.limits[ACCOUNT_MESSAGES].hour, 10);
	assert_int_equal(a.limits[ACCOUNT_MESSAGES].day, 8);
	assert_int_equal(a.limits[ACCOUNT_RECIPIENTS].hour, 9);
	assert_true(a.limits[ACCOUNT_OCTETS].day == QUOTA_NONE);
	assert_int_equal(a.limits[ACCOUNT_OCTETS].hour, 100 << 10);

	told.name = STR("somebody");
	account_settle(config, &told, &a);
	assert_true(str_eq(a.tenant, STR("other")));
	assert_true(may_send(&a, "source@example.com"));
	assert_false(may_send(&a, "x@example.com"));
	assert_int_equal(a.limits[ACCOUNT_MESSAGES].hour, 7);

	told = (struct account){ .name = STR("somebody") };
	account_settle(config, &told, &a);
	assert_true(may_send(&a, "x@example.com"));
	assert_true(account_may_report(&a));
	assert_int_equal(a.limits[ACCOUNT_MESSAGES].hour, 5);

	/* nobody is said too, and so is never */
	told.name = STR("alice");
	account_settle(config, &told, &a);
	assert_false(may_send(&a, "x@example.com"));
	assert_true(a.expires.us == WALL_NEVER.us);
	/* "*" is no account */
	told.name = STR("*");
	account_settle(config, &told, &a);
	assert_true(str_eq(a.name, STR("*")));
}

static void
test_stands_where_and_while_it_may(void **state)
{
	struct account told = { .name = STR("news@example.com") }, a;
	struct address inside, outside;
	struct wall end;

	(void)state;
	assert_true(address_parse(STR("192.0.2.9"), 0, &inside));
	assert_true(address_parse(STR("198.51.100.9"), 0, &outside));
	account_settle(config, &told, &a);
	end = a.expires;
	assert_int_equal(account_stands(&a, &inside, wall_add(end, -1)),
	    ACCOUNT_STANDS);
	assert_int_equal(account_stands(&a, &inside, end), ACCOUNT_EXPIRED);
	assert_int_equal(account_stands(&a, &outside, wall_add(end, -1)),
	    ACCOUNT_ELSEWHERE);
	told.name = STR("alice");
	account_settle(config, &told, &a);
	assert_int_equal(account_stands(&a, &outside, end), ACCOUNT_STANDS);
}

/* For `config show': the file's name outlives its reading. */
static void
test_knows_where_it_stands(void **state)
{
	(void)state;
	assert_int_equal(config->n_accounts, 3);
	assert_int_equal(config->n_tenants, 1);
	for (size_t i = 0; i < config->n_accounts; i++) {
		assert_true(str_eq(config->account_list[i]->place.file,
		    STR("t.yaml")));
		assert_true(str_eq(config->account_list[i]->origins->place.file,
		    STR("t.yaml")));
	}
	assert_true(str_eq(config->tenant_list[0]->place.file, STR("t.yaml")));
	assert_true(str_eq(config->tenant_list[0]->origins->place.file,
	    STR("t.yaml")));
}

static void
test_copies_all(void **state)
{
	struct str own[] = { STR("a@example.com"), STR("<>") };
	struct network net = { .bits = 24 };
	struct account a = { .name = STR("x"), .tenant = STR("t"),
		.from = { own, 2 }, .networks = { &net, 1 } }, b;
	struct arena small;

	(void)state;
	assert_true(account_copy(&arena, &a, &b));
	assert_ptr_not_equal(a.name.p, b.name.p);
	assert_ptr_not_equal(a.from.v, b.from.v);
	assert_ptr_not_equal(a.networks.v, b.networks.v);
	assert_int_equal(b.networks.v[0].bits, 24);
	assert_true(str_eq(b.from.v[1], own[1]));
	assert_true(str_eq(b.tenant, a.tenant));
	assert_false(quota_is_set(b.limits));
	a.limits[ACCOUNT_OCTETS].day = QUOTA_NONE;
	assert_false(quota_is_set(a.limits));
	a.limits[ACCOUNT_OCTETS].day = 1;
	assert_true(quota_is_set(a.limits));
	arena_init(&small, 0);
	assert_false(account_copy(&small, &a, &b));
	arena_clear(&small);
}

static void
test_keeps_senders_in_one_form(void **state)
{
	static const struct { const char *text, *kept; } cases[] = {
		{ "Bob@Example.ORG", "Bob@example.org" },
		{ "\"b b\"@example.org", "b b@example.org" },
		{ "a@b\xc3\xbc" "cher.example", "a@xn--bcher-kva.example" },
		{ "@Example.ORG", "@example.org" },
		{ "@*.Example.ORG", "@*.example.org" },
		{ "@b\xc3\xbc" "cher.example", "@xn--bcher-kva.example" },
		{ "*", "*" }, { "<>", "<>" }, { "", NULL }, { "@", NULL },
		{ "example.org", NULL }, { "@*", NULL }, { "a@", NULL },
		{ "@*.", NULL }, { "@a b", NULL }, { "*@example.org",
		    "*@example.org" },
	};
	struct str kept;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool fine = account_sender_read(&arena, str_of(cases[i].text),
		    &kept);

		if (fine != (cases[i].kept != NULL) ||
		    (fine && !str_eq(kept, str_of(cases[i].kept))))
			fail_msg("%s", cases[i].text);
	}
}

static void
test_keys_have_limits(void **state)
{
	char name[ACCOUNT_NAME_MOST + 1], room[ACCOUNT_KEY_ROOM];
	struct buf b = BUF_OF(room);

	(void)state;
	memset(name, 'A', sizeof name);
	assert_true(account_key((struct str){ name, ACCOUNT_NAME_MOST }, &b));
	assert_int_equal(room[0], 'a');
	b.n = 0;
	assert_false(account_key((struct str){ name, sizeof name }, &b));
	assert_false(account_key(STR(""), &b));
	assert_false(account_key(STR("a\nb"), &b));
	b.n = 0;
	assert_true(account_key(STR("A@B c"), &b));
	assert_true(str_eq(buf_str(&b), STR("a@b c")));
}

static void
test_refuses_what_makes_no_sense(void **state)
{
	static const struct { const char *yaml, *says; } cases[] = {
		{ "accounts: { a: { from: example.org } }\n",
		    "1:24+11 'example.org' is not a sender "
		    "(examples: bob@example.org, @example.org, "
		    "@*.example.org, *, <>)\n" },
		{ "accounts: { a: { expires: 2026-02-30 } }\n",
		    "1:27+10 '2026-02-30' is not a date (examples: "
		    "2026-12-31, 2026-12-31T18:00Z)\n" },
		{ "accounts:\n  A@b.example: {}\n  a@B.example: {}\n",
		    "3:3+11 account 'a@B.example' stands in line 2 "
		    "already\n" },
		{ "tenants: { a/b: {} }\n",
		    "1:12+3 'a/b' is not a tenant's name\n" },
		{ "accounts: { a: { limits: { messages_per_hour: 0 } } }\n",
		    "1:47+1 '0' is out of range (1 to 4294967295)"
		    "\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		conf_begin();
		assert_null(conf_try(cases[i].yaml));
		assert_string_equal(conf_said(false), cases[i].says);
		conf_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sends_as_itself),
		cmocka_unit_test(test_sends_as_it_was_given),
		cmocka_unit_test(test_file_stands_above_source_and_all_below),
		cmocka_unit_test(test_stands_where_and_while_it_may),
		cmocka_unit_test(test_knows_where_it_stands),
		cmocka_unit_test(test_copies_all),
		cmocka_unit_test(test_keeps_senders_in_one_form),
		cmocka_unit_test(test_keys_have_limits),
	};
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(test_refuses_what_makes_no_sense),
	};

	return cmocka_run_group_tests_name("account", tests, begin, end) +
	    cmocka_run_group_tests_name("account_refused", alone, NULL, NULL);
}
