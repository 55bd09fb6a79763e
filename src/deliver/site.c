/*
 * The life of a cache entry:
 *
 *	RESOLVING  site_find (first asker)  askers wait in `waiters'
 *	FRESH      entry_finish             in the table, handed out
 *	FORGOTTEN  site_cache_forget, age,  out of the table; freed by the
 *	           or pressure              last site_drop
 */
#include "deliver/site.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "base/table.h"
#include "fiber/clock.h"
#include "fiber/dns.h"
#include "fiber/random.h"

#include <stdlib.h>

enum { ENTRY_MEMORY = 64 * 1024, SHORTEST_S = 30, LONGEST_S = 3600 };

struct entry {
	struct site site;
	struct table_node node;
	struct link age;		/* in cache->ages, oldest first */
	struct list waiters;
	struct arena arena;
	struct str domain;		/* the key in the table */
	unsigned holds;
	bool resolving, in_table;
};

struct waiter {
	struct link link;
	struct fiber *fiber;
};

struct site_cache {
	struct hash_key hash_key;
	struct table table;
	struct list ages;
};

/* One look-up that runs beside others; the asker waits for all. */
struct lookup {
	struct join *join;
	struct str name;
	enum dns_type type;
	struct dns_answer answer;
	const char *why;		/* DNS_TROUBLE: as an error trail */
};

struct join {
	struct fiber *waiting;
	size_t left;
	struct arena *arena;
	struct mono deadline;
};

struct site_cache *
site_cache_open(void)
{
	struct site_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->hash_key = random_hash_key();
	list_init(&c->ages);
	return c;
}

static void
entry_free_if_idle(struct entry *e)
{
	if (e->holds > 0 || e->in_table || e->resolving)
		return;
	arena_clear(&e->arena);
	free(e);
}

static void
entry_forget(struct site_cache *c, struct entry *e)
{
	must(e->in_table == link_is_in(&e->age));
	if (e->in_table)
		table_remove(&c->table, &e->node);
	e->in_table = false;
	list_remove(&e->age);
	entry_free_if_idle(e);
}

void
site_cache_forget(struct site_cache *c)
{
	struct link *k;

	while ((k = list_first(&c->ages)) != NULL)
		entry_forget(c, OWNER_OF(k, struct entry, age));
}

void
site_cache_close(struct site_cache *c)
{
	site_cache_forget(c);
	must(c->table.n == 0);
	table_clear(&c->table);
	free(c);
}

void
site_drop(const struct site *site)
{
	/* The site is the first member of its entry, which is ours to change. */
	struct entry *e = OWNER_OF((void *)(uintptr_t)site, struct entry, site);

	must(e->holds > 0);
	e->holds--;
	entry_free_if_idle(e);
}

static struct entry *
entry_find(struct site_cache *c, struct str domain)
{
	uint64_t hash = hash_bytes(c->hash_key, domain);
	struct table_node *k = table_find(&c->table, hash);

	for (; k != NULL; k = table_again(k)) {
		struct entry *e = OWNER_OF(k, struct entry, node);

		if (str_eq(e->domain, domain))
			return e;
	}
	return NULL;
}

static struct entry *
entry_add(struct site_cache *c, struct str key)
{
	struct entry *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	if (c->table.n >= SITES_KEPT) {
		struct entry *old = OWNER_OF(list_first(&c->ages),
		    struct entry, age);

		entry_forget(c, old);
	}
	list_init(&e->waiters);
	arena_init(&e->arena, ENTRY_MEMORY);
	e->domain = arena_copy(&e->arena, key);
	e->resolving = true;
	if (e->domain.p == NULL || table_insert(&c->table, &e->node,
	    hash_bytes(c->hash_key, e->domain)) != 0) {
		arena_clear(&e->arena);
		free(e);
		return NULL;
	}
	e->in_table = true;
	list_append(&c->ages, &e->age);
	return e;
}

/* ---- asking ---- */

static yields void
lookup_run(void *arg)
{
	struct lookup *l = arg;
	struct join *j = l->join;

	must(j->left > 0);
	dns_ask(l->name, l->type, j->arena, j->deadline, &l->answer);
	if (l->answer.status == DNS_TROUBLE)
		l->why = arena_cstr(j->arena, str_of(err_text()));
	if (--j->left == 0)
		fiber_wake(j->waiting);
}

/* Ask all at once and wait for all. */
static yields void
lookup_all(struct lookup *l, size_t n, struct arena *a, struct mono deadline)
{
	struct join j = { fiber_self(), n, a, deadline };

	for (size_t i = 0; i < n; i++) {
		l[i].join = &j;
		l[i].answer.status = DNS_TROUBLE;
		if (fiber_go("dns", lookup_run, &l[i]) != 0)
			j.left--;
	}
	while (j.left > 0)
		fiber_park(MONO_NEVER);
}

/* Each sees the smallest TTL of all that the answer rests on. */
static void
ttl_note(struct site *s, const struct dns_answer *a, uint32_t *ttl)
{
	if (a->ttl < *ttl)
		*ttl = a->ttl;
	s->secure = s->secure && a->secure;
}

/* A family that nobody knows of takes nothing away from the other, nor gives it
 * anything. */
static void
host_judge(struct site_host *h, const struct lookup l[2])
{
	h->secure = true;
	h->canonical = h->name;
	for (size_t k = 0; k < 2; k++) {
		const struct dns_answer *a = &l[k].answer;

		if (a->status == DNS_TROUBLE)
			continue;
		h->secure = h->secure && a->secure;
		if (a->status == DNS_FOUND)
			h->canonical = a->canonical;
	}
}

static void
host_take(struct arena *a, struct site_host *h, const struct lookup l[2],
    const struct site_policy *p)
{
	size_t n = 0;

	host_judge(h, l);
	for (size_t k = 0; k < 2; k++)
		if (l[k].answer.status == DNS_FOUND)
			n += l[k].answer.n;
	if (n > SITE_ADDRESSES)
		n = SITE_ADDRESSES;
	h->addresses = n == 0 ? NULL : arena_alloc(a, n * sizeof *h->addresses);
	if (h->addresses == NULL)
		return;
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; l[k].answer.status == DNS_FOUND &&
		    i < l[k].answer.n && h->n < n; i++) {
			h->addresses[h->n] = l[k].answer.records[i].address;
			h->addresses[h->n++].port = p->port;
		}
}

/*
 * RFC 5321 5.1: A and AAAA of each host, also of the family that we do not use:
 * a host without an address for us is not a host without any.  NULL, or what
 * was the matter with one of the questions.
 */
static yields const char *
hosts_resolve(struct entry *e, const struct site_policy *p,
    struct mono deadline, uint32_t *ttl)
{
	struct site *s = &e->site;
	struct lookup l[2 * SITE_HOSTS] = { 0 };
	const char *trouble = NULL;

	must(s->n <= SITE_HOSTS);
	for (size_t i = 0; i < s->n; i++) {
		l[2 * i] = (struct lookup){ .name = s->hosts[i].name,
		    .type = p->ipv6_first ? DNS_AAAA : DNS_A };
		l[2 * i + 1] = (struct lookup){ .name = s->hosts[i].name,
		    .type = p->ipv6_first ? DNS_A : DNS_AAAA };
	}
	lookup_all(l, 2 * s->n, &e->arena, deadline);
	for (size_t i = 0; i < s->n; i++) {
		host_take(&e->arena, &s->hosts[i], &l[2 * i], p);
		for (size_t k = 0; k < 2; k++) {
			const struct lookup *one = &l[2 * i + k];

			ttl_note(s, &one->answer, ttl);
			if (one->answer.status == DNS_TROUBLE &&
			    trouble == NULL)
				trouble = one->why == NULL ? "no memory" :
				    one->why;
		}
	}
	return trouble;
}

static int
record_order(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return str_order(x->name, y->name);
}

static struct site_host *
hosts_alloc(struct entry *e, size_t n)
{
	must(n <= SITE_HOSTS && e->site.hosts == NULL);
	e->site.hosts = arena_alloc(&e->arena, n * sizeof *e->site.hosts);
	e->site.n = e->site.hosts == NULL ? 0 : n;
	return e->site.hosts;
}

static void
site_refuse(struct entry *e, enum disposition d, const char *esc,
    const char *what, const char *why)
{
	must(d != DELIVERED && e->resolving);
	e->site.verdict = verdict_make(d, 0, esc, "%s " STR_FMT "%s%s", what,
	    STR_ARG(e->domain), why[0] == '\0' ? "" : ": ", why);
	e->site.n = 0;
}

/* The MX set as the site's name: what is the same set is the same site. */
static void
key_from_mx(struct entry *e)
{
	struct str key = STR("mx:");

	for (size_t i = 0; i < e->site.n && key.p != NULL; i++)
		key = arena_printf(&e->arena, STR_FMT " %u " STR_FMT,
		    STR_ARG(key), e->site.hosts[i].preference,
		    STR_ARG(e->site.hosts[i].name));
	e->site.key = key;
}

static bool
mx_is_null(const struct dns_answer *a)
{
	return a->n == 1 && a->records[0].name.n == 0;
}

static void
hosts_from_mx(struct entry *e, struct dns_answer *mx)
{
	size_t n = mx->n < SITE_HOSTS ? mx->n : SITE_HOSTS;
	struct site_host *h = hosts_alloc(e, n);

	qsort(mx->records, mx->n, sizeof *mx->records, record_order);
	for (size_t i = 0; h != NULL && i < n; i++)
		h[i] = (struct site_host){ .name = mx->records[i].name,
		    .preference = mx->records[i].preference };
	key_from_mx(e);
}

static void
host_alone(struct entry *e, struct str name, const char *kind)
{
	struct site_host *h = hosts_alloc(e, 1);

	if (h != NULL)
		h[0] = (struct site_host){ .name = name };
	e->site.key = arena_printf(&e->arena, "%s " STR_FMT, kind,
	    STR_ARG(e->domain));
}

/* RFC 5321 5.1: the MX set, or the domain itself when there is none. */
static yields bool
ask_mx(struct entry *e, struct mono deadline, uint32_t *ttl)
{
	struct dns_answer mx;

	dns_ask(e->domain, DNS_MX, &e->arena, deadline, &mx);
	ttl_note(&e->site, &mx, ttl);
	e->site.mx_secure = mx.secure;
	switch (mx.status) {
	case DNS_TROUBLE:
		site_refuse(e, DEFERRED, "4.4.3",
		    "cannot look up the mail exchangers of", err_text());
		return false;
	case DNS_NO_NAME:
		site_refuse(e, FAILED, "5.1.2", "no such domain:", "");
		return false;
	case DNS_NO_DATA:
		host_alone(e, e->domain, "a:");
		return true;
	case DNS_FOUND:
		break;
	}
	if (mx_is_null(&mx)) {		/* RFC 7505 */
		site_refuse(e, FAILED, "5.1.10",
		    "this domain says that it takes no mail (null MX):", "");
		return false;
	}
	hosts_from_mx(e, &mx);
	return true;
}

static bool
host_is_us(const struct site_host *h, const struct site_policy *p)
{
	return (p->hostname.n > 0 && str_eq_icase(h->name, p->hostname)) ||
	    (p->ehlo.n > 0 && str_eq_icase(h->name, p->ehlo));
}

/* RFC 5321 5.1: from our own preference on, nobody is asked. */
static bool
hosts_cut_at_us(struct site *s, const struct site_policy *p)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!host_is_us(&s->hosts[i], p))
			continue;
		while (i > 0 &&
		    s->hosts[i - 1].preference == s->hosts[i].preference)
			i--;
		s->n = i;
		return true;
	}
	return false;
}

static bool
has_address(const struct site *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->hosts[i].n > 0)
			return true;
	return false;
}

static void
entry_judge(struct entry *e, const struct site_policy *p, const char *trouble)
{
	struct site *s = &e->site;
	bool is_mx = str_has_prefix_icase(s->key, STR("mx:"));
	bool cut = hosts_cut_at_us(s, p);

	must(e->resolving && s->n <= SITE_HOSTS);
	s->verdict = verdict_make(DELIVERED, 0, "2.0.0", "hosts found");
	if (s->key.p == NULL || s->hosts == NULL)
		site_refuse(e, DEFERRED, "4.3.0",
		    "no memory to resolve", "");
	else if (cut && s->n == 0)
		site_refuse(e, FAILED, "5.4.6",
		    "the mail exchanger is this very server, which does not "
		    "take mail for", "");
	else if (has_address(s))
		return;
	else if (trouble != NULL)
		site_refuse(e, DEFERRED, "4.4.3",
		    "cannot look up the addresses of the hosts of", trouble);
	else if (is_mx)			/* not the same as no such domain */
		site_refuse(e, DEFERRED, "4.4.4",
		    "no mail exchanger has an address:", "");
	else
		site_refuse(e, FAILED, "5.1.2",
		    "the domain has neither mail exchanger nor address:", "");
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": RFC 5321 4.1.3. */
static bool
host_literal(struct entry *e, struct str name, const struct site_policy *p)
{
	struct str domain = name;
	struct site_host *h;
	struct address a;

	if (domain.n < 2 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	domain = str_sub(domain, 1, domain.n - 2);
	str_skip_icase(&domain, STR("IPv6:"));
	if (!address_parse(domain, p->port, &a))
		return false;
	host_alone(e, name, "a:");
	e->site.secure = e->site.mx_secure = false;	/* nobody said so */
	h = e->site.hosts;
	if (h != NULL && (h->addresses = arena_new(&e->arena, struct address))
	    != NULL) {
		h->addresses[0] = a;
		h->n = 1;
	}
	return true;
}

static void
entry_finish(struct entry *e, uint32_t ttl)
{
	struct link *k;

	if (ttl < SHORTEST_S || (e->site.verdict.disposition == DEFERRED))
		ttl = SHORTEST_S;
	if (ttl > LONGEST_S)
		ttl = LONGEST_S;
	e->site.fresh_until = mono_add(clock_mono(), ttl * NS_PER_SECOND);
	must(e->resolving);
	e->resolving = false;
	while ((k = list_pop(&e->waiters)) != NULL)
		fiber_wake(OWNER_OF(k, struct waiter, link)->fiber);
}

static struct str
without_brackets(struct str host)
{
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return str_sub(host, 1, host.n - 2);
	return host;
}

static yields void
entry_resolve(struct entry *e, bool is_relay_host,
    const struct site_policy *p, struct str name, struct mono deadline)
{
	uint32_t ttl = LONGEST_S;
	const char *trouble = NULL;
	bool go_on = true;

	must(e->resolving && e->holds > 0);
	e->site.secure = e->site.mx_secure = true;
	if (host_literal(e, name, p))
		;
	else if (is_relay_host)
		host_alone(e, without_brackets(name), "relay:");
	else
		go_on = ask_mx(e, deadline, &ttl);
	if (go_on && e->site.n > 0 && e->site.hosts[0].n == 0)
		trouble = hosts_resolve(e, p, deadline, &ttl);
	if (go_on)
		entry_judge(e, p, trouble);
	entry_finish(e, ttl);
}

/* A relay host's entry must not meet the MX entry of the same name. */
static struct str
cache_key(char room[static 300], struct str domain, bool is_relay_host,
    uint16_t port)
{
	struct buf b = { .p = room, .cap = 300 };

	if (is_relay_host)
		buf_printf(&b, STR_FMT ":%u", STR_ARG(domain), port);
	else
		buf_put(&b, domain);
	for (size_t i = 0; i < b.n; i++)
		room[i] = ascii_lower(room[i]);
	return b.full ? STR_NONE : buf_str(&b);
}

static yields void
entry_wait(struct entry *e)
{
	struct waiter w = { .fiber = fiber_self() };

	must(e->holds > 0 && e->resolving);
	list_append(&e->waiters, &w.link);
	while (e->resolving)
		fiber_park(MONO_NEVER);
}

yields const struct site *
site_find(struct site_cache *c, struct str domain, bool is_relay_host,
    const struct site_policy *p, struct mono deadline)
{
	char room[300];
	struct str key = cache_key(room, domain, is_relay_host, p->port);
	struct entry *e;

	if (key.p == NULL)
		return NULL;
	e = entry_find(c, key);
	if (e != NULL && !e->resolving &&
	    !mono_is_before(clock_mono(), e->site.fresh_until)) {
		entry_forget(c, e);
		e = NULL;
	}
	if (e != NULL) {
		e->holds++;
		if (e->resolving)
			entry_wait(e);
		return &e->site;
	}
	e = entry_add(c, key);
	if (e == NULL)
		return NULL;
	e->holds++;
	entry_resolve(e, is_relay_host, p,
	    arena_lower(&e->arena, str_sub(e->domain, 0, domain.n)), deadline);
	return &e->site;
}

/* ---- order of trial ---- */

static bool
family_wanted(const struct address *a, const struct site_policy *p)
{
	return a->family == ADDRESS_V6 ? p->ipv6 : p->ipv4;
}

/* RFC 5321 5.1: equal preference is randomised, to spread the load. */
static void
shuffle_equal(const struct site *s, size_t order[static SITE_HOSTS])
{
	must(s->n <= SITE_HOSTS);
	for (size_t i = 0; i < s->n; i++)
		order[i] = i;
	for (size_t i = 0; i + 1 < s->n; i++) {
		size_t same = 1, k, swap;

		while (i + same < s->n && s->hosts[order[i + same]].preference ==
		    s->hosts[order[i]].preference)
			same++;
		k = i + (size_t)random_below(same);
		swap = order[i];
		order[i] = order[k];
		order[k] = swap;
	}
}

size_t
site_order(const struct site *s, const struct site_policy *p,
    struct site_try tries[static SITE_ADDRESSES])
{
	size_t order[SITE_HOSTS] = { 0 }, n = 0;

	must(s->verdict.disposition == DELIVERED);
	shuffle_equal(s, order);
	for (size_t i = 0; i < s->n; i++) {
		const struct site_host *h = &s->hosts[order[i]];

		for (size_t k = 0; k < h->n && n < SITE_ADDRESSES; k++)
			if (family_wanted(&h->addresses[k], p))
				tries[n++] = (struct site_try){ h,
				    &h->addresses[k] };
	}
	return n;
}
