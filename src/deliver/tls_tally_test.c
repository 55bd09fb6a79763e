#include "deliver/tls_tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct hash_key key = { 1, 2 };
static struct tls_tally tally;
static struct arena arena;

static int
begin(void **state)
{
	(void)state;
	tls_tally_init(&tally, key, 1 << 20);
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	tls_tally_clear(&tally);
	arena_clear(&arena);
	return 0;
}

static void
take(const char *domain, const char *policy, const char *text,
    const char *result, const char *relay)
{
	struct event e = event_make(EVENT_tls_session, (struct wall){ 1 }, 0);

	event_str(&e, FIELD_relay, str_of(relay));
	event_str(&e, FIELD_domain, str_of(domain));
	event_str(&e, FIELD_policy, str_of(policy));
	if (text != NULL)
		event_str(&e, FIELD_policy_text, str_of(text));
	if (result != NULL) {
		event_str(&e, FIELD_result, str_of(result));
		event_str(&e, FIELD_local, STR("192.0.2.99"));
		event_str(&e, FIELD_text, STR("why"));
	}
	tls_tally_take(&tally, &e);
}

static const char sts[] = "version: STSv1\nmode: enforce\nmx: *.b.example\n"
    "mx: mx.c.example\nmax_age: 86400\n";

static void
sessions_are_counted_by_policy(void **state)
{
	struct tls_tally_domain *d;
	struct tls_rpt_policy p;

	(void)state;
	take("b.example", "sts", sts, NULL, "mx.b.example[192.0.2.1]:25");
	take("b.example", "sts", sts, NULL, "mx.b.example[192.0.2.1]:25");
	take("b.example", "sts", sts, "certificate-expired",
	    "mx.b.example[2001:db8::1]:25");
	take("b.example", "sts", sts, "certificate-expired",
	    "mx.b.example[2001:db8::1]:25");
	take("b.example", "sts", sts, "certificate-expired",
	    "mx2.b.example[2001:db8::2]:25");
	take("b.example", "no-policy-found", NULL, NULL,
	    "mx.b.example[192.0.2.1]:25");
	d = tls_tally_find(&tally, STR("b.example"));
	assert_non_null(d);
	assert_int_equal(d->sessions, 6);
	assert_int_equal(d->n, 2);
	assert_true(tls_tally_policy(d, d->policies, &arena, &p));
	assert_int_equal(p.type, TLS_RPT_NO_POLICY);
	assert_int_equal(p.n_good, 1);
	assert_int_equal(p.n_strings, 0);
	assert_true(tls_tally_policy(d, d->policies->next, &arena, &p));
	assert_int_equal(p.type, TLS_RPT_STS);
	assert_int_equal(p.n_good, 2);
	assert_int_equal(p.n_failed, 3);
	assert_int_equal(p.n_strings, 5);
	assert_int_equal(p.n_mx_hosts, 2);
	assert_true(str_eq(p.mx_hosts[0], STR("*.b.example")));
	assert_int_equal(d->policies->next->n, 2);
	assert_true(str_eq(d->policies->next->failures->is.mx_host,
	    STR("mx2.b.example")));
	assert_int_equal(d->policies->next->failures->next->is.count, 2);
	assert_true(str_eq(d->policies->next->failures->next->is.mx_ip,
	    STR("2001:db8::1")));
}

static void
there_is_an_end_of_rows(void **state)
{
	struct tls_tally_domain *d, **list;
	char relay[64];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < TLS_TALLY_FAILURES + 1; i++) {
		snprintf(relay, sizeof relay, "mx%u.b.example[192.0.2.1]:25",
		    i);
		take("b.example", "tlsa", "3 1 1 00", "tlsa-invalid", relay);
	}
	take("c.example", "no-policy-found", NULL, NULL, relay);
	list = tls_tally_domains(&tally, &arena, &n);
	assert_int_equal(n, 2);
	d = list[0];
	assert_int_equal(d->policies->n, TLS_TALLY_FAILURES);
	assert_int_equal(d->policies->failed, TLS_TALLY_FAILURES + 1);
	for (unsigned i = 0; i < TLS_TALLY_POLICIES + 1; i++) {
		snprintf(relay, sizeof relay, "3 1 1 %02u", i);
		take("c.example", "tlsa", relay, NULL, "mx[::1]:25");
	}
	assert_int_equal(list[1]->n, TLS_TALLY_POLICIES);
	assert_int_equal(list[1]->sessions, TLS_TALLY_POLICIES + 2);
}

static void
there_is_an_end_of_domains(void **state)
{
	struct tls_tally_domain **list;
	uint64_t sum = 0;
	char name[64];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "d%u.example", i);
		take(name, "no-policy-found", NULL, NULL, "mx[::1]:25");
	}
	assert_true(tally.lost > 0);
	list = tls_tally_domains(&tally, &arena, &n);
	for (size_t i = 0; i < n; i++)
		sum += list[i]->sessions;
	assert_int_equal(sum + tally.lost, 20000);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(sessions_are_counted_by_policy),
		CASE(there_is_an_end_of_rows),
		CASE(there_is_an_end_of_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
