#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/canon.h"

static char room[8192];

static void
buf_take(void *arg, struct str octets)
{
	buf_put(arg, octets);
}

/* ---- bodies ---- */

struct row { struct str body, simple, relaxed; };

/* RFC 6376 3.4.3 to 3.4.5 */
static const struct row rows[] = {
	{ STR_INIT(""), STR_INIT("\r\n"), STR_INIT("") },
	{ STR_INIT("\r\n"), STR_INIT("\r\n"), STR_INIT("") },
	{ STR_INIT("\r\n\r\n"), STR_INIT("\r\n"), STR_INIT("") },
	{ STR_INIT(" "), STR_INIT(" \r\n"), STR_INIT("") },
	{ STR_INIT(" \r\n\t\r\n"), STR_INIT(" \r\n\t\r\n"), STR_INIT("") },
	{ STR_INIT("x"), STR_INIT("x\r\n"), STR_INIT("x\r\n") },
	{ STR_INIT(" C \r\nD \t E\r\n\r\n\r\n"), STR_INIT(" C \r\nD \t E\r\n"),
	    STR_INIT(" C\r\nD E\r\n") },
	{ STR_INIT("a\r\n\r\nb \t\r\n \r\n"),
	    STR_INIT("a\r\n\r\nb \t\r\n \r\n"), STR_INIT("a\r\n\r\nb\r\n") },
	{ STR_INIT("a \r"), STR_INIT("a \r\r\n"), STR_INIT("a \r\r\n") },
	{ STR_INIT("a \rb\r\r\n"), STR_INIT("a \rb\r\r\n"),
	    STR_INIT("a \rb\r\r\n") },
	{ STR_INIT("\n\r\n"), STR_INIT("\n\r\n"), STR_INIT("\n\r\n") },
	{ STR_INIT("a \n b"), STR_INIT("a \n b\r\n"), STR_INIT("a \n b\r\n") },
	{ STR_INIT("a\r\n\r"), STR_INIT("a\r\n\r\r\n"),
	    STR_INIT("a\r\n\r\r\n") },
	{ STR_INIT("\0 \t\377\r\n"), STR_INIT("\0 \t\377\r\n"),
	    STR_INIT("\0 \377\r\n") },
};

/* The first `cut' octets, and then `step' at a time. */
static struct str
body(enum canon canon, struct str s, size_t cut, size_t step)
{
	static struct canon_body b;
	struct buf out = BUF_OF(room);

	canon_body_begin(&b, canon, (struct canon_sink){ buf_take, &out });
	canon_body_put(&b, str_sub(s, 0, cut));
	s = str_sub(s, cut, s.n);
	while (s.n > 0) {
		canon_body_put(&b, str_sub(s, 0, step));
		s = str_sub(s, step, s.n);
	}
	canon_body_end(&b);
	assert_false(out.full);
	assert_int_equal(b.out.octets, out.n);
	return buf_str(&out);
}

/* Cut at every octet. */
static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].body.n; cut++)
			for (size_t step = 1; step < 4; step++) {
				assert_true(str_eq(body(CANON_SIMPLE,
				    rows[i].body, cut, step), rows[i].simple));
				assert_true(str_eq(body(CANON_RELAXED,
				    rows[i].body, cut, step), rows[i].relaxed));
			}
}

/* Pieces around the size of what is gathered, and lines held back by the
 * thousand. */
static void
test_long(void **state)
{
	static char text[4 * CANON_ROOM];

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t n = CANON_ROOM - 3; n <= CANON_ROOM + 3; n++)
		for (size_t cut = 0; cut < 3; cut++) {
			struct str s = { text, n };
			struct str got = body(CANON_RELAXED, s, cut, n);

			assert_int_equal(got.n, n + 2);
			assert_memory_equal(got.p, text, n);
		}
	for (size_t i = 0; i + 1 < sizeof text; i += 2) {
		text[i] = '\r';
		text[i + 1] = '\n';
	}
	assert_int_equal(body(CANON_SIMPLE, (struct str){ text,
	    sizeof text }, 1, 7).n, 2);
	text[sizeof text - 2] = 'x';
	text[sizeof text - 1] = ' ';
	assert_int_equal(body(CANON_RELAXED, (struct str){ text,
	    sizeof text }, 1, 7).n, sizeof text + 1);
}

/* ---- fields ---- */

static void
assert_field(enum canon canon, struct str raw, struct str wanted)
{
	struct buf out = BUF_OF(room);

	canon_field(canon, raw, &out);
	assert_true(str_eq(buf_str(&out), wanted));
	assert_true(out.n <= raw.n + 2);
}

/* RFC 6376 3.4.1, 3.4.2, 3.4.5 */
static void
test_fields(void **state)
{
	(void)state;
	assert_field(CANON_SIMPLE, STR("B : Y\t\r\n\tZ  \r\n"),
	    STR("B : Y\t\r\n\tZ  \r\n"));
	assert_field(CANON_SIMPLE, STR("B: x"), STR("B: x\r\n"));
	assert_field(CANON_RELAXED, STR("A: X\r\n"), STR("a:X\r\n"));
	assert_field(CANON_RELAXED, STR("B : Y\t\r\n\tZ  \r\n"),
	    STR("b:Y Z\r\n"));
	assert_field(CANON_RELAXED, STR("SUBject:\r\n \r\n AbC"),
	    STR("subject:AbC\r\n"));
	assert_field(CANON_RELAXED, STR("X:\r\n"), STR("x:\r\n"));
	assert_field(CANON_RELAXED, STR("X:  \t\r\n"), STR("x:\r\n"));
	assert_field(CANON_RELAXED, STR("X: a\rb \n c\r\n"),
	    STR("x:a\rb \n c\r\n"));
	assert_field(CANON_RELAXED, STR("X:\ta:b\r\n"), STR("x:a:b\r\n"));
}

static void
assert_signature(enum canon canon, struct str raw, struct str wanted)
{
	struct buf out = BUF_OF(room);

	canon_signature(canon, raw, &out);
	assert_true(str_eq(buf_str(&out), wanted));
}

/* RFC 6376 3.7: "the value of the "b=" tag (including all surrounding whitespace)
 * deleted", "and without a trailing CRLF" */
static void
test_signatures(void **state)
{
	(void)state;
	assert_signature(CANON_SIMPLE, STR("D: bh=x; b = a\r\n b ;c=1\r\n"),
	    STR("D: bh=x; b =;c=1"));
	assert_signature(CANON_RELAXED, STR("D: bh=x; b = a\r\n b ; c=1 \r\n"),
	    STR("d:bh=x; b =; c=1"));
	assert_signature(CANON_SIMPLE, STR("D:b=a"), STR("D:b="));
	assert_signature(CANON_SIMPLE, STR("D:b=a \r\n"), STR("D:b="));
	assert_signature(CANON_RELAXED, STR("D:\r\n b\r\n =a;\r\n"),
	    STR("d:b =;"));
	assert_signature(CANON_SIMPLE, STR("D: z=b=1; xb=2; b; b=3\r\n"),
	    STR("D: z=b=1; xb=2; b; b="));
	assert_signature(CANON_SIMPLE, STR("D: v=1 \r\n"), STR("D: v=1 "));
	assert_signature(CANON_RELAXED, STR("D: v=1 \r\n"), STR("d:v=1"));
	assert_signature(CANON_SIMPLE, STR("D"), STR("D"));
}

static void
test_full(void **state)
{
	char small[4];
	struct buf out = BUF_OF(small);

	(void)state;
	canon_field(CANON_SIMPLE, STR("A:\r\n"), &out);
	assert_false(out.full);
	out.n = 0;
	canon_field(CANON_SIMPLE, STR("A:b\r\n"), &out);
	assert_true(out.full);
	assert_string_equal(canon_name(CANON_SIMPLE), "simple");
	assert_string_equal(canon_name(CANON_RELAXED), "relaxed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
