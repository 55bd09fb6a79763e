#include "store/account.h"
#include "store/test_store.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <sqlite3.h>

static const struct kept_user bob = { .name = STR_INIT("Bob@Example.ORG"),
	.hash = STR_INIT("$hash"), .scram = STR_INIT("scram"),
	.has_scram = true, .from = STR_INIT("@example.org"),
	.networks = STR_INIT("192.0.2.0/24"), .limits = STR_INIT("messages=1/h"),
	.tenant = STR_INIT("acme"), .expires = { 5 }, .created = { 7 } };

static void
test_a_user_is_kept_whole(void **state)
{
	struct kept_user u;

	(void)state;
	assert_int_equal(kept_user_add(&db, &bob), 0);
	assert_int_equal(kept_user_find(&db, STR("BOB@example.org"), &arena,
	    &u), 0);
	assert_true(str_eq(u.name, STR("bob@example.org")));
	assert_true(str_eq(u.hash, bob.hash) && str_eq(u.scram, bob.scram));
	assert_true(str_eq(u.from, bob.from) && str_eq(u.limits, bob.limits));
	assert_true(str_eq(u.networks, bob.networks));
	assert_true(str_eq(u.tenant, bob.tenant));
	assert_true(u.has_scram && !u.is_disabled && u.n_apps == 0);
	assert_int_equal(u.expires.us, 5);
	assert_int_equal(u.created.us, 7);
	assert_int_equal(u.used.us, 0);
}

static void
test_names_are_there_once(void **state)
{
	struct kept_user u = bob;
	char longest[256];

	(void)state;
	assert_int_equal(kept_user_add(&db, &bob), 0);
	u.name = STR("BOB@EXAMPLE.ORG");
	assert_int_equal(kept_user_add(&db, &u), DATABASE_TAKEN);
	memset(longest, 'x', sizeof longest);
	u.name = (struct str){ longest, 255 };
	assert_int_equal(kept_user_add(&db, &u), 0);
	u.name.n = 256;
	assert_int_equal(kept_user_add(&db, &u), -1);
	u.name.n = 0;
	assert_int_equal(kept_user_add(&db, &u), -1);
	assert_int_equal(kept_user_find(&db, STR("eve"), &arena, &u), KEPT_NONE);
	assert_int_equal(kept_user_remove(&db, STR("eve")), KEPT_NONE);
}

static void
test_a_user_changes(void **state)
{
	struct kept_user u;

	(void)state;
	assert_int_equal(kept_user_add(&db, &bob), 0);
	assert_int_equal(kept_user_find(&db, bob.name, &arena, &u), 0);
	u.is_disabled = true;
	u.hash = STR("$other");
	assert_int_equal(kept_user_change(&db, &u), 0);
	assert_int_equal(kept_user_find(&db, bob.name, &arena, &u), 0);
	assert_true(u.is_disabled && str_eq(u.hash, STR("$other")));
	u.id = 999;
	assert_int_equal(kept_user_change(&db, &u), KEPT_NONE);
}

static int
app_count(void *arg, const struct kept_app *p)
{
	assert_true(p->digest.n == 3 && memcmp(p->digest.p, "a\0b", 3) == 0);
	return ++*(int *)arg == 99;
}

static void
test_app_passwords_go_with_their_user(void **state)
{
	struct kept_app phone = { .name = STR("phone"),
		.digest = STR("a\0b"), .scram = STR("") };
	struct kept_user u;
	int n = 0;

	(void)state;
	assert_int_equal(kept_user_add(&db, &bob), 0);
	assert_int_equal(kept_user_find(&db, bob.name, &arena, &u), 0);
	assert_int_equal(kept_app_add(&db, u.id, &phone), 0);
	assert_int_equal(kept_app_add(&db, u.id, &phone), DATABASE_TAKEN);
	assert_int_equal(kept_app_add(&db, 77, &phone), -1);
	phone.name = STR("car");
	assert_int_equal(kept_app_add(&db, u.id, &phone), 0);
	assert_int_equal(kept_apps(&db, u.id, &arena, app_count, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(kept_user_find(&db, bob.name, &arena, &u), 0);
	assert_int_equal(u.n_apps, 2);
	assert_int_equal(kept_app_remove(&db, u.id, STR("car")), 0);
	assert_int_equal(kept_app_remove(&db, u.id, STR("car")), KEPT_NONE);
	assert_int_equal(kept_user_remove(&db, bob.name), 0);
	assert_int_equal(kept_apps(&db, u.id, &arena, app_count, &n), 0);
	assert_int_equal(n, 2);
}

static void
test_keys_are_revoked_not_forgotten(void **state)
{
	struct kept_key k = { .public = STR("abcd1234"), .name = STR("shop"),
		.digest = STR("d"), .scopes = STR("send"),
		.domains = STR("a.example"), .expires = { 9 }, .created = { 3 } };
	struct kept_key found;

	(void)state;
	assert_int_equal(kept_key_add(&db, &k), 0);
	assert_int_equal(kept_key_add(&db, &k), DATABASE_TAKEN);
	assert_int_equal(kept_key_find(&db, k.public, &arena, &found), 0);
	assert_true(str_eq(found.scopes, k.scopes) && !found.is_revoked);
	assert_true(str_eq(found.domains, k.domains));
	assert_int_equal(found.expires.us, 9);
	assert_int_equal(kept_key_revoke(&db, k.public), 0);
	assert_int_equal(kept_key_revoke(&db, k.public), KEPT_NONE);
	assert_int_equal(kept_key_find(&db, k.public, &arena, &found), 0);
	assert_true(found.is_revoked);
	assert_int_equal(kept_key_find(&db, STR("none"), &arena, &found),
	    KEPT_NONE);
}

static void
test_uses_are_written_together(void **state)
{
	struct kept_use uses[] = { { KEPT_USER, 1, { 100 } },
		{ KEPT_APP, 12, { 100 } }, { KEPT_USER, 1, { 200 } } };
	struct kept_user u;

	(void)state;
	assert_int_equal(kept_user_add(&db, &bob), 0);
	assert_int_equal(kept_uses(&db, uses, 3), 0);
	assert_int_equal(kept_uses(&db, uses, 0), 0);
	assert_int_equal(kept_user_find(&db, bob.name, &arena, &u), 0);
	assert_int_equal(u.used.us, 200);
}

static void
test_an_arena_may_be_full(void **state)
{
	struct arena small;
	struct kept_user u;

	(void)state;
	assert_int_equal(kept_user_add(&db, &bob), 0);
	arena_init(&small, 16);
	assert_int_equal(kept_user_find(&db, bob.name, &small, &u), -1);
	assert_non_null(strstr(err_text(), "no memory"));
	arena_clear(&small);
}

static void
test_the_secret_stays(void **state)
{
	unsigned char one[KEPT_SECRET], two[KEPT_SECRET];

	(void)state;
	assert_int_equal(kept_secret(&db, one), 0);
	assert_int_equal(kept_secret(&db, two), 0);
	assert_memory_equal(one, two, sizeof one);
	/* One of another length is none: not what the caller had there before. */
	assert_int_equal(sqlite3_exec(db.handle, "UPDATE setting SET value = "
	    "x'0102' WHERE name = 'secret'", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(kept_secret(&db, one), -1);
	assert_int_equal(sqlite3_exec(db.handle, "UPDATE setting SET value = "
	    "randomblob(33) WHERE name = 'secret'", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(kept_secret(&db, one), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_begin, store_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_user_is_kept_whole),
		TEST(test_names_are_there_once),
		TEST(test_a_user_changes),
		TEST(test_app_passwords_go_with_their_user),
		TEST(test_keys_are_revoked_not_forgotten),
		TEST(test_uses_are_written_together),
		TEST(test_an_arena_may_be_full),
		TEST(test_the_secret_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
