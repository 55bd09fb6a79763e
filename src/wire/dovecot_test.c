#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/dovecot.h"

static struct dovecot_line
line_of(const char *text)
{
	struct dovecot_line l;

	assert_true(dovecot_read(str_of(text), &l));
	return l;
}

static void
assert_str(struct str s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

static void
test_lines(void **state)
{
	struct dovecot_line l;

	(void)state;
	l = line_of("OK\t7\tuser=bob@a.example\tnologin");
	assert_int_equal(l.kind, DOVECOT_OK);
	assert_int_equal(l.id, 7);
	assert_str(dovecot_find(l.args, STR("user")), "bob@a.example");
	assert_str(dovecot_find(l.args, STR("nologin")), "");
	assert_null(dovecot_find(l.args, STR("temp")).p);
	l = line_of("FAIL\t4294967295\ttemp");
	assert_int_equal(l.kind, DOVECOT_FAIL);
	assert_int_equal(l.id, UINT32_MAX);
	l = line_of("VERSION\t1\t2");
	assert_int_equal(l.kind, DOVECOT_VERSION);
	assert_int_equal(l.id, 1);
	assert_int_equal(line_of("MECH\tPLAIN\tplaintext").kind, DOVECOT_MECH);
	assert_int_equal(line_of("SPID\t12").kind, DOVECOT_OTHER);
	assert_int_equal(line_of("DONE").kind, DOVECOT_DONE);
	assert_int_equal(line_of("CONT\t1\t").kind, DOVECOT_CONT);
	assert_int_equal(line_of("ok\t1").kind, DOVECOT_OTHER);
	assert_int_equal(line_of("COOKIE\tabc").kind, DOVECOT_OTHER);
	assert_false(dovecot_read(STR(""), &l));
	assert_false(dovecot_read(STR("OK"), &l));
	assert_false(dovecot_read(STR("OK\tx"), &l));
	assert_false(dovecot_read(STR("OK\t4294967296"), &l));
	assert_false(dovecot_read(STR("OK\t-1"), &l));
}

static void
test_escapes(void **state)
{
	const struct str raw = { "a\0b\1c\td\re\nf\xff=", 13 };
	char room[64], back[64];
	struct buf b = BUF_OF(room), c = BUF_OF(back);

	(void)state;
	dovecot_escape(raw, &b);
	assert_int_equal(str_find(buf_str(&b), '\t'), b.n);
	assert_int_equal(str_find(buf_str(&b), '\n'), b.n);
	assert_true(dovecot_unescape(buf_str(&b), &c));
	assert_true(str_eq(buf_str(&c), raw));
	c.n = 0;
	assert_false(dovecot_unescape(STR("a\1"), &c));
	assert_false(dovecot_unescape(STR("a\1x"), &c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
