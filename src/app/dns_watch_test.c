/* The watch over days, restarts and power cuts, in a whole server in memory. */
#include "app/dns_watch.h"
#include "app/test_node.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/world_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { CONFIG_MEMORY = 1 << 24, HOUR = 3600, DAY = 86400, CUTS = 24 };

#define YAML "hostname: mx.home.test\nadmin: u@home.test\n" \
	"domains:\n  home.test: { users: [ u ] }\n  inner.local: {}\n" \
	"deliver: { maildir: /mail/%%u }\n" \
	"spool: { path: /spool, segment: 256K, reserve: 64K }\n" \
	"listen: []\n" \
	"dns: { addresses: 192.0.2.1, blocklists: none, probe: none, " \
	"mta_sts: none, watch: %s }\n"

#define REST "mx.home.test. A 192.0.2.1\n" \
	"1.2.0.192.in-addr.arpa. PTR mx.home.test.\n" \
	"mx.home.test. TXT \"v=spf1 a -all\"\n" \
	"_dmarc.home.test. TXT \"v=DMARC1; p=reject; rua=mailto:u@home.test\"\n" \
	"_smtp._tls.home.test. TXT \"v=TLSRPTv1; rua=mailto:u@home.test\"\n"
#define MX "home.test. MX 10 mx.home.test.\n"
#define SPF "home.test. TXT \"v=spf1 ip4:192.0.2.1 ~all\"\n"

static struct node node;
static struct dns_watch watch;
static const char *watching = "on";
static yields void (*act)(void);
static unsigned mails, changes;		/* told in this life */
static char last_told[1024];
static unsigned *mails_ever;		/* in all lives; NULL: nobody counts */

/* ---- a node ---- */

static int
config_make(void *arg)
{
	struct config **out = arg;
	struct source_memory machine;
	struct problems problems;
	struct arena a;

	arena_init(&a, CONFIG_MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"), arena_printf(&a, YAML,
	    watching)) == 0);
	*out = config_load(&machine.source, STR("t.yaml"), &problems);
	if (*out == NULL) {
		char said[1000];
		struct buf b = BUF_OF(said);

		problems_print(&problems, &b);
		fprintf(stderr, "%.*s\n", (int)b.n, said);
	}
	problems_clear(&problems);
	arena_clear(&a);
	must(*out != NULL);
	return 0;
}

static void
event_take(const struct event *e)
{
	if (e->type == EVENT_queued) {
		mails++;
		if (mails_ever != NULL)
			++*mails_ever;
	}
	if (e->type == EVENT_trouble)
		fprintf(stderr, STR_FMT "\n", STR_ARG(event_get_str(e,
		    FIELD_text)));
	if (e->type != EVENT_dns_changed)
		return;
	changes++;
	(void)str_cstr(event_get_str(e, FIELD_text), last_told,
	    sizeof last_told);
}

static yields void
started(void *arg, struct node *n)
{
	(void)arg;
	must(dns_watch_open(&watch, n, NULL, NULL) == 0);
	act();
	node_stop(n);
}

static yields void
ended(void *arg, unsigned core)
{
	(void)arg;
	if (core == 0)
		dns_watch_close(&watch);
}

static void
life(void *arg)
{
	struct node_setup setup = { .cores = 1, .door_fd = test_no_door,
		.sink = test_sink, .started = started, .ended = ended,
		.porter_fd = -1 };

	(void)arg;
	test_event = event_take;
	mails = changes = 0;
	(void)config_make(&setup.config);
	must(node_run(&node, &setup) == 0);
}

static void
run(yields void (*fn)(void))
{
	sim_begin(1);
	act = fn;
	assert_int_equal(sim_life(life, NULL), SIM_ENDED);
}

/* ---- time ---- */

static void
zone(const char *text)
{
	must(sim_zone(str_of(text)) == 0);
}

static yields void
pass(int64_t seconds)
{
	fiber_sleep(mono_add(clock_mono(), seconds * NS_PER_SECOND));
}

/* The next look, whenever it is. */
static yields void
look_await(void)
{
	struct wall before;

	for (int i = 0; watch.n == 0 && i < HOUR; i++)
		pass(1);
	must(watch.n == 1);		/* inner.local is nobody's business */
	before = watch.list[0].at;
	for (int i = 0; watch.list[0].at.us == before.us; i++) {
		must(i < 2 * DAY);
		pass(60);
	}
}

static void
told(unsigned now, const char *what)
{
	if (changes != now || mails != now)
		fprintf(stderr, "%u changes, %u mails; the last: %s\n", changes,
		    mails, last_told);
	must(changes == now && mails == now);
	must(what == NULL || strstr(last_told, what) != NULL);
}

/* ---- what is told ---- */

static yields void
days_pass(void)
{
	zone(MX REST);			/* without SPF */
	look_await();
	told(0, NULL);
	look_await();
	told(1, "SPF home.test: there is no SPF record");
	must(watch.list[0].wrong == 1);
	pass(5 * DAY);
	told(1, NULL);
	/* mended */
	zone(MX SPF REST);
	pass(DAY + 2 * HOUR);
	told(2, "SPF home.test: mail from here");
	must(watch.list[0].wrong == 0);
	pass(10 * DAY);
	told(2, NULL);
	/* gone for a moment */
	zone(SPF REST);
	look_await();
	zone(MX SPF REST);
	pass(3 * DAY);
	told(2, NULL);
	/* the DNS is in trouble, and well again */
	zone("home.test. SERVFAIL\n" REST);
	pass(4 * DAY);
	told(2, NULL);
	zone(MX SPF REST);
	pass(4 * DAY);
	told(2, NULL);
	/* changed, by whomever, and good */
	zone(MX REST "home.test. TXT \"v=spf1 mx -all\"\n");
	pass(2 * DAY);
	told(3, "SPF home.test: mail from here");
}

static void
changes_are_told_once(void **state)
{
	(void)state;
	run(days_pass);
}

/* The wall jumps, as after a sleep of the machine. */
static yields void
wall_jumps(void)
{
	zone(MX SPF REST);
	look_await();
	zone(MX REST);
	sim_wall_jump(30 * (int64_t)DAY * US_PER_SECOND);
	pass(3 * HOUR);
	told(1, "there is no SPF record");
	sim_wall_jump(-90 * (int64_t)DAY * US_PER_SECOND);
	pass(3 * HOUR);
	told(1, NULL);
}

static void
a_wall_that_jumps_is_no_change(void **state)
{
	(void)state;
	run(wall_jumps);
}

static yields void
nobody_looks(void)
{
	zone(REST);
	pass(5 * DAY);
	told(0, NULL);
	must(watch.n == 0);
}

static void
off_is_off(void **state)
{
	(void)state;
	watching = "off";
	run(nobody_looks);
	watching = "on";
}

/* ---- power cuts ---- */


static yields void
until_told(void)
{
	zone(MX REST);
	while (changes == 0)
		pass(60);
	pass(60);
}

/* What is in the mailbox may be there twice: its delivery was cut, too. */
static yields void
days_after(void)
{
	struct str *names;
	struct arena a;
	size_t n = 0;

	zone(MX REST);
	pass(3 * DAY);
	arena_init(&a, 1 << 20);
	must(disk_list("/mail/u/new", &a, &names, &n) == 0);
	must(n >= 1);
	must(*mails_ever == 1 || *mails_ever == 2);
	must(watch.list[0].wrong == 1);
	arena_clear(&a);
}

/* Told once at least, and twice at most when the power went between the mail and
 * the file. */
static void
a_cut_loses_no_change(void **state)
{
	(void)state;
	sim_begin(1);
	act = until_told;
	assert_int_equal(sim_life(life, NULL), SIM_ENDED);
	for (uint64_t i = 0, verbs = sim_verbs(); i < CUTS; i++) {
		sim_begin(i + 2);
		mails_ever = sim_ledger(sizeof *mails_ever);
		act = until_told;
		sim_crash_at(verbs - (verbs * i) / (2 * CUTS), SIM_POWER);
		(void)sim_life(life, NULL);
		sim_crash_at(0, SIM_POWER);
		act = days_after;
		assert_int_equal(sim_life(life, NULL), SIM_ENDED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_told_once),
		cmocka_unit_test(a_wall_that_jumps_is_no_change),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(a_cut_loses_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
