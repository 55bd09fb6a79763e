#include "policy/shaping.h"

#include "policy/test_conf.h"

static const char yaml[] =
    "shaping:\n"
    "  default: { connections: 7, rate: 100/s }\n"
    "  google: { mx: [ \"*.google.com\", \"*.googlemail.com\" ],\n"
    "            connections: 5, per_connection: 50, recipients: 20 }\n"
    "  special: { domains: [ special.example, \"*.special.example\" ] }\n"
    "  comcast.net: { connections: 25, connection_rate: 2/s,\n"
    "                 recipient_rate: 30/min }\n";

static struct config *c;

static const char *
found(const char *domain, const char *host, const char *other)
{
	static char room[80];
	struct str hosts[2] = { str_of(host), str_of(other) };
	const struct provider *p = shaping_find(c, str_of(domain), hosts,
	    (size_t)(hosts[0].n > 0) + (hosts[1].n > 0));

	if (p == NULL)
		return "none";
	snprintf(room, sizeof room, STR_FMT, STR_ARG(p->name));
	return room;
}

static void
test_who_is_whose(void **state)
{
	(void)state;
	conf_begin();
	c = conf_try(yaml);
	assert_non_null(c);
	assert_string_equal(found("a.example", "aspmx.l.google.com",
	    "alt1.aspmx.l.googlemail.com"), "google");
	assert_string_equal(found("a.example", "aspmx.l.google.com",
	    "mx.elsewhere.example"), "none");
	assert_string_equal(found("a.example", "google.com.example", ""),
	    "none");
	assert_string_equal(found("a.example", "", ""), "none");
	assert_string_equal(found("special.example", "mx.google.com", ""),
	    "google");
	assert_string_equal(found("x.special.example", "mx.other.example", ""),
	    "special");
	assert_string_equal(found("comcast.net", "mx1.comcast.net", ""),
	    "comcast.net");
	assert_string_equal(found("mx1.comcast.net", "mx1.comcast.net", ""),
	    "none");
	assert_int_equal(shaping_default(c)->connections, 7);
	assert_int_equal(shaping_default(c)->rate.n, 100);
	assert_int_equal(c->providers[1].recipients, 20);
	assert_int_equal(c->providers[3].recipient_rate.n, 30);
	config_free(c);
	conf_end();
}

static void
test_what_is_wrong(void **state)
{
	static const struct { const char *yaml, *says; } cases[] = {
		{ "shaping: { google: { connections: 5 } }\n",
		    "1:12+6 a provider needs mx or domains (or the name of a "
		    "domain as its own)\n" },
		{ "shaping: { default: { mx: [ a.example ] } }\n",
		    "1:12+7 'shaping.default' is for all others: it has no mx "
		    "and no domains\n" },
		{ "shaping: { a+b: { mx: [ a.example ] } }\n",
		    "1:12+3 a provider's name has letters, digits, '.', '-' and "
		    "'_', at most 64\n" },
		{ "shaping: { a: { mx: [ a.example ], connections: 0 } }\n",
		    NULL },
		{ "shaping: { a: { mx: [ a.example ], connections: 1001 } }\n",
		    NULL },
		{ "shaping: { a: { mx: [ a.example ], recipients: 1001 } }\n",
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		conf_begin();
		assert_null(conf_try(cases[i].yaml));
		if (cases[i].says != NULL)
			assert_string_equal(conf_said(true), cases[i].says);
		conf_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_whose),
		cmocka_unit_test(test_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
