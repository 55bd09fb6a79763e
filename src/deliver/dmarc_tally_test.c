#include "deliver/dmarc_tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct hash_key key = { 1, 2 };
static struct dmarc_tally tally;
static struct arena arena;

static int
begin(void **state)
{
	(void)state;
	dmarc_tally_init(&tally, key, DMARC_TALLY_LEAST);
	arena_init(&arena, 8 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	dmarc_tally_clear(&tally);
	arena_clear(&arena);
	return 0;
}

struct seen {
	const char *client, *sender, *author, *results, *disposition;
	const char *override, *text, *domain, *record, *aligned;
};

static const struct seen usual = {
	.client = "192.0.2.1", .sender = "bob@a.example", .author = "a.example",
	.results = "iprev=pass policy.iprev=192.0.2.1; "
	    "spf=fail smtp.mailfrom=bob@a.example; "
	    "dkim=fail header.d=other.example header.s=k1; "
	    "dkim=pass header.d=list.example header.s=k2 header.b=abc; "
	    "dkim=pass header.d=a.example header.s=K3; "
	    "dmarc=pass header.from=a.example",
	.disposition = "none", .domain = "a.example",
	.record = "v=DMARC1; p=reject; rua=mailto:r@a.example",
	.aligned = "dkim",
};

static void
put(struct event *e, enum event_field f, const char *s)
{
	if (s != NULL)
		event_str(e, f, str_of(s));
}

static void
take(const struct seen *s)
{
	struct event e = event_make(EVENT_checked, (struct wall){ 1 }, 7);

	put(&e, FIELD_client, s->client);
	put(&e, FIELD_sender, s->sender);
	put(&e, FIELD_author, s->author);
	put(&e, FIELD_results, s->results);
	put(&e, FIELD_disposition, s->disposition);
	put(&e, FIELD_override, s->override);
	put(&e, FIELD_text, s->text);
	put(&e, FIELD_domain, s->domain);
	put(&e, FIELD_policy, "reject");
	put(&e, FIELD_policy_text, s->record);
	put(&e, FIELD_aligned, s->aligned);
	assert_int_equal(dmarc_tally_take(&tally, &e), 0);
}

static struct dmarc_report_record
only_record(const char *domain)
{
	struct tally_domain *d = dmarc_tally_find(&tally, str_of(domain));
	struct dmarc_report_record r;

	assert_non_null(d);
	assert_int_equal(d->n_rows, 1);
	assert_true(dmarc_tally_record(d->rows, &arena, &r));
	return r;
}

static void
same(struct str s, const char *text)
{
	assert_true(str_eq(s, str_of(text)));
}

static void
what_is_alike_is_one_row(void **state)
{
	struct dmarc_report_record r;
	struct seen s = usual;

	(void)state;
	take(&usual);
	s.sender = "carol@A.example";
	take(&s);
	r = only_record("a.example");
	assert_int_equal(r.count, 2);
	same(r.source_ip, "192.0.2.1");
	assert_int_equal(r.disposition, REPORT_pass);
	assert_int_equal(r.dkim_aligned, REPORT_pass);
	assert_int_equal(r.spf_aligned, REPORT_fail);
	assert_int_equal(r.n_reasons, 0);
	same(r.header_from, "a.example");
	same(r.envelope_from, "a.example");
	assert_int_equal(r.envelope_to.n, 0);
	assert_int_equal(r.n_dkim, 3);
	same(r.dkim[0].domain, "a.example");
	same(r.dkim[0].selector, "k3");
	assert_int_equal(r.dkim[0].result, REPORT_pass);
	same(r.dkim[1].domain, "list.example");
	assert_int_equal(r.dkim[2].result, REPORT_fail);
	same(r.spf->domain, "a.example");
	assert_int_equal(r.spf->result, REPORT_fail);
	assert_int_equal(r.spf->scope, REPORT_mfrom);
}

static void
each_difference_is_a_row(void **state)
{
	struct seen s[6] = { usual, usual, usual, usual, usual, usual };

	(void)state;
	s[1].client = "2001:db8::1";
	s[2].sender = "";
	s[3].author = "sub.a.example";
	s[4].disposition = "quarantine";
	s[5].aligned = "dkim spf";
	for (size_t i = 0; i < 6; i++)
		take(&s[i]);
	assert_int_equal(dmarc_tally_find(&tally, STR("a.example"))->n_rows, 6);
	assert_int_equal(dmarc_tally_find(&tally,
	    STR("a.example"))->messages, 6);
}

static void
a_null_sender_is_helo(void **state)
{
	struct seen s = usual;
	struct dmarc_report_record r;

	(void)state;
	s.sender = "";
	s.results = "spf=pass smtp.helo=mx.a.example; dmarc=pass";
	s.aligned = "spf";
	take(&s);
	r = only_record("a.example");
	assert_non_null(r.envelope_from.p);
	assert_int_equal(r.envelope_from.n, 0);
	same(r.spf->domain, "mx.a.example");
	assert_int_equal(r.spf->result, REPORT_pass);
	assert_int_equal(r.n_dkim, 0);
}

static void
reasons_are_told(void **state)
{
	struct seen s = usual;
	struct dmarc_report_record r;

	(void)state;
	s.results = "dmarc=fail header.from=a.example";
	s.override = "mailing_list";
	s.text = "List-Id is there";
	s.aligned = NULL;
	take(&s);
	r = only_record("a.example");
	assert_int_equal(r.disposition, REPORT_none);
	assert_int_equal(r.n_reasons, 1);
	assert_int_equal(r.reasons[0].type, REPORT_mailing_list);
	same(r.reasons[0].comment, "List-Id is there");
	assert_null(r.spf);
}

/* RFC 9990 3.1.1.9 */
static void
another_disposition_has_a_reason_always(void **state)
{
	struct seen s = usual;
	struct dmarc_report_record r;

	(void)state;
	s.results = "dmarc=fail header.from=a.example";
	s.disposition = "quarantine";
	take(&s);
	r = only_record("a.example");
	assert_int_equal(r.disposition, REPORT_quarantine);
	assert_int_equal(r.reasons[0].type, REPORT_local_policy);
}

static void
who_does_not_ask_is_not_counted(void **state)
{
	struct seen s[5] = { usual, usual, usual, usual, usual };
	size_t n;

	(void)state;
	s[0].record = "v=DMARC1; p=reject";
	s[1].domain = NULL;
	s[2].results = "dmarc=temperror header.from=a.example";
	s[3].author = NULL;
	s[4].record = "v=spf1 -all";
	for (size_t i = 0; i < 5; i++)
		take(&s[i]);
	assert_null(dmarc_tally_domains(&tally, &arena, &n));
	assert_int_equal(n, 0);
}

static void
the_last_record_counts(void **state)
{
	struct seen s = usual;
	struct tally_domain *d;

	(void)state;
	take(&s);
	s.record = "v=DMARC1; p=none; rua=mailto:longer-than-that@a.example";
	take(&s);
	d = dmarc_tally_find(&tally, STR("a.example"));
	same(d->record, s.record);
	s.record = "v=DMARC1; rua=mailto:s@a.example";
	for (int i = 0; i < 100000; i++) {
		take(&s);
		take(&usual);
	}
	assert_false(tally.has_lost_domains);
	assert_int_equal(d->lost, 0);
}

/* A million sources: what is seen often stays, and what went is told. */
static void
memory_has_an_end(void **state)
{
	enum { SOURCES = 20000, OFTEN = 50 };
	struct seen s = usual;
	struct tally_domain *d, **list;
	struct tally_row **rows;
	struct dmarc_report_record r;
	uint64_t in_rows = 0;
	char ip[32];
	size_t n;

	(void)state;
	s.client = ip;
	for (unsigned i = 0; i < SOURCES; i++) {
		snprintf(ip, sizeof ip, "198.51.%u.%u", i / 256, i % 256);
		take(&s);
		if (i % (SOURCES / OFTEN) == 0)
			take(&usual);
	}
	assert_true(tally.arenas[0].used + tally.arenas[1].used <=
	    DMARC_TALLY_LEAST);
	list = dmarc_tally_domains(&tally, &arena, &n);
	assert_int_equal(n, 1);
	d = list[0];
	assert_int_equal(d->messages, SOURCES + OFTEN);
	assert_true(d->lost > 0);
	rows = dmarc_tally_rows(d, &arena);
	assert_true(dmarc_tally_record(rows[0], &arena, &r));
	same(r.source_ip, "192.0.2.1");
	assert_int_equal(r.count, OFTEN);
	for (size_t i = 0; i < d->n_rows; i++)
		in_rows += rows[i]->count;
	assert_int_equal(in_rows + d->lost, d->messages);
	assert_true(dmarc_tally_error(d, &arena).n > 0);
}

/* As many domains as there are messages: the one with many stays. */
static void
domains_go_too(void **state)
{
	struct seen s = usual;
	struct tally_domain **list;
	uint64_t in_domains = 0;
	char name[32];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "d%u.example", i);
		s.domain = s.author = name;
		take(&s);
		if (i % 100 == 0)
			take(&usual);
	}
	list = dmarc_tally_domains(&tally, &arena, &n);
	assert_true(n > 100 && n < 20000);
	same(list[0]->name, "a.example");
	assert_int_equal(list[0]->messages, 200);
	assert_int_equal(dmarc_tally_error(list[0], &arena).n, 0);
	assert_true(tally.has_lost_domains);
	assert_true(dmarc_tally_error(dmarc_tally_find(&tally,
	    str_of(name)), &arena).n > 0);
	for (size_t i = 0; i < n; i++)
		in_domains += list[i]->messages;
	assert_int_equal(in_domains + tally.lost, 20200);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(what_is_alike_is_one_row),
		CASE(each_difference_is_a_row),
		CASE(a_null_sender_is_helo),
		CASE(reasons_are_told),
		CASE(another_disposition_has_a_reason_always),
		CASE(who_does_not_ask_is_not_counted),
		CASE(the_last_record_counts),
		CASE(memory_has_an_end),
		CASE(domains_go_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
