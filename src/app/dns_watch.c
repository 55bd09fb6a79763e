/*
 * The list is made anew when the configuration is another: what was of each
 * domain is in its file.
 */
#include "app/dns_watch.h"

#include "app/dns_watch_file.h"
#include "app/dns_watch_mail.h"
#include "base/err.h"
#include "base/json.h"
#include "base/must.h"
#include "cli/own_address.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "policy/dns_check.h"
#include "policy/domain.h"
#include "policy/holder.h"
#include "policy/records.h"
#include "policy/tls_wish.h"

enum { NAP_S = 3600, TOLD_WRONG_MOST = 8, FILE_MEMORY = 1024 * 1024 };

static struct wall
wall_later(struct wall from, int64_t seconds)
{
	return (struct wall){ from.us + seconds * US_PER_SECOND };
}

/* RFC 6761, RFC 6762, RFC 8375: nobody outside asks for these. */
static bool
domain_is_watched(struct str name)
{
	static const char *const inner[] = { ".localhost", ".local",
		".invalid", ".internal", ".lan", ".home.arpa" };

	if (str_find(name, '.') == name.n)
		return false;
	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
		if (str_has_suffix_icase(name, str_of(inner[i])))
			return false;
	return true;
}

/* ---- the list ---- */

/* Not all at once, and not the moment after a start. */
static struct wall
due_of(const struct dns_watch *w, const struct dns_watched *d)
{
	if (d->at.us == 0)
		return wall_later(w->node->started_at, WATCH_FIRST_S +
		    (d - w->list) * WATCH_APART_S);
	return wall_later(d->at, d->is_open ? WATCH_AGAIN_S : WATCH_DAY_S);
}

static void
watched_set(const struct dns_watch *w, struct dns_watched *d,
    const struct dns_state *s)
{
	d->at = s->at;
	d->is_open = dns_state_is_open(s);
	d->wrong = dns_state_wrong(s);
	d->due = due_of(w, d);
}

static yields void
states_load(struct dns_watch *w, const struct config *c)
{
	for (size_t i = 0; i < w->n; i++) {
		struct dns_state *s;
		struct arena a;

		arena_init(&a, FILE_MEMORY);
		s = arena_new(&a, struct dns_state);
		if (s != NULL) {
			dns_watch_read(c->spool.path, w->list[i].name, &a, s);
			watched_set(w, &w->list[i], s);
		}
		arena_clear(&a);
	}
}

static yields void
list_make(struct dns_watch *w, const struct config *c)
{
	arena_clear(&w->arena);
	w->listed = c;
	w->n = 0;
	w->list = c->dns.watch == DNS_WATCH_OFF ? NULL :
	    arena_alloc(&w->arena, (c->n_domains + 1) * sizeof *w->list);
	for (size_t i = 0; w->list != NULL && i < c->n_domains; i++) {
		struct str name = c->domain_list[i]->name;

		if (!domain_is_watched(name) || c->domain_list[i]->is_implied)
			continue;
		w->list[w->n].name = arena_copy(&w->arena, name);
		if (w->list[w->n].name.p != NULL)
			w->n++;
	}
	states_load(w, c);
}

static struct dns_watched *
next_due(struct dns_watch *w)
{
	struct dns_watched *next = NULL;

	for (size_t i = 0; i < w->n; i++)
		if (next == NULL || wall_is_before(w->list[i].due, next->due))
			next = &w->list[i];
	return next;
}

/* The machine is looked at with one domain: the host's, or the first. */
static bool
is_lead(const struct dns_watch *w, const struct config *c,
    const struct dns_watched *d)
{
	for (size_t i = 0; i < w->n; i++)
		if (name_is_within(c->hostname, w->list[i].name))
			return d == &w->list[i];
	return d == &w->list[0];
}

/* ---- a check ---- */

static void
trouble_tell(struct dns_watch *w)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);

	event_str(&e, FIELD_text, str_of(err_text()));
	intake_tell(&w->node->cores[0].intake, &e);
	err_clear();
}

static bool
ask_make(struct dns_watch *w, const struct config *c,
    const struct dns_watched *d, struct arena *a, struct dns_check_ask *ask)
{
	*ask = (struct dns_check_ask){ .records = { .config = c,
		.domain = d->name }, .budget = &w->budget,
		.skips_host = !is_lead(w, c, d),
		.deadline = mono_add(clock_mono(), CHECK_SECONDS *
		    NS_PER_SECOND) };
	if (c->tls.ca.n > 0 && c->outbound.wish != NULL &&
	    c->outbound.wish->anchors != NULL)
		ask->anchors = c->outbound.wish->anchors->pem;
	w->budget = CHECK_QUESTIONS;
	if (w->facts != NULL)
		w->facts(w->arg, a, &ask->records);
	return own_addresses(c, a, &ask->records.addresses);
}

static yields int
domain_follow(struct dns_watch *w, const struct config *c,
    struct dns_watched *d, struct arena *a)
{
	struct dns_state *before = arena_new(a, struct dns_state);
	struct dns_state *next = arena_new(a, struct dns_state);
	struct dns_report *report = arena_new(a, struct dns_report);
	struct dns_change *changes = arena_alloc(a, FINDINGS_MOST *
	    sizeof *changes);
	struct dns_check_ask ask;
	size_t n;

	if (before == NULL || next == NULL || report == NULL ||
	    changes == NULL || !ask_make(w, c, d, a, &ask))
		return err_set("no memory to look at the DNS");
	dns_watch_read(c->spool.path, d->name, a, before);
	if (!dns_check(&ask, a, report))
		return err_set("no memory to look at the DNS");
	if (w->is_ending)
		return 0;		/* it was cut short */
	n = dns_state_follow(before, report, clock_wall(), next, changes);
	if (n > 0 && dns_watch_mail(&w->node->cores[0].intake, c, d->name,
	    changes, n, a) != 0)
		return -1;
	if (dns_watch_write(c->spool.path, d->name, a, next) != 0)
		return -1;
	watched_set(w, d, next);
	return 0;
}

/* What was not told, or not kept, is looked at again in an hour. */
static yields void
domain_check(struct dns_watch *w, const struct config *c,
    struct dns_watched *d)
{
	struct arena a;

	arena_init(&a, WATCH_MEMORY);
	d->due = wall_later(clock_wall(), WATCH_AGAIN_S);
	if (domain_follow(w, c, d, &a) != 0)
		trouble_tell(w);
	arena_clear(&a);
}

/* The wall may jump: nobody sleeps long. */
static struct mono
nap_of(struct wall due)
{
	int64_t left = due.us - clock_wall().us, most = NAP_S * US_PER_SECOND;

	left = left < 0 ? 0 : left > most ? most : left;
	return mono_add(clock_mono(), left * NS_PER_US);
}

static yields struct mono
watch_turn(struct dns_watch *w)
{
	struct config_holder *holder = &w->node->cores[0].holder;
	struct config *c = config_pin(holder);
	struct mono next = mono_add(clock_mono(), NAP_S * NS_PER_SECOND);
	struct dns_watched *d;

	if (w->listed != c)
		list_make(w, c);
	d = next_due(w);
	if (d != NULL && !wall_is_before(clock_wall(), d->due)) {
		domain_check(w, c, d);
		next = mono_add(clock_mono(), WATCH_APART_S * NS_PER_SECOND);
	} else if (d != NULL)
		next = nap_of(d->due);
	config_unpin(holder, c);
	return next;
}

static yields void
watch_run(void *arg)
{
	struct dns_watch *w = arg;

	w->fiber = fiber_self();
	while (!w->is_ending) {
		struct mono next = watch_turn(w);

		if (!w->is_ending)
			(void)fiber_park(next);
	}
	w->fiber = NULL;
}

int
dns_watch_open(struct dns_watch *w, struct node *n,
    void (*facts)(void *, struct arena *, struct records_ask *), void *arg)
{
	must(w->fiber == NULL);
	*w = (struct dns_watch){ .node = n, .facts = facts, .arg = arg };
	arena_init(&w->arena, WATCH_LIST_MOST);
	return fiber_go("dns-watch", watch_run, w);
}

yields void
dns_watch_close(struct dns_watch *w)
{
	w->is_ending = true;
	w->budget = 0;
	if (w->fiber != NULL)
		fetch_hurry();
	while (w->fiber != NULL) {
		fiber_wake(w->fiber);
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_MS));
	}
	arena_clear(&w->arena);
	w->n = 0;
}

void
dns_watch_wake(struct dns_watch *w)
{
	if (w->fiber != NULL)
		fiber_wake(w->fiber);
}

/* ---- status ---- */

static void
watch_show(void *arg, struct json *j)
{
	const struct dns_watch *w = arg;
	size_t wrong = 0;

	json_put_object(j, "dns");
	json_put_u64(j, "domains", w->n);
	json_put_array(j, "wrong");
	for (size_t i = 0; i < w->n; i++) {
		if (w->list[i].wrong == 0 || wrong++ >= TOLD_WRONG_MOST)
			continue;
		json_put_object(j, NULL);
		json_put_str(j, "domain", w->list[i].name);
		json_put_u64(j, "errors", w->list[i].wrong);
		json_put_wall(j, "checked_at", w->list[i].at);
		json_end_object(j);
	}
	json_end_array(j);
	json_put_u64(j, "domains_wrong", wrong);
	json_end_object(j);
}

static size_t
watch_look(void *arg)
{
	struct dns_watch *w = arg;

	for (size_t i = 0; i < w->n; i++)
		w->list[i].due = clock_wall();
	dns_watch_wake(w);
	return w->n;
}

struct control_dns
dns_watch_control(struct dns_watch *w)
{
	return (struct control_dns){ watch_show, watch_look, w };
}
