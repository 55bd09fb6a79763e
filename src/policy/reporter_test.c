#include "policy/reporter.h"
#include "policy/test_conf.h"

static void
expect(const char *conf, const char *from, const char *domain,
    const char *organization)
{
	struct config *c;
	struct reporter r;
	struct arena a;

	conf_begin();
	arena_init(&a, 8192);
	c = conf_of(conf);
	assert_true(reporter_of(c, &a, &r));
	assert_true(str_eq(r.from, str_of(from)));
	assert_true(str_eq(r.domain, str_of(domain)));
	assert_true(str_eq(r.organization, str_of(organization)));
	assert_true(reporter_is(&r, str_of(from)));
	assert_false(reporter_is(&r, STR("x@y.example")));
	config_free(c);
	arena_clear(&a);
	conf_end();
}

static void
the_name_comes_from_what_is_there(void **state)
{
	(void)state;
	expect("hostname: mx.example.org\n",
	    "postmaster@mx.example.org", "mx.example.org", "mx.example.org");
	expect("hostname: mx.example.org\ndomains: { example.org: "
	    "{ users: [ a ] }, example.net: { users: [ a ] } }\n",
	    "postmaster@example.org", "example.org", "example.org");
	expect("hostname: mx.example.org\nadmin: a@example.net\n"
	    "domains: { example.org: { users: [ a ] }, example.net: "
	    "{ users: [ a ] } }\n",
	    "postmaster@example.net", "example.net", "example.net");
	expect("hostname: mx.example.org\nadmin: a@elsewhere.example\n",
	    "postmaster@mx.example.org", "mx.example.org", "mx.example.org");
}

static void
what_is_set_counts(void **state)
{
	(void)state;
	expect("hostname: mx.example.org\nreports: { from: "
	    "dmarc@Reports.Example, organization: The Example }\n",
	    "dmarc@reports.example", "reports.example", "The Example");
	expect("hostname: mx.example.org\nreports: { from: dmarc }\n",
	    "dmarc@mx.example.org", "mx.example.org", "mx.example.org");
	expect("hostname: mx.example.org\nreports: { from: "
	    "a@XN--Bcher-kva.example }\n", "a@xn--bcher-kva.example",
	    "xn--bcher-kva.example", "xn--bcher-kva.example");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_comes_from_what_is_there),
		cmocka_unit_test(what_is_set_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
