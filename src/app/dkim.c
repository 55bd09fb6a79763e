/*
 * The life of a key:
 *
 *	-         dkim_ensure, dkim_rotate the keyring makes it
 *	NEXT      key_look                 the DNS is asked for its record, again
 *	                                   and again, later and later
 *	ACTIVE    key_activate             the record was seen: it signs, and the one
 *	                                   of its kind before it retires
 *	RETIRING  key_drop                 signs no more; after dkim.retire
 *	-                                  the keyring has dropped it
 *
 * The keyring keeps the states, so they outlast this process; what is known here
 * is a copy, made anew whenever something may have changed.
 */
#include "app/dkim.h"

#include "app/keyring_dkim.h"
#include "app/keyring_link.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/dns.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "policy/signing.h"
#include "trust/dkim_published.h"
#include "trust/dkim_sign.h"

#include <stdio.h>
#include <time.h>

#define S INT64_C(1000000)		/* in us */

enum {
	ASK_LEAST_S = 60, ASK_MOST_S = 3600,	/* of a record that is missing */
	ASK_PATIENCE_S = 10,
	REST_S = 3600,			/* the fiber looks at least so often */
	AGAIN_S = 10,			/* when the keyring does not answer */
	TELL_AGAIN_S = 3600,
	PAGE_MOST = KEYRING_TELL_MOST,
	SELECTORS = 100			/* of one day */
};

static struct config_holder *
holder_of(struct dkim *d)
{
	return &d->node->cores[0].holder;
}

/* ---- telling ---- */

static void
dkim_tell(struct dkim *d, const struct dkim_published *k, const char *reason,
    const char *text)
{
	struct event e = event_make(EVENT_dkim_key, clock_wall(), 0);

	if (k != NULL) {
		event_str(&e, FIELD_domain, k->domain);
		event_str(&e, FIELD_selector, k->selector);
	}
	event_str(&e, FIELD_reason, str_of(reason));
	event_str(&e, FIELD_text, str_of(text));
	intake_tell(&d->node->cores[0].intake, &e);
}

/* Once in a while: it lasts. */
static void
dkim_tell_trouble(struct dkim *d)
{
	struct wall now = clock_wall();

	if (d->told.us != 0 && wall_is_before(now, wall_add(d->told,
	    TELL_AGAIN_S * S)))
		return;
	d->told = now;
	dkim_tell(d, NULL, "trouble", d->trouble);
}

static void
forget_here(void *arg)
{
	dkim_core_forget(arg);
}

/* Who signs with what is otherwise now. */
static void
cores_forget(struct dkim *d)
{
	for (unsigned i = 0; i < core_count(); i++)
		core_ring(&d->forget[i], i);
}

/* ---- the keyring ---- */

static yields int
keyring_ask(struct dkim *d, enum keyring_op op, const struct str *fields,
    size_t n, struct buf *out)
{
	struct keyring_link *link = d->identity->links[0];
	int rc;

	if (link == NULL)
		return err_set("there is no keyring");
	keyring_link_keep(link);
	rc = keyring_link_ask(link, op, 0, fields, n, out);
	keyring_link_drop(link);
	return rc;
}

/* A key of the list. */
static bool
listed_take(struct str *body, struct arena *a, struct dkim_published *k)
{
	uint64_t algorithm, state, bits, made, since;
	struct str domain, selector, public;
	char room[DKIM_PUBLISHED_MOST];
	struct buf text = BUF_OF(room);

	if (!keyring_field(body, &domain) || !keyring_field(body, &selector) ||
	    !keyring_number(body, &algorithm) || !keyring_number(body, &state) ||
	    !keyring_number(body, &bits) || !keyring_number(body, &made) ||
	    !keyring_number(body, &since) || !keyring_field(body, &public) ||
	    algorithm > DKIM_ED25519_SHA256 || state >= DKIM_STATES ||
	    made > INT64_MAX / S || since > INT64_MAX / S)
		return false;
	*k = (struct dkim_published){ .domain = arena_copy(a, domain),
		.selector = arena_copy(a, selector), .bits = (unsigned)bits,
		.algorithm = (enum dkim_algorithm)algorithm,
		.state = (enum dkim_state)state,
		.made = { (int64_t)made * S }, .since = { (int64_t)since * S },
		.name = arena_printf(a, STR_FMT "._domainkey." STR_FMT,
		    STR_ARG(selector), STR_ARG(domain)) };
	dkim_record_put(&text, k->algorithm, public);
	k->text = arena_copy(a, buf_str(&text));
	return !text.full && k->domain.p != NULL && k->selector.p != NULL &&
	    k->name.p != NULL && k->text.p != NULL;
}

static struct dkim_known *
known_find(struct dkim_known *list, size_t n, struct str domain,
    struct str selector)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].is.domain, domain) &&
		    str_eq(list[i].is.selector, selector))
			return &list[i];
	return NULL;
}

/* What is being read; takes the place of what was known when it is whole. */
struct listing {
	struct arena arena;
	struct dkim_known *list;
	uint64_t n, total;
	struct str trouble;
};

static int
page_read(struct dkim *d, struct listing *l, struct str body)
{
	uint64_t total;

	if (!keyring_field(&body, &l->trouble) || !keyring_number(&body, &total) ||
	    total > KEYRING_DKIM_MOST)
		return err_set("the keyring tells no list");
	if (l->list == NULL) {
		l->total = total;
		l->list = arena_alloc(&l->arena, (total + 1) *
		    sizeof *l->list);
	}
	l->trouble = arena_copy(&l->arena, l->trouble);
	if (l->list == NULL || total != l->total)
		return err_set("the keyring's list changes");
	for (; body.n > 0 && l->n < total; l->n++) {
		struct dkim_known *k = &l->list[l->n], *old;

		if (!listed_take(&body, &l->arena, &k->is))
			return err_set("the keyring tells no keys");
		old = known_find(d->known, d->n, k->is.domain, k->is.selector);
		if (old == NULL)
			continue;
		k->is.seen = old->is.seen;
		k->is.asked = old->is.asked;
		k->next = old->next;
	}
	return 0;
}

static yields int
list_read(struct dkim *d, struct listing *l)
{
	struct buf b = { .p = arena_alloc(&l->arena, PAGE_MOST),
		.cap = PAGE_MOST };
	uint64_t before;

	if (b.p == NULL)
		return err_set("no memory for keys");
	do {
		struct str from = { (const char *)&l->n, sizeof l->n };

		before = l->n;
		b.n = 0;
		if (keyring_ask(d, KEYRING_DKIM_LIST, &from, 1, &b) != 0 ||
		    page_read(d, l, buf_str(&b)) != 0)
			return -1;
	} while (l->n < l->total && l->n > before);
	return l->n == l->total ? 0 : err_set("the keyring's list ends early");
}

static yields int
dkim_refresh(struct dkim *d)
{
	struct listing l = { .n = 0 };

	arena_init(&l.arena, DKIM_MEMORY);
	if (list_read(d, &l) != 0) {
		(void)snprintf(d->trouble, sizeof d->trouble, "%s", err_text());
		arena_clear(&l.arena);
		return -1;
	}
	arena_clear(&d->arena);
	d->arena = l.arena;
	d->known = l.list;
	d->n = (size_t)l.n;
	d->reads++;
	d->is_stale = false;
	(void)snprintf(d->trouble, sizeof d->trouble, STR_FMT,
	    STR_ARG(l.trouble));
	return 0;
}

/* ---- making ---- */

/* The one of these states that came last; NULL: none. */
static struct dkim_known *
known_of(struct dkim *d, struct str domain, enum dkim_algorithm algorithm,
    enum dkim_state state)
{
	struct dkim_known *best = NULL;

	for (size_t i = 0; i < d->n; i++) {
		struct dkim_known *k = &d->known[i];

		if (str_eq(k->is.domain, domain) && k->is.state == state &&
		    k->is.algorithm == algorithm && (best == NULL ||
		    wall_is_before(best->is.since, k->is.since)))
			best = k;
	}
	return best;
}

static bool
algorithm_is_wanted(const struct config *c, enum dkim_algorithm algorithm)
{
	return c->dkim.algorithms == DKIM_BOTH ||
	    (c->dkim.algorithms == DKIM_RSA_ONLY) ==
	    (algorithm == DKIM_RSA_SHA256);
}

/* "nm261121r", then "nm261121r2": a day, and which kind. */
static int
selector_choose(struct dkim *d, struct str domain, enum dkim_algorithm algorithm,
    char out[DKIM_SELECTOR_MOST + 1])
{
	time_t now = (time_t)(clock_wall().us / S);
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	for (unsigned i = 1; i < SELECTORS; i++) {
		char more[12] = "";

		if (i > 1)
			(void)snprintf(more, sizeof more, "%u", i);
		(void)snprintf(out, DKIM_SELECTOR_MOST + 1,
		    "nm%02d%02d%02d%c%s", tm.tm_year % 100, tm.tm_mon + 1,
		    tm.tm_mday, algorithm == DKIM_RSA_SHA256 ? 'r' : 'e', more);
		if (known_find(d->known, d->n, domain, str_of(out)) == NULL)
			return 0;
	}
	return err_set("it got %d keys today already", SELECTORS - 1);
}

static yields int
key_make(struct dkim *d, struct str of, enum dkim_algorithm algorithm)
{
	char selector[DKIM_SELECTOR_MOST + 1], choice = (char)algorithm;
	char domain_text[DKIM_DOMAIN_MOST + 1];	/* the list is read anew */
	struct str domain = { domain_text, of.n };
	struct str fields[] = { domain, STR_NONE, { &choice, 1 } };
	struct dkim_known *k;
	struct buf none = { .cap = 0 };

	if (!str_cstr(of, domain_text, sizeof domain_text) ||
	    selector_choose(d, domain, algorithm, selector) != 0)
		return -1;
	fields[1] = str_of(selector);
	if (keyring_ask(d, KEYRING_DKIM_MAKE, fields, 3, &none) != 0 ||
	    dkim_refresh(d) != 0)
		return -1;
	k = known_find(d->known, d->n, domain, str_of(selector));
	if (k == NULL)
		return err_set("the keyring lost a key");
	dkim_tell(d, &k->is, "made", "a key was made; it signs when its record is "
	    "in the DNS: nightmail dkim show tells it");
	return 0;
}

static const enum dkim_algorithm kinds[] = { DKIM_RSA_SHA256,
	DKIM_ED25519_SHA256 };

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Each kind that is wanted and has none that signs or will; or, to rotate, none
 * that will. */
static yields int
keys_make(struct dkim *d, struct str domain, bool is_rotation)
{
	struct config *c = config_pin(holder_of(d));
	int rc = 0;

	for (size_t i = 0; i < KINDS && rc == 0; i++)
		if (algorithm_is_wanted(c, kinds[i]) &&
		    known_of(d, domain, kinds[i], DKIM_NEXT) == NULL &&
		    (is_rotation ||
		    known_of(d, domain, kinds[i], DKIM_ACTIVE) == NULL))
			rc = key_make(d, domain, kinds[i]);
	config_unpin(holder_of(d), c);
	return rc;
}

/* ---- the DNS ---- */

/* Is that the record of this key, as receivers will read it? */
static bool
record_is(struct str text, const struct dkim_published *k, struct arena *a)
{
	struct dkim_record theirs, ours;

	return dkim_record_read(text, a, &theirs) == NULL &&
	    dkim_record_read(k->text, a, &ours) == NULL &&
	    theirs.type == ours.type && str_eq(theirs.key, ours.key) &&
	    theirs.takes_sha256 && theirs.is_for_mail;
}

/* RFC 6376 3.6.2.2: of several records nobody can tell which counts. */
static enum dkim_seen
answer_judge(const struct dns_answer *answer, const struct dkim_published *k,
    struct arena *a)
{
	switch (answer->status) {
	case DNS_FOUND:
		return answer->n == 1 && record_is(answer->records[0].data, k,
		    a) ? DKIM_SEEN : DKIM_OTHER;
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		return DKIM_MISSING;
	case DNS_TROUBLE:
		break;
	}
	return DKIM_UNKNOWN;
}

/* Young keys are looked for often: somebody is at it. */
static struct wall
next_look(const struct dkim_published *k, struct wall now)
{
	int64_t pause = (now.us - k->since.us) / 10;

	if (pause < ASK_LEAST_S * S)
		pause = ASK_LEAST_S * S;
	if (pause > ASK_MOST_S * S)
		pause = ASK_MOST_S * S;
	return wall_add(now, pause);
}

static yields void
key_look(struct dkim_known *k)
{
	struct dns_answer answer;
	struct arena a;

	arena_init(&a, 256 * 1024);
	dns_ask(k->is.name, DNS_TXT, &a, mono_add(clock_mono(),
	    ASK_PATIENCE_S * NS_PER_SECOND), &answer);
	err_clear();
	k->is.seen = answer_judge(&answer, &k->is, &a);
	k->is.asked = clock_wall();
	k->next = next_look(&k->is, k->is.asked);
	arena_clear(&a);
}

static yields int
key_become(struct dkim *d, const struct dkim_published *k, enum dkim_state state)
{
	char choice = (char)state;
	const struct str fields[] = { k->domain, k->selector, { &choice, 1 } };
	struct buf none = { .cap = 0 };

	return keyring_ask(d, KEYRING_DKIM_STATE, fields, 3, &none);
}

static yields int
key_activate(struct dkim *d, const struct dkim_published *k)
{
	bool has_old = known_of(d, k->domain, k->algorithm, DKIM_ACTIVE) != NULL;

	must(k->state == DKIM_NEXT && k->seen == DKIM_SEEN);
	if (key_become(d, k, DKIM_ACTIVE) != 0)
		return -1;
	cores_forget(d);
	d->is_stale = true;
	dkim_tell(d, k, "active", has_old ? "its record is in the DNS: it signs "
	    "from now on, and the key before it retires" : "its record is in the "
	    "DNS: it signs from now on");
	return 0;
}

/* ---- the end ---- */

static yields int
key_drop(struct dkim *d, const struct dkim_published *k, const char *reason,
    const char *text)
{
	const struct str fields[] = { k->domain, k->selector };
	struct buf none = { .cap = 0 };

	if (keyring_ask(d, KEYRING_DKIM_DROP, fields, 2, &none) != 0)
		return -1;
	cores_forget(d);
	d->is_stale = true;
	dkim_tell(d, k, reason, text);
	return 0;
}

/* ---- what is due ---- */

static yields int
known_turn(struct dkim *d, const struct config *c, struct dkim_known *k,
    struct wall now)
{
	const struct dkim_published *is = &k->is;

	switch (is->state) {
	case DKIM_NEXT:
		if (!wall_is_before(now, k->next))
			key_look(k);
		return is->seen == DKIM_SEEN ? key_activate(d, is) : 0;
	case DKIM_ACTIVE:
		return c->dkim.rotate == 0 || now.us - is->since.us <
		    c->dkim.rotate / NS_PER_US || !signing_has_keys(c,
		    is->domain) || known_of(d, is->domain, is->algorithm,
		    DKIM_NEXT) != NULL ? 0 :
		    key_make(d, is->domain, is->algorithm);
	case DKIM_RETIRING:
		return now.us - is->since.us < c->dkim.retire / NS_PER_US ? 0 :
		    key_drop(d, is, "removed", "it retired long enough and is "
		    "gone; its record may leave the DNS");
	case DKIM_STATES:
		break;
	}
	must(!"a state");
	return 0;
}

static yields int
all_turn(struct dkim *d, const struct config *c)
{
	struct wall now = clock_wall();
	uint64_t reads = d->reads;
	int rc = 0;

	/* who makes a key reads the list again; what is left comes next time */
	for (size_t i = 0; i < d->n && d->reads == reads; i++)
		if (known_turn(d, c, &d->known[i], now) != 0)
			rc = -1;	/* and the others go on */
	d->is_stale = d->is_stale || d->reads != reads;
	return rc;
}

static yields int
wants_turn(struct dkim *d, const struct config *c)
{
	char domain[DKIM_DOMAIN_MOST + 1];

	while (d->n_wants > 0) {
		memcpy(domain, d->wants[--d->n_wants], sizeof domain);
		if (signing_has_keys(c, str_of(domain)) &&
		    keys_make(d, str_of(domain), false) != 0)
			return -1;
	}
	return 0;
}

/* Until the first that has to be looked at; what comes of itself wakes. */
static struct mono
rest(const struct dkim *d)
{
	struct mono until = mono_add(clock_mono(), REST_S * NS_PER_SECOND);

	if (d->is_stale)
		return clock_mono();
	for (size_t i = 0; i < d->n; i++)
		if (d->known[i].is.state == DKIM_NEXT)
			until = mono_first(until, clock_mono_at(
			    d->known[i].next, REST_S * NS_PER_SECOND));
	return until;
}

static yields struct mono
dkim_turn(struct dkim *d)
{
	struct config *c = config_pin(holder_of(d));
	bool is_on = c->outbound.dkim == DKIM_AUTO;
	int rc = 0;

	if (is_on && permit_take(&d->turn, MONO_NEVER) == 0) {
		rc = dkim_refresh(d) != 0 || wants_turn(d, c) != 0 ||
		    all_turn(d, c) != 0 ? -1 : 0;
		permit_give(&d->turn);
	}
	config_unpin(holder_of(d), c);
	if (rc == 0)
		return is_on ? rest(d) : mono_add(clock_mono(),
		    REST_S * NS_PER_SECOND);
	if (d->trouble[0] == '\0')
		(void)snprintf(d->trouble, sizeof d->trouble, "%s", err_text());
	err_clear();
	dkim_tell_trouble(d);
	return mono_add(clock_mono(), AGAIN_S * NS_PER_SECOND);
}

static yields void
dkim_run(void *arg)
{
	struct dkim *d = arg;

	d->fiber = fiber_self();
	while (!d->is_ending) {
		struct mono next;

		d->is_called = false;
		next = dkim_turn(d);
		while (!d->is_ending && !d->is_called &&
		    mono_is_before(clock_mono(), next))
			(void)fiber_park(next);
	}
	d->fiber = NULL;
}

/* ---- its life ---- */

void
dkim_init(struct dkim *d, struct identity *id)
{
	*d = (struct dkim){ .identity = id };
	permit_init(&d->turn, 1);
	arena_init(&d->arena, DKIM_MEMORY);
	for (unsigned i = 0; i < CORES_MOST; i++) {
		dkim_core_init(&d->cores[i], d, &id->links[i]);
		core_bell_init(&d->forget[i], forget_here, &d->cores[i]);
	}
}

struct dkim_signer *
dkim_signer_of(struct dkim *d, unsigned core)
{
	return &d->cores[core].is;
}

int
dkim_open(struct dkim *d, struct node *n)
{
	must(d->fiber == NULL);
	d->node = n;
	return fiber_go("dkim", dkim_run, d);
}

yields void
dkim_close(struct dkim *d)
{
	d->is_ending = true;
	while (d->fiber != NULL) {
		fiber_wake(d->fiber);
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_MS));
	}
	arena_clear(&d->arena);
	d->known = NULL;
	d->n = 0;
}

void
dkim_wake(struct dkim *d)
{
	d->is_called = true;
	if (d->node != NULL)
		cores_forget(d);
	fiber_wake(d->fiber);
}

void
dkim_want(struct dkim *d, struct str domain)
{
	for (size_t i = 0; i < d->n_wants; i++)
		if (str_eq(str_of(d->wants[i]), domain))
			return;
	if (d->n_wants == DKIM_WANTS)
		return;
	if (str_cstr(domain, d->wants[d->n_wants], sizeof d->wants[0]))
		d->n_wants++;
	d->is_called = true;
	fiber_wake(d->fiber);
}

/* ---- commands ---- */

/* One at a time, with what the keyring has now. */
static yields int
command_begin(struct dkim *d)
{
	if (config_now(holder_of(d))->outbound.dkim == DKIM_OFF)
		return err_set("outbound.dkim is off: nothing is signed");
	if (permit_take(&d->turn, mono_add(clock_mono(), 60 *
	    NS_PER_SECOND)) != 0)
		return err_set("the keys are busy");
	if (dkim_refresh(d) == 0)
		return 0;
	permit_give(&d->turn);
	return -1;
}

static int
command_end(struct dkim *d, int rc)
{
	permit_give(&d->turn);
	d->is_called = true;
	fiber_wake(d->fiber);
	return rc;
}

yields void
dkim_look(struct dkim *d)
{
	if (config_now(holder_of(d))->outbound.dkim == DKIM_OFF ||
	    !permit_try(&d->turn))
		return;
	(void)dkim_refresh(d);
	err_clear();
	permit_give(&d->turn);
}

static int
domain_check(struct dkim *d, struct str domain)
{
	return signing_has_keys(config_now(holder_of(d)), domain) ? 0 :
	    err_set("no mail is signed for " STR_FMT ": it is none of domains, "
	    "nor of dkim.also, or its dkim is off", STR_ARG(domain));
}

yields int
dkim_ensure(struct dkim *d, struct str domain)
{
	if (domain_check(d, domain) != 0 || command_begin(d) != 0)
		return -1;
	return command_end(d, keys_make(d, domain, false));
}

yields int
dkim_rotate(struct dkim *d, struct str domain)
{
	if (domain_check(d, domain) != 0 || command_begin(d) != 0)
		return -1;
	return command_end(d, keys_make(d, domain, true));
}

static yields int
keys_check(struct dkim *d, struct str domain)
{
	for (size_t i = 0; i < d->n; i++) {
		struct dkim_known *k = &d->known[i];

		if (domain.n > 0 && !str_eq(k->is.domain, domain))
			continue;
		key_look(k);
		if (k->is.state == DKIM_NEXT && k->is.seen == DKIM_SEEN &&
		    key_activate(d, &k->is) != 0)
			return -1;
	}
	return d->is_stale ? dkim_refresh(d) : 0;
}

yields int
dkim_check(struct dkim *d, struct str domain)
{
	return command_begin(d) != 0 ? -1 :
	    command_end(d, keys_check(d, domain));
}

static yields int
key_remove(struct dkim *d, struct str domain, struct str selector, bool is_sure)
{
	const struct dkim_known *k = known_find(d->known, d->n, domain,
	    selector);

	if (k == NULL)
		return err_set("there is no such key");
	if (k->is.state == DKIM_ACTIVE && !is_sure)
		return err_set("that key signs; nightmail dkim rotate makes its "
		    "successor, and --yes removes it all the same");
	if (key_drop(d, &k->is, "removed", "it was removed by an administrator; "
	    "its record may leave the DNS when no mail it signed is on the way") !=
	    0)
		return -1;
	return dkim_refresh(d);
}

yields int
dkim_remove(struct dkim *d, struct str domain, struct str selector, bool is_sure)
{
	return command_begin(d) != 0 ? -1 :
	    command_end(d, key_remove(d, domain, selector, is_sure));
}
