/*
 * Records wait in a row: each is read once, its costs are noted, and where it
 * includes or redirects to goes to the end of the row.  A loop is ended by the
 * row's length.
 */
#include "trust/spf_walk.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"
#include "trust/spf.h"

struct waiting {
	struct str domain;
	struct str by;			/* the term that leads here; n == 0: none */
	bool is_main;			/* its all is the domain's */
};

struct walk {
	const struct dns_quest *quest;
	struct arena *arena;
	struct spf_walk *out;
	size_t n, at;
	struct waiting row[SPF_WALK_RECORDS];
};

static void
walk_wrong(struct walk *w, struct str whose, const char *what)
{
	if (w->out->wrong.n == 0)
		w->out->wrong = arena_printf(w->arena, STR_FMT " %s",
		    STR_ARG(whose), what);
}

static void
walk_trouble(struct walk *w, struct str name)
{
	if (w->out->trouble.n == 0)
		w->out->trouble = arena_printf(w->arena, STR_FMT ": %s",
		    STR_ARG(name), err_text());
	err_clear();
	w->out->is_whole = false;
}

static bool
has_macro(struct str spec)
{
	return str_find(spec, '%') < spec.n;
}

static void
walk_put(struct walk *w, struct str domain, struct str by, bool is_main)
{
	if (w->n == SPF_WALK_RECORDS) {
		w->out->is_whole = false;
		walk_wrong(w, by, "leads on and on");
		return;
	}
	w->row[w->n++] = (struct waiting){ domain, by, is_main };
}

static void
cost_add(struct walk *w, const struct waiting *at, const struct spf_term *t,
    bool is_void)
{
	struct spf_walk *out = w->out;

	out->lookups++;
	out->voids += is_void;
	if (out->n < SPF_WALK_TERMS)
		out->costs[out->n++] = (struct spf_cost){ at->domain, t->text,
		    is_void };
	else
		out->is_whole = false;
}

/* Does the name have any such address?  Trouble is told, and no. */
static yields bool
name_leads_on(struct walk *w, struct str name, enum dns_type type, size_t *n)
{
	struct dns_answer got;

	quest_ask(w->quest, name, type, w->arena, &got);
	*n = got.status == DNS_FOUND ? got.n : 0;
	if (got.status == DNS_TROUBLE)
		walk_trouble(w, name);
	return got.status == DNS_FOUND || got.status == DNS_TROUBLE;
}

/* 4.6.4: no answer is a void look-up; a name with addresses of one family has
 * none for clients of the other, which nobody counts. */
static yields bool
term_has_answer(struct walk *w, const struct spf_term *t, struct str name)
{
	size_t n;

	if (t->kind == SPF_MX) {
		bool has = name_leads_on(w, name, DNS_MX, &n);

		if (n > SPF_NAMES)
			walk_wrong(w, t->text, "has more than 10 mail "
			    "exchangers");
		return has;
	}
	return name_leads_on(w, name, DNS_A, &n) || (t->kind == SPF_A &&
	    name_leads_on(w, name, DNS_AAAA, &n));
}

static yields void
term_count(struct walk *w, const struct waiting *at, const struct spf_term *t)
{
	struct str name = t->domain.n > 0 ? t->domain : at->domain;
	bool leads_on = t->kind == SPF_INCLUDE || t->kind == SPF_REDIRECT;

	if (t->kind == SPF_PTR)
		w->out->has_ptr = true;
	if (leads_on && !has_macro(name))
		walk_put(w, name, t->text, at->is_main &&
		    t->kind == SPF_REDIRECT);
	cost_add(w, at, t, !leads_on && t->kind != SPF_PTR &&
	    !has_macro(name) && !term_has_answer(w, t, name));
}

/* 5.1: what stands behind all is never looked at; 6.1: nor is redirect. */
static yields void
terms_walk(struct walk *w, const struct waiting *at,
    const struct spf_term *terms, size_t n)
{
	const struct spf_term *redirect = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct spf_term *t = &terms[i];

		if (t->kind == SPF_ALL && at->is_main) {
			w->out->all = t->text;
			w->out->all_result = t->qualifier;
		}
		if (t->kind == SPF_ALL)
			return;
		if (t->kind == SPF_REDIRECT)
			redirect = t;
		else if (t->kind < SPF_MECHANISMS && t->kind != SPF_IP4 &&
		    t->kind != SPF_IP6)
			term_count(w, at, t);
	}
	if (redirect != NULL)
		term_count(w, at, redirect);
}

/* 4.5: exactly one. */
static bool
record_choose(struct walk *w, const struct waiting *at,
    const struct dns_answer *got, struct str *record)
{
	*record = STR_NONE;
	for (size_t i = 0; i < got->n; i++) {
		if (!spf_is_record(got->records[i].data))
			continue;
		if (record->p != NULL) {
			walk_wrong(w, at->domain, "has more than one SPF "
			    "record: then none of them counts");
			return false;
		}
		*record = got->records[i].data;
	}
	if (record->p == NULL && at->by.n > 0)
		walk_wrong(w, at->by, "leads to a domain without an SPF record");
	return record->p != NULL;
}

static yields void
record_walk(struct walk *w, const struct waiting *at, struct str record)
{
	struct spf_term *terms;
	size_t words = 1, n = 0;
	const char *wrong;

	for (size_t i = 0; i < record.n; i++)
		words += record.p[i] == ' ';
	words = words < SPF_TERMS_MOST ? words : SPF_TERMS_MOST;
	terms = arena_alloc(w->arena, words * sizeof *terms);
	if (terms == NULL) {
		err_set("no memory");
		walk_trouble(w, at->domain);
		return;
	}
	wrong = spf_read(record, terms, words, &n);
	if (wrong == NULL) {
		terms_walk(w, at, terms, n);
		return;
	}
	w->out->is_whole = false;
	if (w->out->wrong.n == 0)
		w->out->wrong = arena_printf(w->arena, "in the record of "
		    STR_FMT " '" STR_FMT "' %s", STR_ARG(at->domain),
		    STR_ARG(n > 0 ? terms[n - 1].text : str_sub(record, 0, 80)),
		    wrong);
}

static yields void
domain_walk(struct walk *w, const struct waiting *at)
{
	struct dns_answer got;
	struct str record;

	quest_ask(w->quest, at->domain, DNS_TXT, w->arena, &got);
	if (got.status == DNS_TROUBLE) {
		walk_trouble(w, at->domain);
		return;
	}
	if (!record_choose(w, at, &got, &record))
		return;
	if (at->by.n == 0)
		w->out->record = record;
	record_walk(w, at, record);
}

yields void
spf_walk(struct str domain, const struct dns_quest *quest, struct arena *arena,
    struct spf_walk *out)
{
	struct walk *w = arena_new(arena, struct walk);

	*out = (struct spf_walk){ .is_whole = true, .all_result = SPF_NEUTRAL,
		.record = STR(""), .all = STR(""), .wrong = STR(""),
		.trouble = STR("") };
	if (w == NULL) {
		out->is_whole = false;
		out->trouble = STR("no memory");
		return;
	}
	w->quest = quest;
	w->arena = arena;
	w->out = out;
	walk_put(w, domain, STR(""), true);
	while (w->at < w->n) {
		struct waiting at = w->row[w->at++];

		domain_walk(w, &at);
	}
	must(w->n <= SPF_WALK_RECORDS);
}
