#include "policy/test_conf.h"

/* Three complete configurations of the finished server.  This version must name
 * every key of them that it does not have, and no other. */

static const char sysadmin[] =
    "hostname: mx1.example.com\n"
    "admin: postmaster@example.com\n"
    "\n"
    "tls:\n"
    "  acme: { email: postmaster@example.com, agree_tos: yes }\n"
    "\n"
    "listen:\n"
    "  - { port: 25,  role: mx }\n"
    "  - { port: 587, role: submission }\n"
    "  - { port: 465, role: submission, tls: implicit }\n"
    "\n"
    "domains:\n"
    "  example.com:\n"
    "    users: dovecot\n"
    "    aliases: /etc/aliases\n"
    "    catch_all: none\n"
    "  example.net: { alias_of: example.com }\n"
    "\n"
    "auth:      { dovecot: /run/dovecot/auth-client }\n"
    "deliver:   { lmtp: unix:/run/dovecot/lmtp }\n"
    "\n"
    "inbound:\n"
    "  verify: { spf: yes, dkim: yes, dmarc: enforce, arc: yes }\n"
    "  greylist: { delay: 2m, only_if: [no_ptr, dnsbl_softlisted] }\n"
    "  dnsbl: [ zen.spamhaus.org ]\n"
    "  milters: [ unix:/run/rspamd/milter.sock ]\n"
    "  limits: { per_ip: 60/min, connections_per_ip: 10, size: 50M }\n"
    "\n"
    "outbound:\n"
    "  dkim: auto\n"
    "  dane: yes\n"
    "  mta_sts: yes\n"
    "  retry: [ 5m, 15m, 1h, 3h, 6h ]\n"
    "  expire: 5d\n";

static const char application[] =
    "hostname: smtp.acme.dev\n"
    "tls: { cert: /etc/letsencrypt/live/smtp.acme.dev/fullchain.pem, "
    "key: /etc/letsencrypt/live/smtp.acme.dev/privkey.pem }\n"
    "\n"
    "listen:\n"
    "  - { port: 587,  role: submission }\n"
    "  - { port: 465,  role: submission, tls: implicit }\n"
    "  - { port: 2525, role: submission }\n"
    "  - { port: 25,   role: mx }\n"
    "  - { port: 443,  role: http }\n"
    "\n"
    "api:\n"
    "  base_url: https://mail.acme.dev\n"
    "  cors: [ https://app.acme.dev ]\n"
    "  rate: 50/s\n"
    "dashboard: { login: [ password, oidc ], oidc: { issuer: "
    "https://sso.acme.dev, client_id: nightmail, client_secret: cred:oidc } }\n"
    "\n"
    "tenants: dynamic\n"
    "database: sqlite:/var/lib/nightmail/state.db\n"
    "\n"
    "suppress: { on: [ hard_bounce, complaint, unsubscribe ], "
    "soft_bounce: { count: 5, within: 14d } }\n"
    "bounce_domain: bounces.acme.dev\n"
    "list_unsubscribe: auto\n"
    "tracking: { opens: off, clicks: off }\n"
    "webhooks: { timeout: 10s, retry: [ 10s, 1m, 5m, 30m, 2h, 8h ], "
    "expire: 3d }\n"
    "retain: { bodies: 7d, events: 90d }\n"
    "\n"
    "streams:\n"
    "  transactional: { priority: high }\n"
    "  broadcast:     { priority: low, rate: 20/s }\n";

static const char volume[] =
    "hostname: out1.mta.example.net\n"
    "node: out1\n"
    "cluster:\n"
    "  database: "
    "postgres://nightmail@pg1,pg2,pg3/nightmail?target_session_attrs=read-write\n"
    "  password: cred:pg\n"
    "  lease: 60s\n"
    "\n"
    "include: [ /etc/nightmail/conf.d/*.yaml, /etc/nightmail/shaping/*.yaml ]\n"
    "\n"
    "sources:\n"
    "  ip-a: { bind: 198.51.100.10, ehlo: a.mta.example.net }\n"
    "  ip-b: { bind: 198.51.100.11, ehlo: b.mta.example.net }\n"
    "  ip-c: { bind: 198.51.100.12, ehlo: c.mta.example.net, via: "
    "socks5://proxy1:5000,\n"
    "          warmup: { plan: standard-30d, start: 2026-11-01, "
    "overflow: trans } }\n"
    "pools:\n"
    "  trans: { ip-a: 2, ip-b: 1 }\n"
    "  bulk:  { ip-b: 1, ip-c: 1 }\n"
    "\n"
    "route:\n"
    "  - { if: { header: { X-Stream: bulk } },      pool: bulk }\n"
    "  - { if: { tenant: vip },                     pool: trans, "
    "priority: high }\n"
    "  - { if: { rcpt_domain: example.org },        relay: "
    "smtp+tls://smart.example.org:587, auth: cred:smart }\n"
    "  - { pool: trans }\n"
    "\n"
    "shaping:\n"
    "  default:  { connections: 10, per_connection: 100, rate: 100/s, "
    "tls: opportunistic }\n"
    "  google:   { mx: [ \"*.google.com\", \"*.googlemail.com\" ], "
    "connections: 5, per_connection: 50, tls: required }\n"
    "  yahoo:    { mx: [ \"*.yahoodns.net\" ], per_connection: 20 }\n"
    "  comcast.net: { connections: 25, per_connection: 1000, idle: 30s }\n"
    "\n"
    "react:\n"
    "  - { site: yahoo,   match: \"\\\\[TS04\\\\]\",      do: suspend,   "
    "         for: 2h }\n"
    "  - { site: comcast.net, match: \"RL0000\", threshold: 2/h, do: { "
    "rate: 10000/h }, for: 2h }\n"
    "  - { site: \"*\",     match: \"IP reputation\",   do: { rate: "
    "1/min, connections: 1 }, for: 90m }\n"
    "\n"
    "bounces: { classify: builtin, rules: /etc/nightmail/bounces.yaml }\n"
    "fbl:     { addresses: [ fbl@fbl.example.net ] }\n"
    "events:  { sinks: [ https://hooks.example.net/nm ] }\n"
    "metrics: { listen: 127.0.0.1:9625, per_tenant: yes }\n";

static const struct { const char *yaml, *says; } cases[] = {
	{ sysadmin,
	    "14:12+7 'dovecot' is known but not in this version\n"
	    "24:3+8 'inbound.greylist' is known but not in this version\n"
	    "25:3+5 'inbound.dnsbl' is known but not in this version\n"
	    "26:3+7 'inbound.milters' is known but not in this version\n" },
	{ application,
	    "9:25+4 'http' is known but not in this version\n"
	    "11:1+3 'api' is known but not in this version\n"
	    "15:1+9 'dashboard' is known but not in this version\n"
	    "17:10+7 'dynamic' is known but not in this version\n"
	    "20:1+8 'suppress' is known but not in this version\n"
	    "21:1+13 'bounce_domain' is known but not in this version\n"
	    "22:1+16 'list_unsubscribe' is known but not in this version\n"
	    "23:1+8 'tracking' is known but not in this version\n"
	    "24:1+8 'webhooks' is known but not in this version\n"
	    "25:11+6 'retain.bodies' is known but not in this version\n"
	    "27:1+7 'streams' is known but not in this version\n" },
	{ volume,
	    "3:1+7 'cluster' is known but not in this version\n"
	    "13:57+3 'sources.ip-c.via' is known but not in this version\n"
	    "14:11+6 'sources.ip-c.warmup' is known but not in this version\n"
	    "20:13+6 'route[0].if.header' is known but not in this version\n"
	    "21:61+8 'route[1].priority' is known but not in this version\n"
	    "26:66+3 'shaping.default.tls' is known but not in this version\n"
	    "27:95+3 'shaping.google.tls' is known but not in this version\n"
	    "29:57+4 'shaping.comcast.net.idle' is known but not in this "
	    "version\n"
	    "31:1+5 'react' is known but not in this version\n"
	    "36:12+8 'bounces.classify' is known but not in this version\n"
	    "37:1+3 'fbl' is known but not in this version\n"
	    "38:1+6 'events' is known but not in this version\n"
	    "39:1+7 'metrics' is known but not in this version\n" },
};
/* The lines of conf_said(), each without what is so "without it". */
static const char *
said_briefly(void)
{
	static char said[8192];
	struct buf b = BUF_OF(said);
	struct str rest = str_of(conf_said(true));

	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');
		size_t n = str_find_str(line, STR("; without it, "));

		assert_true(n < line.n);
		buf_put(&b, str_sub(line, 0, n));
		buf_putc(&b, '\n');
	}
	buf_putc(&b, '\0');
	return said;
}

static void
test_names_what_is_not_in_this_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		conf_begin();
		conf_file("/etc/aliases", "");
		conf_file("/creds/smart", "me:secret");
		conf_file("/etc/nightmail/bounces.yaml", "");
		assert_int_equal(source_memory_env(&conf_machine,
		    STR("CREDENTIALS_DIRECTORY"), STR("/creds")), 0);
		assert_null(conf_try(cases[i].yaml));
		assert_string_equal(said_briefly(), cases[i].says);
		conf_end();
	}
}

/* The first of them without those keys. */
static void
test_takes_the_rest(void **state)
{
	struct config *c;

	(void)state;
	conf_begin();
	conf_file("/etc/aliases", "postmaster: alice\n");
	c = conf_of("hostname: mx1.example.com\n"
	    "admin: postmaster@example.com\n"
	    "listen:\n"
	    "  - { port: 25,  role: mx }\n"
	    "  - { port: 587, role: submission }\n"
	    "domains:\n"
	    "  example.com:\n"
	    "    users: [ alice ]\n"
	    "    aliases: /etc/aliases\n"
	    "    catch_all: none\n"
	    "  example.net: { alias_of: example.com }\n"
	    "deliver:   { maildir: ~/Maildir }\n"
	    "inbound:\n"
	    "  limits: { per_ip: 60/min, connections_per_ip: 10, size: 50M }\n"
	    "outbound:\n"
	    "  retry: [ 5m, 15m, 1h, 3h, 6h ]\n"
	    "  expire: 5d\n"
	    "retain: { events: 90d }\n");
	assert_int_equal(c->limits.per_ip.n, 60);
	assert_int_equal(c->limits.connections_per_ip, 10);
	config_free(c);
	conf_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_what_is_not_in_this_version),
		cmocka_unit_test(test_takes_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
