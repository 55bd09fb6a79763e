#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/passwd.h"

static void
lines_come_apart(void **state)
{
	struct passwd p;
	const char *why = NULL;

	(void)state;
	assert_int_equal(passwd_parse(STR("bob@example.org:{BLF-CRYPT}$2y$05$x:"
	    "1000:100:Bob, the:/home/bob:/bin/sh:userdb_quota=1G a=b:c\r"), &p,
	    &why), PASSWD_ENTRY);
	assert_true(str_eq(p.user, STR("bob@example.org")));
	assert_true(str_eq(p.scheme, STR("BLF-CRYPT")));
	assert_true(str_eq(p.hash, STR("$2y$05$x")));
	assert_true(p.has_uid && p.uid == 1000 && p.has_gid && p.gid == 100);
	assert_true(str_eq(p.home, STR("/home/bob")));
	assert_true(str_eq(passwd_extra(&p, STR("userdb_quota")), STR("1G")));
	assert_true(str_eq(passwd_extra(&p, STR("a")), STR("b:c")));
	assert_null(passwd_extra(&p, STR("b")).p);
	assert_null(passwd_extra(&p, STR("")).p);
	assert_int_equal(passwd_parse(STR("bob"), &p, &why), PASSWD_ENTRY);
	assert_true(p.hash.n == 0 && p.scheme.p == NULL && !p.has_uid);
	assert_int_equal(passwd_parse(STR("bob:plain::::/h"), &p, &why),
	    PASSWD_ENTRY);
	assert_true(str_eq(p.hash, STR("plain")) && p.scheme.p == NULL);
	assert_true(str_eq(p.home, STR("/h")) && !p.has_uid && !p.has_gid);
	assert_int_equal(passwd_parse(STR("bob:{PLAIN}"), &p, &why),
	    PASSWD_ENTRY);
	assert_true(p.scheme.n == 5 && p.hash.n == 0);
}

static void
others_are_named(void **state)
{
	static const struct str blank[] = { STR_INIT(""), STR_INIT("  \t"),
		STR_INIT("\r"), STR_INIT("# bob:x") };
	static const struct str bad[] = { STR_INIT(":x"), STR_INIT("bob:{X"),
		STR_INIT("bob:{}x"), STR_INIT("bob:x:-1"), STR_INIT("bob:x:a"),
		STR_INIT("bob:x:1:4294967295"), STR_INIT("bob\0:x"),
		STR_INIT("b\tb:x"), STR_INIT("bob:x\r\r") };
	struct passwd p;

	(void)state;
	for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
		const char *why = NULL;

		assert_int_equal(passwd_parse(blank[i], &p, &why),
		    PASSWD_BLANK);
		assert_null(why);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *why = NULL;

		assert_int_equal(passwd_parse(bad[i], &p, &why), PASSWD_BAD);
		assert_non_null(why);
	}
}

static void
length_has_an_edge(void **state)
{
	static char line[PASSWD_LINE_MOST + 1];
	const char *why = NULL;
	struct passwd p;

	(void)state;
	memset(line, 'a', sizeof line);
	assert_int_equal(passwd_parse((struct str){ line, PASSWD_LINE_MOST },
	    &p, &why), PASSWD_ENTRY);
	assert_int_equal(passwd_parse((struct str){ line, sizeof line }, &p,
	    &why), PASSWD_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_apart),
		cmocka_unit_test(others_are_named),
		cmocka_unit_test(length_has_an_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
