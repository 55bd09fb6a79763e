#include "policy/show.h"
#include "policy/manual.h"
#include "policy/schema.h"
#include "policy/test_conf.h"

static char shown[256 * 1024];
static struct buf page;

static void
line_keep(struct show_lines *lines, struct str line)
{
	(void)lines;
	buf_put(&page, line);
	buf_putc(&page, '\n');
}

static struct show_lines keeper = { line_keep };

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	conf_file("/users", "ann\nben\n");
	page = (struct buf){ .p = shown, .cap = sizeof shown - 1 };
	return 0;
}

static int
end(void **state)
{
	(void)state;
	conf_end();
	return 0;
}

static const char *
page_end(void)
{
	assert_false(page.full);
	shown[page.n] = '\0';
	page.n = 0;
	return shown;
}

static const char whole[] =
    "hostname: a.example.org\n"
    "admin: ann@x.example\n"
    "trusted: [ 10.0.0.0/8, '2001:db8::/32' ]\n"
    "listen:\n"
    "  - { port: 25 }\n"
    "  - { port: 587, role: submission, address: '::1', name: 'odd: \"n\"' }\n"
    "domains:\n"
    "  x.example: { users: file:/users, catch_all: ann, subaddress: none }\n"
    "  y.example: { alias_of: x.example }\n"
    "  z.example: { relay_to: [ 'smtp://h.example',\n"
    "    'smtp://[2001:db8::1]:26' ] }\n"
    "  m.example: { users: [ u ], maildir: /m/%u }\n"
    "  p.example:\n"
    "    users: [ u ]\n"
    "    deliver: { pipe: '/bin/x \"a b\" ${user} \\$', admin: /adm }\n"
    "transports:\n"
    "  box: { maildir: ~/x }\n"
    "  far: { lmtp: [ 'unix:/run/l m', 'lmtp://[::1]:24', 'h.example:24' ] }\n"
    "deliver: { lmtp: 'unix:/run/l' }\n"
    "route:\n"
    "  - { if: { rcpt_domain: [ '*.a', b ], sender_domain: '<>' },\n"
    "      refuse: 'no: # not \"you\" \\x' }\n"
    "  - { relay: mx, name: last }\n"
    "limits: { connections_per_ip: none, size: 1500K, per_ip: none }\n"
    "outbound: { retry: [ 90s, 2h ], expire: 4d }\n"
    "reports: { delay_warning: [ 4h, 1d ] }\n"
    "log: { ident: \"M\xc3\xa4iler\" }\n";

/* What is shown is a configuration, and shows the same again. */
static void
test_is_a_configuration(void **state)
{
	static char first[sizeof shown], second[sizeof shown];
	struct config *c = conf_of(whole), *again;

	(void)state;
	show_config(c, &keeper);
	snprintf(first, sizeof first, "%s", page_end());
	again = conf_of(first);
	show_diff(c, again, &keeper);
	assert_string_equal(page_end(), "");
	show_config(again, &keeper);
	config_free(c);
	config_free(again);
	snprintf(second, sizeof second, "%s", page_end());
	/* All but the notes behind '#'. */
	for (char *p = first, *q = second; *p != '\0'; p++, q++) {
		size_t i = strcspn(p, "\n"), k = strcspn(q, "\n");

		assert_memory_equal(p, q, strcspn(p, "#") < i ?
		    strcspn(p, "#") : i);
		p += i;
		q += k;
	}
}

static void
test_tells_where_from(void **state)
{
	struct config *c;
	const char *text;

	(void)state;
	source_memory_env(&conf_machine, STR("WHO"), STR("ann"));
	conf_file("/more", "\n\nnode: n1\n");
	c = conf_of("admin: env:WHO\ninclude: /more\nlimits: { size: 1M }\n");
	show_config(c, &keeper);
	text = page_end();
	assert_non_null(strstr(text, "\nnode: n1  "));
	assert_non_null(strstr(text, " # /more:3\n"));
	assert_non_null(strstr(text, "admin: \xe2\x80\xb9secret\xe2\x80\xba "));
	assert_null(strstr(text, "ann"));
	assert_non_null(strstr(text, "  size: 1M  "));
	assert_non_null(strstr(text, " # t.yaml:3\n"));
	assert_non_null(strstr(text, "  recipients: 1000  "));
	assert_non_null(strstr(text, " # default\n"));
	config_free(c);
}

static void
test_tells_differences(void **state)
{
	struct config *a = conf_of("hostname: a.example\nspool: { path: /a }\n"
	    "domains: { x.example: { users: [ a ] },\n"
	    "  y.example: { users: [ b ] } }\n"
	    "listen: [ { port: 25 }, { port: 26 } ]\n"
	    "limits: { size: 1M }\n");
	struct config *b = conf_of("hostname: a.example\nspool: { path: /b }\n"
	    "domains: { y.example: { users: [ b, c ] },\n"
	    "  z.example: { relay_to: mx } }\n"
	    "listen: [ { port: 25 } ]\n"
	    "route: [ { discard: all } ]\n");

	(void)state;
	show_diff(a, a, &keeper);
	assert_string_equal(page_end(), "");
	show_diff(a, b, &keeper);
	assert_string_equal(page_end(),
	    "- limits.size: 1M\n"
	    "+ limits.size: 50M\n"
	    "! - spool.path: /a\n"
	    "! + spool.path: /b\n"
	    "- domains.x.example.dkim: auto\n"
	    "- domains.x.example.relay_tls.level: default\n"
	    "- domains.x.example.subaddress: \"+\"\n"
	    "- domains.x.example.users: [ a ]\n"
	    "- domains.y.example.users: [ b ]\n"
	    "+ domains.y.example.users: [ b, c ]\n"
	    "+ domains.z.example.dkim: auto\n"
	    "+ domains.z.example.relay_tls.level: default\n"
	    "+ domains.z.example.relay_to: mx\n"
	    "+ domains.z.example.subaddress: \"+\"\n"
	    "- listen[1].address: [ 0.0.0.0, \"::\" ]\n"
	    "- listen[1].client_certificates: off\n"
	    "- listen[1].connections: 10000\n"
	    "- listen[1].name: mx:26\n"
	    "- listen[1].port: 26\n"
	    "- listen[1].role: mx\n"
	    "- listen[1].tls: offered\n"
	    "+ route[0].discard: all\n"
	    "+ route[0].name: \"route[0]\"\n"
	    "+ route[0].tls.level: default\n");
	config_free(a);
	config_free(b);
}

static void
test_explains(void **state)
{
	(void)state;
	assert_true(show_key(STR("listen.port"), &keeper));
	assert_string_equal(page_end(),
	    "listen[].port\n"
	    "  type:    a number\n"
	    "  default: none\n"
	    "  range:   1 to 65535\n"
	    "  changes: at reload\n"
	    "  The TCP port.\n");
	assert_true(show_key(STR("outbound.connections_total"), &keeper));
	assert_string_equal(page_end(),
	    "outbound.connections_total\n"
	    "  type:    a number\n"
	    "  default: 1000\n"
	    "  range:   1 to 60000\n"
	    "  changes: at reload\n"
	    "  Connections at once to all sites.\n");
	assert_true(show_key(STR("control"), &keeper));
	assert_string_equal(page_end(),
	    "control\n"
	    "  keys:    group socket\n"
	    "  The socket through which the command line speaks with the "
	    "server.\n");
	assert_true(show_key(STR("tls"), &keeper));
	assert_string_equal(page_end(),
	    "tls\n"
	    "  keys:    acme ca cert key least state\n"
	    "  Certificates of this server.  Without one, it makes one for "
	    "hostname\n"
	    "  that is signed by itself: good against listeners on the "
	    "line, and no\n"
	    "  proof of who we are.\n");
	assert_true(show_key(STR("api"), &keeper));
	assert_string_equal(page_end(),
	    "api\n"
	    "  known but not in this version; without it,\n"
	    "  the server is run by its command line and control socket\n");
	assert_true(show_key(STR("inbound.limits"), &keeper));
	assert_int_equal(strncmp(page_end(), "limits\n", 7), 0);
	assert_false(show_key(STR("no.such.key"), &keeper));
	assert_string_equal(page_end(), "");
}

static void
test_explains_every_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_n; i++) {
		assert_true(show_key(str_of(schema_rows[i].path), &keeper));
		page_end();
	}
}

static void
test_manual_has_every_key(void **state)
{
	static char schema[sizeof shown];
	char head[128];

	(void)state;
	manual_json_schema(&keeper);
	snprintf(schema, sizeof schema, "%s", page_end());
	manual_page(&keeper);
	page_end();
	for (size_t i = 0; i < schema_n; i++) {
		struct str name = schema_name(&schema_rows[i]);

		snprintf(head, sizeof head, "\n.It Cm %s\n",
		    schema_rows[i].path);
		assert_non_null(strstr(shown, head));
		snprintf(head, sizeof head, "\""STR_FMT"\":", STR_ARG(name));
		if (schema_rows[i].kind == SCHEMA_KEY &&
		    !str_eq(name, STR("*")))
			assert_non_null(strstr(schema, head));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_is_a_configuration),
		TEST(test_tells_where_from),
		TEST(test_tells_differences),
		TEST(test_explains),
		TEST(test_explains_every_key),
		TEST(test_manual_has_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
