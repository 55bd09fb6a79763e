#include "policy/quota.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct hash_key key = { 1, 2 };
static const struct quota_name bob = { QUOTA_ACCOUNT,
	STR_INIT("bob@example.org") };
static struct quota_table *table;

static int
begin(void **state)
{
	(void)state;
	table = quota_open(key);
	assert_non_null(table);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	quota_close(table);
	return 0;
}

/* Minutes behind noon of a day in 2026, at which cells of both kinds begin. */
static struct wall
at(int64_t minutes)
{
	return (struct wall){ (INT64_C(1795262400) + minutes * 60) *
	    US_PER_SECOND };
}

static const struct quota limits[ACCOUNT_MEASURES] = {
	[ACCOUNT_MESSAGES] = { 10, 25 },
	[ACCOUNT_RECIPIENTS] = { 0, 100 },
	[ACCOUNT_OCTETS] = { 1000, QUOTA_NONE },
};

static struct quota_answer
take(struct quota_name who, uint64_t messages, uint64_t recipients,
    uint64_t octets, int64_t minute)
{
	struct quota_use use = { { messages, recipients, octets } };

	return quota_take(table, who, limits, &use, at(minute));
}

static const char *
words(const struct quota_answer *a)
{
	static char room[200];
	struct buf b = BUF_OF(room);

	quota_words(a, &b);
	buf_putc(&b, '\0');
	assert_false(b.full);
	return room;
}

static void
test_takes_up_to_the_limit(void **state)
{
	struct quota_answer a;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(take(bob, 1, 1, 1, i).fits);
	a = take(bob, 1, 1, 1, 10);
	assert_false(a.fits);
	assert_string_equal(words(&a), "10 messages in 60 minutes is reached; "
	    "it opens again at 2026-11-21T13:05:00Z");
	assert_int_equal(a.left[ACCOUNT_MESSAGES], 0);
	assert_int_equal(a.left[ACCOUNT_RECIPIENTS], 90);
	assert_int_equal(a.left[ACCOUNT_OCTETS], 990);
	/* as was said, and not before */
	assert_false(take(bob, 1, 1, 1, 64).fits);
	/* 12:00 to 12:04 have gone */
	for (int i = 0; i < 5; i++)
		assert_true(take(bob, 1, 1, 1, 65).fits);
	a = take(bob, 1, 1, 1, 65);
	assert_false(a.fits);
	assert_string_equal(words(&a), "10 messages in 60 minutes is reached; "
	    "it opens again at 2026-11-21T13:10:00Z");
}

/* In no 60 minutes and no 24 hours more than the limit. */
static void
test_slides(void **state)
{
	static int64_t taken[1000];
	size_t n = 0;

	(void)state;
	for (int64_t minute = 0; minute < 3 * 24 * 60; minute++)
		while (take(bob, 1, 1, 0, minute).fits) {
			assert_true(n < 1000);
			taken[n++] = minute;
		}
	assert_true(n >= 60);
	for (size_t i = 0; i < n; i++) {
		assert_true(i + 10 >= n || taken[i + 10] - taken[i] >= 60);
		assert_true(i + 25 >= n || taken[i + 25] - taken[i] >=
		    24 * 60);
	}
}

static void
test_names_the_limit_that_is_shut_longest(void **state)
{
	struct quota_answer a;

	(void)state;
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < (i < 2 ? 10 : 5); k++)
			assert_true(take(bob, 1, 1, 0, 120 * i).fits);
	a = take(bob, 1, 1, 0, 241);
	assert_string_equal(words(&a), "25 messages in 24 hours is reached; it "
	    "opens again at 2026-11-22T13:00:00Z");
	/* all of what is asked, or nothing */
	a = take((struct quota_name){ QUOTA_ACCOUNT, STR("eve") }, 1, 101, 5,
	    0);
	assert_false(a.fits);
	assert_string_equal(words(&a), "100 recipients in 24 hours, and this "
	    "is more");
	assert_int_equal(quota_see(table, (struct quota_name){ QUOTA_ACCOUNT,
	    STR("eve") }, at(0)).day.n[ACCOUNT_OCTETS], 0);
	a = take((struct quota_name){ QUOTA_ACCOUNT, STR("eve") }, 1, 1, 1000,
	    0);
	assert_true(a.fits);
	a = take((struct quota_name){ QUOTA_ACCOUNT, STR("eve") }, 1, 1, 1, 0);
	assert_int_equal(a.measure, ACCOUNT_OCTETS);
}

static void
test_tenants_and_accounts_are_apart(void **state)
{
	struct quota_name tenant = { QUOTA_TENANT, bob.name };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(take(bob, 1, 1, 1, 0).fits);
	assert_false(take(bob, 1, 1, 1, 0).fits);
	assert_true(take(tenant, 1, 1, 1, 0).fits);
	assert_int_equal(table->entries.n, 2);
	assert_int_equal(quota_owner(key, bob, 1), 0);
}

static void
test_gives_back(void **state)
{
	struct quota_use use = { { 1, 2, 3 } };
	struct quota_seen seen;

	(void)state;
	assert_true(take(bob, 2, 4, 6, 0).fits);
	quota_give(table, bob, &use, at(1));
	seen = quota_see(table, bob, at(1));
	assert_int_equal(seen.hour.n[ACCOUNT_MESSAGES], 1);
	assert_int_equal(seen.hour.n[ACCOUNT_RECIPIENTS], 2);
	assert_int_equal(seen.day.n[ACCOUNT_OCTETS], 3);
	/* never below nothing */
	quota_give(table, bob, &use, at(1));
	quota_give(table, bob, &use, at(1));
	assert_int_equal(quota_see(table, bob, at(1)).day.n[0], 0);
	quota_give(table, (struct quota_name){ QUOTA_TENANT, STR("x") }, &use,
	    at(1));
	assert_int_equal(table->entries.n, 1);
	/* an hour forgets what a day remembers */
	assert_true(take(bob, 1, 1, 1, 2).fits);
	assert_int_equal(quota_see(table, bob, at(70)).hour.n[0], 0);
	assert_int_equal(quota_see(table, bob, at(70)).day.n[0], 1);
	assert_int_equal(quota_see(table, bob, at(26 * 60)).day.n[0], 0);
}

static void
test_looking_takes_nothing(void **state)
{
	struct quota_use use = { { 10, 0, 0 } };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(quota_look(table, bob, limits, &use, at(0)).fits);
	assert_false(quota_is_changed(table));
	assert_true(take(bob, 1, 0, 0, 0).fits);
	assert_false(quota_look(table, bob, limits, &use, at(0)).fits);
	assert_true(quota_is_changed(table));
	assert_false(quota_is_changed(table));
}

/* SECURITY.md row 45 */
static void
test_clocks_jump(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(take(bob, 1, 0, 0, 0).fits);
	/* a little back: it is counted */
	assert_false(take(bob, 1, 0, 0, -30).fits);
	/* ten years ahead, and home again: nobody is shut out for ten years */
	assert_true(take(bob, 1, 0, 0, 10 * 365 * 24 * 60).fits);
	for (int i = 0; i < 10; i++)
		assert_true(take(bob, 1, 0, 0, 1).fits);
	assert_false(take(bob, 1, 0, 0, 1).fits);
}

static char lines[64 * 1024];
static struct buf printed;

static void
line_keep(void *arg, struct str line)
{
	(void)arg;
	buf_put(&printed, line);
	buf_putc(&printed, '\n');
}

static void
test_survives_on_paper(void **state)
{
	struct quota_name odd = { QUOTA_TENANT, STR("a b\n+=\xc3\xa9") };
	struct quota_seen seen;
	struct str rest;
	size_t from = 0;
	char name[20];

	(void)state;
	assert_true(take(bob, 1, 2, 3, 0).fits);
	assert_true(take(bob, 4, 5, 6, 130).fits);
	assert_true(take(odd, 7, 8, 9, 130).fits);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "u%d", i);
		assert_true(take((struct quota_name){ QUOTA_ACCOUNT,
		    str_of(name) }, 1, 1, 1, 130).fits);
	}
	printed = (struct buf){ .p = lines, .cap = sizeof lines };
	while (quota_print(table, &from, 10, line_keep, NULL))
		;
	assert_false(printed.full);
	quota_close(table);
	table = quota_open(key);
	rest = buf_str(&printed);
	while (rest.n > 0)
		assert_true(quota_read(table, str_cut(&rest, '\n')));
	assert_int_equal(table->entries.n, 102);
	seen = quota_see(table, bob, at(131));
	assert_int_equal(seen.hour.n[ACCOUNT_MESSAGES], 4);
	assert_int_equal(seen.day.n[ACCOUNT_MESSAGES], 5);
	assert_int_equal(seen.day.n[ACCOUNT_RECIPIENTS], 7);
	assert_int_equal(seen.day.n[ACCOUNT_OCTETS], 9);
	seen = quota_see(table, odd, at(131));
	assert_int_equal(seen.hour.n[ACCOUNT_OCTETS], 9);
	assert_false(take(bob, 7, 0, 0, 131).fits);
	assert_true(take(bob, 6, 0, 0, 131).fits);
	/* twice is once */
	rest = buf_str(&printed);
	assert_false(quota_read(table, str_cut(&rest, '\n')));
}

static void
test_passes_over_nonsense(void **state)
{
	static const char *const bad[] = { "", "account", "account ", "who bob",
		"account a+b h1:1,2,3", "account bob x1:1,2,3",
		"account bob h1:1,2", "account bob h1:1,2,3,4",
		"account bob h1:1,2,x", "account bob h99999999999:1,2,3",
		"account bob h-1:1,2,3", "account bob h:1,2,3",
		"account bob 5:1,2,3", "account bob h1:1,2,3  d" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (quota_read(table, str_of(bad[i])))
			fail_msg("%s", bad[i]);
	assert_int_equal(table->entries.n, 0);
}

static void
test_is_bounded(void **state)
{
	char name[20];

	(void)state;
	for (int i = 0; i < QUOTA_NAMES + 100; i++) {
		snprintf(name, sizeof name, "u%d", i);
		assert_true(take((struct quota_name){ QUOTA_ACCOUNT,
		    str_of(name) }, 1, 1, 1, 0).fits);
	}
	assert_int_equal(table->entries.n, QUOTA_NAMES);
	/* a day later they go as others come */
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "v%d", i);
		assert_true(take((struct quota_name){ QUOTA_ACCOUNT,
		    str_of(name) }, 1, 1, 1, 26 * 60).fits);
	}
	assert_int_equal(table->entries.n, QUOTA_NAMES - 100);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(takes_up_to_the_limit), T(slides),
		T(names_the_limit_that_is_shut_longest),
		T(tenants_and_accounts_are_apart), T(gives_back),
		T(looking_takes_nothing), T(clocks_jump),
		T(survives_on_paper), T(passes_over_nonsense), T(is_bounded),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
