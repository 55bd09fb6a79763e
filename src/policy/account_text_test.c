#include "policy/account_text.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct arena arena;

static void
test_senders(void **state)
{
	struct conf_strings list;

	(void)state;
	assert_int_equal(account_text_senders(&arena, STR(""), &list), 0);
	assert_true(list.n == 0 && list.v == NULL);
	assert_int_equal(account_text_senders(&arena, STR_NONE, &list), 0);
	assert_int_equal(account_text_senders(&arena,
	    STR(" Bob@A.example, @b.Example,,* <> "), &list), 0);
	assert_int_equal(list.n, 4);
	assert_true(str_eq_icase(list.v[0], STR("bob@a.example")));
	assert_true(str_eq(list.v[1], STR("@b.example")));
	assert_true(str_eq(list.v[2], STR("*")));
	assert_true(str_eq(list.v[3], STR("<>")));
	assert_int_equal(account_text_senders(&arena, STR("* bob"), &list), -1);
	assert_non_null(strstr(err_text(), "'bob' is no sender"));
}

static void
test_networks(void **state)
{
	struct conf_networks list;

	(void)state;
	assert_int_equal(account_text_networks(&arena,
	    STR("192.0.2.0/24,2001:db8::/32"), &list), 0);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.v[1].bits, 32);
	assert_int_equal(account_text_networks(&arena, STR("192.0.2.1/24"),
	    &list), -1);
	assert_non_null(strstr(err_text(), "is not a network"));
}

static void
test_limits(void **state)
{
	static const char *const bad[] = { "messages=1", "messages_per_hour",
		"messages_per_hour=", "messages_per_hour=0",
		"messages_per_day=4294967296", "bytes_per_day=0", "mail_per_day=1",
		"bytes_per_week=1" };
	struct quota q[ACCOUNT_MEASURES];

	(void)state;
	assert_int_equal(account_text_limits(STR("messages_per_hour=100 "
	    "bytes_per_day=1G,recipients_per_day=4294967295 "
	    "recipients_per_hour=none"), q), 0);
	assert_int_equal(q[ACCOUNT_MESSAGES].hour, 100);
	assert_int_equal(q[ACCOUNT_MESSAGES].day, 0);
	assert_int_equal(q[ACCOUNT_OCTETS].day, 1 << 30);
	assert_int_equal(q[ACCOUNT_RECIPIENTS].day, UINT32_MAX);
	assert_true(q[ACCOUNT_RECIPIENTS].hour == QUOTA_NONE);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (account_text_limits(str_of(bad[i]), q) != -1)
			fail_msg("%s is taken", bad[i]);
}

static void
test_an_end_of_memory(void **state)
{
	struct conf_strings list;
	struct arena small;

	(void)state;
	arena_init(&small, 16);
	assert_int_equal(account_text_senders(&small, STR("* *"), &list), -1);
	arena_clear(&small);
}

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_an_end_of_memory),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
