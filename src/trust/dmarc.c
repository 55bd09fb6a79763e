#include "trust/dmarc.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"
#include "wire/dkim.h"

enum { LABELS_WALKED = 7 };		/* by names with 8 and more */

const char *
dmarc_result_name(enum dmarc_result r)
{
	static const char *const names[] = { "none", "pass", "fail",
		"temperror", "permerror" };

	must(r <= DMARC_PERMERROR);
	return names[r];
}

/* ---- one name: asked once in a message ---- */

enum point_state { POINT_EMPTY, POINT_RECORD, POINT_TROUBLE };

struct point {
	struct point *next;
	struct str domain;		/* a slice of a name that was walked */
	enum point_state state;
	bool exists;			/* as _dmarc below it does */
	enum dmarc_reading reading;
	struct dmarc_record record;	/* POINT_RECORD */
	struct str why;			/* POINT_TROUBLE */
};

struct search {
	const struct dns_quest *quest;
	struct arena *arena;
	struct point *points;
	struct point full;		/* the arena is full */
};

/* RFC 9989 4.10 steps 2, 6: others are discarded; several are none. */
static void
point_choose(struct point *p, const struct dns_answer *answer)
{
	size_t n = 0;

	for (size_t i = 0; i < answer->n; i++) {
		struct dmarc_record r;
		enum dmarc_reading reading = dmarc_read(answer->records[i].data,
		    &r);

		if (reading == DMARC_NO_RECORD || n++ > 0)
			continue;
		p->reading = reading;
		p->record = r;
	}
	p->state = n == 1 ? POINT_RECORD : POINT_EMPTY;
}

static yields void
point_ask(struct search *s, struct point *p)
{
	struct str name = arena_join(s->arena, STR("_dmarc."), p->domain);
	struct dns_answer answer;

	if (name.p == NULL) {
		p->state = POINT_TROUBLE;
		p->why = STR("no memory");
		return;
	}
	quest_ask(s->quest, name, DNS_TXT, s->arena, &answer);
	p->exists = answer.status == DNS_FOUND || answer.status == DNS_NO_DATA;
	if (answer.status == DNS_FOUND)
		point_choose(p, &answer);
	if (answer.status != DNS_TROUBLE)
		return;
	p->state = POINT_TROUBLE;
	p->why = arena_printf(s->arena, STR_FMT ": %s", STR_ARG(name),
	    err_text());
	if (p->why.n == 0)		/* trouble is told by its words */
		p->why = STR("no memory");
	err_clear();
}

static yields const struct point *
point_get(struct search *s, struct str domain)
{
	struct point *p;

	for (p = s->points; p != NULL; p = p->next)
		if (str_eq(p->domain, domain))
			return p;
	if ((p = arena_new(s->arena, struct point)) == NULL) {
		s->full = (struct point){ .state = POINT_TROUBLE,
			.why = STR("no memory") };
		return &s->full;
	}
	p->domain = domain;
	point_ask(s, p);
	p->next = s->points;
	s->points = p;
	return p;
}

/* ---- the tree walk (RFC 9989 4.10) ---- */

static size_t
labels(struct str domain)
{
	size_t n = 1;

	for (size_t i = 0; i < domain.n; i++)
		n += domain.p[i] == '.';
	return n;
}

static struct str
parent(struct str domain)
{
	(void)str_cut(&domain, '.');
	return domain;
}

struct walk {
	const struct point *start;	/* the record there; or NULL */
	const struct point *top;	/* with the fewest labels; or NULL */
	const struct point *psd;	/* psd=y, above the start; or NULL */
	const struct point *trouble;	/* it could not be finished; or NULL */
	struct str organization;
};

/* Steps 3, 4: what follows the starting point. */
static struct str
walk_second(struct str domain)
{
	size_t n = labels(domain);

	if (n <= LABELS_WALKED)
		return parent(domain);
	for (; n > LABELS_WALKED; n--)
		domain = parent(domain);
	return domain;
}

/*
 * RFC 9989 4.10.2, rules 1 to 3.  The walk ends at psd=n and psd=y, so what was
 * seen last is what counts: psd=n is the top itself; below psd=y it is the name
 * one label longer; else the top.
 */
static void
walk_conclude(struct walk *w, struct str domain)
{
	struct str below = domain;

	w->organization = domain;
	if (w->psd != NULL) {
		while (labels(below) > labels(w->psd->domain) + 1)
			below = parent(below);
		w->organization = below;
	} else if (w->top != NULL)
		w->organization = w->top->domain;
}

static yields void
walk_from(struct search *s, struct str domain, struct walk *w)
{
	struct str at = domain;

	*w = (struct walk){ .organization = domain };
	for (unsigned i = 0; i < DMARC_STEPS && at.n > 0; i++) {
		const struct point *p = point_get(s, at);

		if (p->state == POINT_TROUBLE) {
			w->trouble = p;
			return;
		}
		if (p->state == POINT_RECORD) {
			w->top = p;
			if (i == 0)
				w->start = p;
			else if (p->record.psd == DMARC_PSD_Y)
				w->psd = p;
			if (p->record.psd != DMARC_PSD_U)
				break;
		}
		at = i == 0 ? walk_second(at) : parent(at);
	}
	walk_conclude(w, domain);
}

/* ---- policy discovery (RFC 9989 4.10.1) ---- */

/* The record of the author's domain, of the organizational domain, of the public
 * suffix, in this order.  The second is not among those that were asked for when
 * labels were skipped. */
static const struct point *
walk_record(const struct search *s, const struct walk *w)
{
	if (w->start != NULL)
		return w->start;
	for (const struct point *p = s->points; p != NULL; p = p->next)
		if (p->state == POINT_RECORD &&
		    str_eq(p->domain, w->organization))
			return p;
	return w->psd;
}

/* False: out->result says how it ended. */
static yields bool
discover(struct search *s, struct str author, struct dmarc_answer *out)
{
	const struct point *p = point_get(s, author);
	struct walk w;

	if (p->state == POINT_EMPTY) {
		walk_from(s, author, &w);
		p = w.trouble != NULL ? w.trouble : walk_record(s, &w);
		out->organization = w.trouble != NULL ? STR_NONE :
		    w.organization;
	}
	if (p == NULL) {
		out->why = STR("no DMARC record is published");
		return false;
	}
	if (p->state == POINT_TROUBLE) {
		out->result = DMARC_TEMPERROR;
		out->why = p->why;
		return false;
	}
	out->where = p->domain;
	out->record = p->record;
	out->text = p->record.text;
	out->is_testing = p->record.is_testing;
	if (p->reading == DMARC_NO_POLICY) {
		out->result = DMARC_PERMERROR;
		out->why = arena_printf(s->arena, "the record of " STR_FMT
		    " has no valid policy, and nobody wants reports",
		    STR_ARG(p->domain));
	}
	return p->reading == DMARC_RECORD;
}

/*
 * RFC 9989 3.2.13: a name of which the DNS says NXDOMAIN does not exist; RFC 8020:
 * one below which something is does.  Where it makes no difference, not to know
 * is no trouble.
 */
static yields void
find_existence(struct search *s, struct str author, struct dmarc_answer *out)
{
	bool matters = out->record.np != out->record.sp;
	struct dns_answer answer;

	if (point_get(s, author)->exists ||
	    (out->result == DMARC_PASS && !matters))
		return;
	quest_ask(s->quest, author, DNS_TXT, s->arena, &answer);
	out->is_nonexistent = answer.status == DNS_NO_NAME;
	if (answer.status != DNS_TROUBLE)
		return;
	if (matters && out->result == DMARC_FAIL) {
		out->result = DMARC_TEMPERROR;
		out->why = arena_printf(s->arena, "does " STR_FMT " exist? %s",
		    STR_ARG(author), err_text());
	}
	err_clear();
}

/* RFC 9989 4.7 t: "one level below the specified policy". */
static enum dmarc_policy
policy_tested(enum dmarc_policy p)
{
	return p == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE :
	    DMARC_POLICY_NONE;
}

static yields void
find_policy(struct search *s, struct str author, struct dmarc_answer *out)
{
	const struct dmarc_record *r = &out->record;
	bool is_own = str_eq(out->where, author);

	if (!is_own)
		find_existence(s, author, out);
	out->tag = is_own ? "p" : out->is_nonexistent && r->has_np ? "np" :
	    r->has_sp ? "sp" : "p";
	out->published = is_own ? r->p : out->is_nonexistent ? r->np : r->sp;
	out->policy = r->is_testing ? policy_tested(out->published) :
	    out->published;
}

/* ---- alignment (RFC 9989 4.10.2) ---- */

enum aligned { ALIGNED_NO, ALIGNED_YES, ALIGNED_TROUBLE };

/* The author's organizational domain was not needed till now. */
static yields bool
find_organization(struct search *s, struct str author, struct dmarc_answer *out,
    struct str *why)
{
	struct walk w;

	if (out->organization.n > 0)
		return true;
	walk_from(s, author, &w);
	if (w.trouble != NULL)
		*why = w.trouble->why;
	else
		out->organization = w.organization;
	return w.trouble == NULL;
}

/* An organizational domain is the domain itself or one above it. */
static bool
could_belong(struct str identity, struct str organization)
{
	struct str end = str_sub(identity, identity.n - organization.n,
	    organization.n);

	return identity.n >= organization.n && str_eq(end, organization) &&
	    (end.p == identity.p || end.p[-1] == '.');
}

static struct str
last_label(struct str domain)
{
	size_t at = str_find_last(domain, '.');

	return at == domain.n ? domain : str_sub(domain, at + 1, domain.n);
}

static yields enum aligned
align(struct search *s, struct str author, struct str identity, bool is_strict,
    struct dmarc_answer *out, struct str *why)
{
	struct walk w;

	if (identity.n == 0)
		return ALIGNED_NO;
	if (str_eq(identity, author))
		return ALIGNED_YES;
	if (is_strict || !dns_name_fits(identity) ||
	    !could_belong(identity, last_label(author)))
		return ALIGNED_NO;
	if (!find_organization(s, author, out, why))
		return ALIGNED_TROUBLE;
	if (!could_belong(identity, out->organization))
		return ALIGNED_NO;
	walk_from(s, identity, &w);
	if (w.trouble != NULL) {
		*why = w.trouble->why;
		return ALIGNED_TROUBLE;
	}
	return str_eq(w.organization, out->organization) ? ALIGNED_YES :
	    ALIGNED_NO;
}

/*
 * RFC 9989 5.3.6: where a question that could have brought a pass found no answer,
 * it neither passed nor failed.
 */
static yields void
check_spf(struct search *s, const struct dmarc_ask *ask,
    struct dmarc_answer *out, struct str *trouble)
{
	struct str domain = arena_lower(s->arena, ask->spf_domain);
	enum aligned a;

	if (ask->spf != SPF_PASS && ask->spf != SPF_TEMPERROR)
		return;
	if (domain.n != ask->spf_domain.n)
		*trouble = STR("no memory");
	a = align(s, ask->author, domain, out->record.is_strict_spf, out,
	    trouble);
	out->spf_aligned = a == ALIGNED_YES && ask->spf == SPF_PASS;
	if (a == ALIGNED_YES && ask->spf == SPF_TEMPERROR)
		*trouble = STR("SPF found no answer");
}

static yields void
check_signature(struct search *s, const struct dmarc_ask *ask, size_t i,
    struct dmarc_answer *out, struct str *trouble)
{
	const struct dkim_outcome *o = &ask->dkim[i];
	enum aligned a;

	if (o->result != DKIM_PASS && o->result != DKIM_TEMPERROR)
		return;
	a = align(s, ask->author, o->domain, out->record.is_strict_dkim, out,
	    trouble);
	if (a == ALIGNED_YES && o->result == DKIM_TEMPERROR)
		*trouble = STR("a signature's key could not be had");
	out->dkim_aligned = a == ALIGNED_YES && o->result == DKIM_PASS;
	out->dkim_index = i;
}

/* Those of the very domain cost no question. */
static yields void
check_dkim(struct search *s, const struct dmarc_ask *ask,
    struct dmarc_answer *out, struct str *trouble)
{
	for (size_t i = 0; i < ask->n_dkim && !out->dkim_aligned; i++)
		if (str_eq(ask->dkim[i].domain, ask->author))
			check_signature(s, ask, i, out, trouble);
	for (size_t i = 0; i < ask->n_dkim && !out->dkim_aligned; i++)
		if (!str_eq(ask->dkim[i].domain, ask->author))
			check_signature(s, ask, i, out, trouble);
}

static yields void
check_alignment(struct search *s, const struct dmarc_ask *ask,
    struct dmarc_answer *out)
{
	struct str trouble = STR_NONE;

	check_spf(s, ask, out, &trouble);
	check_dkim(s, ask, out, &trouble);
	if (out->spf_aligned || out->dkim_aligned)
		out->result = DMARC_PASS;
	else if (trouble.n > 0) {
		out->result = DMARC_TEMPERROR;
		out->why = trouble;
	} else {
		out->result = DMARC_FAIL;
		out->why = arena_printf(s->arena, "neither SPF nor DKIM passed "
		    "for a domain aligned with " STR_FMT, STR_ARG(ask->author));
	}
}

/* A domain literal has no DMARC. */
static bool
can_be_asked(struct str domain, struct dmarc_answer *out)
{
	if (domain.n > 0 && domain.p[0] != '[' && dns_name_fits(domain))
		return true;
	out->why = domain.n == 0 ? STR("no single domain is From") :
	    STR("From's domain is no name of the DNS");
	return false;
}

yields void
dmarc_check(const struct dmarc_ask *ask, struct arena *a,
    struct dmarc_answer *out)
{
	struct search s = { .quest = &ask->quest, .arena = a };

	*out = (struct dmarc_answer){ .result = DMARC_NONE, .tag = "p" };
	if (!can_be_asked(ask->author, out) || !discover(&s, ask->author, out))
		return;
	check_alignment(&s, ask, out);
	find_policy(&s, ask->author, out);
}

yields void
dmarc_discover(struct str domain, const struct dns_quest *quest,
    struct arena *a, struct dmarc_answer *out)
{
	struct search s = { .quest = quest, .arena = a };
	struct str why;

	*out = (struct dmarc_answer){ .result = DMARC_NONE, .tag = "p" };
	if (!can_be_asked(domain, out) || !discover(&s, domain, out))
		return;
	find_policy(&s, domain, out);
	if (find_organization(&s, domain, out, &why))
		return;
	out->result = DMARC_TEMPERROR;
	out->why = why;
}

/* ---- may reports go there? (RFC 9990 4) ---- */

/* "Prepend the domain name from which the policy was retrieved" */
static yields void
consent_ask(struct search *s, struct str where, struct str destination,
    struct dmarc_consent_answer *out)
{
	struct str name = arena_printf(s->arena, STR_FMT "._report._dmarc."
	    STR_FMT, STR_ARG(where), STR_ARG(destination));
	struct dns_answer answer;

	out->why = arena_printf(s->arena, "nothing at " STR_FMT
	    " says that it may", STR_ARG(name));
	if (name.p == NULL || !dns_name_fits(name))
		return;
	quest_ask(s->quest, name, DNS_TXT, s->arena, &answer);
	if (answer.status == DNS_TROUBLE) {
		out->consent = DMARC_CONSENT_LATER;
		out->why = arena_printf(s->arena, STR_FMT ": %s", STR_ARG(name),
		    err_text());
		err_clear();
	}
	for (size_t i = 0; answer.status == DNS_FOUND && i < answer.n; i++) {
		struct dmarc_record r;

		if (dmarc_read(answer.records[i].data, &r) == DMARC_NO_RECORD)
			continue;
		out->consent = DMARC_CONSENT_YES;
		if (out->rua.n == 0)
			out->rua = r.rua;
		if (out->ruf.n == 0)
			out->ruf = r.ruf;
	}
}

/* RFC 9990 4 step 9: it may name other mailboxes, but of the same host only. */
static bool
stays_at(struct str list, struct str destination)
{
	struct dmarc_uri uri;

	while (dmarc_uri_next(&list, &uri)) {
		char room[512];
		struct buf b = BUF_OF(room);
		struct str domain;

		if (uri.mailbox.p == NULL)
			continue;
		if (!dmarc_uri_mailbox(&uri, &b, &domain) ||
		    !str_eq_icase(domain, destination))
			return false;
	}
	return true;
}

static yields bool
is_external(struct search *s, struct str where, struct str destination,
    struct dmarc_consent_answer *out)
{
	struct walk from, to;

	if (str_eq(where, destination))
		return false;
	walk_from(s, where, &from);
	walk_from(s, destination, &to);
	if (from.trouble == NULL && to.trouble == NULL)
		return !str_eq(from.organization, to.organization);
	out->consent = DMARC_CONSENT_LATER;
	out->why = from.trouble != NULL ? from.trouble->why : to.trouble->why;
	return false;
}

yields void
dmarc_consent(struct str where, struct str destination,
    const struct dns_quest *quest, struct arena *a,
    struct dmarc_consent_answer *out)
{
	struct search s = { .quest = quest, .arena = a };

	*out = (struct dmarc_consent_answer){ .consent = DMARC_CONSENT_YES };
	destination = arena_lower(a, destination);
	if (where.n == 0 || !dns_name_fits(where) || destination.n == 0 ||
	    !dns_name_fits(destination)) {
		out->consent = DMARC_CONSENT_NO;
		out->why = STR("that is no domain");
		return;
	}
	out->is_external = is_external(&s, where, destination, out);
	if (!out->is_external)
		return;
	out->consent = DMARC_CONSENT_NO;
	consent_ask(&s, where, destination, out);
	if (out->consent != DMARC_CONSENT_YES || (stays_at(out->rua,
	    destination) && stays_at(out->ruf, destination)))
		return;
	out->consent = DMARC_CONSENT_NO;
	out->rua = out->ruf = STR_NONE;
	out->why = arena_printf(a, STR_FMT " names a mailbox of another host",
	    STR_ARG(destination));
}
