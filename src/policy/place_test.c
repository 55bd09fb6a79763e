#include "policy/place.h"
#include "policy/test_conf.h"

static struct arena arena;

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	conf_file("/users", "ann\nben:x:2000:2001::/home/ben:\n"
	    "cat:x::::/home/cat:\nroo:x:0:0::/root:\n");
	arena_init(&arena, 4096);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&arena);
	conf_end();
	return 0;
}

static const char *
print(const char *deliver, const char *rcpt)
{
	static char said[512], yaml[512];
	struct config *c;
	struct mailbox_place p;
	struct route r;

	snprintf(yaml, sizeof yaml, "hostname: mx.example.org\n"
	    "domains: { example.org: { users: file:/users%s } }\n",
	    deliver);
	begin(NULL);
	c = conf_of(yaml);
	r = route_find(c, STR(""), str_of(rcpt));
	assert_int_equal(r.kind, ROUTE_LOCAL);
	assert_int_equal(place_find(c, &r, 500, 501, &arena, &p), 0);
	assert_int_equal(p.path.p[p.path.n], '\0');
	snprintf(said, sizeof said, "%s %u:%u%s", p.path.p, p.uid, p.gid,
	    p.needs_porter ? " porter" : "");
	config_free(c);
	end(NULL);
	return said;
}

static void
test_finds_the_mailbox(void **state)
{
	static const struct { const char *deliver, *rcpt, *place; } cases[] = {
		{ "", "ann@example.org",
		    "/var/lib/nightmail/mail/example.org/ann 500:501" },
		{ "", "ANN+x@Example.org",
		    "/var/lib/nightmail/mail/example.org/ann 500:501" },
		{ "", "ben@example.org", "/home/ben/Maildir 2000:2001 porter" },
		{ "", "cat@example.org", "/home/cat/Maildir 500:501" },
		{ "", "alice@localhost",
		    "/home/alice/Maildir 1000:1000 porter" },
		{ "", "postmaster@example.org",
		    "/var/lib/nightmail/admin 500:501" },
		{ "", "roo@example.org", "/var/lib/nightmail/admin 500:501" },
		{ ", maildir: '/m/%d/%u/%%/%u'", "ann@example.org",
		    "/m/example.org/ann/%/ann 500:501" },
		{ ", maildir: '~/in/%d'", "ben@example.org",
		    "/home/ben/in/example.org 2000:2001 porter" },
		{ ", maildir: '~/in/%d'", "ann@example.org",
		    "/var/lib/nightmail/mail/example.org/ann 500:501" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(print(cases[i].deliver, cases[i].rcpt),
		    cases[i].place);
}

static void
test_gives_virtual_mail_to_its_user(void **state)
{
	struct config *c = conf_of("domains: { example.org: "
	    "{ users: file:/users } }\n"
	    "deliver: { user: vmail, virtual: /v/%u, admin: /adm }\n");
	struct route r = route_find(c, STR(""), STR("ann@example.org"));
	struct mailbox_place p;

	(void)state;
	assert_int_equal(place_find(c, &r, 500, 501, &arena, &p), 0);
	assert_true(str_eq(p.path, STR("/v/ann")));
	assert_int_equal(p.uid, 150);
	assert_int_equal(p.gid, 8);
	assert_true(p.needs_porter);
	assert_int_equal(place_find(c, &r, 150, 8, &arena, &p), 0);
	assert_false(p.needs_porter);
	r = route_find(c, STR(""), STR("ben@example.org"));
	assert_int_equal(place_find(c, &r, 150, 8, &arena, &p), 0);
	assert_int_equal(p.uid, 2000);
	assert_true(p.needs_porter);
	r = route_find(c, STR(""), STR("abuse@example.org"));
	assert_int_equal(place_find(c, &r, 500, 501, &arena, &p), 0);
	assert_true(str_eq(p.path, STR("/adm")));
	assert_false(p.needs_porter);
	config_free(c);
}

/* "recipient: way uid" of a domain with several. */
static void
ways_are(const struct config *c, const char *rcpt, const char *want)
{
	struct route r = route_find(c, STR(""), str_of(rcpt));
	struct mailbox_place p;
	char said[256];

	assert_int_equal(r.kind, ROUTE_LOCAL);
	assert_int_equal(place_find(c, &r, 500, 501, &arena, &p), 0);
	snprintf(said, sizeof said, "%s" STR_FMT "%s" STR_FMT " %u%s",
	    p.pipe != NULL ? "|" : "", STR_ARG(p.pipe != NULL ?
	    p.pipe->text : p.path), p.folder.p != NULL ? " or " : "",
	    STR_ARG(p.folder), p.uid, p.needs_porter ? " porter" : "");
	assert_string_equal(said, want);
}

static const char ways[] =
    "domains:\n"
    "  example.org: { users: file:/users, deliver: { admin: /adm,\n"
    "    pipe: /bin/take } }\n"
    "  example.net: { users: [ ann ], maildir: /m/%u }\n"
    "  example.com: { users: file:/more }\n"
    "transports: { box: { maildir: /b/%u }, own: { pipe: /bin/own } }\n"
    "deliver: { detail: folder }\n";

static void
test_each_his_way(void **state)
{
	struct config *c;

	(void)state;
	conf_file("/more", "a:x:2000:2000::::deliver=own\nb:::::::x=y "
	    "deliver=box\nc:x:3000:3000::/home/c:\n");
	c = conf_of(ways);
	ways_are(c, "ben@example.org", "|/bin/take 2000 porter");
	ways_are(c, "ann@example.org", "|/bin/take 65534 porter");
	ways_are(c, "roo@example.org", "/adm 500");
	ways_are(c, "abuse@example.org", "/adm 500");
	ways_are(c, "abuse@example.com", "/var/lib/nightmail/admin 500");
	ways_are(c, "a@example.com", "|/bin/own 2000 porter");
	ways_are(c, "b@example.com", "/b/b 500");
	ways_are(c, "b+lists@example.com", "/b/b or /b/b/.lists 500");
	ways_are(c, "b+Li.x@example.com", "/b/b or /b/b/.Li.x 500");
	ways_are(c, "\"b+../x\"@example.com", "/b/b 500");
	ways_are(c, "\"b+a b\"@example.com", "/b/b 500");
	ways_are(c, "b+@example.com", "/b/b 500");
	ways_are(c, "ann+x@example.net", "/m/ann or /m/ann/.x 500");
	ways_are(c, "c@example.com", "/home/c/Maildir 3000 porter");
	assert_true(place_has_commands(c));
	config_free(c);
	c = conf_of("deliver: { user: vmail, pipe: /bin/x }\n"
	    "domains: { example.org: { users: [ ann ] } }\n");
	ways_are(c, "ann@example.org", "|/bin/x 150 porter");
	assert_true(place_has_commands(c));
	config_free(c);
	c = conf_of("deliver: { lmtp: \"unix:/l\" }\n"
	    "domains: { a.example: { users: [ ann ] }, b.example: { } }\n");
	assert_int_equal(route_find(c, STR(""), STR("ann@a.example")).kind,
	    ROUTE_RELAY_HOST);
	assert_int_equal(route_find(c, STR(""), STR("joe@a.example")).kind,
	    ROUTE_REFUSED);
	assert_int_equal(route_find(c, STR(""), STR("joe@b.example")).kind,
	    ROUTE_RELAY_HOST);
	ways_are(c, "abuse@a.example", "/var/lib/nightmail/admin 500");
	assert_false(place_has_commands(c));
	config_free(c);
}

static void
test_tells_when_there_is_no_room(void **state)
{
	struct config *c = conf_of("domains: { example.org: "
	    "{ users: [ ann ] } }\n");
	struct route r = route_find(c, STR(""), STR("ann@example.org"));
	struct mailbox_place p;
	struct arena none;

	(void)state;
	arena_init(&none, 16);
	assert_int_equal(place_find(c, &r, 1, 1, &none, &p), -1);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_mailbox),
		cmocka_unit_test_setup_teardown(
		    test_gives_virtual_mail_to_its_user, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_each_his_way, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_tells_when_there_is_no_room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
