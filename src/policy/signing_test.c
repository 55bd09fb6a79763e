#include "policy/signing.h"

#include "policy/test_conf.h"

static const char yaml[] =
    "hostname: mx.example.org\n"
    "domains:\n"
    "  example.org: {}\n"
    "  other.example: { dkim: off }\n"
    "  name.example: { alias_of: example.org }\n"
    "  quiet.example: { alias_of: other.example }\n"
    "dkim: { also: [far.example, Bücher.example] }\n";

static int
set_up(void **state)
{
	(void)state;
	conf_begin();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	conf_end();
	return 0;
}

static void
expect(const struct config *c, struct str author, struct str signer)
{
	struct str got = signing_domain(c, author);

	if (!str_eq(got, signer))
		fail_msg(STR_FMT ": " STR_FMT, STR_ARG(author), STR_ARG(got));
}

static void
own_domains_sign(void **state)
{
	struct config *c = conf_of(yaml);

	(void)state;
	expect(c, STR("example.org"), STR("example.org"));
	expect(c, STR("name.example"), STR("name.example"));
	expect(c, STR("far.example"), STR("far.example"));
	expect(c, STR("xn--bcher-kva.example"), STR("xn--bcher-kva.example"));
	expect(c, STR("other.example"), STR(""));
	expect(c, STR("quiet.example"), STR(""));
	expect(c, STR("sub.example.org"), STR(""));
	expect(c, STR("org"), STR(""));
	expect(c, STR("stranger.example"), STR(""));
	expect(c, STR("localhost"), STR(""));
	expect(c, STR(""), STR(""));
	assert_true(signing_has_keys(c, STR("example.org")));
	assert_false(signing_has_keys(c, STR("other.example")));
	assert_false(signing_has_keys(c, STR("mx.example.org")));
	config_free(c);
}

/* Of the host's mail the domain above it answers, if it is ours. */
static void
the_host_is_signed_for(void **state)
{
	struct config *c = conf_of(yaml);

	(void)state;
	expect(c, STR("mx.example.org"), STR("example.org"));
	config_free(c);
	c = conf_of("hostname: mx.other.example\n"
	    "domains: { other.example: { dkim: off }, a.example: {} }\n");
	expect(c, STR("mx.other.example"), STR("mx.other.example"));
	assert_true(signing_has_keys(c, STR("mx.other.example")));
	config_free(c);
	c = conf_of("hostname: a.example\ndomains: { a.example: {} }\n");
	expect(c, STR("a.example"), STR("a.example"));
	config_free(c);
	c = conf_of("hostname: plain\n");
	expect(c, STR("plain"), STR(""));
	config_free(c);
}

static void
off_is_off(void **state)
{
	struct config *c = conf_of("hostname: mx.example.org\n"
	    "domains: { example.org: {} }\noutbound: { dkim: off }\n");

	(void)state;
	expect(c, STR("example.org"), STR(""));
	expect(c, STR("mx.example.org"), STR(""));
	assert_false(signing_has_keys(c, STR("example.org")));
	config_free(c);
}

static void
nonsense_is_refused(void **state)
{
	static const struct { const char *yaml, *says; } cases[] = {
		{ "dkim: { also: ['*.a.example'] }\n", "1:9+4 '*.a.example' is no "
		    "domain: each one has keys of its own\n" },
		{ "dkim: { fields: [X-A, 'a b', received, ARC-Seal] }\n",
		    "1:9+6 'a b' is no name of a header field\n"
		    "1:9+6 'received' changes on the way; a signature over it "
		    "breaks\n"
		    "1:9+6 'ARC-Seal' changes on the way; a signature over it "
		    "breaks\n" },
		{ "dkim: { state: var/keys }\n", NULL },
		{ "spool: { path: /s }\ndkim: { state: /s/keys }\n",
		    "2:9+5 'dkim.state' must not be below the spool, where the "
		    "worker writes\n" },
		{ "dkim: { trouble: pray }\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(conf_try(cases[i].yaml));
		if (cases[i].says != NULL)
			assert_string_equal(conf_said(true), cases[i].says);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_domains_sign, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(the_host_is_signed_for, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(off_is_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
