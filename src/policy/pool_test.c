#include "policy/pool.h"
#include "policy/route.h"
#include "policy/show.h"
#include "policy/test_conf.h"

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	conf_end();
	return 0;
}

#define SOURCES \
	"sources:\n" \
	"  ip-a: { bind: 192.0.2.1, ehlo: a.example.org }\n" \
	"  ip-b: { bind: [ 192.0.2.2, '2001:db8::2' ] }\n"

#define RULES \
	"pools:\n" \
	"  trans: { ip-a: 2, ip-b: 1 }\n" \
	"  bulk: { ip-b: 1 }\n" \
	"accounts: { v: { tenant: vip } }\n" \
	"route:\n" \
	"  - { if: { tenant: [ vip, pip ] }, pool: trans }\n" \
	"  - { if: { rcpt_domain: smart.example }, relay: 'smtp://s.example' }\n" \
	"  - { if: { sender_domain: '<>' }, pool: bulk }\n" \
	"  - { if: { sender_domain: '*.news.example' }, pool: bulk }\n" \
	"  - { if: { rcpt_domain: no.example }, refuse: never }\n" \
	"  - { if: { rcpt_domain: big.example }, relay: mx, pool: bulk }\n"

static const char *
pool(const struct config *c, const char *rcpt, const char *sender,
    const char *tenant)
{
	struct pool_about about = { .rcpt_domain = str_of(rcpt),
		.knows_sender = sender != NULL, .sender_domain = str_of(sender),
		.tenant = str_of(tenant) };
	const struct pool_rule *p = pool_find(c, &about);
	static char said[64];

	return p != NULL && str_cstr(p->name, said, sizeof said) ? said :
	    "none";
}

static void
test_first_with_a_pool(void **state)
{
	struct config *c = conf_of(SOURCES RULES);

	(void)state;
	assert_string_equal(pool(c, "x.example", NULL, "vip"), "trans");
	assert_string_equal(pool(c, "x.example", NULL, "default"), "none");
	/* Where it goes, and by which pool, are asked one by one. */
	assert_string_equal(pool(c, "smart.example", NULL, "pip"), "trans");
	assert_string_equal(pool(c, "smart.example", "", "default"), "bulk");
	assert_int_equal(route_find(c, STR("a@x.example"),
	    STR("b@smart.example")).kind, ROUTE_RELAY_HOST);
	assert_string_equal(pool(c, "x.example", "", "default"), "bulk");
	assert_string_equal(pool(c, "x.example", "a.news.example", "t"), "bulk");
	assert_string_equal(pool(c, "x.example", "news.example", "t"), "none");
	assert_string_equal(pool(c, "big.example", "y.example", "t"), "bulk");
	assert_string_equal(pool(c, "big.example", NULL, "vip"), "trans");
	config_free(c);
}

static void
test_rules_of_pools_end_no_search(void **state)
{
	struct config *c = conf_of(SOURCES
	    "pools: { default: { ip-a: 1 } }\n"
	    "route:\n"
	    "  - { pool: default }\n"
	    "  - { relay: 'smtp://s.example' }\n");
	struct route r = route_find(c, STR("a@x.example"), STR("b@y.example"));

	(void)state;
	assert_int_equal(r.kind, ROUTE_RELAY_HOST);
	assert_true(str_eq(r.rule, STR("route[1]")));
	assert_string_equal(pool(c, "y.example", NULL, "default"), "default");
	config_free(c);
}

static void
test_default_pool(void **state)
{
	struct config *c = conf_of(SOURCES "pools: { default: { ip-a: 1 } }\n");

	(void)state;
	assert_string_equal(pool(c, "y.example", "x.example", "t"), "default");
	config_free(c);
}

static void
test_sources(void **state)
{
	struct config *c = conf_of(SOURCES RULES);
	const struct source_rule *s = source_named(c, STR("ip-b"));

	(void)state;
	assert_true(s != NULL && s->bind.n == 2 && s->ehlo.n == 0);
	s = source_named(c, STR("ip-a"));
	assert_true(s != NULL && str_eq(s->ehlo, STR("a.example.org")));
	assert_null(source_named(c, STR("ip-c")));
	config_free(c);
}

struct shown { struct show_lines lines; struct buf *text; };

static void
shown_line(struct show_lines *l, struct str s)
{
	struct shown *shown = (struct shown *)l;

	buf_put(shown->text, s);
	buf_putc(shown->text, '\n');
}

/* What is shown is read back to the same. */
static void
test_shown(void **state)
{
	static char room[65536], again[65536];
	struct buf b = BUF_OF(room), b2 = BUF_OF(again);
	struct shown out = { { shown_line }, &b };
	struct config *c = conf_of(SOURCES RULES);

	(void)state;
	show_config(c, &out.lines);
	buf_putc(&b, '\0');
	assert_false(b.full);
	if (strstr(room, "  trans: { ip-a: 2, ip-b: 1 } # t.yaml:5") == NULL)
		fail_msg("%s", strstr(room, "pools:"));
	assert_non_null(strstr(room, "    ehlo: a.example.org "));
	config_free(c);
	c = conf_of(room);
	out.text = &b2;
	show_config(c, &out.lines);
	buf_putc(&b2, '\0');
	assert_non_null(strstr(again, "  trans: { ip-a: 2, ip-b: 1 } "));
	config_free(c);
}

static void
says(const char *text, const char *want)
{
	struct config *c = conf_try(text);

	assert_null(c);
	assert_string_equal(conf_said(true), want);
}

static void
test_refused(void **state)
{
	(void)state;
	says("sources: { a: { ehlo: x.example } }\n", "1:12+1 the source 'a' "
	    "needs bind, an address of this machine\n");
	says("sources: { a: { bind: [ 192.0.2.1, 192.0.2.2 ] } }\n", "1:12+1 the "
	    "source 'a' has two addresses of one family; make two sources of "
	    "them\n");
	says(SOURCES "pools: { p: { ip-a: 1, ip-z: 1 } }\n", "4:24+4 there is no "
	    "source 'ip-z' in sources\n");
	says(SOURCES "pools: { p: { ip-a: 0 } }\n", "4:21+1 a weight is a number "
	    "of 1 to 10000\n");
	says(SOURCES "pools: { p: { ip-a: 10001 } }\n", "4:21+5 a weight is a "
	    "number of 1 to 10000\n");
	says(SOURCES "pools: { p: { ip-a: [ 1 ] } }\n", "4:21+1 a weight is a "
	    "number of 1 to 10000\n");
	says(SOURCES "pools: { p: {} }\n", "4:10+1 there is nothing in it\n");
	says(SOURCES "pools: { p: [ ip-a ] }\n", "4:10+1 'pools.p' must be a map "
	    "of sources and weights, not a list\n");
	says(SOURCES "pools: { p: ip-a }\n", "4:10+1 'pools.p' must be a map "
	    "of sources and weights, not a text\n");
	says("route: [ { pool: x } ]\n", "1:12+4 there is no pool 'x' in pools\n");
	says(SOURCES "pools: { p: { ip-a: 1 } }\n"
	    "route: [ { pool: p, refuse: no } ]\n", "5:10+1 mail that is not sent "
	    "leaves by no pool\n");
	says("route: [ { if: { tenant: t }, relay: mx } ]\n", "1:10+1 if.tenant is "
	    "for rules that have nothing but a pool: mail of all tenants goes the "
	    "same way\n");
	says("route: [ { if: { rcpt_domain: a.example } } ]\n", "1:10+1 a route "
	    "needs one of relay, discard and refuse, or a pool\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_with_a_pool, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_rules_of_pools_end_no_search,
		    begin, end),
		cmocka_unit_test_setup_teardown(test_default_pool, begin, end),
		cmocka_unit_test_setup_teardown(test_sources, begin, end),
		cmocka_unit_test_setup_teardown(test_shown, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
