#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "wire/authres.h"

static struct arena arena;

static const struct str ours[] = {
	STR_INIT("mx.example.org"), STR_INIT("xn--mnchen-3ya.example"),
};

static void
expect_claim(const char *value, enum authres_claim claim)
{
	enum authres_claim got = authres_claim(str_of(value), ours, 2);

	if (got != claim)
		fail_msg("%s: %d, not %d", value, (int)got, (int)claim);
}

/* RFC 8601 5, SECURITY.md row 30: however it is written. */
static void
test_a_field_of_ours_is_known(void **state)
{
	static const char *const rows[] = {
		" mx.example.org; none", "mx.example.org;spf=pass",
		" MX.Example.ORG; dkim=pass", " mx.example.org",
		" mx.example.org. ; spf=pass",
		" \"mx.example.org\"; spf=pass",
		" \"mx\\.example.org\"; spf=pass",
		" \"mx.example.\r\n org\"; spf=pass",
		" \" mx.example.org\t\"; spf=pass",
		" (ours) mx.example.org (it is) ; spf=pass",
		" (a (nested\\) one)) mx.example.org; spf=pass",
		"\r\n\tmx.example.org\r\n\t; spf=pass",
		"\r\n (\r\n c)\r\n mx.example.org (\r\n ); spf=pass",
		" mx.example.org 1; spf=pass", " mx.example.org 2; spf=pass",
		" mx.example.org(c)1(c); spf=pass",
		" mx.example.org; this is no result at all",
		" m\xc3\xbcnchen.example; spf=pass",
		" M\xc3\x9cNCHEN.example; spf=pass",
		" \"m\xc3\xbcnchen.example\"; spf=pass",
		" mu\xcc\x88nchen.example; spf=pass",
		" xn--mnchen-3ya.example; spf=pass",
		" XN--MNCHEN-3YA.EXAMPLE 1; spf=pass",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_claim(rows[i], AUTHRES_OURS);
}

static void
test_others_stay_others(void **state)
{
	static const char *const rows[] = {
		" mx.example.com; spf=pass", " x.mx.example.org; spf=pass",
		" mx.example.org.evil.example; spf=pass", " example.org; none",
		" mx.example.or; spf=pass", " (mx.example.org) other; spf=pass",
		" \"other\"; x=\"mx.example.org\"", " other 1; spf=pass",
		" amavis_1; dkim=pass", " m\xc3\xbcnchen.example.com; spf=pass",
		" mx.google.com;\r\n dkim=pass header.i=@a.example",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_claim(rows[i], AUTHRES_THEIRS);
	assert_int_equal(authres_claim(STR("mx.example.org; none"), ours, 0),
	    AUTHRES_THEIRS);
}

/* What another might read as ours. */
static void
test_what_cannot_be_read_is_nobodys(void **state)
{
	static const char *const rows[] = {
		"", " ", " ;", " ; spf=pass", " (open mx.example.org; spf=pass",
		" \"mx.example.org; spf=pass", " spf=pass smtp.mailfrom=a",
		" mx example.org; spf=pass", " \"mx\".example.org; spf=pass",
		" mx.\"example.org\"; spf=pass", " mx@example.org; spf=pass",
		" mx.example.org/1; spf=pass", " =?us-ascii?q?mx?=; spf=pass",
		" m\xfcnchen.example; spf=pass", " mx.example.com 1 1; spf=pass",
		" mx.example.com 99999999999; spf=pass",
		" m\xc3\xbcnchen\xe3\x80\x82" "example; spf=pass",
		" mx.example.com,mx.example.org; spf=pass", " \\mx.example.org;",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_claim(rows[i], AUTHRES_UNREADABLE);
	expect_claim(" mx.example.com 2; spf=pass", AUTHRES_OTHER_VERSION);
	expect_claim(" mx.example.com 0; spf=pass", AUTHRES_OTHER_VERSION);
}

static void
test_an_id_has_an_end(void **state)
{
	char room[AUTHRES_ID_MOST + 64];
	struct buf b = BUF_OF(room);

	(void)state;
	for (size_t i = 0; i < AUTHRES_ID_MOST + 1; i++)
		buf_putc(&b, 'a');
	buf_put(&b, STR("; spf=pass"));
	assert_int_equal(authres_claim(buf_str(&b), ours, 2), AUTHRES_THEIRS);
	memset(room, '\xc3', AUTHRES_ID_MOST + 1);
	assert_int_equal(authres_claim(buf_str(&b), ours, 2),
	    AUTHRES_UNREADABLE);
}

static void
show(struct authres *a, enum authres_step *step, struct buf *out)
{
	struct authres_result r;

	while ((*step = authres_next(a, &r)) == AUTHRES_RESULT) {
		buf_printf(out, "[" STR_FMT "/%u=" STR_FMT, STR_ARG(r.method),
		    (unsigned)r.version, STR_ARG(r.result));
		if (r.reason.p != NULL)
			buf_printf(out, " (" STR_FMT ")", STR_ARG(r.reason));
		for (size_t i = 0; i < r.n; i++)
			buf_printf(out, " " STR_FMT "." STR_FMT "=" STR_FMT,
			    STR_ARG(r.properties[i].ptype),
			    STR_ARG(r.properties[i].name),
			    STR_ARG(r.properties[i].value));
		buf_putc(out, ']');
	}
}

/* RFC 8601 B, and what is written in the wild. */
static void
test_results(void **state)
{
	static const struct {
		const char *value, *id, *shown;
		enum authres_step end;
	} rows[] = {
		{ " example.org 1; none", "example.org", "", AUTHRES_END },
		{ " example.org; None (no)", "example.org", "", AUTHRES_END },
		{ " example.org", "example.org", "", AUTHRES_END },
		{ " example.com;\r\n          spf=pass smtp.mailfrom=example.net",
		    "example.com", "[spf/1=pass smtp.mailfrom=example.net]",
		    AUTHRES_END },
		{ " example.com; auth=pass (cram-md5) smtp.auth="
		    "sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
		    "example.com", "[auth/1=pass smtp.auth=sender@example.net]"
		    "[spf/1=pass smtp.mailfrom=example.net]", AUTHRES_END },
		{ " foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like "
		    "it) / 1 (One yay) = (wait for it) fail\r\n policy (A dot "
		    "can go here) . (like that) expired\r\n (this surprised me)"
		    " = (as I wasn't expecting it) 1362471462",
		    "foo.example.net",
		    "[dkim/1=fail policy.expired=1362471462]", AUTHRES_END },
		{ " a; SPF=Fail reason=\"it \\\"is\\\" not\" smtp.mailfrom=b;",
		    "a", "[spf/1=fail (it \"is\" not) smtp.mailfrom=b]",
		    AUTHRES_END },
		{ " a; dkim=pass header.b=\"a/b=+\" header.i=@b.example",
		    "a", "[dkim/1=pass header.b=a/b=+ header.i=@b.example]",
		    AUTHRES_END },
		{ " a; dkim=pass header.b=a/b=+;x=y", "a",
		    "[dkim/1=pass header.b=a/b=+][x/1=y]", AUTHRES_END },
		{ " a; spf=pass smtp.mailfrom=\"a b\"@c.example", "a",
		    "[spf/1=pass smtp.mailfrom=\"a b\"@c.example]",
		    AUTHRES_END },
		{ " \"a\\b\"; x=y", "ab", "[x/1=y]", AUTHRES_END },
		{ " a; spf=pass; ; dkim=pass", "a", "[spf/1=pass]",
		    AUTHRES_BAD },
		{ " a; spf=pass; none", "a", "[spf/1=pass]", AUTHRES_BAD },
		{ " a; spf", "a", "", AUTHRES_BAD },
		{ " a; spf=", "a", "", AUTHRES_BAD },
		{ " a; spf/=pass", "a", "", AUTHRES_BAD },
		{ " a; spf=pass smtp.mailfrom", "a", "", AUTHRES_BAD },
		{ " a; spf=pass smtp.=b", "a", "", AUTHRES_BAD },
		{ " a; spf=pass smtp.mailfrom=", "a", "", AUTHRES_BAD },
		{ " a; spf=pass reason=\"x", "a", "", AUTHRES_BAD },
		{ " a; spf=pass (open", "a", "", AUTHRES_BAD },
	};
	char room[1024];
	struct authres a;
	struct buf out;
	enum authres_step step;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		arena_init(&arena, 64 * 1024);
		out = BUF_OF(room);
		assert_true(authres_begin(&a, str_of(rows[i].value), &arena));
		assert_true(str_eq(a.id, str_of(rows[i].id)));
		show(&a, &step, &out);
		buf_putc(&out, '\0');
		assert_string_equal(room, rows[i].shown);
		assert_int_equal(step, rows[i].end);
		assert_int_equal(authres_next(&a,
		    &(struct authres_result){ 0 }), AUTHRES_END);
		arena_clear(&arena);
	}
}

static void
test_bad_heads(void **state)
{
	struct authres a;

	(void)state;
	arena_init(&arena, 64 * 1024);
	assert_false(authres_begin(&a, STR(""), &arena));
	assert_false(authres_begin(&a, STR(" ; spf=pass"), &arena));
	assert_false(authres_begin(&a, STR(" spf=pass"), &arena));
	arena_clear(&arena);
	arena_init(&arena, 1);
	assert_false(authres_begin(&a, STR("\"a\\b\"; none"), &arena));
	arena_clear(&arena);
}

static void
test_what_is_written_is_read_back(void **state)
{
	char room[1024], shown[1024], many[AUTHRES_VALUE_MOST + 2];
	struct buf b = BUF_OF(room), out = BUF_OF(shown);
	struct authres_result r;
	enum authres_step step;
	struct authres a;

	(void)state;
	arena_init(&arena, 64 * 1024);
	authres_put(&b, "iprev", "pass", STR_NONE);
	authres_put_property(&b, "policy.iprev", STR("2001:db8::1"));
	authres_put(&b, "spf", "permerror", STR("say \"no\\yes\"\r\n; x=y"));
	authres_put_property(&b, "smtp.mailfrom", STR("a.example"));
	authres_put_property(&b, "smtp.nothing", STR(""));
	assert_true(str_eq(buf_str(&b), STR("iprev=pass policy.iprev="
	    "\"2001:db8::1\"; spf=permerror reason=\"say \\\"no\\\\yes\\\"??; "
	    "x=y\" smtp.mailfrom=a.example")));
	authres_begin_list(&a, buf_str(&b), &arena);
	show(&a, &step, &out);
	buf_putc(&out, '\0');
	assert_int_equal(step, AUTHRES_END);
	assert_string_equal(shown, "[iprev/1=pass policy.iprev=2001:db8::1]"
	    "[spf/1=permerror (say \"no\\yes\"??; x=y) smtp.mailfrom=a.example]");
	memset(many, 'a', sizeof many);
	b = BUF_OF(room);
	authres_put(&b, "x", "pass", STR_NONE);
	authres_put_property(&b, "x.y", (struct str){ many, sizeof many });
	authres_begin_list(&a, buf_str(&b), &arena);
	assert_int_equal(authres_next(&a, &r), AUTHRES_RESULT);
	assert_int_equal(authres_get(&r, "X", "Y").n, AUTHRES_VALUE_MOST);
	assert_null(authres_get(&r, "x", "z").p);
	arena_clear(&arena);
}

static void
test_properties_have_an_end(void **state)
{
	char room[1024];
	struct buf b = BUF_OF(room);
	struct authres_result r;
	struct authres a;

	(void)state;
	arena_init(&arena, 64 * 1024);
	authres_put(&b, "x", "pass", STR_NONE);
	for (size_t i = 0; i < AUTHRES_PROPERTIES + 1; i++)
		authres_put_property(&b, "a.b", STR("c"));
	authres_begin_list(&a, buf_str(&b), &arena);
	assert_int_equal(authres_next(&a, &r), AUTHRES_RESULT);
	assert_int_equal(r.n, AUTHRES_PROPERTIES);
	assert_int_equal(authres_next(&a, &r), AUTHRES_END);
	authres_begin_list(&a, STR(""), &arena);
	assert_int_equal(authres_next(&a, &r), AUTHRES_END);
	arena_clear(&arena);
	arena_init(&arena, 1);
	authres_begin_list(&a, STR("SPF=pass"), &arena);
	assert_int_equal(authres_next(&a, &r), AUTHRES_NO_MEMORY);
	arena_clear(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_field_of_ours_is_known),
		cmocka_unit_test(test_others_stay_others),
		cmocka_unit_test(test_what_cannot_be_read_is_nobodys),
		cmocka_unit_test(test_an_id_has_an_end),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_what_is_written_is_read_back),
		cmocka_unit_test(test_properties_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
