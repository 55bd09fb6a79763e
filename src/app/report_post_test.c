/* report_post_test.c -- days, crashes and domains of all kinds, in memory. */
#include "app/test_node.h"
#include "app/report_day.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/fetch_job.h"
#include "fiber/world_sim.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CONFIG_MEMORY = 1 << 24, MAILS_MOST = 64, DAYS = 3,
	SOURCES = 40 };

/* What all lives of a world know. */
struct ledger {
	bool is_told;			/* the events of the first day */
	int64_t first_day;
	size_t n;
	struct { char id[64], message_id[80]; } mails[MAILS_MOST];
	unsigned troubles;
	size_t n_events;
	char events[64][200];		/* of report_sent */
	unsigned posted;		/* to the web */
	unsigned web_status;		/* that it answers */
};

static struct node node;
static struct ledger *ledger;
static const char usual[] = "{ dmarc: { send: unsigned }, "
    "tls: { send: unsigned } }";
static const char *reports = usual;
static int64_t lasts;			/* seconds that a life has */

static const char zone[] =
    "$ORIGIN test.\n"
    "mx.home A 192.0.2.1\n"
    "home MX 10 mx.home\n"
    /* wants reports, at an address elsewhere that agrees */
    "_dmarc.a TXT \"v=DMARC1; p=reject; rua=mailto:u@home.test\"\n"
    "a A 192.0.2.9\n"
    "a.test._report._dmarc.home TXT \"v=DMARC1\"\n"
    /* at one that does not */
    "_dmarc.b TXT \"v=DMARC1; p=none; rua=mailto:u@home.test\"\n"
    "b A 192.0.2.9\n"
    /* the DNS does not tell */
    "_dmarc.c SERVFAIL\n"
    "c A 192.0.2.9\n"
    /* takes no more than a kibibyte */
    "_dmarc.d TXT \"v=DMARC1; p=none; rua=mailto:u@home.test!1k\"\n"
    "d.test._report._dmarc.home TXT \"v=DMARC1\"\n"
    "d A 192.0.2.9\n"
    /* wants none any more */
    "_dmarc.e TXT \"v=DMARC1; p=none\"\n"
    "e A 192.0.2.9\n"
    /* TLS */
    "_smtp._tls.a TXT \"v=TLSRPTv1; rua=mailto:u@home.test\"\n"
    "_smtp._tls.b TXT \"v=TLSRPTv1; rua=https://web.test/r\"\n"
    "web A 192.0.2.9\n";

/* Where libfyaml may have its stack. */
static struct config *
config_make(void)
{
	struct source_memory machine;
	struct problems problems;
	struct config *c;
	struct arena a;

	arena_init(&a, CONFIG_MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"), arena_printf(&a,
	    "hostname: mx.home.test\n"
	    "listen: [ { port: 25, role: mx } ]\n"
	    "domains: { home.test: { users: [ u ] } }\n"
	    "deliver: { maildir: /mail/%%u }\n"
	    "spool: { path: /spool, segment: 256K, reserve: 64K }\n"
	    "reports: %s\n", reports)) == 0);
	c = config_load(&machine.source, STR("t.yaml"), &problems);
	if (c == NULL)
		fprintf(stderr, STR_FMT "\n", STR_ARG(problems.list[0].text));
	problems_clear(&problems);
	arena_clear(&a);
	must(c != NULL);
	return c;
}

/* ---- what happened ---- */

static void
seen(const char *domain, const char *client)
{
	struct event e = event_make(EVENT_checked, clock_wall(), 7);
	char results[100], record[100];

	snprintf(results, sizeof results, "spf=pass smtp.mailfrom=x@%s; "
	    "dmarc=pass header.from=%s", domain, domain);
	snprintf(record, sizeof record, "v=DMARC1; p=reject; "
	    "rua=mailto:u@home.test");
	event_str(&e, FIELD_client, str_of(client));
	event_str(&e, FIELD_sender, STR("x@y.test"));
	event_str(&e, FIELD_author, str_of(domain));
	event_str(&e, FIELD_results, str_of(results));
	event_str(&e, FIELD_disposition, STR("none"));
	event_str(&e, FIELD_domain, str_of(domain));
	event_str(&e, FIELD_policy, STR("reject"));
	event_str(&e, FIELD_policy_text, str_of(record));
	event_str(&e, FIELD_aligned, STR("spf"));
	intake_tell(&node.cores[0].intake, &e);
}

static void
spoken(const char *domain)
{
	struct event e = event_make(EVENT_tls_session, clock_wall(), 0);

	event_str(&e, FIELD_relay, STR("mx.b.test[192.0.2.9]:25"));
	event_str(&e, FIELD_domain, str_of(domain));
	event_str(&e, FIELD_policy, STR("no-policy-found"));
	event_str(&e, FIELD_result, STR("starttls-not-supported"));
	intake_tell(&node.cores[0].intake, &e);
}

static void
day_tell(void)
{
	static const char *const domains[] = { "a.test", "b.test", "c.test",
		"d.test", "e.test" };
	char client[32];

	for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
		for (unsigned k = 0; k < SOURCES; k++) {
			snprintf(client, sizeof client, "198.51.100.%u", k);
			seen(domains[i], client);
		}
	spoken("a.test");
	spoken("b.test");
}

static void
event_take(const struct event *e)
{
	struct buf b;

	ledger->troubles += e->type == EVENT_trouble;
	if (e->type != EVENT_report_sent || ledger->n_events == 64)
		return;
	b = (struct buf){ .p = ledger->events[ledger->n_events++], .cap = 199 };
	buf_printf(&b, STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT,
	    STR_ARG(event_get_str(e, FIELD_class)),
	    STR_ARG(event_get_str(e, FIELD_domain)),
	    STR_ARG(event_get_str(e, FIELD_reason)),
	    STR_ARG(str_sub(event_get_str(e, FIELD_text), 0, 120)));
}

/* How many events begin so. */
static unsigned
events_like(const char *prefix)
{
	unsigned n = 0;

	for (size_t i = 0; i < ledger->n_events; i++)
		n += strncmp(ledger->events[i], prefix, strlen(prefix)) == 0;
	return n;
}

/* What stands between, once. */
static void
cut_out(struct str s, const char *from, const char *to, char *out, size_t room)
{
	size_t at = str_find_str(s, str_of(from));

	must(at < s.n);
	s = str_sub(s, at + strlen(from), s.n);
	s = str_sub(s, 0, str_find_str(s, str_of(to)));
	must(str_cstr(s, out, room));
}

static yields void
mail_note(const char *path, struct arena *a)
{
	struct str text;
	char id[64], message_id[80];

	must(disk_read_file(path, a, 1 << 20, &text) == 0);
	cut_out(text, " id ", "\n", id, sizeof id);
	cut_out(text, "Message-ID: <", ">", message_id, sizeof message_id);
	for (size_t i = 0; i < ledger->n; i++)
		if (strcmp(ledger->mails[i].id, id) == 0)
			return;
	must(ledger->n < MAILS_MOST);
	memcpy(ledger->mails[ledger->n].id, id, sizeof id);
	memcpy(ledger->mails[ledger->n++].message_id, message_id,
	    sizeof message_id);
}

static yields void
mails_note(void)
{
	struct arena a;
	struct str *names;
	size_t n = 0;

	arena_init(&a, 8 << 20);
	if (disk_list("/mail/u/new", &a, &names, &n) != 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		mail_note(arena_printf(&a, "/mail/u/new/" STR_FMT,
		    STR_ARG(names[i])).p, &a);
	arena_clear(&a);
}

/* ---- lives ---- */

static yields void
started(void *arg, struct node *n)
{
	struct mono until = mono_add(clock_mono(), lasts * NS_PER_SECOND);

	(void)arg;
	if (!ledger->is_told) {
		ledger->first_day = clock_wall().us / US_PER_SECOND / 86400;
		day_tell();
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_SECOND));
		ledger->is_told = true;
	}
	while (mono_is_before(clock_mono(), until))
		fiber_sleep(until);
	mails_note();
	node_stop(n);
}

static void
live(void *arg)
{
	struct node_setup setup = { TEST_NODE, .cores = 1, .started = started,
		.config = config_make() };

	(void)arg;
	test_event = event_take;
	must(node_run(&node, &setup) == 0);
}

static unsigned
web_serve(const struct fetch_job *job, struct buf *head, struct buf *body)
{
	(void)job, (void)head, (void)body;
	ledger->posted++;
	return ledger->web_status;
}

static void
world_begin(uint64_t seed)
{
	static const struct sim_web_page pages[] = {
		{ .url = "https://web.test/r", .serve = web_serve } };
	struct sim_net net;

	sim_begin(seed);
	net = sim_net();
	assert_true(address_parse(STR("192.0.2.1"), 0, &net.self_v4));
	sim_net_set(net);
	assert_int_equal(sim_zone(str_of(zone)), 0);
	sim_web(pages, 1);
	ledger = sim_ledger(sizeof *ledger);
	ledger->web_status = 201;
	lasts = DAYS * 86400;
	reports = usual;
}

/* How many messages are a.test's report of that day. */
static unsigned
mails_like(const char *kind, int64_t day)
{
	char id[80];
	unsigned n = 0;

	snprintf(id, sizeof id, "%s%s.a.test@home.test", kind,
	    day_print(day).text);
	for (size_t i = 0; i < ledger->n; i++)
		n += strcmp(ledger->mails[i].message_id, id) == 0;
	return n;
}

#define A_REPORT ""
#define A_TLS_REPORT "tls."

static void
each_domain_gets_what_it_may(void **state)
{
	(void)state;
	world_begin(1);
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(mails_like(A_REPORT, ledger->first_day), 1);
	assert_int_equal(mails_like(A_TLS_REPORT, ledger->first_day), 1);
	assert_int_equal(ledger->n, 2);
	assert_int_equal(events_like("dmarc a.test sent"), 1);
	assert_int_equal(events_like("dmarc b.test nobody"), 1);
	assert_int_equal(events_like("dmarc c.test later"), REPORT_TRIES);
	assert_int_equal(events_like("dmarc d.test nobody"), 1);
	assert_int_equal(events_like("dmarc e.test nobody"), 1);
	assert_int_equal(events_like("tls a.test sent"), 1);
	assert_int_equal(events_like("tls b.test sent"), 1);
	assert_int_equal(ledger->posted, 1);
}

/* Whoever answers with trouble is asked again, and then no more. */
static void
the_web_may_be_out_of_order(void **state)
{
	(void)state;
	world_begin(2);
	ledger->web_status = 503;
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(ledger->posted, REPORT_TRIES);
	assert_int_equal(events_like("tls b.test later"), REPORT_TRIES);
}

static void
none_without_a_key(void **state)
{
	(void)state;
	world_begin(3);
	reports = "{ dmarc: { send: yes }, tls: { send: no } }";
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(ledger->n, 0);
	assert_int_equal(ledger->n_events, 0);
	assert_int_equal(ledger->troubles, 1);	/* of the one day with mail */
}

static void
there_is_a_budget(void **state)
{
	(void)state;
	world_begin(4);
	reports = "{ dmarc: { send: unsigned, most: 2 } }";
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(events_like("dmarc "), 2);
	assert_int_equal(events_like("dmarc a.test sent"), 1);
}

/* Off for a day and a half: the day is made up for, once. */
static void
a_missed_day_comes_later(void **state)
{
	(void)state;
	world_begin(5);
	lasts = 60;
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(ledger->n, 0);
	sim_wall_jump(INT64_C(36) * 3600 * US_PER_SECOND);
	lasts = 12 * 3600;
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(mails_like(A_REPORT, ledger->first_day), 1);
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(ledger->n, 2);
}

/* What is too old is given up. */
static void
old_days_are_given_up(void **state)
{
	(void)state;
	world_begin(6);
	lasts = 60;
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	sim_wall_jump(INT64_C(5) * 86400 * US_PER_SECOND);
	lasts = 12 * 3600;
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	assert_int_equal(ledger->n, 0);
}

/* Killed, or without power, at any verb while reports are sent: then another
 * life.  Each report was kept once, whatever it was. */
static void
no_crash_repeats_or_forgets(void **state)
{
	enum { CRASHES = 24 };
	uint64_t verbs, step;

	(void)state;
	world_begin(7);
	assert_int_equal(sim_life(live, NULL), SIM_ENDED);
	verbs = sim_verbs();
	step = verbs / CRASHES + 1;
	for (uint64_t at = 1; at < verbs; at += step) {
		world_begin(7);
		sim_crash_at(at, at % 2 == 0 ? SIM_KILL : SIM_POWER);
		assert_int_equal(sim_life(live, NULL), SIM_CRASHED);
		sim_crash_at(0, SIM_KILL);
		assert_int_equal(sim_life(live, NULL), SIM_ENDED);
		if (mails_like(A_REPORT, ledger->first_day) != 1 ||
		    mails_like(A_TLS_REPORT, ledger->first_day) != 1)
			fail_msg("crash at verb %llu of %llu: %u and %u",
			    (unsigned long long)at, (unsigned long long)verbs,
			    mails_like(A_REPORT, ledger->first_day),
			    mails_like(A_TLS_REPORT, ledger->first_day));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_domain_gets_what_it_may),
		cmocka_unit_test(the_web_may_be_out_of_order),
		cmocka_unit_test(none_without_a_key),
		cmocka_unit_test(there_is_a_budget),
		cmocka_unit_test(a_missed_day_comes_later),
		cmocka_unit_test(old_days_are_given_up),
		cmocka_unit_test(no_crash_repeats_or_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
