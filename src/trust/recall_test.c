#include "fiber/test_core.h"

#include "trust/recall.h"

#include <stdio.h>

static struct recall_mark
mark_of(struct recall *r, const char *user, const char *secret)
{
	const struct str parts[] = { str_of(user), str_of(secret) };

	return recall_mark(r, parts, 2);
}

static struct mono
at_s(int64_t s)
{
	return (struct mono){ s * NS_PER_SECOND };
}

static void
body_kept(void *arg)
{
	struct recall *r = recall_new();
	struct str addresses[] = { STR("a@x.test"), STR("") };
	struct directory_person who = { .name = STR("bob"), .addresses =
	    addresses, .n_addresses = 2 }, got;
	struct recall_mark m = mark_of(r, "bob", "pw"), other;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	assert_false(recall_find(r, &m, at_s(1), &a, &got));
	recall_keep(r, &m, at_s(10), &who);
	assert_true(recall_find(r, &m, at_s(9), &a, &got));
	assert_true(str_eq(got.name, STR("bob")));
	assert_int_equal(got.n_addresses, 2);
	assert_true(str_eq(got.addresses[0], STR("a@x.test")));
	assert_int_equal(got.addresses[1].n, 0);
	/* where a part ends counts */
	other = mark_of(r, "bobp", "w");
	assert_false(recall_find(r, &other, at_s(9), &a, &got));
	other = mark_of(r, "bob", "pW");
	assert_false(recall_find(r, &other, at_s(9), &a, &got));
	assert_false(recall_find(r, &m, at_s(10), &a, &got));
	assert_false(recall_find(r, &m, at_s(9), &a, &got));
	arena_clear(&a);
	recall_free(r);
}

static void
test_kept(void **state)
{
	(void)state;
	on_core(body_kept);
}

static void
body_limits(void *arg)
{
	static char text[RECALL_ROOM];
	struct recall *r = recall_new();
	struct directory_person who = { .name = STR("bob") }, got;
	struct recall_mark m;
	char name[16];
	struct arena a;

	(void)arg;
	arena_init(&a, 16 * 1024 * 1024);
	for (unsigned i = 0; i <= RECALL_MOST; i++) {
		(void)snprintf(name, sizeof name, "u%u", i);
		m = mark_of(r, name, "pw");
		recall_keep(r, &m, at_s(10), &who);
	}
	/* The first had to go for the last. */
	m = mark_of(r, "u0", "pw");
	assert_false(recall_find(r, &m, at_s(1), &a, &got));
	m = mark_of(r, "u1", "pw");
	assert_true(recall_find(r, &m, at_s(1), &a, &got));
	for (size_t n = RECALL_ROOM - 3; n <= RECALL_ROOM - 1; n++) {
		who.name = (struct str){ text, n };
		recall_keep(r, &m, at_s(10), &who);
		assert_int_equal(recall_find(r, &m, at_s(1), &a, &got),
		    n <= RECALL_ROOM - 2);
	}
	arena_clear(&a);
	recall_free(r);
}

static void
test_limits(void **state)
{
	(void)state;
	on_core(body_limits);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
