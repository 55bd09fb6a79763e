/* Which domains may share connections, and what is asked of their hosts. */
#include "fiber/test_core.h"

#include "deliver/peer_policy.h"
#include "fiber/world_sim.h"

#define SHA "1111111122222222333333334444444455555555666666667777777788888888"
#define PLAIN "Content-Type: text/plain\r\n"
#define BODY(mode, mx) "version: STSv1\r\nmode: " mode "\r\n" mx \
    "max_age: 1000\r\n"
#define URL(domain) "https://mta-sts." domain "/.well-known/mta-sts.txt"
#define SIGNED(domain, tlsa) \
	domain ". MX 10 mx." domain ".\n" domain ". SECURE\n" \
	"mx." domain ". A 192.0.2.1\nmx." domain ". SECURE\n" \
	"_25._tcp.mx." domain ". TLSA " tlsa "\n" \
	"_25._tcp.mx." domain ". SECURE\n"
#define OPEN(domain) \
	domain ". MX 10 mx.host.test.\nmta-sts." domain ". A 192.0.2.9\n" \
	"_mta-sts." domain ". TXT \"v=STSv1; id=1\"\n"

static const char zone[] = "$TTL 300\nmx.host.test. A 192.0.2.2\n"
    SIGNED("ee.test", "3 1 1 " SHA) SIGNED("ta.test", "2 0 1 " SHA)
    SIGNED("useless.test", "1 0 1 " SHA)
    OPEN("one.test") OPEN("two.test") OPEN("three.test") OPEN("testing.test")
    "bare.test. MX 10 mx.host.test.\n"
    "late.test. MX 10 mx.late.test.\nlate.test. SECURE\n"
    "mx.late.test. A 192.0.2.3\nmx.late.test. SECURE\n"
    "_25._tcp.mx.late.test. SERVFAIL\n";

static const struct sim_web_page pages[] = {
	{ URL("one.test"), 200, PLAIN, BODY("enforce",
	    "mx: mx.host.test\r\nmx: b.test\r\n"), 0, NULL },
	{ URL("two.test"), 200, PLAIN, BODY("enforce",
	    "mx: b.test\r\nmx: mx.host.test\r\n"), 0, NULL },
	{ URL("three.test"), 200, PLAIN, BODY("enforce", "mx: b.test\r\n"), 0,
	    NULL },
	{ URL("testing.test"), 200, PLAIN, BODY("testing", "mx: b.test\r\n"),
	    0, NULL },
};

static struct config conf;
static struct sts_cache *policies;
static struct site_cache *sites;
static struct arena arena;
static struct tls_demand demand;
static struct verdict why;

static yields const struct site *
site_of(const char *domain)
{
	struct site_policy p = { .port = 25, .ipv4 = true };
	const struct site *s = site_find(sites, str_of(domain), false, &p,
	    in_ms(60000));

	assert_non_null(s);
	assert_int_equal(s->verdict.disposition, DELIVERED);
	return s;
}

static struct peer_policy_ask
ask_for(const char *domain, const struct site *s)
{
	return (struct peer_policy_ask){ .conf = &conf, .policies = policies,
		.domain = str_of(domain), .site = s, .port = 25,
		.deadline = in_ms(60000) };
}

static yields struct str
word(const char *domain)
{
	const struct site *s = site_of(domain);
	struct peer_policy_ask a = ask_for(domain, s);
	struct str w = peer_policy_site(&a, &arena);

	site_drop(s);
	return w;
}

static yields int
asked(const char *domain)
{
	const struct site *s = site_of(domain);
	struct peer_policy_ask a = ask_for(domain, s);
	int rc;

	a.host = &s->hosts[0];
	demand = (struct tls_demand){ .level = TLS_LEVEL_MAY };
	rc = peer_policy_demand(&a, &arena, &demand, &why);
	site_drop(s);
	return rc;
}

static void
body_sites(void *arg)
{
	struct str one = word("one.test");

	(void)arg;
	assert_true(str_eq(word("bare.test"), STR("")));
	assert_true(str_eq(word("ee.test"), STR(" dane")));
	assert_true(str_eq(word("useless.test"), STR(" dane")));
	assert_true(str_eq(word("late.test"), STR(" dane")));
	assert_true(str_eq(word("ta.test"), STR(" dane for ta.test")));
	/* the same patterns, in whatever order */
	assert_true(str_has_prefix_icase(one, STR(" sts ")));
	assert_true(str_eq(word("two.test"), one));
	assert_false(str_eq(word("three.test"), one));
	assert_true(str_eq(word("testing.test"), STR("")));
	conf.outbound.dane = conf.outbound.mta_sts = ANSWER_NO;
	assert_true(str_eq(word("ta.test"), STR("")));
	assert_true(str_eq(word("one.test"), STR("")));
	conf.outbound.dane = conf.outbound.mta_sts = ANSWER_YES;
}

static void
body_demands(void *arg)
{
	(void)arg;
	assert_int_equal(asked("bare.test"), 0);
	assert_int_equal(demand.level, TLS_LEVEL_MAY);
	assert_int_equal(demand.asker, TLS_ASKED_BY_US);
	assert_int_equal(asked("ta.test"), 0);
	assert_int_equal(demand.level, TLS_LEVEL_DANE);
	assert_int_equal(demand.n_names, 2);	/* the host, and who is meant */
	assert_int_equal(asked("useless.test"), 0);
	assert_int_equal(demand.level, TLS_LEVEL_ENCRYPT);
	assert_int_equal(demand.known, TLS_RESULT_TLSA_INVALID);
	assert_int_equal(asked("late.test"), -1);
	assert_int_equal(why.disposition, DEFERRED);
	assert_int_equal(demand.known, TLS_RESULT_DNSSEC_INVALID);
	assert_int_equal(asked("one.test"), 0);
	assert_int_equal(demand.level, TLS_LEVEL_VERIFY);
	assert_int_equal(demand.asker, TLS_ASKED_BY_STS);
	assert_int_equal(asked("three.test"), -1);
	assert_int_equal(why.disposition, DEFERRED);
	assert_int_equal(asked("testing.test"), 0);
	assert_int_equal(demand.level, TLS_LEVEL_MAY);
	assert_true(demand.is_testing);
	assert_int_equal(demand.known, TLS_RESULT_VALIDATION_FAILURE);
}

static void
run(yields void (*body)(void *))
{
	sim_begin(1);
	sim_disk_mkdir("/spool");
	assert_int_equal(sim_zone(str_of(zone)), 0);
	sim_web(pages, sizeof pages / sizeof *pages);
	conf.spool.path = STR("/spool");
	policies = sts_open();
	sites = site_cache_open();
	arena_init(&arena, 4 * 1024 * 1024);
	on_core(body);
	arena_clear(&arena);
	site_cache_close(sites);
	sts_close(policies);
}

static void
test_sites(void **state)
{
	(void)state;
	run(body_sites);
}

static void
test_demands(void **state)
{
	(void)state;
	run(body_demands);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites), cmocka_unit_test(test_demands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
