#include "base/arena.h"
#include "fiber/test_core.h"

#include "deliver/tlsa.h"
#include "fiber/world_sim.h"

#define SHA "1111111122222222333333334444444455555555666666667777777788888888"

/* SECURE stands at each name, for wildcards have no words. */
#define ZONE \
	"$TTL 300\n" \
	"a.test. MX 10 mx.a.test.\na.test. SECURE\n" \
	"mx.a.test. A 192.0.2.1\nmx.a.test. SECURE\n" \
	"_25._tcp.mx.a.test. TLSA 3 1 1 " SHA "\n" \
	"_25._tcp.mx.a.test. TLSA 2 0 1 " SHA "\n" \
	"_25._tcp.mx.a.test. SECURE\n" \
	"_2525._tcp.mx.a.test. TLSA 0 0 1 " SHA "\n" \
	"_2525._tcp.mx.a.test. TLSA 3 1 1 abcd\n" \
	"_2525._tcp.mx.a.test. SECURE\n" \
	"_26._tcp.mx.a.test. SERVFAIL\n" \
	"_27._tcp.mx.a.test. TLSA 3 1 1 " SHA "\n" \
	"open.test. MX 10 mx.a.test.\n" \
	"half.test. MX 10 mx.half.test.\nhalf.test. SECURE\n" \
	"mx.half.test. A 192.0.2.2\n" \
	"_25._tcp.mx.half.test. SERVFAIL\n" \
	"alias.test. MX 10 mx.alias.test.\nalias.test. SECURE\n" \
	"mx.alias.test. CNAME mx.a.test.\nmx.alias.test. SECURE\n" \
	"own.test. MX 10 mx.own.test.\nown.test. SECURE\n" \
	"mx.own.test. CNAME host.own.test.\nmx.own.test. SECURE\n" \
	"host.own.test. A 192.0.2.3\nhost.own.test. SECURE\n" \
	"_25._tcp.mx.own.test. TLSA 3 1 1 " SHA "\n" \
	"_25._tcp.mx.own.test. SECURE\n" \
	"out.test. MX 10 mx.out.test.\nout.test. SECURE\n" \
	"mx.out.test. CNAME mx.half.test.\nmx.out.test. SECURE\n" \
	"_25._tcp.mx.out.test. TLSA 3 1 1 " SHA "\n" \
	"_25._tcp.mx.out.test. SECURE\n" \
	"none.test. MX 10 mx.none.test.\nnone.test. SECURE\n" \
	"mx.none.test. A 192.0.2.4\nmx.none.test. SECURE\n"

static struct arena arena;
static struct site_cache *cache;

static yields struct tlsa_answer
found(const char *domain, bool is_relay_host, uint16_t port)
{
	struct site_policy policy = { .port = port, .ipv4 = true };
	struct tlsa_answer a;
	const struct site *s = site_find(cache, str_of(domain), is_relay_host,
	    &policy, in_ms(60000));

	assert_non_null(s);
	assert_int_equal(s->verdict.disposition, DELIVERED);
	tlsa_find(s, &s->hosts[0], port, &arena, in_ms(60000), &a);
	a.base = arena_copy(&arena, a.base);
	site_drop(s);
	return a;
}

static void
body(void *arg)
{
	struct tlsa_answer a;

	(void)arg;
	cache = site_cache_open();
	a = found("a.test", false, 25);
	assert_int_equal(a.status, TLSA_FOUND);
	assert_int_equal(a.n, 2);
	assert_true(str_eq(a.base, STR("mx.a.test")));
	assert_true(str_eq(a.text, STR("3 1 1 " SHA "\n2 0 1 " SHA)));
	/* a relay's name we have from the operator */
	assert_int_equal(found("mx.a.test", true, 25).status, TLSA_FOUND);
	a = found("mx.a.test", true, 2525);
	assert_int_equal(a.status, TLSA_USELESS);
	assert_true(str_eq(a.text, STR("0 0 1 " SHA "\n3 1 1 abcd")));
	assert_int_equal(found("mx.a.test", true, 26).status, TLSA_TROUBLE);
	/* not signed: as if it were not there */
	assert_int_equal(found("mx.a.test", true, 27).status, TLSA_ABSENT);
	assert_int_equal(found("open.test", false, 25).status, TLSA_ABSENT);
	/* RFC 7672 2.2.2: where addresses are not signed nobody asks */
	assert_int_equal(found("half.test", false, 25).status, TLSA_ABSENT);
	assert_int_equal(found("none.test", false, 25).status, TLSA_ABSENT);
	assert_int_equal(found("[192.0.2.1]", true, 25).status, TLSA_ABSENT);
	/* CNAMEs: what they lead to first, then the host's own name */
	a = found("alias.test", false, 25);
	assert_int_equal(a.status, TLSA_FOUND);
	assert_true(str_eq(a.base, STR("mx.a.test")));
	a = found("own.test", false, 25);
	assert_int_equal(a.status, TLSA_FOUND);
	assert_true(str_eq(a.base, STR("mx.own.test")));
	a = found("out.test", false, 25);
	assert_int_equal(a.status, TLSA_FOUND);
	assert_true(str_eq(a.base, STR("mx.out.test")));
	site_cache_close(cache);
}

static void
test_find(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(ZONE)), 0);
	arena_init(&arena, 4 * 1024 * 1024);
	on_core(body);
	arena_clear(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
