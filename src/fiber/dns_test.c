#include "base/err.h"
#include "fiber/test_core.h"

#include "base/must.h"
#include "fiber/dns.h"
#include "fiber/world_sim.h"

#include <errno.h>

#define ZONE \
	"$TTL 300\n" \
	"example.test. MX 10 mx.example.test.\n" \
	"mx.example.test. A 192.0.2.1\n" \
	"mx.example.test. SECURE\n" \
	"dead.test. TIMEOUT\n" \
	"bad.test. SERVFAIL\n"

/* The answer's status, and how long it took. */
static yields enum dns_status
ask(const char *name, enum dns_type type, int64_t ms, int64_t *took_ms)
{
	struct mono before = clock_mono();
	struct dns_answer got;
	struct arena a;

	arena_init(&a, 1 << 16);
	err_clear();
	dns_ask(str_of(name), type, &a, in_ms(ms), &got);
	*took_ms = (clock_mono().ns - before.ns) / NS_PER_MS;
	assert_int_equal(got.status == DNS_FOUND, got.n > 0);
	assert_true(got.status != DNS_TROUBLE || err_text()[0] != '\0');
	arena_clear(&a);
	return got.status;
}

static yields void
ask_world(void *arg)
{
	int64_t ms;

	(void)arg;
	assert_int_equal(ask("example.test", DNS_MX, 1000, &ms), DNS_FOUND);
	assert_true(ms >= 50 && ms <= 101);
	assert_int_equal(ask("Example.TEST.", DNS_A, 1000, &ms), DNS_NO_DATA);
	assert_int_equal(ask("no.test", DNS_A, 1000, &ms), DNS_NO_NAME);
	assert_int_equal(ask("bad.test", DNS_A, 1000, &ms), DNS_TROUBLE);
	assert_non_null(strstr(err_text(), "DNS for bad.test: SERVFAIL"));
	assert_int_equal(ask("dead.test", DNS_A, 1000, &ms), DNS_TROUBLE);
	assert_non_null(strstr(err_text(), "no answer in time"));
	assert_int_equal(ms, 1000);
	assert_int_equal(ask("example.test", DNS_MX, 10, &ms), DNS_TROUBLE);
	assert_int_equal(ms, 10);
	/* nobody can have these names: no question is asked */
	assert_int_equal(ask("a..b", DNS_A, 1000, &ms), DNS_NO_NAME);
	assert_int_equal(ask("a\tb", DNS_A, 1000, &ms), DNS_NO_NAME);
	assert_int_equal(ask("a\\046b", DNS_A, 1000, &ms), DNS_NO_NAME);
	assert_int_equal(ms, 0);
}

static void
test_world(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(ZONE)), 0);
	sim_dns_delay(50 * NS_PER_MS);
	on_core(ask_world);
}

static yields void
ask_faulty(void *arg)
{
	int64_t ms;

	(void)arg;
	assert_int_equal(ask("mx.example.test", DNS_A, 1000, &ms), DNS_FOUND);
	assert_int_equal(ask("mx.example.test", DNS_A, 1000, &ms), DNS_TROUBLE);
	assert_int_equal(ask("mx.example.test", DNS_A, 1000, &ms), DNS_FOUND);
}

static void
test_fault(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(ZONE)), 0);
	sim_fault_nth(SIM_dns, 2, 1, EIO);
	on_core(ask_faulty);
}

static unsigned n_done;

static yields void
ask_often(void *arg)
{
	int64_t ms;

	for (int i = 0; i < 50; i++) {
		enum dns_status s = ask("mx.example.test", DNS_A, 5000, &ms);

		/* either the world's or the configured zone's answer */
		must(s == DNS_FOUND || s == DNS_NO_NAME);
		fiber_sleep(in_ms(3));
	}
	n_done++;
	(void)arg;
}

static yields void
reload_often(void *arg)
{
	struct dns_config zone = { .zone = STR("other.test A 192.0.2.9\n") };
	struct dns_config none = { 0 };

	(void)arg;
	if (core_index() != 0)
		return;
	for (int i = 0; i < 40; i++) {
		must(dns_configure(i % 2 == 0 ? &zone : &none) == 0);
		fiber_sleep(in_ms(7));
	}
}

static yields void
reload_start(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		must(fiber_go("ask", ask_often, NULL) == 0);
	must(fiber_go("reload", reload_often, NULL) == 0);
}

/* Questions under way keep what they were asked of. */
static void
test_reload(void **state)
{
	(void)state;
	sim_begin(3);
	assert_int_equal(sim_zone(STR(ZONE)), 0);
	n_done = 0;
	assert_int_equal(core_run_all(3, reload_start, NULL), 0);
	assert_int_equal(n_done, 9);
}

static yields void
ask_configured(void *arg)
{
	struct dns_config c = { .zone = STR(ZONE "x.test. MX ten y\n") };
	int64_t ms;

	(void)arg;
	assert_int_equal(dns_configure(&c), -1);
	assert_string_equal(err_text(), "line 7: not a preference: ten");
	c.zone = STR(ZONE);
	assert_int_equal(dns_configure(&c), 0);
	assert_int_equal(ask("example.test", DNS_MX, 1000, &ms), DNS_FOUND);
	assert_int_equal(ms, 0);
	assert_int_equal(ask("no.test", DNS_A, 1000, &ms), DNS_NO_NAME);
	assert_int_equal(ask("bad.test", DNS_A, 1000, &ms), DNS_TROUBLE);
	assert_int_equal(ask("dead.test", DNS_A, 1000, &ms), DNS_TROUBLE);
	assert_int_equal(ms, 1000);
	c.zone = STR_NONE;
	assert_int_equal(dns_configure(&c), 0);
}

static void
test_configured(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(ask_configured);
}

static yields void
ask_nobody(void *arg)
{
	int64_t ms;

	(void)arg;
	assert_int_equal(ask("example.test", DNS_A, 1000, &ms), DNS_TROUBLE);
}

/* Without a script there is no DNS: trouble, not absence. */
static void
test_nobody(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(ask_nobody);
}

static void
test_reverse(void **state)
{
	struct address a;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096);
	assert_true(address_parse(STR("192.0.2.10"), 25, &a));
	assert_true(str_eq(dns_reverse_name(&a, &arena),
	    STR("10.2.0.192.in-addr.arpa")));
	assert_true(address_parse(STR("2001:db8::567:89ab"), 25, &a));
	/* RFC 3596 2.5 */
	assert_true(str_eq(dns_reverse_name(&a, &arena),
	    STR("b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "8.b.d.0.1.0.0.2.ip6.arpa")));
	a.family = ADDRESS_UNIX;
	assert_null(dns_reverse_name(&a, &arena).p);
	arena_clear(&arena);
}

static void
test_names(void **state)
{
	char name[260];

	(void)state;
	assert_true(dns_name_fits(STR("")));
	assert_true(dns_name_fits(STR("_dmarc.example.test")));
	assert_false(dns_name_fits(STR(".")));
	assert_false(dns_name_fits(STR("a.")));
	assert_false(dns_name_fits(STR(".a")));
	assert_false(dns_name_fits(STR("a\x7f")));
	assert_false(dns_name_fits(STR("\xc3\xa4.test")));
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 10 == 9 ? '.' : 'x';
	assert_true(dns_name_fits((struct str){ name, 253 }));
	assert_false(dns_name_fits((struct str){ name, 254 }));
	memset(name, 'x', 64);
	assert_true(dns_name_fits((struct str){ name, 63 }));
	assert_false(dns_name_fits((struct str){ name, 64 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_world),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_configured),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
