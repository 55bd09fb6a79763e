#include "app/acme.h"

#include "app/acme_order.h"
#include "app/keyring_answer.h"
#include "app/keyring_link.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "fiber/random.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "trust/acme.h"
#include "trust/fitness.h"

#include <stdlib.h>

enum { LOOK_SECONDS = 3600, SHOW_SECONDS = 60, TURN_SECONDS = 60, ADVICE_LEAST_S = 60,
	ADVICE_USUAL_S = 6 * 3600, ADVICE_MOST_S = 24 * 3600 };

static struct config_holder *
holder_of(const struct acme *a)
{
	return &a->node->cores[0].holder;
}

static struct wall
wall_in(int64_t seconds)
{
	return wall_add(clock_wall(), seconds * US_PER_SECOND);
}

static void
acme_tell(struct acme *a, const char *reason, const char *text)
{
	struct event e = event_make(EVENT_certificate, clock_wall(), 0);

	event_str(&e, FIELD_reason, str_of(reason));
	event_str(&e, FIELD_text, str_of(text));
	intake_tell(&a->node->cores[0].intake, &e);
}

/* ---- what there is, and what is wanted ---- */

static bool
kind_is_wanted(const struct conf_acme *c, unsigned kind)
{
	return c->agree == ACME_AGREED && (c->keys == ACME_BOTH ||
	    (c->keys == ACME_RSA) == (kind == KEYRING_RSA));
}

/* IDENTITY_MOST: there is none. */
static size_t
shown_find(const struct acme *a, unsigned kind)
{
	const struct identity *id = a->identity;

	for (size_t i = 0; i < id->n_shown; i++)
		if (id->shown[i].source == KEYRING_ACME &&
		    strcmp(id->shown[i].file, keyring_kind_names[kind]) == 0)
			return i;
	return IDENTITY_MOST;
}

static bool
file_has(const struct identity *id, struct str name)
{
	for (size_t i = 0; i < id->n_shown; i++)
		if (id->shown[i].source == KEYRING_FILE &&
		    certificate_is_for(id->shown[i].cert.leaf, name))
			return true;
	return false;
}

/* Files win for their names. */
static size_t
names_wanted(const struct acme *a, const struct conf_acme *c,
    struct str names[ACME_NAMES_MOST])
{
	size_t n = 0;

	for (size_t i = 0; i < c->names.n && n < ACME_NAMES_MOST; i++)
		if (!file_has(a->identity, c->names.v[i]))
			names[n++] = c->names.v[i];
	return n;
}

static bool
shown_has_all(const struct acme *a, size_t shown, const struct str *names,
    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!certificate_is_for(a->identity->shown[shown].cert.leaf,
		    names[i]))
			return false;
	return true;
}

/* Whose advice is remembered must be the one that is shown. */
static uint64_t
shown_mark(const struct acme *a, size_t shown)
{
	return certificate_key_id(&a->identity->shown[shown].cert);
}

static struct wall
shown_due(const struct acme *a, const struct acme_life *life, size_t shown)
{
	struct wall from, until, due;

	certificate_life(a->identity->shown[shown].cert.leaf, &from, &until);
	due = acme_renew_at(from, until);
	/* Advice may be late; a certificate that is over helps nobody. */
	if (life->advised == shown_mark(a, shown) && life->advice.us > 0 &&
	    life->advice.us < until.us)
		due = life->advice;
	return due;
}

static void
life_plan(struct acme *a, const struct conf_acme *c, unsigned kind)
{
	struct acme_life *life = &a->lives[kind];
	struct str names[ACME_NAMES_MOST];
	size_t n, shown = shown_find(a, kind);

	if (!kind_is_wanted(c, kind)) {
		*life = (struct acme_life){ .failures = 0 };
		return;
	}
	life->due = (struct wall){ 0 };
	life->has_files = false;
	n = names_wanted(a, c, names);
	life->has_files = n == 0;
	if (n == 0)
		return;
	if (shown == IDENTITY_MOST || life->is_wished ||
	    !shown_has_all(a, shown, names, n))
		life->due = clock_wall();
	else
		life->due = shown_due(a, life, shown);
	if (!life->is_wished && wall_is_before(life->due, life->not_before))
		life->due = life->not_before;
}

struct wall
acme_renews_at(const struct acme *a, size_t i)
{
	for (unsigned kind = 0; kind < KEYRING_KINDS; kind++)
		if (shown_find(a, kind) == i)
			return a->lives[kind].due;
	return (struct wall){ 0 };
}

/* ---- a conversation ---- */

/* What lasts as long as one does. */
struct meeting {
	struct arena arena;
	struct acme_talk talk;
	struct config *config;
	struct keyring_link *link;
};

static yields struct meeting *
meeting_begin(struct acme *a)
{
	struct meeting *m;

	if (permit_take(&a->turn, mono_add(clock_mono(), TURN_SECONDS *
	    NS_PER_SECOND)) != 0) {
		err_set("another conversation with the authority goes on");
		return NULL;
	}
	m = calloc(1, sizeof *m);
	if (m == NULL || a->identity->links[0] == NULL) {
		err_set(m == NULL ? "no memory for ACME" :
		    "the keyring is gone");
		free(m);
		permit_give(&a->turn);
		return NULL;
	}
	arena_init(&m->arena, ACME_MEMORY);
	m->config = config_pin(holder_of(a));
	m->link = keyring_link_keep(a->identity->links[0]);
	acme_talk_init(&m->talk, m->config, m->link, &m->arena, &a->is_ending);
	return m;
}

static void
meeting_end(struct acme *a, struct meeting *m)
{
	keyring_link_drop(m->link);
	config_unpin(holder_of(a), m->config);
	arena_clear(&m->arena);
	free(m);
	permit_give(&a->turn);
}

/* ---- advice (RFC 9773) ---- */

static struct wall
window_choose(const struct acme_window *w)
{
	uint64_t span = (uint64_t)(w->end.us - w->start.us);

	return wall_add(w->start, (int64_t)random_below(span));
}

/* 4.3: an instant of the window by chance, once for each window. */
static void
window_keep(struct acme_life *life, const struct acme_window *w, uint64_t mark)
{
	if (life->advised == mark && life->window_start.us == w->start.us &&
	    life->window_end.us == w->end.us)
		return;
	life->advised = mark;
	life->window_start = w->start;
	life->window_end = w->end;
	life->advice = window_choose(w);
}

static yields int
advice_fetch(struct acme *a, struct meeting *m, unsigned kind, int64_t *again_s)
{
	char id[ACME_CERT_ID_MOST];
	struct buf b = BUF_OF(id);
	struct acme_talk *t = &m->talk;
	size_t shown = shown_find(a, kind);
	struct acme_window w;
	struct acme_reply r;
	uint64_t mark;

	if (shown == IDENTITY_MOST)	/* it went while we waited for a turn */
		return 0;
	mark = shown_mark(a, shown);
	if (acme_cert_id(a->identity->shown[shown].cert.leaf, &b) != 0 ||
	    acme_talk_get(t, t->config->tls.acme.directory, ACME_ANSWER_MOST,
	    &r) != 0 || acme_read_directory(r.body, t->arena,
	    &t->directory) != 0)
		return -1;
	if (t->directory.renewal.n == 0)
		return 0;
	if (acme_talk_get(t, arena_printf(t->arena, STR_FMT "/" STR_FMT,
	    STR_ARG(t->directory.renewal), STR_ARG(buf_str(&b))),
	    ACME_ANSWER_MOST, &r) != 0 ||
	    acme_read_window(r.body, t->arena, &w) != 0)
		return -1;
	*again_s = r.retry_s;
	window_keep(&a->lives[kind], &w, mark);
	return 0;
}

/* 4.3.2, 4.3.3: not too often, and trouble is no reason to wait with it. */
static yields void
advice_ask(struct acme *a, unsigned kind)
{
	struct acme_life *life = &a->lives[kind];
	struct meeting *m;
	int64_t s = 0;

	if (shown_find(a, kind) == IDENTITY_MOST || life->due.us == 0 ||
	    wall_is_before(clock_wall(), life->ask_again))
		return;
	m = meeting_begin(a);
	if (m != NULL) {
		(void)advice_fetch(a, m, kind, &s);
		meeting_end(a, m);
	}
	err_clear();
	if (s == 0)
		s = ADVICE_USUAL_S;
	life->ask_again = wall_in(s < ADVICE_LEAST_S ? ADVICE_LEAST_S :
	    s > ADVICE_MOST_S ? ADVICE_MOST_S : s);
}

/* ---- an order ---- */

static yields int
order_make(struct acme *a, struct meeting *m, unsigned kind)
{
	struct str *names = arena_alloc(&m->arena, ACME_NAMES_MOST *
	    sizeof *names);
	char id[ACME_CERT_ID_MOST];
	struct buf b = BUF_OF(id);
	size_t shown = shown_find(a, kind);
	struct acme_wanted w = { .kind = (enum keyring_kind)kind,
		.names = names, .replaces = STR("") };

	if (names == NULL)
		return err_set("no memory for ACME");
	w.n = names_wanted(a, &m->config->tls.acme, names);
	if (shown != IDENTITY_MOST && acme_cert_id(
	    a->identity->shown[shown].cert.leaf, &b) == 0)
		w.replaces = buf_str(&b);
	err_clear();
	return acme_talk_open(&m->talk) == 0 ?
	    acme_order_run(&m->talk, &a->board, &w) : -1;
}

static void
life_failed(struct acme *a, unsigned kind, int64_t asked_s)
{
	struct acme_life *life = &a->lives[kind];
	char room[ACME_SAID_MOST + 200];
	struct buf b = BUF_OF(room);

	life->failures++;
	life->not_before = wall_in(acme_pause_s(life->failures, asked_s,
	    random_u64()));
	(void)str_cstr(str_sub(str_of(err_text()), 0, ACME_SAID_MOST - 1),
	    life->said, sizeof life->said);
	buf_printf(&b, "no %s certificate by ACME: %s; next attempt %s",
	    keyring_kind_names[kind], life->said,
	    wall_print(life->not_before).text);
	buf_putc(&b, '\0');
	if (!a->is_ending)
		acme_tell(a, "failed", room);
}

/* Master starts another keyring, which reads what the old one kept. */
static yields int
shown_await(struct acme *a, unsigned before)
{
	struct mono until = mono_add(clock_mono(), SHOW_SECONDS *
	    NS_PER_SECOND);

	a->installed(a->arg);
	while (a->identity->renewals == before && !a->is_ending &&
	    mono_is_before(clock_mono(), until))
		(void)fiber_park(until);
	return a->identity->renewals != before ? 0 :
	    err_set("the new certificate is kept, but not shown");
}

static void
life_went_well(struct acme *a, unsigned kind)
{
	struct acme_life *life = &a->lives[kind];
	size_t shown = shown_find(a, kind);
	struct wall from, until;
	char room[600];
	struct buf b = BUF_OF(room);

	*life = (struct acme_life){ .failures = 0 };
	if (shown == IDENTITY_MOST)
		return;
	certificate_describe(&a->identity->shown[shown], &b);
	certificate_life(a->identity->shown[shown].cert.leaf, &from, &until);
	buf_printf(&b, " is new, until %s", wall_print(until).text);
	buf_putc(&b, '\0');
	acme_tell(a, "renewed", room);
}

static yields void
life_renew(struct acme *a, unsigned kind)
{
	struct meeting *m = meeting_begin(a);
	unsigned before = a->identity->renewals;
	int64_t asked_s = 0;
	int rc = -1;

	a->lives[kind].is_wished = false;
	if (m != NULL) {
		rc = order_make(a, m, kind);
		asked_s = m->talk.retry_s;
		meeting_end(a, m);
	}
	if (rc == 0)
		rc = shown_await(a, before);
	if (rc == 0)
		life_went_well(a, kind);
	else
		life_failed(a, kind, asked_s);
	err_clear();
}

/* ---- the fiber ---- */

/* What is due is done; when to look again. */
static yields struct mono
acme_turn(struct acme *a)
{
	struct config *c = config_pin(holder_of(a));
	struct mono next = mono_add(clock_mono(), LOOK_SECONDS *
	    NS_PER_SECOND);

	certificate_watch(&a->watch, a->identity,
	    &a->node->cores[0].intake, c->hostname);
	for (unsigned kind = 0; kind < KEYRING_KINDS && !a->is_ending; kind++) {
		struct acme_life *life = &a->lives[kind];

		life_plan(a, &c->tls.acme, kind);
		advice_ask(a, kind);
		life_plan(a, &c->tls.acme, kind);
		if (life->due.us > 0 && !wall_is_before(clock_wall(),
		    life->due)) {
			life_renew(a, kind);
			life_plan(a, &c->tls.acme, kind);
			next = clock_mono();	/* for what is new: advice */
		}
		if (life->due.us > 0)
			next = mono_first(next, clock_mono_at(life->due,
			    LOOK_SECONDS * NS_PER_SECOND));
	}
	config_unpin(holder_of(a), c);
	return next;
}

static yields void
acme_run(void *arg)
{
	struct acme *a = arg;

	a->fiber = fiber_self();
	while (!a->is_ending) {
		struct mono next = acme_turn(a);

		if (!a->is_ending)
			(void)fiber_park(next);
	}
	a->fiber = NULL;
}

int
acme_open(struct acme *a, struct node *n, struct identity *id,
    void (*installed)(void *), void *arg)
{
	must(a->fiber == NULL);
	a->node = n;
	a->identity = id;
	a->installed = installed;
	a->arg = arg;
	permit_init(&a->turn, 1);
	challenge_board_init(&a->board);
	return fiber_go("certificates", acme_run, a);
}

void
acme_wake(struct acme *a)
{
	fiber_wake(a->fiber);
}

yields void
acme_close(struct acme *a)
{
	a->is_ending = true;
	fetch_hurry();
	while (a->fiber != NULL || a->asked > 0) {
		fiber_wake(a->fiber);
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_MS));
	}
}

/* ---- commands ---- */

int
acme_renew(struct acme *a)
{
	const struct conf_acme *c = &config_now(holder_of(a))->tls.acme;

	if (c->agree == ACME_NO)
		return err_set("tls.acme is not set: certificates come from "
		    "files, and are renewed by whoever writes these");
	for (unsigned kind = 0; kind < KEYRING_KINDS; kind++)
		a->lives[kind].is_wished = kind_is_wanted(c, kind);
	acme_wake(a);
	return 0;
}

static yields int
revoke_one(struct acme *a, struct meeting *m, size_t shown)
{
	enum { ROOM = 32 * 1024 };
	struct buf b = { .p = arena_alloc(&m->arena, ROOM), .cap = ROOM };
	unsigned char *der = NULL;
	struct acme_reply r;
	int n = i2d_X509(a->identity->shown[shown].cert.leaf, &der);

	if (b.p == NULL || n <= 0) {
		OPENSSL_free(der);
		return err_set("no memory for ACME");
	}
	acme_put_revoke(&b, (struct str){ (char *)der, (size_t)n }, 0);
	OPENSSL_free(der);
	return acme_talk_post(&m->talk, m->talk.directory.revoke, buf_str(&b),
	    ACME_ANSWER_MOST, &r);
}

static yields int
revoke_all(struct acme *a, struct meeting *m)
{
	bool is_any = false;

	for (unsigned kind = 0; kind < KEYRING_KINDS; kind++) {
		size_t shown = shown_find(a, kind);

		if (shown == IDENTITY_MOST)
			continue;
		if (revoke_one(a, m, shown) != 0)
			return err_add("%s", keyring_kind_names[kind]);
		is_any = true;
		a->lives[kind].is_wished = true;
	}
	return is_any ? 0 : err_set("there is no certificate by ACME");
}

static yields int
asked(struct acme *a, yields int (*fn)(struct acme *, struct meeting *))
{
	struct meeting *m;
	int rc = -1;

	if (config_now(holder_of(a))->tls.acme.agree == ACME_NO)
		return err_set("tls.acme is not set");
	a->asked++;
	m = meeting_begin(a);
	if (m != NULL) {
		rc = acme_talk_open(&m->talk) == 0 ? fn(a, m) : -1;
		meeting_end(a, m);
	}
	a->asked--;
	acme_wake(a);
	return rc;
}

yields int
acme_revoke(struct acme *a)
{
	return asked(a, revoke_all);
}

static yields int
rekey(struct acme *a, struct meeting *m)
{
	(void)a;
	return acme_talk_roll(&m->talk);
}

yields int
acme_rekey(struct acme *a)
{
	return asked(a, rekey);
}
