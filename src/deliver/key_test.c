#include "deliver/key.h"

#include "policy/test_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const char *const yaml =
    "hostname: mx.example\n"
    "domains:\n"
    "  plain.example: { users: [ bob ] }\n"
    "  piped.example: { users: [ bob ], deliver: { pipe: /bin/x } }\n"
    "  lmtp.example: { users: [ bob ], deliver: { lmtp: \"unix:/run/l\" } }\n"
    "  mixed.example: { users: file:/users }\n"
    "  on.example: { relay_to: smtp://in.example }\n"
    "transports:\n"
    "  box: { maildir: /m/%u }\n"
    "  own: { pipe: /bin/y }\n"
    "  far: { lmtp: \"h.example:24\" }\n"
    "route:\n"
    "  - { if: { sender_domain: [ s.example, <> ], rcpt_domain: r.example },\n"
    "      refuse: no }\n"
    "  - { if: { rcpt_domain: l.example }, relay: \"lmtp://h.example:24\" }\n";

static struct config *
config_open(void)
{
	conf_begin();
	conf_file("/users", "ann\nben:::::::deliver=box\ncal:::::::deliver=own\n"
	    "dan:::::::deliver=far\n");
	return conf_of(yaml);
}

static void
config_end(struct config *c)
{
	config_free(c);
	conf_end();
}

/* Key and where it leads: "plain.example -> local". */
static void
keys_are(const struct config *c, const char *sender, const char *to,
    const char *transport, const char *want)
{
	static const char *const kinds[] = {
		[ROUTE_LOCAL] = "local", [ROUTE_RELAY_MX] = "mx",
		[ROUTE_RELAY_HOST] = "relay", [ROUTE_REPORTS] = "reports",
		[ROUTE_DISCARD] = "discard", [ROUTE_REFUSED] = "refused",
	};
	struct recipient r = { .address = str_of(to),
		.transport = str_of(transport) };
	struct route route;
	struct arena a;
	struct str key;
	char said[512];

	arena_init(&a, 64 * 1024);
	key = key_make(c, str_of(sender), &r, &a);
	assert_non_null(key.p);
	assert_true(key_has(key, &r));
	route = key_route(c, key, &a);
	snprintf(said, sizeof said, STR_FMT " -> %s%s%s" STR_FMT, STR_ARG(key),
	    kinds[route.kind],
	    route.kind == ROUTE_LOCAL && key_has_commands(key, &route) ?
	    " command" : "", route.relay != NULL ? " " : "",
	    STR_ARG(route.relay == NULL ? STR_NONE : route.relay->text));
	assert_string_equal(said, want);
	arena_clear(&a);
}

static void
test_keys(void **state)
{
	static const struct { const char *sender, *to, *transport, *want; }
	    cases[] = {
		{ "a@b", "Bob@Plain.example", NULL, "plain.example -> local" },
		{ "a@b", "x@piped.example", NULL,
		    "piped.example -> local command" },
		{ "a@b", "bob@lmtp.example", NULL,
		    "lmtp.example -> relay unix:/run/l" },
		{ "a@b", "x@on.example", NULL,
		    "on.example -> relay smtp://in.example" },
		{ "a@b", "x@r.example", NULL, "r.example -> mx" },
		{ "a@s.example", "x@r.example", NULL,
		    "r.example!s.example -> refused" },
		{ "a@b", "x@l.example", NULL,
		    "l.example -> relay lmtp://h.example:24" },
		/* Users in several ways: each by himself. */
		{ "a@b", "Ann@mixed.example", NULL, "ann@mixed.example -> local" },
		{ "a@b", "ben+x@mixed.example", NULL,
		    "ben+x@mixed.example -> local" },
		{ "a@b", "cal@mixed.example", NULL,
		    "cal@mixed.example -> local command" },
		{ "a@b", "dan@mixed.example", NULL,
		    "dan@mixed.example -> relay h.example:24" },
		{ "a@s.example", "a!b@mixed.example", NULL,
		    "a!b@mixed.example -> refused" },
		{ "a@b", "|x@mixed.example", NULL,
		    "|x@mixed.example -> refused" },
		/* Of aliases. */
		{ "a@b", "list@plain.example", "|/bin/x",
		    "|plain.example -> local command" },
		{ "a@b", "list@mixed.example", "/m/",
		    "|mixed.example -> local command" },
	};
	struct config *c = config_open();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		keys_are(c, cases[i].sender, cases[i].to, cases[i].transport,
		    cases[i].want);
	config_end(c);
}

/* Of the keys of one message each recipient has one. */
static void
test_each_has_one_key(void **state)
{
	static const struct recipient list[] = {
		{ .address = STR_INIT("ann@mixed.example") },
		{ .address = STR_INIT("BEN@mixed.example") },
		{ .address = STR_INIT("ann@mixed.example"),
		  .transport = STR_INIT("|/bin/x") },
		{ .address = STR_INIT("bob@plain.example") },
		{ .address = STR_INIT("list@plain.example"),
		  .transport = STR_INIT("/m/") },
		{ .address = STR_INIT("x@r.example") },
		{ .address = STR_INIT("\"a@b\"@mixed.example") },
	};
	enum { N = sizeof list / sizeof *list };
	struct config *c = config_open();
	struct arena a;

	(void)state;
	arena_init(&a, 64 * 1024);
	for (size_t i = 0; i < N; i++) {
		struct str key = key_make(c, STR("s@s.example"), &list[i], &a);

		for (size_t k = 0; k < N; k++)
			assert_int_equal(key_has(key, &list[k]), k == i);
	}
	arena_clear(&a);
	config_end(c);
}

static void
test_without_memory(void **state)
{
	struct recipient r = { .address = STR_INIT("ann@mixed.example") };
	struct config *c = config_open();
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_null(key_make(c, STR("a@b"), &r, &a).p);
	r.address = STR("x@plain.example");
	assert_null(key_make(c, STR("a@b"), &r, &a).p);
	r.transport = STR("|/bin/x");
	assert_null(key_make(c, STR("a@b"), &r, &a).p);
	arena_clear(&a);
	config_end(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_each_has_one_key),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
