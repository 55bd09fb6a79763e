#include "app/report_where.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/dns.h"
#include "trust/dmarc.h"
#include "wire/tls_rpt.h"

enum { TEXTS_MOST = 32, MAILBOX_ROOM = 700 };

struct looking {
	struct report_where *out;
	struct arena *arena;
	struct dns_quest quest;
	unsigned budget;
	struct buf why;
	struct str domain;		/* whose record it is */
};

static void
why_put(struct looking *l, struct str what, const char *why, struct str more)
{
	struct buf one = { .p = l->why.p + l->why.n,
		.cap = l->why.cap - l->why.n };

	buf_printf(&one, "%s" STR_FMT ": %s%s" STR_FMT, l->why.n > 0 ? "; " : "",
	    STR_ARG(str_sub(what, 0, 200)), why, more.n > 0 ? ": " : "",
	    STR_ARG(str_sub(more, 0, 200)));
	if (!one.full)
		l->why.n += one.n;
}

static void
to_add(struct looking *l, struct str mailbox, uint64_t most)
{
	struct report_where *w = l->out;

	for (size_t i = 0; i < w->n_to; i++)
		if (str_eq_icase(w->to[i], mailbox))
			return;
	if (w->n_to == REPORT_MAIL_TO) {
		why_put(l, mailbox, "one address too many", STR(""));
		return;
	}
	w->most[w->n_to] = most;
	w->to[w->n_to] = arena_copy(l->arena, mailbox);
	w->n_to += w->to[w->n_to].p != NULL;
}

/* The mailbox of a mailto:, and its domain; what else there is, is told. */
static bool
uri_mailbox(struct looking *l, const struct dmarc_uri *uri, struct buf *out,
    struct str *domain)
{
	out->n = 0;
	if (uri->mailbox.p == NULL)
		why_put(l, uri->uri, "only mailto: is known here", STR(""));
	else if (dmarc_uri_mailbox(uri, out, domain))
		return true;
	else
		why_put(l, uri->uri, "it is no mail address", STR(""));
	out->full = false;
	return false;
}

/* ---- DMARC ---- */

/* RFC 9990 4, step 9: what the destination wants instead, at its own host. */
static void
instead_add(struct looking *l, struct str rua, struct str host)
{
	struct dmarc_uri uri;
	char room[MAILBOX_ROOM];
	struct buf b = BUF_OF(room);
	struct str domain;

	while (dmarc_uri_next(&rua, &uri))
		if (uri_mailbox(l, &uri, &b, &domain) &&
		    str_eq_icase(domain, host))
			to_add(l, buf_str(&b), uri.most);
}

static yields void
consent_heed(struct looking *l, const struct dmarc_uri *uri,
    struct str mailbox, struct str host)
{
	struct dmarc_consent_answer a;

	dmarc_consent(l->domain, host, &l->quest, l->arena, &a);
	switch (a.consent) {
	case DMARC_CONSENT_YES:
		if (a.rua.n > 0)
			instead_add(l, a.rua, host);
		else
			to_add(l, mailbox, uri->most);
		break;
	case DMARC_CONSENT_NO:
		why_put(l, mailbox, "its domain does not agree", a.why);
		break;
	case DMARC_CONSENT_LATER:
		l->out->is_later = true;
		why_put(l, mailbox, "not known whether its domain agrees",
		    a.why);
		break;
	}
}

static yields void
dmarc_look(struct looking *l)
{
	struct dmarc_answer *d = arena_new(l->arena, struct dmarc_answer);
	char room[MAILBOX_ROOM];
	struct buf b = BUF_OF(room);
	struct dmarc_uri uri;
	struct str rua, host;

	if (d == NULL)
		return;
	dmarc_discover(l->domain, &l->quest, l->arena, d);
	l->out->is_later = d->result == DMARC_TEMPERROR;
	if (!str_eq(d->where, l->domain) || d->record.rua.n == 0) {
		why_put(l, l->domain, "asks for no reports now", d->why);
		return;
	}
	rua = d->record.rua;
	while (dmarc_uri_next(&rua, &uri))
		if (uri_mailbox(l, &uri, &b, &host))
			consent_heed(l, &uri, buf_str(&b), host);
}

/* ---- TLS ---- */

static void
url_add(struct looking *l, struct str url)
{
	struct report_where *w = l->out;

	if (w->n_urls == REPORT_WHERE_URLS) {
		why_put(l, url, "one address too many", STR(""));
		return;
	}
	w->urls[w->n_urls] = arena_copy(l->arena, url);
	w->n_urls += w->urls[w->n_urls].p != NULL;
}

static void
tls_take(struct looking *l, struct str rua)
{
	char room[MAILBOX_ROOM];
	struct buf b = BUF_OF(room);
	struct dmarc_uri uri;
	struct str host;

	while (dmarc_uri_next(&rua, &uri))
		if (str_has_prefix_icase(uri.uri, STR("https://")))
			url_add(l, uri.uri);
		else if (uri_mailbox(l, &uri, &b, &host))
			to_add(l, buf_str(&b), 0);
}

/* RFC 8460 3: the record at _smtp._tls and the policy's domain. */
static yields void
tls_look(struct looking *l)
{
	struct str name = arena_join(l->arena, STR("_smtp._tls."), l->domain);
	struct str texts[TEXTS_MOST], rua;
	struct dns_answer a = { .n = 0 };
	size_t n = 0;

	quest_ask(&l->quest, name, DNS_TXT, l->arena, &a);
	l->out->is_later = a.status == DNS_TROUBLE;
	for (size_t i = 0; a.status == DNS_FOUND && i < a.n &&
	    n < TEXTS_MOST; i++)
		texts[n++] = a.records[i].data;
	if (tls_rpt_rua(texts, n, &rua))
		tls_take(l, rua);
	else
		why_put(l, l->domain, a.status == DNS_TROUBLE ?
		    "the DNS does not tell" : "asks for no reports", STR(""));
}

yields struct report_where *
report_where(enum report_kind kind, struct str domain, struct arena *a)
{
	struct looking l = { .out = arena_new(a, struct report_where),
		.arena = a, .budget = REPORT_WHERE_QUESTIONS,
		.domain = domain };

	if (l.out == NULL)
		return NULL;
	l.why = (struct buf){ .p = l.out->why, .cap = sizeof l.out->why - 1 };
	l.quest = (struct dns_quest){ .budget = &l.budget, .now = clock_wall(),
		.deadline = mono_add(clock_mono(),
		REPORT_WHERE_S * NS_PER_SECOND) };
	if (kind == REPORT_OF_DMARC)
		dmarc_look(&l);
	else
		tls_look(&l);
	must(l.why.n < sizeof l.out->why);
	return l.out;
}
