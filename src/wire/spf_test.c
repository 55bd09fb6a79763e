#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/spf.h"

static struct spf_term terms[SPF_TERMS_MOST];

static const char *
wrong(const char *record)
{
	size_t n;

	return spf_read(str_of(record), terms, SPF_TERMS_MOST, &n);
}

static void
records_are_told_from_others(void **state)
{
	(void)state;
	assert_true(spf_is_record(STR("v=spf1")));
	assert_true(spf_is_record(STR("V=SPF1 -all")));
	assert_false(spf_is_record(STR("v=spf10 -all")));
	assert_false(spf_is_record(STR(" v=spf1 -all")));
	assert_false(spf_is_record(STR("v=spf1\t-all")));
	assert_false(spf_is_record(STR("")));
}

static void
terms_are_read(void **state)
{
	size_t n;

	(void)state;
	assert_null(spf_read(STR("v=spf1  mx/24//64 ~a:b.example//48 ?ip4:192.0.2.0/24 "
	    "ip6:2001:db8::/32 -include:%{d2}.example exists:%{ir}.l.example. "
	    "ptr moo=%{c} redirect=_spf.example exp=e.example "), terms,
	    SPF_TERMS_MOST, &n));
	assert_int_equal(n, 10);
	assert_int_equal(terms[0].kind, SPF_MX);
	assert_int_equal(terms[0].bits4, 24);
	assert_int_equal(terms[0].bits6, 64);
	assert_int_equal(terms[1].qualifier, SPF_SOFTFAIL);
	assert_true(str_eq(terms[1].domain, STR("b.example")));
	assert_int_equal(terms[1].bits6, 48);
	assert_int_equal(terms[1].bits4, 32);
	assert_true(str_eq(terms[2].ip, STR("192.0.2.0")));
	assert_int_equal(terms[2].qualifier, SPF_NEUTRAL);
	assert_int_equal(terms[3].bits6, 32);
	assert_int_equal(terms[4].qualifier, SPF_FAIL);
	assert_int_equal(terms[7].kind, SPF_UNKNOWN);
	assert_int_equal(terms[8].kind, SPF_REDIRECT);
	assert_int_equal(terms[9].kind, SPF_EXP);
}

static void
what_is_no_record_is_refused(void **state)
{
	static const char *const bad[] = { "v=spf1 all:a.example", "v=spf1 -all/8",
	    "v=spf1 include", "v=spf1 include:", "v=spf1 a:", "v=spf1 a:b.example/33",
	    "v=spf1 a/33", "v=spf1 a/08", "v=spf1 a//129", "v=spf1 mx/24/64",
	    "v=spf1 ip4", "v=spf1 ip4:2001:db8::1", "v=spf1 ip6:192.0.2.1/",
	    "v=spf1 all ip4:300.1.1.1", "v=spf1 ip4:192.0.2.1.",
	    "v=spf1 ip4:01.2.3.4", "v=spf1 ip4:1.2.3", "v=spf1 ip4:1..2.3",
	    "v=spf1 ip6:1:2:3:4:5:6:7", "v=spf1 ip6:1:2:3:4:5:6:7:8:9",
	    "v=spf1 ip6:1::2::3", "v=spf1 ip6:12345::", "v=spf1 ip6:g::",
	    "v=spf1 ip6:1:2:3:4:5:6:7::8", "v=spf1 ip6:1:2:", "v=spf1 ip6::1",
	    "v=spf1 ip6:1:::2", "v=spf1 ip6:1.2.3.4::", "v=spf1 exists:%%{d}",
	    "v=spf1 exists:a%%b",
	    "v=spf1 ip4:192.0.2.0/33", "v=spf1 exists:a.example/24", "v=spf1 ptr/24",
	    "v=spf1 a:%{d", "v=spf1 a:%{d0}", "v=spf1 a:%{c}", "v=spf1 a:%x.example",
	    "v=spf1 a:%", "v=spf1 a:example.1", "v=spf1 a:b.-x", "v=spf1 nonsense",
	    "v=spf1 redirect=a.example redirect=a.example", "v=spf1 exp=a.example exp=b.example",
	    "v=spf1 redirect=", "v=spf1 =a.example", "v=spf1 1x=%{d}", "v=spf1 x=%{q}",
	    "v=spf1 a\tmx", "v=spf1 ++all" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (wrong(bad[i]) == NULL)
			fail_msg("taken: %s", bad[i]);
	assert_null(wrong("v=spf1 a:b.example/32//128 a:%{d} a:%{l}%% x= a/0//0"));
}

static void
terms_are_counted(void **state)
{
	struct spf_term two[2];
	size_t n;

	(void)state;
	assert_null(spf_read(STR("v=spf1 a mx"), two, 2, &n));
	assert_non_null(spf_read(STR("v=spf1 a mx ptr"), two, 2, &n));
}

/* RFC 7208 7.4 */
static const struct spf_facts facts = {
	.local = STR_INIT("strong-bad"), .sender_domain = STR_INIT("email.example.com"),
	.domain = STR_INIT("email.example.com"), .ip = STR_INIT("192.0.2.3"),
	.ip_readable = STR_INIT("192.0.2.3"), .helo = STR_INIT("mx.example.org"),
	.receiver = STR_INIT("us.example"), .validated = STR_INIT("mx.example.org"),
	.version = STR_INIT("in-addr"), .time = STR_INIT("1700000000"),
};

static void
macros_stand_for(void **state)
{
	static const struct { const char *spec, *is; } of[] = {
		{ "%{s}", "strong-bad@email.example.com" },
		{ "%{o}", "email.example.com" }, { "%{d4}", "email.example.com" },
		{ "%{d3}", "email.example.com" }, { "%{d2}", "example.com" },
		{ "%{d1}", "com" }, { "%{dr}", "com.example.email" },
		{ "%{d2r}", "example.email" }, { "%{l}", "strong-bad" },
		{ "%{l-}", "strong.bad" }, { "%{lr}", "strong-bad" },
		{ "%{lr-}", "bad.strong" }, { "%{l1r-}", "strong" },
		{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
		{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
		{ "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net" },
		{ "%%%_%-", "% %20" }, { "%{S}", "strong-bad%40email.example.com" },
		{ "%{c} %{r} %{t} %{p} %{h}", "192.0.2.3 us.example 1700000000 "
		    "mx.example.org mx.example.org" },
		{ "%{d99999999999}", "email.example.com" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
		char room[200];
		struct buf b = BUF_OF(room);

		assert_true(spf_expand(str_of(of[i].spec), &facts, &b));
		if (!str_eq(buf_str(&b), str_of(of[i].is)))
			fail_msg("%s: " STR_FMT, of[i].spec, STR_ARG(buf_str(&b)));
	}
}

static void
rooms_and_letters_have_limits(void **state)
{
	char room[10];
	struct buf b = BUF_OF(room);
	struct spf_facts beyond = facts;

	(void)state;
	assert_true(spf_expand(STR("%{l}"), &facts, &b));	/* ten octets */
	b = BUF_OF(room);
	assert_false(spf_expand(STR("%{l}x"), &facts, &b));
	/* RFC 8616 4: a local-part beyond ASCII is in no name */
	beyond.local = STR("\xc3\xa4");
	b = BUF_OF(room);
	assert_false(spf_expand(STR("%{l}"), &beyond, &b));
	assert_true(spf_has_macro(STR("a%{P1r}"), 'p'));
	assert_false(spf_has_macro(STR("%%{p}"), 'p'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_told_from_others),
		cmocka_unit_test(terms_are_read),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(terms_are_counted),
		cmocka_unit_test(macros_stand_for),
		cmocka_unit_test(rooms_and_letters_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
