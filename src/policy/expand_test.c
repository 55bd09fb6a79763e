#include "policy/expand.h"
#include "policy/test_conf.h"
#include "wire/address.h"

#define OWNER "(owner-list@example.org)"

static struct config *config;
static struct arena arena;

static void
many(char *to, size_t room, const char *name, unsigned from, unsigned n)
{
	struct buf b = { .p = to, .cap = room };

	buf_printf(&b, "%s:", name);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%s x%u@far.example", i == 0 ? "" : ",\n",
		    from + i);
	buf_put(&b, STR("\n"));
	buf_putc(&b, '\0');
	assert_false(b.full);
}

static int
begin(void **state)
{
	static char thousand[64 * 1024], all[200 * 1024];

	(void)state;
	conf_begin();
	many(thousand, sizeof thousand, "thousand", 0, 1000);
	snprintf(all, sizeof all, "%sone-more: thousand, y@far.example\n"
	    "again: thousand, x5@far.example\n"
	    "info: alice, bob, helper@other.example\n"
	    "team: info, carol, ALICE\n"
	    "alice: alice, backup@other.example\n"
	    "loop1: loop2\nloop2: loop1\nself: self\n"
	    "some: loop1, bob\n"
	    "list: :include:/list\nowner-list: bob\n"
	    "outer: list, carol\n"
	    "top: list, carol\nowner-top: carol\n"
	    "single: bob\nowner-single: carol@far.example\n"
	    "\"odd one\": bob\n"
	    "whole@example.org: bob\nwhole: carol\n"
	    "\"a b\"@example.org: carol\n"
	    "@virt.example: nobody@example.org, bob@example.org\n"
	    "info@virt.example: x@virt-info.example\n"
	    "@map.example: @far.example\n"
	    "final: \\alice\nalice2: \\alice@example.net\n"
	    "both: \\alice, alice\n"
	    "mine: mine@example.net\n"
	    "carol: Carol@Example.Net\n"
	    "trash: /dev/null\n"
	    "cmd: \"|/bin/x -a \\\"b, c\\\"\", /var/mail/x/, bob\n"
	    "cmds: cmd, carol\n"
	    "dead: nobody-here\nhalf: nobody-here, bob\n"
	    "there: \"a b\"@far.example\n"
	    "d0: d1\n", thousand);
	for (unsigned i = 1; i < 40; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all),
		    i < 39 ? "d%u: d%u\n" : "d%u: bob\n", i, i + 1);
	conf_file("/aliases", all);
	conf_file("/list", "# people\n\nalice@example.org\n"
	    " m1@far.example , m2@far.example\nbob\n");
	config = conf_of(
	    "hostname: mx.example.org\n"
	    "admin: boss@example.org\n"
	    "domains:\n"
	    "  example.org: { users: [ alice, bob, carol, boss ],\n"
	    "    aliases: /aliases }\n"
	    "  example.net: { alias_of: example.org }\n"
	    "  all.example: { users: [ dan ], catch_all: dan }\n"
	    "  out.example: { catch_all: x@far.example }\n"
	    "  to.example: { catch_all: info@example.org }\n"
	    "  virt.example: { aliases: /aliases }\n"
	    "  map.example: { users: [ dan ], aliases: /aliases }\n"
	    "  gate.example: { relay_to: mx }\n");
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&arena);
	config_free(config);
	conf_end();
	return 0;
}

static struct expansion
expansion_of(const char *rcpt)
{
	struct str s = str_of(rcpt);
	struct path to;

	arena_clear(&arena);
	assert_null(path_take_forward(&s, MAILBOX_STRICT, &to));
	return expand(config, &to, &arena);
}

/* "550 5.1.1" or the results, "=" before the one that is the same; behind each
 * its transport, the rule that discards it, and its owner. */
static const char *
print(const char *rcpt)
{
	static char said[1024];
	struct buf b = BUF_OF(said);
	struct expansion e = expansion_of(rcpt);

	if (e.verdict.disposition != DELIVERED)
		buf_printf(&b, "%d %s", e.verdict.code,
		    esc_print(e.verdict.esc).text);
	else
		for (size_t i = 0; i < e.n; i++) {
			buf_printf(&b, "%s"STR_FMT, i > 0 ? " " :
			    e.is_same ? "=" : "", STR_ARG(e.to[i].address));
			if (e.to[i].transport.p != NULL)
				buf_printf(&b, "["STR_FMT"]",
				    STR_ARG(e.to[i].transport));
			if (e.to[i].rule.p != NULL)
				buf_printf(&b, "{"STR_FMT"}",
				    STR_ARG(e.to[i].rule));
			if (e.to[i].owner.p != NULL)
				buf_printf(&b, "("STR_FMT")",
				    STR_ARG(e.to[i].owner));
			assert_true(e.is_list || e.to[i].owner.p == NULL);
		}
	buf_putc(&b, '\0');
	return said;
}

static void
test_expands(void **state)
{
	static const struct { const char *rcpt, *to; } cases[] = {
		{ "<bob@example.org>", "=bob@example.org" },
		{ "<Bob@EXAMPLE.org>", "=Bob@example.org" },
		{ "<bob+x@example.org>", "=bob+x@example.org" },
		{ "<bob@example.net>", "=bob@example.org" },
		{ "<x@far.example>", "=x@far.example" },
		{ "<X@Far.Example>", "=X@Far.Example" },
		{ "<\"a b\"@far.example>", "=\"a b\"@far.example" },
		{ "<any@gate.example>", "=any@gate.example" },
		{ "<nobody@example.org>", "550 5.1.1" },
		{ "<info@example.org>", "alice@example.org "
		    "bob@example.org helper@other.example "
		    "backup@other.example" },
		{ "<Info@example.net>", "alice@example.org "
		    "bob@example.org helper@other.example "
		    "backup@other.example" },
		{ "<info+x@example.org>", "alice@example.org "
		    "bob@example.org helper@other.example "
		    "backup@other.example" },
		{ "<team@example.org>", "carol@example.org ALICE@example.org "
		    "bob@example.org helper@other.example "
		    "backup@other.example" },
		{ "<alice@example.org>",
		    "alice@example.org backup@other.example" },
		{ "<loop1@example.org>", "550 5.4.6" },
		{ "<self@example.org>", "550 5.4.6" },
		{ "<some@example.org>", "bob@example.org" },
		{ "<list@example.org>", "alice@example.org"OWNER" "
		    "m1@far.example"OWNER" m2@far.example"OWNER" "
		    "bob@example.org"OWNER" backup@other.example"OWNER },
		{ "<outer@example.org>", "carol@example.org alice@example.org"
		    OWNER" m1@far.example"OWNER" m2@far.example"OWNER" "
		    "bob@example.org"OWNER" backup@other.example"OWNER },
		{ "<top@example.org>", "carol@example.org(owner-top@example.org"
		    ") alice@example.org"OWNER" m1@far.example"OWNER" "
		    "m2@far.example"OWNER" bob@example.org"OWNER" "
		    "backup@other.example"OWNER },
		{ "<single@example.org>",
		    "bob@example.org(owner-single@example.org)" },
		{ "<Whole@example.org>", "bob@example.org" },
		{ "<\"a b\"@example.org>", "carol@example.org" },
		{ "<nobody@virt.example>", "bob@example.org" },
		{ "<info@virt.example>", "x@virt-info.example" },
		{ "<\"a b\"@map.example>", "\"a b\"@far.example" },
		{ "<dan+x@map.example>", "=dan+x@map.example" },
		{ "<postmaster@virt.example>", "boss@example.org" },
		{ "<final@example.org>", "alice@example.org" },
		{ "<alice2@example.org>", "alice@example.org" },
		{ "<both@example.org>", "alice@example.org "
		    "backup@other.example" },
		{ "<mine@example.org>", "550 5.4.6" },
		{ "<trash@example.org>",
		    "trash@example.org{alias trash@example.org}" },
		{ "<cmd@example.org>", "cmd@example.org[|/bin/x -a \"b, c\"] "
		    "cmd@example.org[/var/mail/x/] bob@example.org" },
		{ "<cmds@example.org>", "cmd@example.org[|/bin/x -a \"b, c\"] "
		    "cmd@example.org[/var/mail/x/] carol@example.org "
		    "bob@example.org" },
		{ "<\"odd one\"@example.org>", "bob@example.org" },
		{ "<dead@example.org>", "550 5.1.1" },
		{ "<half@example.org>", "bob@example.org" },
		{ "<there@example.org>", "\"a b\"@far.example" },
		{ "<zed@all.example>", "dan@all.example" },
		{ "<zed%far.example@all.example>", "dan@all.example" },
		{ "<zed@out.example>", "x@far.example" },
		{ "<zed@to.example>", "alice@example.org bob@example.org "
		    "helper@other.example backup@other.example" },
		{ "<postmaster>", "boss@example.org" },
		{ "<PostMaster@example.org>", "boss@example.org" },
		{ "<abuse@all.example>", "boss@example.org" },
		{ "<root@mx.example.org>", "boss@example.org" },
		{ "<alice@mx.example.org>", "=alice@mx.example.org" },
		{ "<alice@localhost>", "=alice@mx.example.org" },
		{ "<d39@example.org>", "bob@example.org" },
		{ "<d8@example.org>", "bob@example.org" },
		{ "<d7@example.org>", "550 5.4.6" },	/* deeper than 32 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (strcmp(print(cases[i].rcpt), cases[i].to) != 0)
			fail_msg("%s became '%s', not '%s'", cases[i].rcpt,
			    print(cases[i].rcpt), cases[i].to);
}

static void
test_has_an_end_at_a_thousand(void **state)
{
	(void)state;
	assert_int_equal(expansion_of("<thousand@example.org>").n, EXPAND_MOST);
	assert_int_equal(expansion_of("<again@example.org>").n, EXPAND_MOST);
	assert_string_equal(print("<one-more@example.org>"), "550 5.2.4");
}

static void
test_tells_when_there_is_no_room(void **state)
{
	struct str s = STR("<info@example.org>");
	struct expansion e;
	struct arena small;
	struct path to;
	size_t room;

	(void)state;
	assert_null(path_take_forward(&s, MAILBOX_STRICT, &to));
	for (room = 0; room < 8192; room += 64) {
		arena_init(&small, room);
		e = expand(config, &to, &small);
		arena_clear(&small);
		if (e.verdict.disposition == DELIVERED)
			break;
		assert_int_equal(e.verdict.code, 452);
		assert_string_equal(esc_print(e.verdict.esc).text, "4.3.1");
	}
	assert_in_range(room, 256, 8000);
}

static void
test_keeps_admin_when_admin_is_nobody(void **state)
{
	struct config *c = conf_of("hostname: mx.example.org\n");
	struct str s = STR("<postmaster>");
	struct expansion e;
	struct path to;

	(void)state;
	assert_null(path_take_forward(&s, MAILBOX_STRICT, &to));
	e = expand(c, &to, &arena);
	assert_int_equal(e.n, 1);
	assert_true(str_eq(e.to[0].address, STR("postmaster@mx.example.org")));
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expands),
		cmocka_unit_test(test_has_an_end_at_a_thousand),
		cmocka_unit_test(test_tells_when_there_is_no_room),
		cmocka_unit_test(test_keeps_admin_when_admin_is_nobody),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
