/*
 * The life of an entry:
 *
 *	EMPTY    entry_add      nothing is known; the disk was not looked at
 *	BUSY     sts_find       one asks DNS, disk and host, the others wait
 *	KNOWN    entry_learn    until `good_until' nobody asks again
 *	         (pressure)     an idle entry goes, the oldest first
 *
 * What it has of a policy ends with its max_age; till then trouble only keeps a
 * newer one away.
 */
#include "deliver/sts.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "base/table.h"
#include "deliver/sts_file.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/dns.h"
#include "fiber/fetch.h"
#include "fiber/random.h"

#include <stdio.h>
#include <stdlib.h>

/* RFC 8461 3.3: a minute for the host, five between two tries, once a day what
 * is known already; then nobody waits long. */
enum { FETCH_S = 60, RENEW_S = 15, DNS_S = 20, FETCH_AGAIN_S = 300,
	RENEW_AGAIN_S = 3600, DAY_S = 86400, ASK_LEAST_S = 60,
	ASK_MOST_S = 3600 };

enum { ASK_MEMORY = 1024 * 1024, TEXTS_MOST = 8 * 1024 * 1024,
	TEND_MEMORY = 32 * 1024 * 1024, DOMAIN_ROOM = 256 };

struct entry {
	struct table_node node;
	struct link age;		/* the last used is last */
	struct list waiters;
	unsigned holds;
	bool is_busy, was_read;
	struct mono good_until;
	/* a host that did not give what this id stands for */
	char failed_id[STS_ID_MOST + 1];
	struct mono fetch_again;
	enum tls_result trouble;
	char why[STS_WHY_MOST];
	/* the policy; text == NULL: none */
	char id[STS_ID_MOST + 1];
	struct wall fetched;
	uint32_t max_age;
	char *text;
	size_t text_n;
	size_t domain_n;
	char domain[DOMAIN_ROOM];
};

struct sts_cache {
	struct hash_key key;
	struct table table;
	struct list ages;
	size_t texts;			/* octets of all */
};

struct waiter {
	struct link link;
	struct fiber *fiber;
};

/* What one look costs. */
struct asking {
	struct sts_cache *cache;
	const struct sts_setup *setup;
	struct entry *entry;
	struct arena arena;
};

/* ---- entries ---- */

struct sts_cache *
sts_open(void)
{
	struct sts_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->key = random_hash_key();
	list_init(&c->ages);
	return c;
}

static void
entry_forget_text(struct sts_cache *c, struct entry *e)
{
	c->texts -= e->text_n;
	free(e->text);
	e->text = NULL;
	e->text_n = 0;
}

static void
entry_remove(struct sts_cache *c, struct entry *e)
{
	must(e->holds == 0);
	entry_forget_text(c, e);
	table_remove(&c->table, &e->node);
	list_remove(&e->age);
	free(e);
}

/* The oldest that nobody uses; false: there is none. */
static bool
entry_evict(struct sts_cache *c)
{
	struct link *k = list_first(&c->ages);

	for (; k != NULL; k = list_next(&c->ages, k)) {
		struct entry *e = OWNER_OF(k, struct entry, age);

		if (e->holds == 0) {
			entry_remove(c, e);
			return true;
		}
	}
	return false;
}

void
sts_close(struct sts_cache *c)
{
	if (c == NULL)
		return;
	while (entry_evict(c))
		continue;
	must(list_is_empty(&c->ages) && c->texts == 0);
	table_clear(&c->table);
	free(c);
}

static struct entry *
entry_find(struct sts_cache *c, struct str domain)
{
	uint64_t hash = hash_bytes(c->key, domain);
	struct table_node *k = table_find(&c->table, hash);

	for (; k != NULL; k = table_again(k)) {
		struct entry *e = OWNER_OF(k, struct entry, node);

		if (str_eq((struct str){ e->domain, e->domain_n }, domain))
			return e;
	}
	return NULL;
}

static struct entry *
entry_add(struct sts_cache *c, struct str domain)
{
	struct entry *e;

	if (c->table.n >= STS_KEPT)
		(void)entry_evict(c);
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return NULL;
	list_init(&e->waiters);
	e->domain_n = domain.n;
	must(str_cstr(domain, e->domain, sizeof e->domain));
	if (table_insert(&c->table, &e->node, hash_bytes(c->key,
	    domain)) != 0) {
		free(e);
		return NULL;
	}
	list_append(&c->ages, &e->age);
	return e;
}

static struct entry *
entry_hold(struct sts_cache *c, struct str domain)
{
	struct entry *e = entry_find(c, domain);

	if (e == NULL)
		e = entry_add(c, domain);
	if (e == NULL)
		return NULL;
	list_remove(&e->age);
	list_append(&c->ages, &e->age);
	e->holds++;
	return e;
}

static struct str
entry_domain(const struct entry *e)
{
	return (struct str){ e->domain, e->domain_n };
}

/* A wall that went back makes nothing older than new. */
static int64_t
entry_age_s(const struct entry *e)
{
	int64_t us = clock_wall().us - e->fetched.us;

	return us < 0 ? 0 : us / US_PER_SECOND;
}

static void
entry_expire(struct sts_cache *c, struct entry *e)
{
	if (e->text != NULL && entry_age_s(e) > (int64_t)e->max_age)
		entry_forget_text(c, e);
}

static int
entry_keep(struct sts_cache *c, struct entry *e, const struct sts_file *f)
{
	char *text = malloc(f->text.n + 1);

	if (text == NULL)
		return err_set("no memory");
	if (f->text.n > 0)
		memcpy(text, f->text.p, f->text.n);
	entry_forget_text(c, e);
	e->text = text;
	e->text_n = f->text.n;
	c->texts += e->text_n;
	e->fetched = f->fetched;
	e->max_age = f->policy->max_age;
	memcpy(e->id, f->id, sizeof e->id);
	while (c->texts > TEXTS_MOST && entry_evict(c))
		continue;
	return 0;
}

/* ---- asking ---- */

static void
entry_trouble(struct entry *e, enum tls_result t, const char *why)
{
	e->trouble = t;
	(void)snprintf(e->why, sizeof e->why, "%s", why);
}

/* RFC 8461 3.2: text/plain; its parameters do not matter. */
static bool
type_fits(const struct fetch_answer *a)
{
	struct str type = fetch_field(a, STR("content-type"));

	return str_eq_icase(str_trim(str_cut(&type, ';')), STR("text/plain"));
}

static int
answer_judge(struct entry *e, const struct fetch_answer *a,
    struct sts_policy *policy)
{
	char room[80];
	const char *wrong;

	if (a->status != 200) {		/* RFC 8461 3.3: no 3xx either */
		(void)snprintf(room, sizeof room,
		    "the policy's host answers with status %u", a->status);
		entry_trouble(e, TLS_RESULT_STS_POLICY_FETCH_ERROR, room);
		return -1;
	}
	wrong = type_fits(a) ? sts_policy_read(a->body, policy) :
	    "it is not text/plain";
	if (wrong == NULL)
		return 0;
	(void)snprintf(room, sizeof room, "of the policy: %s", wrong);
	entry_trouble(e, TLS_RESULT_STS_POLICY_INVALID, room);
	return -1;
}

/* 0: a policy that may be kept. */
static yields int
policy_fetch(struct asking *k, int64_t seconds, struct sts_file *out)
{
	struct entry *e = k->entry;
	struct fetch_answer answer;
	struct fetch_ask ask = { .body_most = STS_POLICY_MOST,
		.deadline = mono_add(clock_mono(), seconds * NS_PER_SECOND),
		.anchors = k->setup->anchors.n > 0 ? k->setup->anchors :
		    STR_NONE, .arena = &k->arena };

	ask.url = arena_printf(&k->arena,
	    "https://mta-sts.%s/.well-known/mta-sts.txt", e->domain);
	out->policy = arena_new(&k->arena, struct sts_policy);
	if (ask.url.p == NULL || out->policy == NULL)
		return err_set("no memory");
	if (fetch(&ask, &answer) != 0) {
		entry_trouble(e, answer.trouble == FETCH_CERTIFICATE ?
		    TLS_RESULT_STS_WEBPKI_INVALID :
		    TLS_RESULT_STS_POLICY_FETCH_ERROR, err_text());
		err_clear();
		return -1;
	}
	if (answer_judge(e, &answer, out->policy) != 0)
		return -1;
	out->text = answer.body;
	out->fetched = clock_wall();
	return 0;
}

static bool
is_young(const struct entry *e, const char *id)
{
	return e->text != NULL && strcmp(e->id, id) == 0 &&
	    entry_age_s(e) < DAY_S;
}

/* RFC 8461 3.3: a host that failed is left alone for a while. */
static bool
is_spared(const struct entry *e, const char *id)
{
	return strcmp(e->failed_id, id) == 0 &&
	    mono_is_before(clock_mono(), e->fetch_again);
}

static void
asking_tell(const struct asking *k, const char *why)
{
	char room[DOMAIN_ROOM + STS_WHY_MOST + 40];

	(void)snprintf(room, sizeof room, "the MTA-STS policy of %s: %s",
	    k->entry->domain, why);
	if (k->setup->tell != NULL)
		k->setup->tell(k->setup->arg, room);
}

static yields void
entry_fetch(struct asking *k, const char *id)
{
	struct entry *e = k->entry;
	bool is_known = e->text != NULL && strcmp(e->id, id) == 0;
	struct sts_file f = { .fetched = { 0 } };

	e->trouble = TLS_RESULT_FINE;
	memcpy(f.id, id, strlen(id) + 1);
	if (policy_fetch(k, is_known ? RENEW_S : FETCH_S, &f) != 0) {
		memcpy(e->failed_id, id, strlen(id) + 1);
		e->fetch_again = mono_add(clock_mono(), (is_known ?
		    RENEW_AGAIN_S : FETCH_AGAIN_S) * NS_PER_SECOND);
		if (e->text != NULL)
			asking_tell(k, e->why);
		return;
	}
	e->failed_id[0] = '\0';
	if (entry_keep(k->cache, e, &f) != 0 || sts_file_write(
	    k->setup->directory, entry_domain(e), &f) != 0)
		asking_tell(k, err_text());
	err_clear();
}

static yields void
entry_read(struct asking *k)
{
	struct sts_file f;

	k->entry->was_read = true;
	if (sts_file_read(k->setup->directory, entry_domain(k->entry),
	    &k->arena, &f) == 0)
		(void)entry_keep(k->cache, k->entry, &f);
}

/* The record's id: false when there is none that counts. */
static yields bool
record_ask(struct asking *k, char id[static STS_ID_MOST + 1])
{
	struct entry *e = k->entry;
	struct dns_answer a;
	struct str *texts, found;
	int64_t ttl = ASK_LEAST_S;

	dns_ask(arena_printf(&k->arena, "_mta-sts.%s", e->domain), DNS_TXT,
	    &k->arena, mono_add(clock_mono(), DNS_S * NS_PER_SECOND), &a);
	err_clear();
	if (a.status != DNS_TROUBLE && a.ttl > ttl)
		ttl = a.ttl < ASK_MOST_S ? a.ttl : ASK_MOST_S;
	e->good_until = mono_add(clock_mono(), ttl * NS_PER_SECOND);
	if (a.status != DNS_FOUND)
		return false;
	texts = arena_alloc(&k->arena, a.n * sizeof *texts);
	for (size_t i = 0; texts != NULL && i < a.n; i++)
		texts[i] = a.records[i].data;
	return texts != NULL && sts_record_choose(texts, a.n, &found) &&
	    str_cstr(found, id, STS_ID_MOST + 1);
}

static yields void
entry_learn(struct asking *k)
{
	struct entry *e = k->entry;
	char id[STS_ID_MOST + 1] = "";

	must(e->is_busy);
	if (!e->was_read)
		entry_read(k);
	entry_expire(k->cache, e);
	if (!record_ask(k, id)) {
		e->trouble = TLS_RESULT_FINE;
		e->failed_id[0] = '\0';
	} else if (is_young(e, id))
		e->trouble = TLS_RESULT_FINE;
	else if (!is_spared(e, id))
		entry_fetch(k, id);
}

static yields void
entry_wait(struct entry *e)
{
	struct waiter w = { .fiber = fiber_self() };

	list_append(&e->waiters, &w.link);
	while (e->is_busy)
		(void)fiber_park(MONO_NEVER);
	list_remove(&w.link);
}

static yields void
entry_ask(struct sts_cache *c, const struct sts_setup *s, struct entry *e)
{
	struct asking k = { .cache = c, .setup = s, .entry = e };
	struct link *w;

	e->is_busy = true;
	arena_init(&k.arena, ASK_MEMORY);
	entry_learn(&k);
	arena_clear(&k.arena);
	e->is_busy = false;
	for (w = list_first(&e->waiters); w != NULL;
	    w = list_next(&e->waiters, w))
		fiber_wake(OWNER_OF(w, struct waiter, link)->fiber);
}

/* ---- what was found ---- */

/* A policy that nobody has room for is no policy that is not there. */
static int
entry_tell(struct sts_cache *c, struct entry *e, struct arena *a,
    struct sts_found *out)
{
	entry_expire(c, e);
	out->trouble = e->trouble;
	if (e->trouble != TLS_RESULT_FINE)
		memcpy(out->why, e->why, sizeof out->why);
	if (e->text == NULL)
		return 0;
	out->policy = arena_new(a, struct sts_policy);
	out->text = arena_copy(a, (struct str){ e->text, e->text_n });
	if (out->policy == NULL || out->text.p == NULL)
		return err_set("no memory for an MTA-STS policy");
	out->is_there = sts_policy_read(out->text, out->policy) == NULL;
	must(out->is_there);
	return 0;
}

yields int
sts_find(struct sts_cache *c, const struct sts_setup *s, struct str domain,
    struct arena *a, struct sts_found *out)
{
	struct str name = arena_lower(a, domain);
	struct entry *e;
	int rc;

	*out = (struct sts_found){ .is_there = false };
	if (name.p != NULL && (!dns_name_fits(name) || !sts_file_fits(name)))
		return 0;
	e = name.p == NULL ? NULL : entry_hold(c, name);
	if (e == NULL)
		return err_set("no memory for an MTA-STS policy");
	if (e->is_busy)
		entry_wait(e);
	else if (!mono_is_before(clock_mono(), e->good_until))
		entry_ask(c, s, e);
	rc = entry_tell(c, e, a, out);
	must(e->holds > 0);
	e->holds--;
	return rc;
}

/* ---- in the background ---- */

static yields void
file_tend(struct sts_cache *c, const struct sts_setup *s, struct str name)
{
	struct sts_found found;
	struct sts_file f;
	struct arena a;
	int64_t age;

	arena_init(&a, ASK_MEMORY);
	if (name.p[0] == '.' || sts_file_read(s->directory, name, &a,
	    &f) != 0) {
		sts_file_remove(s->directory, name);
		arena_clear(&a);
		return;
	}
	age = (clock_wall().us - f.fetched.us) / US_PER_SECOND;
	if (age > (int64_t)f.policy->max_age)
		sts_file_remove(s->directory, name);
	else if (age > DAY_S)
		(void)sts_find(c, s, name, &a, &found);
	arena_clear(&a);
}

yields void
sts_tend(struct sts_cache *c, const struct sts_setup *s)
{
	const char *path;
	struct str *names = NULL;
	struct arena a;
	size_t n = 0;

	arena_init(&a, TEND_MEMORY);
	path = arena_cstr(&a, s->directory);
	if (path != NULL && disk_list(path, &a, &names, &n) != 0)
		n = 0;
	err_clear();			/* nothing was kept yet */
	for (size_t i = 0; i < n && (s->is_over == NULL || !*s->is_over); i++) {
		if (i < STS_FILES)
			file_tend(c, s, names[i]);
		else
			sts_file_remove(s->directory, names[i]);
	}
	arena_clear(&a);
}
