#include "policy/test_conf.h"

#include "trust/ldap.h"
#include "trust/oauth.h"

static const struct { const char *yaml, *says; } cases[] = {
	{ "auth: { dovecot: auth-client }",
	    "1:9+7 this is neither the path of a socket, as "
	    "/run/dovecot/auth-client, nor host:port\n" },
	{ "auth: { dovecot: \"192.0.2.1:12345\" }",
	    "1:9+7 passwords would cross the network in clear text: Dovecot's "
	    "auth process must be on this machine\n" },
	{ "auth: { dovecot_tokens: yes }",
	    "1:9+14 'auth.dovecot' is nowhere\n" },
	{ "auth: { ldap: { base: o=x } }",
	    "1:17+4 'auth.ldap' asks nobody without 'servers'\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x } }",
	    "1:17+7 'auth.ldap' needs 'base' (where entries are searched) or "
	    "'dn' (how they are called)\n" },
	{ "auth: { ldap: { servers: [ http://a.example, ldapi:///run/x ],\n"
	  "  base: o=x } }",
	    "1:17+7 'http://a.example' is no server of LDAP (examples: "
	    "ldaps://ldap.example.org, ldap://localhost:389, "
	    "ldapi:///run/slapd/ldapi)\n" },
	{ "auth: { ldap: { servers: ldap://a.example, start_tls: no,\n"
	  "  clear: loopback, base: o=x } }",
	    "1:17+7 passwords would go to ldap://a.example in clear text: say "
	    "ldaps://, or leave start_tls at yes\n" },
	{ "auth: { ldap: { servers: ldap://localhost, start_tls: no,\n"
	  "  base: o=x } }",
	    "1:17+7 passwords would go to ldap://localhost in clear text: say "
	    "ldaps://, or leave start_tls at yes, or clear: loopback\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, base: o=x, dn: \"uid=%n\" "
	  "} }",
	    "1:53+2 'auth.ldap.dn' is instead of a search; 'auth.ldap.base' "
	    "does not stand beside it\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, dn: \"uid=%x\" } }",
	    "1:42+2 a % is followed by u, n, d or %\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, dn: \"uid=%n\", name: uid "
	  "} }",
	    "1:56+4 without a search there are no attributes\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, base: o=x,\n"
	  "  filter: \"(uid=%u\" } }",
	    "2:3+6 this is no filter of LDAP (example: "
	    "(&(objectClass=person)(mail=%u))); a % is followed by u, n, d or "
	    "%\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, base: o=x, bind_dn: cn=m } "
	  "}",
	    "1:53+7 'auth.ldap' needs both, bind_dn and password, or "
	    "neither\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, base: o=x, bind_dn: cn=m,\n"
	  "  password: hunter2 } }",
	    "2:13+7 a secret does not stand in the configuration: say cred:NAME "
	    "(a file of systemd's LoadCredential), env:NAME or file:PATH\n" },
	{ "auth: { ldap: { servers: ldapi:///run/x, base: o=x, ca: /ca } }",
	    "1:53+2 no server is asked by TLS\n" },
	{ "auth: { ldap: { servers: ldaps://a.example, base: o=x } }",
	    "1:17+7 there is no file /etc/ssl/certs/ca-certificates.crt\n" },
	{ "auth: { ldap: { servers: ldaps://a.example, base: o=x,\n"
	  "  ca: /etc/passwd } }",
	    "2:3+2 /etc/passwd: it holds no certificate in PEM\n" },
	{ "auth: { oauth: { audience: x } }",
	    "1:18+8 'auth.oauth' asks nobody without 'issuer' or "
	    "'introspect'\n" },
	{ "auth: { oauth: { issuer: \"http://i.example\", audience: x } }",
	    "1:18+6 this must be an https:// address\n" },
	{ "auth: { oauth: { issuer: \"https://i.example\" } }",
	    "1:18+6 'auth.oauth' needs 'audience': without it tokens that were "
	    "made for other services would be good here\n" },
	{ "auth: { oauth: { introspect: \"https://i.example/x\",\n"
	  "  jwks: \"https://i.example/y\" } }",
	    "2:3+4 tokens are checked here by 'jwks' or by asking at "
	    "'introspect', not both\n" },
	{ "auth: { oauth: { introspect: \"https://i.example/x\",\n"
	  "  client_id: x } }",
	    "2:3+9 'auth.oauth' needs both, client_id and client_secret, or "
	    "neither\n" },
	{ "auth: { oauth: { issuer: \"https://i.example\", audience: x,\n"
	  "  client_id: x, client_secret: file:/secret } }",
	    "2:3+9 only 'introspect' asks as somebody\n" },
	{ "auth: { sources: [ ldap, ldpa ] }",
	    "1:26+4 'ldpa' is not one of certificates, database, files, "
	    "dovecot, ldap, oauth\n" },
};

static void
test_refused(void **state)
{
	(void)state;
	conf_begin();
	conf_file("/secret", "hunter2\n");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(conf_try(cases[i].yaml));
		if (strcmp(conf_said(true), cases[i].says) != 0)
			fail_msg("%s\nsays\n%s", cases[i].yaml,
			    conf_said(true));
	}
	conf_end();
}

static void
test_taken(void **state)
{
	const struct ldap_setup *l;
	const struct oauth_setup *o;
	struct config *c;

	(void)state;
	conf_begin();
	conf_file("/secret", "hunter2\n");
	c = conf_of("auth:\n"
	    "  dovecot: /run/dovecot/auth-client\n"
	    "  ldap: { servers: [ ldapi:///run/x, ldap://localhost:1389 ],\n"
	    "    start_tls: no, clear: loopback, base: \"o=x,c=y\",\n"
	    "    bind_dn: cn=m, password: file:/secret,\n"
	    "    addresses: [ mail, proxyAddresses ] }\n"
	    "  oauth: { issuer: \"https://i.example/r\", audience: mail,\n"
	    "    scope: \"a b\", cache: none }\n");
	assert_non_null(c->auth.dovecot_at);
	assert_true(str_eq(c->auth.dovecot,
	    STR("/run/dovecot/auth-client")));
	l = c->auth.ldap.setup;
	assert_int_equal(l->n_servers, 2);
	assert_int_equal(l->servers[1].at.port, 1389);
	assert_true(str_eq(l->bind_password, STR("hunter2")));
	assert_true(str_eq(l->filter, STR("(|(uid=%u)(mail=%u))")));
	assert_int_equal(l->n_address_attributes, 2);
	assert_int_equal(l->timeout, 10 * NS_PER_SECOND);
	o = c->auth.oauth.setup;
	assert_true(str_eq(o->rules.claim, STR("email")));
	assert_int_equal(o->cache, 0);
	assert_null(o->anchors.p);
	config_free(c);
	c = conf_of("");
	assert_null(c->auth.dovecot_at);
	assert_null(c->auth.ldap.setup);
	assert_null(c->auth.oauth.setup);
	config_free(c);
	conf_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
