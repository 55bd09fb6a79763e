#include "policy/attempt.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct hash_key key = { 1, 2 };
static struct attempt_table *table;

static int
begin(void **state)
{
	(void)state;
	table = attempt_open(key);
	assert_non_null(table);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	attempt_close(table);
	return 0;
}

static struct address
address(const char *text)
{
	struct address a;

	assert_true(address_parse(str_of(text), 4711, &a));
	return a;
}

static struct mono
at_ms(int64_t ms)
{
	return (struct mono){ (1000 * 1000 + ms) * NS_PER_MS };
}

/* Milliseconds that it waits. */
static int64_t
try_ms(const char *ip, const char *name, int64_t ms)
{
	struct address a = address(ip);

	return attempt_begin(table, &a, str_of(name), false, at_ms(ms)).ns /
	    NS_PER_MS;
}

static void
test_waits_longer_each_time(void **state)
{
	static const int64_t waits[] = { 0, 0, 0, 0, 0, 500, 1000, 2000, 4000,
		8000, 16000, 30000, 30000, 30000, 30000, 30000, 30000 };

	(void)state;
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
		assert_int_equal(try_ms("192.0.2.1", "bob", 0), waits[i]);
	/* it wears off: 15 are owed, and one goes each half minute */
	assert_int_equal(try_ms("192.0.2.1", "bob", 9 * 30000), 1000);
	assert_int_equal(try_ms("192.0.2.1", "bob", 60 * 30000), 0);
}

static void
test_one_in_a_while_waits_never(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 100; i++)
		assert_int_equal(try_ms("192.0.2.1", "bob", i * 30000), 0);
}

static void
test_counts_a_network_over_names(void **state)
{
	char name[16], ip[24];

	(void)state;
	for (int i = 0; i < ATTEMPT_NETWORK_FREE; i++) {
		snprintf(name, sizeof name, "user%d", i);
		snprintf(ip, sizeof ip, "192.0.2.%d", i);
		assert_int_equal(try_ms(ip, name, 0), 0);
	}
	assert_int_equal(try_ms("192.0.2.99", "other", 0), 500);
	assert_int_equal(try_ms("192.0.2.99", "another", 0), 1000);
	assert_int_equal(try_ms("192.0.3.99", "other", 0), 0);
	assert_int_equal(try_ms("2001:db8::1", "other", 0), 0);
}

static void
test_trusted_networks_owe_for_pairs_only(void **state)
{
	struct address a = address("127.0.0.1");
	char name[16];

	(void)state;
	for (int i = 0; i < 3 * ATTEMPT_NETWORK_FREE; i++) {
		snprintf(name, sizeof name, "user%d", i);
		assert_int_equal(attempt_begin(table, &a, str_of(name), true,
		    at_ms(0)).ns, 0);
	}
	for (int i = 0; i < ATTEMPT_PAIR_FREE; i++)
		assert_int_equal(attempt_begin(table, &a, STR("x"), true,
		    at_ms(0)).ns, 0);
	assert_int_equal(attempt_begin(table, &a, STR("x"), true, at_ms(0)).ns,
	    ATTEMPT_FIRST_NS);
}

static void
test_counts_a_name_over_networks(void **state)
{
	(void)state;
	for (int i = 0; i < ATTEMPT_NAME_FREE; i++)
		assert_int_equal(attempt_begin_name(table, STR("bob"),
		    at_ms(0)), 0);
	/* short: he may be the right one */
	for (int i = 0; i < 50; i++)
		assert_int_equal(attempt_begin_name(table, STR("BOB"),
		    at_ms(0)), ATTEMPT_NAME_MOST_NS);
	assert_int_equal(attempt_begin_name(table, STR("alice"), at_ms(0)), 0);
	for (int i = 0; i < 50; i++)
		attempt_back_name(table, STR("bob"), at_ms(0));
	assert_int_equal(attempt_begin_name(table, STR("bob"), at_ms(0)), 0);
}

static void
test_a_good_login_makes_known(void **state)
{
	struct address a = address("192.0.2.1");
	struct attempt_wait w;
	char name[16];

	(void)state;
	w = attempt_begin(table, &a, STR("bob"), false, at_ms(0));
	assert_false(w.is_known);
	attempt_good(table, &a, STR("Bob"), false, at_ms(0));
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "user%d", i);
		try_ms("192.0.2.7", name, 0);
	}
	/* whatever others do from there */
	assert_int_equal(try_ms("192.0.2.7", "alice", 0), 30000);
	w = attempt_begin(table, &a, STR("bob"), false, at_ms(1));
	assert_true(w.is_known);
	assert_int_equal(w.ns, 0);
	/* his own failures count, but a little only */
	for (int i = 0; i < 50; i++)
		w = attempt_begin(table, &a, STR("bob"), false, at_ms(1));
	assert_int_equal(w.ns, ATTEMPT_KNOWN_MOST_NS);
	attempt_good(table, &a, STR("bob"), false, at_ms(2));
	w = attempt_begin(table, &a, STR("bob"), false, at_ms(3));
	assert_int_equal(w.ns, 0);
	/* for thirty days */
	w = attempt_begin(table, &a, STR("bob"), false,
	    at_ms(2 + ATTEMPT_KNOWN_NS / NS_PER_MS));
	assert_false(w.is_known);
}

static void
test_what_was_not_judged_owes_nothing(void **state)
{
	struct address a = address("192.0.2.1");

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(attempt_begin(table, &a, STR("bob"), false,
		    at_ms(0)).ns, 0);
		attempt_unjudged(table, &a, STR("bob"), false, at_ms(0));
	}
}

/* A storm from everywhere fills the table, and no more; friends stay known. */
static void
test_is_bounded_and_keeps_friends(void **state)
{
	struct address friend = address("192.0.2.1"), a = { .family =
	    ADDRESS_V6 };
	char name[16];

	(void)state;
	attempt_good(table, &friend, STR("bob"), false, at_ms(0));
	for (uint32_t i = 0; i < 3 * ATTEMPT_ENTRIES; i++) {
		memcpy(a.of.ip, &i, sizeof i);
		snprintf(name, sizeof name, "u%u", i);
		attempt_begin(table, &a, str_of(name), false, at_ms(1));
	}
	assert_true(table->entries.n <= ATTEMPT_ENTRIES + 2);
	assert_true(attempt_begin(table, &friend, STR("bob"), false,
	    at_ms(2)).is_known);
	/* and friends are bounded too: the longest unseen leave */
	for (uint32_t i = 0; i < 2 * ATTEMPT_KNOWN; i++) {
		memcpy(a.of.ip, &i, sizeof i);
		attempt_good(table, &a, STR("x"), false, at_ms(3));
	}
	assert_true(table->entries.n <= ATTEMPT_ENTRIES + ATTEMPT_KNOWN + 4);
	assert_false(attempt_begin(table, &friend, STR("bob"), false,
	    at_ms(4)).is_known);
	assert_true(attempt_begin(table, &a, STR("x"), false,
	    at_ms(4)).is_known);
}

static void
test_whole_again_it_is_forgotten(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "u%d", i);
		attempt_begin_name(table, str_of(name), at_ms(0));
	}
	assert_int_equal(table->entries.n, 100);
	for (int i = 0; i < 99; i++) {
		snprintf(name, sizeof name, "v%d", i);
		attempt_begin_name(table, str_of(name), at_ms(10 * 60000));
	}
	assert_true(table->entries.n <= 101);
}

static void
test_owners_are_the_same_for_all(void **state)
{
	struct address a = address("192.0.2.1"), b = address("192.0.2.200");

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		assert_int_equal(attempt_owner_network(key, &a, n),
		    attempt_owner_network(key, &b, n));
		assert_true(attempt_owner_name(key, STR("bob"), n) < n);
		assert_int_equal(attempt_owner_name(key, STR("bob"), n),
		    attempt_owner_name(key, STR("BOB"), n));
	}
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(waits_longer_each_time), T(one_in_a_while_waits_never),
		T(counts_a_network_over_names),
		T(trusted_networks_owe_for_pairs_only),
		T(counts_a_name_over_networks), T(a_good_login_makes_known),
		T(what_was_not_judged_owes_nothing),
		T(is_bounded_and_keeps_friends),
		T(whole_again_it_is_forgotten),
		T(owners_are_the_same_for_all),
	};

	return cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
}
