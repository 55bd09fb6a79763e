#include "policy/alias_set.h"
#include "policy/test_conf.h"

static enum source_status (*conf_machine_read)(struct conf_source *, struct str,
    struct arena *, struct source_file *);

static const char domains[] =
    "admin: alice@example.org\n"
    "domains:\n"
    "  example.org: { users: [ alice, bob ], aliases: /aliases }\n"
    "  example.net: { users: [ alice ] }\n";

/* An included file stands where it is named; so do those that it includes. */
static void
test_includes_nest(void **state)
{
	const struct alias_entry *e;
	char want[] = "a0@x.example";
	struct config *c;

	(void)state;
	conf_file("/aliases", "list: a0@x.example, :include:/one,\n"
	    " \":include:/t wo\"\n a6@x.example\nempty: :include:/none, bob\n");
	conf_file("/one", "# members\n\n  # more\na1@x.example\n"
	    "\ta2@x.example, :include:/three , a4@x.example # no comment\n");
	conf_file("/three", "a3@x.example");
	conf_file("/t wo", "a5@x.example\r\n");
	conf_file("/none", "# nobody\n");
	assert_null(conf_try(domains));
	assert_non_null(strstr(conf_said(true),
	    "/one:5:34+25 'a4@x.example # no comment' is not a target\n"));
	conf_end();
	conf_begin();
	conf_file("/aliases", "list: a0@x.example, :include:/one,\n"
	    " \":include:/t wo\"\n a6@x.example\nempty: :include:/none, bob\n");
	conf_file("/one", "# members\n\n  # more\na1@x.example\n"
	    "\ta2@x.example, :include:/three , a4@x.example\n");
	conf_file("/three", "a3@x.example");
	conf_file("/t wo", "a5@x.example\r\n");
	conf_file("/none", "# nobody\n");
	c = conf_of(domains);
	e = alias_find(config_domain(c, STR("example.org"))->aliases,
	    STR("LIST"), STR("example.org"));
	assert_non_null(e);
	assert_int_equal(e->n, 7);
	for (size_t i = 0; i < e->n; i++, want[1]++)
		assert_true(str_eq(e->to[i].text, str_of(want)));
	assert_true(str_eq(e->to[3].file, STR("/three")));
	assert_int_equal(e->to[4].line, 5);
	assert_int_equal(e->to[6].line, 3);
	config_free(c);
}

static void
expect(const char *says)
{
	if (conf_try(domains) != NULL)
		fail_msg("this was taken; it should say:\n%s", says);
	if (strcmp(conf_said(true), says) != 0)
		fail_msg("it said:\n%sinstead of:\n%s", conf_said(true), says);
	conf_end();
	conf_begin();
}

static void
test_says_what_is_wrong_and_where(void **state)
{
	char name[] = "/deep0", to[] = "ok@x.example, :include:/deep1\n";

	(void)state;
	conf_file("/aliases", "a: :include:/self, alice\n");
	conf_file("/self", "bob\nx@x.example, :include:/other\n");
	conf_file("/other", "\n:include:/self\n");
	expect("/other:2:10+5 '/self' includes itself\n");
	conf_file("/aliases", "a: :include:rel, :include:, bob\n");
	expect("/aliases:1:13+3 'rel' is not an absolute path\n"
	    "/aliases:1:27+0 '' is not a target\n");
	conf_file("/aliases", "a: :include:/list\n");
	conf_file("/list", "|/bin/x\n/var/mail/x/\nnobody@\n\"a b\\\n");
	expect("/list:1:2+6 '/bin/x' stands in an included file; only addresses "
	    "may\n"
	    "/list:2:1+12 '/var/mail/x/' stands in an included file; only "
	    "addresses may\n"
	    "/list:3:1+7 'nobody@' is not a mail address\n"
	    "/list:4:1+5 '\"a b\\' is not a target\n");
	conf_file("/aliases", "a: :include:/deep0\n");
	for (unsigned i = 0; i < 8; i++) {
		name[5] = (char)('0' + i);
		to[strlen(to) - 2] = (char)('1' + i);
		conf_file(name, to);
	}
	conf_file("/deep8", "last@x.example\n");
	expect("/deep7:1:24+6 '/deep8' is included too deep (8)\n");
	conf_file("/aliases", "@: bob\n@x..y: bob\na@b@c: bob\n"
	    "\"a@b\": bob\n\"\": bob\nx: @example.net\n@x.example: @\n");
	expect("/aliases:1:1+1 '@' is no name for an alias\n"
	    "/aliases:2:1+5 '@x..y' is no name for an alias\n"
	    "/aliases:3:1+5 'a@b@c' is no name for an alias\n"
	    "/aliases:4:1+5 '\"a@b\"' is no name for an alias\n"
	    "/aliases:5:1+2 '\"\"' is no name for an alias\n"
	    "/aliases:6:4+12 '@example.net' stands for a whole domain, and only "
	    "an alias like '@domain' may lead there\n"
	    "/aliases:7:13+1 '@' is not a mail address\n");
	conf_file("/aliases", "a: /var/../x/\na@example.org: b\n"
	    "A@Example.ORG: c\n");
	expect("/aliases:1:4+10 '/var/../x/' climbs by '..'\n"
	    "/aliases:3:1+13 'A@Example.ORG' stands here twice; first in line "
	    "2\n");
}

/* Whoever can write the file could else run what he likes. */
static enum source_status
distrust(struct conf_source *s, struct str path, struct arena *a,
    struct source_file *out)
{
	enum source_status status;

	s->read = conf_machine_read;
	status = s->read(s, path, a, out);
	s->read = distrust;
	out->is_trusted = false;
	return status;
}

static void
test_trusts_only_roots_files(void **state)
{
	(void)state;
	conf_file("/aliases", "a: |/bin/x\nb: /var/mail/x/\nc: /dev/null\n");
	conf_machine_read = conf_machine.source.read;
	conf_machine.source.read = distrust;
	expect("/aliases:1:5+6 '/bin/x' may stand only in a file of root's (or "
	    "of who starts the server) that nobody else may write\n"
	    "/aliases:2:4+12 '/var/mail/x/' may stand only in a file of root's "
	    "(or of who starts the server) that nobody else may write\n");
}

static void
test_finds_by_the_whole_address_first(void **state)
{
	const struct alias_set *set;
	struct config *c;

	(void)state;
	conf_file("/aliases", "a: bob\na@Example.org: alice\n"
	    "@example.org: bob\na@elsewhere.example: bob\n"
	    "b@example.net: bob\n");
	c = conf_of(domains);
	set = config_domain(c, STR("example.org"))->aliases;
	assert_true(str_eq(alias_find(set, STR("A"), STR("example.org"))->name,
	    STR("a@example.org")));
	assert_true(str_eq(alias_find(set, STR("a"), STR("example.net"))->name,
	    STR("a")));
	assert_true(str_eq(alias_find(set, STR(""), STR("example.org"))->name,
	    STR("@example.org")));
	assert_null(alias_find(set, STR(""), STR("example.net")));
	assert_null(alias_find(set, STR("x"), STR("example.org")));
	assert_null(alias_find(set, STR("@example.org"), STR("")));
	assert_non_null(strstr(conf_said(false), "/aliases:4:1+0 warning: alias "
	    "'a@elsewhere.example' counts for nothing: elsewhere.example is "
	    "not among the domains\n"));
	assert_non_null(strstr(conf_said(false), "/aliases:5:1+0 warning: alias "
	    "'b@example.net' counts for nothing: example.net does not read "
	    "this file\n"));
	config_free(c);
}

static void
test_counts_targets(void **state)
{
	static char room[64 * 1024];
	struct buf b = BUF_OF(room);
	struct config *c;

	(void)state;
	buf_put(&b, STR("a: :include:/many, alice\n"));
	conf_file("/aliases", "a: :include:/many, alice\n");
	b.n = 0;
	for (unsigned i = 0; i < ALIAS_TARGETS_MOST - 1; i++)
		buf_printf(&b, "x%u@x.example\n", i);
	buf_putc(&b, '\0');
	conf_file("/many", room);
	c = conf_of(domains);
	assert_non_null(c);
	config_free(c);
	conf_end();
	conf_begin();
	conf_file("/aliases", "a: :include:/many, bob, alice\n");
	conf_file("/many", room);
	expect("/aliases:1:25+5 'alice' is one target too many (1000)\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_includes_nest, conf_set_up, conf_tear_down),
		cmocka_unit_test_setup_teardown(
		    test_says_what_is_wrong_and_where, conf_set_up, conf_tear_down),
		cmocka_unit_test_setup_teardown(test_trusts_only_roots_files,
		    conf_set_up, conf_tear_down),
		cmocka_unit_test_setup_teardown(
		    test_finds_by_the_whole_address_first, conf_set_up, conf_tear_down),
		cmocka_unit_test_setup_teardown(test_counts_targets, conf_set_up,
		    conf_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
