#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/mta_sts.h"

#define GOOD "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n" \
    "mx: *.example.net\r\nmax_age: 604800\r\n"

/* ---- RFC 8461 3.1 ---- */

static void
test_record(void **state)
{
	static const struct { const char *text, *id; } list[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=a", "a" },
		{ "v=STSv1 \t; \tid=a ; ", "a" },
		{ "v=STSv1; x.y-z_=!:<; id=b", "b" },
		{ "v=STSv1; id=b; id=c", "b" },
		{ "v=STSv1; id=12345678901234567890123456789012",
		    "12345678901234567890123456789012" },
		{ "v=STSv1; id=123456789012345678901234567890123", NULL },
		{ "v=STSv1; id=", NULL },
		{ "v=STSv1; id=a-b", NULL },
		{ "v=STSv1;", NULL },
		{ "v=STSv1", NULL },
		{ "v=STSv1 id=a", NULL },
		{ "V=STSv1; id=a", NULL },
		{ "v=stsv1; id=a", NULL },
		{ "v=STSv2; id=a", NULL },
		{ " v=STSv1; id=a", NULL },
		{ "v=STSv1; id=a; =b", NULL },
		{ "v=STSv1; id=a; b", NULL },
		{ "v=STSv1; id=a; b=c=d", NULL },
		{ "v=STSv1; id=a;; b=c", NULL },
		{ "v=STSv1; id=a; -b=c", NULL },
		{ "v=STSv1; Id=a", NULL },
		{ "", NULL },
	};
	struct str id;

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct str text = str_of(list[i].text);
		bool is_one = sts_record_choose(&text, 1, &id);

		if (is_one != (list[i].id != NULL))
			fail_msg("%s", list[i].text);
		if (is_one)
			assert_true(str_eq(id, str_of(list[i].id)));
	}
}

/* "If the number of resulting records is not one": others do not count. */
static void
test_records(void **state)
{
	struct str two[] = { STR("v=STSv1; id=a"), STR("v=STSv1; id=a") };
	struct str other[] = { STR("v=spf1 -all"), STR("v=STSv1; id=b"),
		STR("v=STSv1x; id=c") };
	struct str id;

	(void)state;
	assert_false(sts_record_choose(two, 0, &id));
	assert_true(sts_record_choose(two, 1, &id));
	assert_false(sts_record_choose(two, 2, &id));
	assert_true(sts_record_choose(other, 3, &id));
	assert_true(str_eq(id, STR("b")));
}

/* ---- RFC 8461 3.2 ---- */

static void
test_policy(void **state)
{
	struct sts_policy p;

	(void)state;
	assert_null(sts_policy_read(STR(GOOD), &p));
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age, 604800);
	assert_int_equal(p.n, 2);
	assert_true(str_eq(p.mx[1], STR("*.example.net")));
	assert_null(sts_policy_read(STR("mode: none\nmax_age:0\n"
	    "version:\tSTSv1 \n\n\n"), &p));
	assert_int_equal(p.mode, STS_NONE);
	assert_null(sts_policy_read(STR("version: STSv1\nmode: testing\n"
	    "mode: enforce\nmx: a.b\nmax_age: 31557600\nmax_age: x\n"
	    "version: 2\nother: \xc3\xa4 b"), &p));
	assert_int_equal(p.mode, STS_TESTING);
	assert_int_equal(p.max_age, STS_AGE_MOST);
	assert_string_equal(sts_mode_name(p.mode), "testing");
}

static void
test_bad_policies(void **state)
{
	static const char *const list[] = {
		"", "\n", "hello", "<html></html>",
		"version: STSv2\nmode: none\nmax_age: 1\n",
		"mode: none\nmax_age: 1\n",
		"version: STSv1\nmax_age: 1\n",
		"version: STSv1\nmode: none\n",
		"version: STSv1\nmode: Enforce\nmx: a.b\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\n",
		"version: STSv1\nmode: testing\nmax_age: 1\n",
		"version: STSv1\nmode: none\nmax_age: 31557601\n",
		"version: STSv1\nmode: none\nmax_age: 00000000001\n",
		"version: STSv1\nmode: none\nmax_age: -1\n",
		"version: STSv1\nmode: none\nmax_age:\n",
		"version: STSv1\n\nmode: none\nmax_age: 1\n",
		"version: STSv1\nmode: none\nmax_age: 1\nx y: z\n",
		"version: STSv1\nmode: none\nmax_age: 1\nx: \xff\n",
		"version: STSv1\nmode: none\nmax_age: 1\nx: a\tb\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: *\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: *.\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.*.b\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a..b\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.b.\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.b c.d\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: b\xc3\xbc.d\n",
	};
	struct sts_policy p;

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (sts_policy_read(str_of(list[i]), &p) == NULL)
			fail_msg("%s", list[i]);
}

static void
test_limits(void **state)
{
	static char text[STS_POLICY_MOST + 2];
	struct sts_policy p;
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(text, sizeof text,
	    "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (size_t i = 0; i < STS_MX_MOST; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "mx: m%zu.a\n", i);
	assert_null(sts_policy_read((struct str){ text, n }, &p));
	assert_int_equal(p.n, STS_MX_MOST);
	n += (size_t)snprintf(text + n, sizeof text - n, "mx: one.more\n");
	assert_non_null(sts_policy_read((struct str){ text, n }, &p));
	n = (size_t)snprintf(text, sizeof text,
	    "version: STSv1\nmode: none\nmax_age: 1\nx: ");
	memset(text + n, 'x', sizeof text - n);
	assert_null(sts_policy_read((struct str){ text, STS_POLICY_MOST }, &p));
	assert_non_null(sts_policy_read((struct str){ text,
	    STS_POLICY_MOST + 1 }, &p));
}

/* RFC 8461 4.1 has the example. */
static void
test_match(void **state)
{
	struct sts_policy p;

	(void)state;
	assert_null(sts_policy_read(STR(GOOD), &p));
	assert_true(sts_policy_has(&p, STR("mail.example.com")));
	assert_true(sts_policy_has(&p, STR("MAIL.example.COM.")));
	assert_true(sts_policy_has(&p, STR("a.example.net")));
	assert_false(sts_policy_has(&p, STR("example.net")));
	assert_false(sts_policy_has(&p, STR("a.b.example.net")));
	assert_false(sts_policy_has(&p, STR(".example.net")));
	assert_false(sts_policy_has(&p, STR("xmail.example.com")));
	assert_false(sts_policy_has(&p, STR("")));
	assert_false(sts_policy_has(&p, STR(".")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_bad_policies),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
