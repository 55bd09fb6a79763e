#include "policy/config.h"
#include "policy/domain.h"
#include "policy/schema.h"
#include "policy/test_conf.h"

static void
assert_str(struct str s, const char *expected)
{
	if (!str_eq(s, str_of(expected)))
		fail_msg("got '"STR_FMT"', expected '%s'", STR_ARG(s), expected);
}

static void
assert_address(const struct address *a, const char *text, uint16_t port)
{
	assert_string_equal(address_print(a).text, text);
	assert_int_equal(a->port, port);
}

static bool
trusts(const struct config *c, const char *text)
{
	struct address a;

	assert_true(address_parse(str_of(text), 1, &a));
	return config_trusts(c, &a);
}

static void
test_empty_is_valid(void **state)
{
	struct config *c = conf_of("");

	(void)state;
	assert_str(c->hostname, "mx.example.org");
	assert_str(c->node, "mx");
	assert_str(c->admin, "postmaster@mx.example.org");
	assert_int_equal(c->cores, 0);
	assert_int_equal(c->n_listeners, 1);
	assert_int_equal(c->listeners[0].at.n, 2);
	assert_address(&c->listeners[0].at.v[0], "127.0.0.1", 25);
	assert_address(&c->listeners[0].at.v[1], "::1", 25);
	assert_int_equal(c->listeners[0].role, ROLE_SUBMISSION);
	assert_true(trusts(c, "127.9.9.9") && trusts(c, "::1"));
	assert_false(trusts(c, "128.0.0.1") || trusts(c, "::2"));
	assert_non_null(config_domain(c, STR("MX.Example.ORG")));
	assert_ptr_equal(config_domain(c, STR("localhost")),
	    config_domain(c, STR("mx.example.org")));
	assert_null(config_domain(c, STR("example.org")));
	assert_int_equal(c->limits.size, 50 << 20);
	assert_int_equal(c->limits.recipients, 1000);
	assert_int_equal(c->outbound.retry.n, 5);
	assert_int_equal(c->outbound.retry.v[4], 6 * 3600 * NS_PER_SECOND);
	assert_int_equal(c->timeouts.client.end, 600 * NS_PER_SECOND);
	assert_str(c->outbound.ehlo, "mx.example.org");
	assert_int_equal(c->log.target, LOG_TO_STDERR);
	config_free(c);
}

/* Without a file: the same. */
static void
test_no_file_is_valid(void **state)
{
	struct config *c = config_load(&conf_machine.source, STR(""),
	    &conf_problems);

	(void)state;
	assert_non_null(c);
	assert_str(c->hostname, "mx.example.org");
	config_free(c);
}

/* RFC 5321 4.5.3.2: no default is below it. */
static void
test_defaults_keep_the_rfc(void **state)
{
	struct config *c = conf_of("");
	int64_t minute = 60 * NS_PER_SECOND;

	(void)state;
	assert_true(c->timeouts.client.greeting >= 5 * minute);
	assert_true(c->timeouts.client.command >= 5 * minute);
	assert_true(c->timeouts.client.data >= 2 * minute);
	assert_true(c->timeouts.client.block >= 3 * minute);
	assert_true(c->timeouts.client.end >= 10 * minute);
	assert_true(c->timeouts.server.command >= 5 * minute);
	assert_true(c->limits.recipients >= 100);
	assert_true(c->limits.hops >= 100);
	assert_true(c->outbound.expire >= 4 * 24 * 60 * minute);
	config_free(c);
}

static const char whole[] =
    "hostname: MX1.Example.Com\n"
    "node: n1\n"
    "admin: alice@example.com\n"
    "cores: 4\n"
    "user: mail\n"
    "trusted: [ 127.0.0.0/8, '2001:db8::/32', 192.0.2.7 ]\n"
    "listen:\n"
    "  - { port: 25 }\n"
    "  - { port: 587, role: submission, address: [ 192.0.2.1, '::1' ],\n"
    "      connections: 10 }\n"
    "  - port: 2525\n"
    "    role: relay\n"
    "    address: 127.0.0.1\n"
    "    name: inner\n"
    "domains:\n"
    "  example.com:\n"
    "    users: file:/users\n"
    "    aliases: /aliases\n"
    "    catch_all: ann\n"
    "    subaddress: '+-'\n"
    "    maildir: /m/%u\n"
    "  Example.NET: { alias_of: example.com }\n"
    "  list.example: { users: [ x, Y ] }\n"
    "  one.example: { users: z }\n"
    "  sys.example: { users: system, catch_all: none }\n"
    "  gate.example: { relay_to: [ 'smtp://in.example',\n"
    "    'smtp://192.0.2.3:26', 'smtp://[2001:db8::5]:27/' ] }\n"
    "outbound: { retry: [ 1m, 2m ], rate: 5/s, per_connection: none,\n"
    "  bind: [ 192.0.2.1, '2001:db8::1' ], prefer: ipv4_only }\n"
    "limits: { connections_per_ip: none, data_rate: none, messages: 7 }\n"
    "inbound: { normalize: 10.0.0.0/8 }\n"
    "dns: { zone: /zone, forwarders: 192.0.2.53 }\n"
    "log: { format: json, to: /var/log/x }\n"
    "bounce: { double: discard, body: 0 }\n"
    "spool: { reserve: auto, path: /s }\n";

static struct config *
whole_load(void)
{
	conf_file("/users", "# people\nann:{PLAIN}y:1000:1001::/home/ann:/bin/sh\n"
	    "\nBen\n");
	conf_file("/aliases", "info: ann, far@away.example\nBEN: ann\n");
	conf_file("/zone", "a.example. A 192.0.2.1\n");
	return conf_of(whole);
}

/* The words of the key are the languages, in their order. */
static void
test_knows_the_languages(void **state)
{
	const struct schema *row = schema_find(STR("reports.language"));
	struct str words, word;

	(void)state;
	assert_non_null(row);
	words = str_of(row->words);
	for (unsigned i = 0; i < LANGUAGES; i++) {
		assert_true(schema_word(&words, &word));
		assert_true(str_eq(word, str_of(language_tag(i))));
	}
	assert_true(str_eq(words, STR("auto")));
}

static void
test_takes_a_whole_file(void **state)
{
	struct config *c = whole_load();
	const struct domain *d;

	(void)state;
	assert_str(c->hostname, "mx1.example.com");
	assert_str(c->node, "n1");
	assert_int_equal(c->cores, 4);
	assert_true(trusts(c, "2001:db8:1::1") && trusts(c, "192.0.2.7"));
	assert_false(trusts(c, "192.0.2.8"));
	assert_int_equal(c->outbound.retry.n, 2);
	assert_int_equal(c->outbound.rate.n, 5);
	assert_int_equal(c->outbound.per_connection, 0);
	assert_int_equal(c->outbound.prefer, IP_V4_ONLY);
	assert_address(&c->outbound.bind.v[1], "2001:db8::1", 0);
	assert_int_equal(c->limits.connections_per_ip, 0);
	assert_int_equal(c->limits.data_rate, 0);
	assert_int_equal(c->limits.messages, 7);
	assert_int_equal(c->inbound.normalize.n, 1);
	assert_str(c->dns.zone_text, "a.example. A 192.0.2.1\n");
	assert_int_equal(c->log.format, LOG_JSON);
	assert_int_equal(c->log.target, LOG_TO_FILE);
	assert_int_equal(c->reports.twice, DOUBLE_DISCARD);
	assert_int_equal(c->reports.body, 0);
	assert_int_equal(c->spool.reserve, 0);
	d = config_domain(c, STR("gate.example"));
	assert_int_equal(d->relay_to->n, 3);
	assert_str(d->relay_to->hosts[0].host, "in.example");
	assert_int_equal(d->relay_to->hosts[0].port, 25);
	assert_address(&d->relay_to->hosts[1].literal, "192.0.2.3", 26);
	assert_address(&d->relay_to->hosts[2].literal, "2001:db8::5", 27);
	config_free(c);
}

static void
test_takes_listeners(void **state)
{
	struct config *c = whole_load();

	(void)state;
	assert_int_equal(c->n_listeners, 3);
	assert_str(c->listeners[0].name, "mx:25");
	assert_address(&c->listeners[0].at.v[0], "0.0.0.0", 25);
	assert_address(&c->listeners[0].at.v[1], "::", 25);
	assert_str(c->listeners[1].name, "submission:587");
	assert_int_equal(c->listeners[1].role, ROLE_SUBMISSION);
	assert_int_equal(c->listeners[1].connections, 10);
	assert_address(&c->listeners[1].at.v[1], "::1", 587);
	assert_str(c->listeners[2].name, "inner");
	assert_int_equal(c->listeners[2].role, ROLE_RELAY);
	assert_int_equal(c->listeners[2].at.n, 1);
	config_free(c);
}

static void
test_knows_who_lives_where(void **state)
{
	struct config *c = whole_load();
	const struct domain *d = config_domain(c, STR("EXAMPLE.com"));
	struct resident r;

	(void)state;
	assert_ptr_equal(config_domain(c, STR("example.net")), d);
	r = domain_resident(d, STR("Ann"));
	assert_int_equal(r.kind, RESIDENT_USER);
	assert_int_equal(r.user->uid, 1000);
	assert_int_equal(r.user->gid, 1001);
	assert_str(r.user->home, "/home/ann");
	r = domain_resident(d, STR("ben"));		/* the alias hides him */
	assert_int_equal(r.kind, RESIDENT_ALIAS);
	assert_str(r.user->name, "ben");
	assert_int_equal(domain_resident(d, STR("info")).alias->n, 2);
	assert_int_equal(domain_resident(d, STR("info-x")).kind,
	    RESIDENT_ALIAS);
	assert_int_equal(domain_resident(d, STR("nix")).kind,
	    RESIDENT_CATCH_ALL);
	assert_int_equal(domain_resident(d, STR("")).kind, RESIDENT_CATCH_ALL);
	assert_int_equal(domain_resident(d, STR("abuse")).kind, RESIDENT_ROLE);
	d = config_domain(c, STR("list.example"));
	assert_int_equal(domain_resident(d, STR("y")).kind, RESIDENT_USER);
	assert_int_equal(domain_resident(d, STR("X+z")).kind, RESIDENT_USER);
	assert_int_equal(domain_resident(d, STR("z")).kind, RESIDENT_NONE);
	assert_int_equal(domain_resident(d, STR("+x")).kind, RESIDENT_NONE);
	d = config_domain(c, STR("sys.example"));
	assert_int_equal(domain_resident(d, STR("bob")).kind, RESIDENT_USER);
	assert_int_equal(domain_resident(d, STR("vmail")).kind, RESIDENT_NONE);
	assert_int_equal(domain_resident(d, STR("nobody")).kind, RESIDENT_NONE);
	assert_int_equal(domain_resident(d, STR("root")).kind, RESIDENT_ROLE);
	config_free(c);
}

/* ---- include ---- */

static void
test_unites_files(void **state)
{
	struct config *c;

	(void)state;
	conf_file("/etc/c/b.yaml", "domains: { b.example: { users: [ b ] } }\n"
	    "route: [ { relay: 'smtp://b.example' } ]\n");
	conf_file("/etc/c/a.yaml", "domains: { a.example: { users: [ a ] },\n"
	    "  main.example: { aliases: /aliases } }\n"
	    "limits: { size: 5M }\n"
	    "route: [ { if: { rcpt_domain: x }, relay: mx } ]\n");
	conf_file("/aliases", "m: a@a.example\n");
	conf_file("/only", "node: other\n");
	c = conf_of("include: [ /etc/c/*.yaml, /only, /none/*.yaml ]\n"
	    "domains: { main.example: { users: [ z ] } }\n"
	    "limits: { recipients: 5 }\n"
	    "route: [ { if: { rcpt_domain: first }, discard: x } ]\n");
	assert_str(c->node, "other");
	assert_int_equal(c->limits.size, 5 << 20);
	assert_int_equal(c->limits.recipients, 5);
	assert_int_equal(c->n_routes, 3);
	assert_str(c->routes[0].discard, "x");
	assert_true(c->routes[1].relay->by_mx);
	assert_false(c->routes[2].relay->by_mx);
	assert_non_null(config_domain(c, STR("a.example")));
	assert_non_null(config_domain(c, STR("b.example")));
	assert_int_equal(domain_resident(config_domain(c, STR("main.example")),
	    STR("m")).kind, RESIDENT_ALIAS);
	config_free(c);
}

static void
test_refuses_a_value_in_two_files(void **state)
{
	(void)state;
	conf_file("/a.yaml", "limits:\n  recipients: 9\n  size: 5M\n"
	    "trusted: 10.0.0.0/8\n");
	conf_file("/b.yaml", "include: /c.yaml\n");
	assert_null(conf_try("include: [ /a.yaml, /b.yaml ]\n"
	    "limits:\n  size: 6M\ntrusted: [ 127.0.0.0/8 ]\n"));
	assert_string_equal(conf_said(true),
	    "/a.yaml:3:3+4 'size' is set already in t.yaml:3\n"
	    "/a.yaml:4:1+7 'trusted' is set already in t.yaml:4\n"
	    "/b.yaml:1:1+7 an included file includes nothing\n");
}

static void
test_includes_beside_the_file(void **state)
{
	struct config *c;

	(void)state;
	conf_file("/etc/nm/nightmail.yaml", "include: conf.d/*.yaml\n");
	conf_file("/etc/nm/conf.d/x.yaml", "node: here\n");
	c = config_load(&conf_machine.source, STR("/etc/nm/nightmail.yaml"),
	    &conf_problems);
	assert_non_null(c);
	assert_str(c->node, "here");
	config_free(c);
}

/* ---- texts from elsewhere ---- */

static void
test_follows_texts(void **state)
{
	struct config *c;

	(void)state;
	conf_file("/name", " out.example.org \n");
	conf_file("/run/cred/admin", "alice\n");
	source_memory_env(&conf_machine, STR("CREDENTIALS_DIRECTORY"),
	    STR("/run/cred"));
	source_memory_env(&conf_machine, STR("NODE"), STR("n7"));
	c = conf_of("hostname: file:/name\nadmin: cred:admin\n"
	    "node: env:NODE\n");
	assert_str(c->hostname, "out.example.org");
	assert_str(c->admin, "alice@out.example.org");
	assert_str(c->node, "n7");
	config_free(c);
}

/* Of a credential's path nobody here reads what is in it. */
static void
test_follows_paths(void **state)
{
	struct config *c;

	(void)state;
	assert_null(conf_try("tls: { cert: /c, key: cred:tls.key }\n"));
	assert_non_null(strstr(conf_said(true), "LoadCredential"));
	source_memory_env(&conf_machine, STR("CREDENTIALS_DIRECTORY"),
	    STR("/run/cred"));
	c = conf_of("tls: { cert: /c, key: cred:tls.key }\n");
	assert_int_equal(c->tls.key.n, 1);
	assert_str(c->tls.key.v[0], "/run/cred/tls.key");
	config_free(c);
	assert_null(conf_try("tls: { cert: /c, key: \"cred:../x\" }\n"));
	assert_null(conf_try("tls: { cert: /c, key: \"cred:\" }\n"));
}

/* A secret is not repeated when it is wrong. */
static void
test_tells_no_secret(void **state)
{
	(void)state;
	source_memory_env(&conf_machine, STR("PASSWORD"), STR("hunter 2"));
	assert_null(conf_try("hostname: env:PASSWORD\n"));
	assert_string_equal(conf_said(true), "1:11+12 'env:PASSWORD' is not a "
	    "domain name (examples: example.org)\n");
}

/* ---- implied domains ---- */

static void
test_reads_the_systems_aliases(void **state)
{
	struct config *c;
	const struct domain *d;

	(void)state;
	conf_file("/etc/aliases", "postmaster: root\nroot: alice\n"
	    "prog: |/bin/x\nspool: /var/mail/x\nbad: |x, alice\n"
	    "nobody: root\n");
	c = conf_of("");
	d = config_domain(c, STR("localhost"));
	assert_int_equal(domain_resident(d, STR("root")).kind, RESIDENT_ALIAS);
	assert_int_equal(domain_resident(d, STR("prog")).kind, RESIDENT_ALIAS);
	assert_true(alias_has_transport(domain_resident(d, STR("prog")).alias,
	    STR("|/bin/x")));
	assert_int_equal(domain_resident(d, STR("bad")).kind, RESIDENT_NONE);
	assert_non_null(strstr(conf_said(false), "/etc/aliases:4:8+11 warning: "
	    "'/var/mail/x' is no Maildir; its name ends with a '/', and files "
	    "of the mbox kind are not written\n"
	    "/etc/aliases:5:7+1 warning: 'x' it must begin with the absolute "
	    "path of a program\n"));
	config_free(c);
}

static void
test_listed_hostname_is_not_implied(void **state)
{
	struct config *c = conf_of("hostname: mx.example.org\n"
	    "domains: { mx.example.org: { users: [ x ] },\n"
	    "  localhost: { users: [ y ] } }\n");
	const struct domain *d = config_domain(c, STR("mx.example.org"));

	(void)state;
	assert_int_equal(c->n_domains, 2);
	assert_int_equal(domain_resident(d, STR("alice")).kind, RESIDENT_NONE);
	assert_int_equal(domain_resident(d, STR("x")).kind, RESIDENT_USER);
	config_free(c);
	c = conf_of("hostname: mx.example.org\n"
	    "domains: { mx.example.org: { alias_of: a.example },\n"
	    "  a.example: { users: [ x ] } }\n");
	assert_ptr_equal(config_domain(c, STR("localhost")),
	    config_domain(c, STR("a.example")));
	config_free(c);
}

/* ---- size ---- */

static void
test_takes_many_domains(void **state)
{
	enum { DOMAINS = 5000 };
	static char yaml[DOMAINS * 64];
	struct buf b = BUF_OF(yaml);
	struct config *c;

	(void)state;
	buf_put(&b, STR("domains:\n"));
	for (unsigned i = 0; i < DOMAINS; i++)
		buf_printf(&b, "  d%u.example: { users: [ a, b ] }\n", i);
	buf_putc(&b, '\0');
	assert_false(b.full);
	c = conf_of(yaml);
	assert_int_equal(c->n_domains, DOMAINS + 2);
	assert_non_null(config_domain(c, STR("d4999.example")));
	assert_null(config_domain(c, STR("d5000.example")));
	config_free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, conf_set_up, conf_tear_down)

static void
extent(const char *text, size_t listeners, size_t domains, bool has_some)
{
	struct config *c = conf_of(text);
	struct config_extent x = config_extent(c);

	assert_int_equal(x.listeners, listeners);
	assert_int_equal(x.domains, domains);
	assert_int_equal(x.all > 0, has_some);
	config_free(c);
}

static void
what_is_set_is_counted(void **state)
{
	(void)state;
	extent("", 0, 0, false);
	extent("# all of it is a comment\n", 0, 0, false);
	extent("hostname: mx.example.org\n", 0, 0, true);
	extent("listen: [ { port: 26 }, { port: 27 } ]\n", 2, 0, true);
	extent("domains: { a.test: , b.test: { users: [ u ] } }\n", 0, 2, true);
	extent("route: [ { relay: smtp://a.test } ]\n", 0, 0, true);
	extent("outbound: { idle: 1s }\n", 0, 0, true);
	conf_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_set_is_counted),
		TEST(test_empty_is_valid),
		TEST(test_no_file_is_valid),
		TEST(test_defaults_keep_the_rfc),
		TEST(test_knows_the_languages),
		TEST(test_takes_a_whole_file),
		TEST(test_takes_listeners),
		TEST(test_knows_who_lives_where),
		TEST(test_unites_files),
		TEST(test_refuses_a_value_in_two_files),
		TEST(test_includes_beside_the_file),
		TEST(test_follows_texts),
		TEST(test_follows_paths),
		TEST(test_tells_no_secret),
		TEST(test_reads_the_systems_aliases),
		TEST(test_listed_hostname_is_not_implied),
		TEST(test_takes_many_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
