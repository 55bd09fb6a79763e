#include "base/buf.h"
#include "fiber/test_core.h"

#include "deliver/site.h"
#include "fiber/world_sim.h"

#include <stdio.h>

#define ZONE \
	"$TTL 300\n" \
	"one.test. MX 10 mx.one.test.\n" \
	"mx.one.test. A 192.0.2.1\n" \
	"mx.one.test. AAAA 2001:db8::1\n" \
	"Mixed.TEST. MX 30 c.test.\n" \
	"mixed.test. MX 10 B.test.\n" \
	"mixed.test. MX 20 a.test.\n" \
	"a.test. A 192.0.2.10\n" \
	"b.test. A 192.0.2.11\n" \
	"b.test. A 192.0.2.12\n" \
	"c.test. A 192.0.2.13\n" \
	"same.test. MX 20 a.test.\n" \
	"same.test. MX 30 c.test.\n" \
	"same.test. MX 10 b.test.\n" \
	"other.test. MX 20 b.test.\n" \
	"other.test. MX 20 a.test.\n" \
	"null.test. MX 0 .\n" \
	"halfnull.test. MX 0 .\n" \
	"halfnull.test. MX 10 a.test.\n" \
	"implicit.test. A 192.0.2.20\n" \
	"nothing.test. TXT \"hello\"\n" \
	"us.test. MX 10 home.test.\n" \
	"backup.test. MX 5 b.test.\n" \
	"backup.test. MX 10 a.test.\n" \
	"backup.test. MX 10 HELO.home.test.\n" \
	"backup.test. MX 20 c.test.\n" \
	"home.test. A 192.0.2.99\n" \
	"helo.home.test. A 192.0.2.99\n" \
	"noaddress.test. MX 10 gone.test.\n" \
	"noaddress.test. MX 20 nothing.test.\n" \
	"deadhost.test. MX 10 servfail.test.\n" \
	"halfdead.test. MX 10 servfail.test.\n" \
	"halfdead.test. MX 20 a.test.\n" \
	"servfail.test. SERVFAIL\n" \
	"silent.test. TIMEOUT\n" \
	"alias.test. CNAME one.test.\n" \
	"short.test. 1 MX 10 a.test.\n" \
	"long.test. 864000 MX 10 far.test.\n" \
	"far.test. 864000 A 192.0.2.30\n" \
	"far.test. 864000 AAAA 2001:db8::30\n" \
	"safe.test. MX 10 host.safe.test.\n" \
	"host.safe.test. A 192.0.2.40\n" \
	"safe.test. SECURE\n" \
	"host.safe.test. SECURE\n" \
	"v6.test. AAAA 2001:db8::6\n"

static struct site_policy policy;
static struct site_cache *cache;

static yields const struct site *
find(const char *domain)
{
	const struct site *s = site_find(cache, str_of(domain), false, &policy,
	    in_ms(5000));

	assert_non_null(s);
	return s;
}

static yields const struct site *
find_relay(const char *host)
{
	const struct site *s = site_find(cache, str_of(host), true, &policy,
	    in_ms(5000));

	assert_non_null(s);
	return s;
}

/* "b.test 192.0.2.11 192.0.2.12, a.test ..." */
static const char *
hosts_of(const struct site *s)
{
	static char text[4096];
	struct buf b = { .p = text, .cap = sizeof text - 1 };

	for (size_t i = 0; i < s->n; i++) {
		buf_printf(&b, "%s" STR_FMT, i == 0 ? "" : ", ",
		    STR_ARG(s->hosts[i].name));
		for (size_t k = 0; k < s->hosts[i].n; k++) {
			const struct address *a = &s->hosts[i].addresses[k];

			assert_int_equal(a->port, policy.port);
			buf_printf(&b, " %s", address_print(a).text);
		}
	}
	text[b.n] = '\0';
	return text;
}

static yields void
expect(const char *domain, const char *key, const char *hosts)
{
	const struct site *s = find(domain);

	assert_int_equal(s->verdict.disposition, DELIVERED);
	assert_string_equal(hosts_of(s), hosts);
	assert_int_equal(s->key.n, strlen(key));
	assert_memory_equal(s->key.p, key, s->key.n);
	site_drop(s);
}

static yields void
expect_none(const char *domain, enum disposition d,
    const char *esc, const char *text)
{
	const struct site *s = find(domain);

	assert_int_equal(s->verdict.disposition, d);
	assert_int_equal(s->verdict.code, 0);	/* nobody replied */
	assert_string_equal(esc_print(s->verdict.esc).text, esc);
	if (strstr(s->verdict.text, text) == NULL)
		fail_msg("%s: %s", domain, s->verdict.text);
	assert_non_null(strstr(s->verdict.text, domain));
	assert_int_equal(s->n, 0);
	site_drop(s);
}

static void
world(uint64_t seed, yields void (*fn)(void *))
{
	sim_begin(seed);
	assert_int_equal(sim_zone(STR(ZONE)), 0);
	sim_dns_delay(20 * NS_PER_MS);
	policy = (struct site_policy){ .port = 25, .ipv4 = true, .ipv6 = true,
		.ipv6_first = true, .hostname = STR("home.test"),
		.ehlo = STR("helo.home.test") };
	cache = site_cache_open();
	assert_non_null(cache);
	on_core(fn);
	site_cache_close(cache);
}

/* ---- what is found ---- */

static yields void
found(void *arg)
{
	(void)arg;
	expect("one.test", "mx: 10 mx.one.test",
	    "mx.one.test 2001:db8::1 192.0.2.1");
	expect("ONE.Test", "mx: 10 mx.one.test",
	    "mx.one.test 2001:db8::1 192.0.2.1");
	expect("mixed.test", "mx: 10 b.test 20 a.test 30 c.test",
	    "b.test 192.0.2.11 192.0.2.12, a.test 192.0.2.10, "
	    "c.test 192.0.2.13");
	expect("same.test", "mx: 10 b.test 20 a.test 30 c.test",
	    "b.test 192.0.2.11 192.0.2.12, a.test 192.0.2.10, "
	    "c.test 192.0.2.13");
	expect("other.test", "mx: 20 a.test 20 b.test", "a.test 192.0.2.10, "
	    "b.test 192.0.2.11 192.0.2.12");
	/* no MX at all: the domain itself */
	expect("implicit.test", "a: implicit.test", "implicit.test 192.0.2.20");
	expect("v6.test", "a: v6.test", "v6.test 2001:db8::6");
	expect("alias.test", "mx: 10 mx.one.test",
	    "mx.one.test 2001:db8::1 192.0.2.1");
	/* one host in trouble does not hide the others */
	expect("halfdead.test", "mx: 10 servfail.test 20 a.test",
	    "servfail.test, a.test 192.0.2.10");
	/* a null MX beside others is only a host that nobody finds */
	expect("halfnull.test", "mx: 0  10 a.test", ", a.test 192.0.2.10");
	/* from our own preference on nobody is asked */
	expect("backup.test", "mx: 5 b.test 10 a.test 10 helo.home.test "
	    "20 c.test", "b.test 192.0.2.11 192.0.2.12");
}

static void
test_found(void **state)
{
	(void)state;
	world(1, found);
}

static yields void
literals(void *arg)
{
	uint64_t before = sim_verbs();
	const struct site *s;

	(void)arg;
	expect("[192.0.2.7]", "a: [192.0.2.7]", "[192.0.2.7] 192.0.2.7");
	expect("[IPv6:2001:DB8::7]", "a: [ipv6:2001:db8::7]",
	    "[ipv6:2001:db8::7] 2001:db8::7");
	s = find("[192.0.2.7]");
	assert_false(s->secure);
	site_drop(s);
	assert_int_equal(sim_verbs(), before);	/* nobody was asked */
	expect_none("[no.test]", FAILED, "5.1.2", "no such domain");
}

static void
test_literals(void **state)
{
	(void)state;
	world(1, literals);
}

static yields void
relays(void *arg)
{
	const struct site *s = find_relay("one.test");

	(void)arg;
	/* its addresses, not its MX; beside the domain of the same name */
	assert_int_equal(s->verdict.disposition, FAILED);
	site_drop(s);
	expect("one.test", "mx: 10 mx.one.test",
	    "mx.one.test 2001:db8::1 192.0.2.1");
	s = find_relay("[a.test]");
	assert_string_equal(hosts_of(s), "a.test 192.0.2.10");
	site_drop(s);
	s = find_relay("[192.0.2.7]");
	assert_string_equal(hosts_of(s), "[192.0.2.7] 192.0.2.7");
	site_drop(s);
	/* the port belongs to the question */
	policy.port = 587;
	s = find_relay("[a.test]");
	assert_string_equal(hosts_of(s), "a.test 192.0.2.10");
	site_drop(s);
}

static void
test_relays(void **state)
{
	(void)state;
	world(1, relays);
}

/* ---- what is not ---- */

static yields void
not_found(void *arg)
{
	(void)arg;
	expect_none("no.test", FAILED, "5.1.2", "no such domain");
	expect_none("null.test", FAILED, "5.1.10", "null MX");
	expect_none("nothing.test", FAILED, "5.1.2", "neither");
	expect_none("us.test", FAILED, "5.4.6", "this very server");
	expect_none("noaddress.test", DEFERRED, "4.4.4",
	    "no mail exchanger has an address");
	expect_none("servfail.test", DEFERRED, "4.4.3", "SERVFAIL");
	expect_none("deadhost.test", DEFERRED, "4.4.3",
	    "DNS for servfail.test: SERVFAIL");
}

static void
test_not_found(void **state)
{
	(void)state;
	world(1, not_found);
}

static yields void
silent(void *arg)
{
	struct mono before = clock_mono();

	(void)arg;
	expect_none("silent.test", DEFERRED, "4.4.3", "no answer in time");
	assert_int_equal(clock_mono().ns - before.ns, 5000 * NS_PER_MS);
}

static void
test_silent(void **state)
{
	(void)state;
	world(1, silent);
}

/* A name that no DNS can have is no domain; one beyond all bounds is refused,
 * never cut. */
static yields void
long_names(void *arg)
{
	const struct site *s;
	char name[301];

	(void)arg;
	memset(name, 'a', sizeof name);
	s = site_find(cache, (struct str){ name, 300 }, false, &policy,
	    in_ms(5000));
	assert_non_null(s);
	assert_int_equal(s->verdict.disposition, FAILED);
	site_drop(s);
	assert_null(site_find(cache, (struct str){ name, 301 }, false, &policy,
	    in_ms(5000)));
}

static void
test_long_names(void **state)
{
	(void)state;
	world(1, long_names);
}

/* A domain with very many exchangers: the best of them are kept. */
static yields void
many(void *arg)
{
	const struct site *s = find("many.test");

	(void)arg;
	assert_int_equal(s->verdict.disposition, DELIVERED);
	assert_int_equal(s->n, SITE_HOSTS);
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(s->hosts[i].preference, i);
	site_drop(s);
}

static void
test_many(void **state)
{
	static char zone[64 * 1024];
	struct buf b = BUF_OF(zone);

	(void)state;
	for (int i = 39; i >= 0; i--)
		buf_printf(&b, "many.test. MX %d h%d.many.test.\n"
		    "h%d.many.test. A 192.0.2.%d\n", i, i, i, i);
	sim_begin(1);
	assert_int_equal(sim_zone(buf_str(&b)), 0);
	policy = (struct site_policy){ .port = 25, .ipv4 = true };
	cache = site_cache_open();
	on_core(many);
	site_cache_close(cache);
}

static yields void
secure(void *arg)
{
	const struct site *s = find("safe.test");

	(void)arg;
	assert_true(s->secure);
	site_drop(s);
	s = find("one.test");
	assert_false(s->secure);
	site_drop(s);
}

static void
test_secure(void **state)
{
	(void)state;
	world(1, secure);
}

/* ---- the cache ---- */

static struct mono woken[3];
static const struct site *got[3];

static yields void
asker(void *arg)
{
	size_t i = *(size_t *)arg;

	got[i] = find("mixed.test");
	woken[i] = clock_mono();
}

static yields void
askers(void *arg)
{
	static size_t numbers[3] = { 0, 1, 2 };
	uint64_t before;
	const struct site *s;

	(void)arg;
	before = sim_verbs();
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fiber_go("asker", asker, &numbers[i]), 0);
		fiber_sleep(in_ms(3));
	}
	fiber_sleep(in_ms(1000));
	/* one MX, and A and AAAA of three hosts */
	assert_int_equal(sim_verbs() - before, 7);
	assert_ptr_equal(got[0], got[1]);
	assert_ptr_equal(got[0], got[2]);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(woken[i].ns / NS_PER_MS,
		    woken[0].ns / NS_PER_MS);
		assert_string_equal(hosts_of(got[i]), "b.test 192.0.2.11 "
		    "192.0.2.12, a.test 192.0.2.10, c.test 192.0.2.13");
	}
	/* forgotten with three holds out: they may be read till the end */
	site_cache_forget(cache);
	s = find("mixed.test");
	assert_ptr_not_equal(s, got[0]);
	assert_int_equal(sim_verbs() - before, 14);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(got[i]->n, 3);
		site_drop(got[i]);
	}
	site_drop(s);
}

static void
test_askers(void **state)
{
	(void)state;
	world(1, askers);
}

/* Forgotten while it is being asked for: who waits gets it, nobody after. */
static yields void
forget_early(void *arg)
{
	static size_t numbers[2] = { 0, 1 };
	const struct site *s;

	(void)arg;
	assert_int_equal(fiber_go("asker", asker, &numbers[0]), 0);
	assert_int_equal(fiber_go("asker", asker, &numbers[1]), 0);
	fiber_sleep(in_ms(5));
	site_cache_forget(cache);
	s = find("mixed.test");
	fiber_sleep(in_ms(1000));
	assert_ptr_equal(got[0], got[1]);
	assert_ptr_not_equal(got[0], s);
	assert_int_equal(got[0]->n, 3);
	site_drop(got[0]);
	site_drop(got[1]);
	site_drop(s);
}

static void
test_forget_early(void **state)
{
	(void)state;
	world(1, forget_early);
}

/* How long an answer is kept, in seconds. */
static yields int64_t
kept_for(const char *domain)
{
	const struct site *s = find(domain);
	int64_t ns = s->fresh_until.ns - clock_mono().ns;

	site_drop(s);
	return (ns + NS_PER_SECOND / 2) / NS_PER_SECOND;
}

static yields void
ages(void *arg)
{
	uint64_t before;

	(void)arg;
	assert_int_equal(kept_for("one.test"), 300);
	assert_int_equal(kept_for("short.test"), 30);
	assert_int_equal(kept_for("long.test"), 3600);
	assert_int_equal(kept_for("servfail.test"), 30);
	assert_int_equal(kept_for("noaddress.test"), 30);
	assert_int_equal(kept_for("[192.0.2.7]"), 3600);

	before = sim_verbs();
	fiber_sleep(in_ms(299000));
	site_drop(find("one.test"));
	assert_int_equal(sim_verbs(), before);
	fiber_sleep(in_ms(2000));
	site_drop(find("one.test"));
	assert_int_equal(sim_verbs(), before + 3);
}

static void
test_ages(void **state)
{
	(void)state;
	world(1, ages);
}

/* The oldest answer makes room, even one that is held. */
static yields void
crowd(void *arg)
{
	const struct site *first = find("one.test");
	uint64_t before;
	char name[32];

	(void)arg;
	for (int i = 0; i < SITES_KEPT - 1; i++) {
		snprintf(name, sizeof name, "[10.1.%d.%d]", i / 256, i % 256);
		site_drop(find(name));
	}
	before = sim_verbs();
	site_drop(find("one.test"));
	assert_int_equal(sim_verbs(), before);
	site_drop(find("[10.2.0.0]"));
	assert_int_equal(first->n, 1);
	site_drop(first);
	site_drop(find("one.test"));
	assert_int_equal(sim_verbs(), before + 3);
}

static void
test_crowd(void **state)
{
	(void)state;
	world(1, crowd);
}

/* ---- the order of trial ---- */

static yields void
order_once(const char *domain, char *text, size_t room)
{
	const struct site *s = find(domain);
	struct site_try tries[SITE_ADDRESSES];
	size_t n = site_order(s, &policy, tries);
	struct buf b = { .p = text, .cap = room - 1 };

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : " ",
		    address_print(tries[i].address).text);
	text[b.n] = '\0';
	site_drop(s);
}

static yields void
order(void *arg)
{
	char text[256];
	int a_first = 0;

	(void)arg;
	order_once("mixed.test", text, sizeof text);
	assert_string_equal(text, "192.0.2.11 192.0.2.12 192.0.2.10 "
	    "192.0.2.13");
	for (int i = 0; i < 200; i++) {
		order_once("other.test", text, sizeof text);
		if (strcmp(text, "192.0.2.10 192.0.2.11 192.0.2.12") == 0)
			a_first++;
		else
			assert_string_equal(text,
			    "192.0.2.11 192.0.2.12 192.0.2.10");
	}
	assert_in_range(a_first, 60, 140);
}

static void
test_order(void **state)
{
	(void)state;
	world(7, order);
}

static yields void
families(void *arg)
{
	char text[256];

	(void)arg;
	order_once("one.test", text, sizeof text);
	assert_string_equal(text, "2001:db8::1 192.0.2.1");
	policy.ipv6 = false;
	order_once("one.test", text, sizeof text);
	assert_string_equal(text, "192.0.2.1");
	order_once("v6.test", text, sizeof text);
	assert_string_equal(text, "");
	policy.ipv6 = true;
	policy.ipv4 = false;
	order_once("one.test", text, sizeof text);
	assert_string_equal(text, "2001:db8::1");
	policy.ipv4 = true;
	policy.ipv6_first = false;
	site_cache_forget(cache);
	order_once("one.test", text, sizeof text);
	assert_string_equal(text, "192.0.2.1 2001:db8::1");
}

static void
test_families(void **state)
{
	(void)state;
	world(1, families);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_relays),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_secure),
		cmocka_unit_test(test_askers),
		cmocka_unit_test(test_forget_early),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
