/* Any text as a zone, which is all the DNS there is: nightmail dns check comes to
 * an end with it, says of each thing something that can be shown, asks no more
 * than it may, and what is kept of it is read back as it was. */
#include "fuzz.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/world_sim.h"
#include "policy/dns_state.h"

enum { MEMORY = 64 * 1024 * 1024, STATE_ROOM = 128 * 1024 };

static const char yaml[] = "hostname: mx.a.test\n"
    "domains: { a.test: { users: [ a ] } }\n"
    "dns: { addresses: [ 11.0.0.5, '2a00::5' ], blocklists: bl.test, "
    "probe: b.test, imap: imap.a.test, spf: 'include:b.test' }\n"
    "tls: { acme: { agree_tos: yes } }\n"
    "listen:\n  - { port: 80, role: acme }\n"
    "  - { port: 587, role: submission }\n";

static struct config *config;
static struct record_key key = { STR_INIT("s1"),
	STR_INIT("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPc"
	    "HURo="), RECORD_KEY_ACTIVE };

static void
state_check(const struct dns_report *r)
{
	static struct dns_state none, state, again;
	static struct dns_change changes[FINDINGS_MOST];
	static char room[STATE_ROOM], other[STATE_ROOM];
	struct buf b = BUF_OF(room), c = BUF_OF(other);
	size_t n = dns_state_follow(&none, r, (struct wall){ US_PER_SECOND },
	    &state, changes);

	must(n == 0 && state.n <= r->n);
	dns_state_print(&state, &b);
	must(!b.full && dns_state_read(buf_str(&b), &again));
	dns_state_print(&again, &c);
	must(str_eq(buf_str(&b), buf_str(&c)));
}

static yields void
zone_check(void *arg)
{
	struct arena a;
	unsigned budget = CHECK_QUESTIONS;
	struct dns_report *r;
	struct dns_check_ask ask = { .budget = &budget,
		.records = { .config = config, .domain = STR("a.test"),
		    .addresses = config->dns.addresses, .knows_keys = true,
		    .keys = &key, .n_keys = 1, .knows_certificates = true } };

	(void)arg;
	arena_init(&a, MEMORY);
	r = arena_new(&a, struct dns_report);
	must(r != NULL);
	ask.deadline = mono_add(clock_mono(), CHECK_SECONDS * NS_PER_SECOND);
	if (dns_check(&ask, &a, r)) {
		must(r->n > 0 && r->n <= FINDINGS_MOST);
		for (size_t i = 0; i < r->n; i++)
			must(r->v[i].says.n > 0 && r->v[i].name.n > 0 &&
			    r->v[i].topic < RECORD_TOPICS);
		state_check(r);
	}
	arena_clear(&a);
	err_clear();
}

static void
config_make(void)
{
	static struct source_memory machine;
	static struct problems problems;
	static struct arena a;

	arena_init(&a, 1 << 20);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"), str_of(yaml)) == 0);
	config = config_load(&machine.source, STR("t.yaml"), &problems);
	must(config != NULL);
}

FUZZ(in)
{
	if (config == NULL)
		config_make();
	sim_begin(1);
	if (sim_zone(in) != 0) {
		err_clear();
		return;
	}
	must(core_run_all(1, zone_check, NULL) == 0);
}
