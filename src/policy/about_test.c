#include "policy/about.h"
#include "policy/route.h"
#include "policy/test_conf.h"

static const char domains[] = "hostname: mx.example.org\n"
    "domains:\n"
    "  example.org: { users: [ alice ], subaddress: + }\n"
    "  example.net: { alias_of: example.org }\n"
    "  gate.example: { relay_to: 'smtp://inner.example' }\n";

static struct config *
conf_with(const char *more)
{
	static char text[2000];

	snprintf(text, sizeof text, "%s%s", domains, more);
	return conf_try(text);
}

static void
routes(void **state)
{
	static const char *const inboxes[] = { "dmarc@example.org",
		"DMARC@example.net", "tls@gate.example" };
	static const char *const others[] = { "dmarc+x@example.org",
		"alice@example.org", "dmarc@gate.example", "dmarc@x.example" };
	struct config *c = conf_with("reports: { inbox: [ Dmarc@example.org, "
	    "tls@gate.example ] }\n");

	(void)state;
	assert_non_null(c);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(route_find(c, STR_NONE,
		    str_of(inboxes[i])).kind, ROUTE_REPORTS);
	for (size_t i = 0; i < 4; i++)
		assert_int_not_equal(route_find(c, STR_NONE,
		    str_of(others[i])).kind, ROUTE_REPORTS);
	config_free(c);
}

static void
about(void **state)
{
	static const char *const ours[] = { "example.org", "EXAMPLE.net",
		"a.b.example.org", "mx.example.org", "elsewhere.example",
		"x.elsewhere.example", "xn--mnchen-3ya.example" };
	static const char *const others[] = { "", "org", "xexample.org",
		"example.com", ".", "example.org.", "example" };
	struct config *c = conf_with("reports: { about: [ Elsewhere.example, "
	    "m\u00fcnchen.example ] }\n");

	(void)state;
	assert_non_null(c);
	for (size_t i = 0; i < 7; i++)
		assert_true(about_us(c, str_of(ours[i])));
	for (size_t i = 0; i < 7; i++)
		assert_false(about_us(c, str_of(others[i])));
	config_free(c);
}

static void
refused(void **state)
{
	static const struct { const char *text, *why; } rows[] = {
		{ "inbox: [ dmarc ]", "is not a mail address" },
		{ "inbox: [ 'a@b@c' ]", "is not a mail address" },
		{ "inbox: [ dmarc@other.example ]", "not in an own domain" },
		{ "inbox: [ alice@example.org ]", "a user or an alias too" },
		{ "inbox: [ alice+x@example.org ]", "a user or an alias too" },
		{ "inbox: [ postmaster@example.org ]", "people write to" },
		{ "inbox: [ a@example.org, A@example.net ]", "twice" },
		{ "about: [ 'a b' ]", "is not a domain" },
		{ "keep: 1h", "out of range" },
		{ "copy: here", "not an absolute path" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "reports: { %s }\n", rows[i].text);
		assert_null(conf_with(text));
		if (strstr(conf_said(true), rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].text, conf_said(true));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(routes, conf_set_up, conf_tear_down),
		cmocka_unit_test_setup_teardown(about, conf_set_up, conf_tear_down),
		cmocka_unit_test_setup_teardown(refused, conf_set_up, conf_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
