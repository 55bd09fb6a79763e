#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "wire/addrlist.h"

/* A list told as text: name<local|domain>, group{ ... }, !bad! */
static void
tells(const char *value, const char *want)
{
	static char room[4096];
	struct buf b = BUF_OF(room);
	struct addrlist_item item;
	struct addrlist list;
	struct arena arena;

	arena_init(&arena, 65536);
	addrlist_begin(&list, str_of(value), &arena);
	while (addrlist_next(&list, &item))
		switch (item.kind) {
		case ADDRLIST_MAILBOX:
			buf_printf(&b, STR_FMT "<" STR_FMT "|" STR_FMT ">",
			    STR_ARG(item.name), STR_ARG(item.local),
			    STR_ARG(item.domain));
			break;
		case ADDRLIST_GROUP:
			buf_printf(&b, STR_FMT "{", STR_ARG(item.name));
			break;
		case ADDRLIST_GROUP_END:
			buf_putc(&b, '}');
			break;
		case ADDRLIST_BAD:
			buf_printf(&b, "!" STR_FMT "!", STR_ARG(item.raw));
			break;
		case ADDRLIST_NO_MEMORY:
			buf_put(&b, STR("no memory"));
			break;
		}
	arena_clear(&arena);
	if (!str_eq(buf_str(&b), str_of(want)))
		print_error(STR_FMT "\n", STR_ARG(buf_str(&b)));
	assert_true(str_eq(buf_str(&b), str_of(want)));
}

/* RFC 5322 appendix A.1.2, A.1.3, A.5, A.6. */
static void
examples_of_the_law(void **state)
{
	(void)state;
	tells("\"Joe Q. Public\" <john.q.public@example.com>",
	    "Joe Q. Public<john.q.public|example.com>");
	tells("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
	    "Mary Smith<mary|x.test><jdoe|example.org>Who?<one|y.test>");
	tells("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" "
	    "<sysservices@example.net>", "<boss|nil.test>"
	    "Giant; \"Big\" Box<sysservices|example.net>");
	tells("A Group:Ed Jones <c@a.test>,joe@where.test,"
	    "John <jdoe@one.test>;",
	    "A Group{Ed Jones<c|a.test><joe|where.test>John<jdoe|one.test>}");
	tells("Undisclosed recipients:;", "Undisclosed recipients{}");
	tells("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
	    "Pete<pete|silly.test>");
	tells("A Group(Some people)\r\n     :Chris Jones "
	    "<c@(Chris's host.)public.example>,\r\n         joe@example.org,"
	    "\r\n  John <jdoe@one.test> (my dear friend); (the end of the "
	    "group)", "A Group{Chris Jones<c|public.example>"
	    "<joe|example.org>John<jdoe|one.test>}");
	tells("(Empty list)(start)Hidden recipients  :(nobody(that I know)) ;",
	    "Hidden recipients{}");
	tells("Joe Q. Public <john.q.public@example.com>",
	    "Joe Q. Public<john.q.public|example.com>");
	tells("Mary Smith <@node.test:mary@example.net>, , "
	    "jdoe@test  . example", "Mary Smith<mary|example.net>"
	    "<jdoe|test.example>");
}

static void
field_habits(void **state)
{
	(void)state;
	tells("", "");
	tells(" , ,", "");
	tells("bob@example.org (Bob (the) Smith)",
	    "Bob (the) Smith<bob|example.org>");
	tells("\"a b\"@example.org", "<a b|example.org>");
	tells("\"a\" . b@example.org", "<a.b|example.org>");
	tells("bob@[IPv6:2001:db8::1]", "<bob|[IPv6:2001:db8::1]>");
	tells("<@a,@b:bob@c>", "<bob|c>");
	tells("a..b.@docomo.example", "<a..b.|docomo.example>");
	tells("=?UTF-8?Q?J=C3=B6?= <j@x>", "=?UTF-8?Q?J=C3=B6?=<j|x>");
	tells("gr\xc3\xbc\xc3\x9f@b\xc3\xbc.example",
	    "<gr\xc3\xbc\xc3\x9f|b\xc3\xbc.example>");
	tells("a@b; c@d", "<a|b><c|d>");
	tells("a:b@c,d@e", "a{<b|c><d|e>");
	/* The address counts, whatever a name pretends: SECURITY.md row 31. */
	tells("good@bank.example <evil@x>", "good@bank.example<evil|x>");
	tells("\"good@bank.example\" <evil@x>", "good@bank.example<evil|x>");
	tells("Bob [x] <a@b>", "Bob [x]<a|b>");
}

static void
bad_ones_stay_alone(void **state)
{
	(void)state;
	tells("root, a@b", "!root!<a|b>");
	tells("a@b <c@d>, e@f", "a@b<c|d><e|f>");
	tells("<a@b> <c@d>, e@f", "!<a@b> <c@d>!<e|f>");
	tells("<a@b> x, e@f", "!<a@b> x!<e|f>");
	tells("a@b c, e@f", "!a@b c!<e|f>");
	tells("a b@c, e@f", "!a b@c!<e|f>");
	tells("a@, e@f", "!a@!<e|f>");
	tells("@a, e@f", "!@a!<e|f>");
	tells("a@b@c, e@f", "!a@b@c!<e|f>");
	tells("a@b..c, e@f", "!a@b..c!<e|f>");
	tells("a@b., e@f", "!a@b.!<e|f>");
	tells("<a@b, e@f", "!<a@b!<e|f>");
	tells("<a@b, <e@f>", "!<a@b!<e|f>");
	tells("a<,a<,e@f", "!a<!!a<!<e|f>");
	tells("a@\"b\", e@f", "!a@\"b\"!<e|f>");
	tells("\"a@b, e@f", "!\"a@b, e@f!");
	tells("(a@b, e@f", "!(a@b, e@f!");
	tells("a@[b, e@f", "!a@[b, e@f!");
	tells("<>", "!<>!");
	tells("a@b\x01", "!a@b\x01!");
}

/* SECURITY.md row 28: twice the input takes twice the time, at worst. */
static void
hostile_lists_take_linear_time(void **state)
{
	static const char *const seeds[] = { "a<,", "<", "\"", "(", "[", "a@b,",
		"a:;", ",", ";", "<>", "\\", "a@(b)c,", "<\"", "[]," };
	static char value[256 * 1024];

	(void)state;
	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
		struct buf b = BUF_OF(value);
		struct addrlist_item item;
		struct addrlist list;
		struct arena arena;

		while (!b.full)
			buf_put(&b, str_of(seeds[i]));
		arena_init(&arena, sizeof value * 2);
		addrlist_begin(&list, buf_str(&b), &arena);
		while (addrlist_next(&list, &item))
			assert_true(item.raw.n <= b.n);
		arena_clear(&arena);
	}
}

/* Contiguous parts are slices of the input. */
static void
nothing_is_copied_without_need(void **state)
{
	struct str in = STR("Bob Smith <bob.smith@example.org>");
	struct addrlist_item item;
	struct addrlist list;
	struct arena arena;

	(void)state;
	arena_init(&arena, 65536);
	addrlist_begin(&list, in, &arena);
	assert_true(addrlist_next(&list, &item));
	assert_ptr_equal(item.name.p, in.p);
	assert_ptr_equal(item.local.p, in.p + 11);
	assert_ptr_equal(item.domain.p, in.p + 21);
	arena_clear(&arena);
}

static void
a_full_arena_ends_the_walk(void **state)
{
	struct addrlist_item item;
	struct addrlist list;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1);
	addrlist_begin(&list, STR("a@b, c@d"), &arena);
	assert_true(addrlist_next(&list, &item));
	assert_int_equal(item.kind, ADDRLIST_NO_MEMORY);
	assert_false(addrlist_next(&list, &item));
	arena_clear(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_law),
		cmocka_unit_test(field_habits),
		cmocka_unit_test(bad_ones_stay_alone),
		cmocka_unit_test(hostile_lists_take_linear_time),
		cmocka_unit_test(nothing_is_copied_without_need),
		cmocka_unit_test(a_full_arena_ends_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
