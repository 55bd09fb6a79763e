/* finish_reports.c -- where reports of others come to, and about whom. */
#include "policy/finish.h"

#include "policy/domain.h"
#include "wire/address.h"

/* A mailbox is a destination of its own in the queue, whose keys are short. */
enum { INBOX_MOST = 255 };

static void
inbox_problem(struct load *l, struct str text, const char *why)
{
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, "reports.inbox"),
	    "'"STR_FMT"' %s", STR_ARG(text), why);
}

static struct domain *
inbox_domain(struct load *l, struct str name)
{
	struct config *c = l->config;
	const struct domain *d;
	struct str canonical;

	if (!domain_canonical(l->reader.scratch, name, &canonical))
		return NULL;
	d = config_domain(c, canonical);
	for (size_t i = 0; i < c->n_domains; i++)
		if (c->domain_list[i] == d)
			return c->domain_list[i];
	return NULL;
}

static void
inbox_add(struct load *l, struct domain *d, struct str local)
{
	struct arena *a = l->reader.arena;
	struct str copy = arena_lower(a, local);

	if (d->inbox.v == NULL)
		d->inbox.v = arena_alloc(a, l->config->reports.inbox.n *
		    sizeof *d->inbox.v);
	if (d->inbox.v == NULL || copy.p == NULL)
		finish_is_full(l);
	else
		d->inbox.v[d->inbox.n++] = copy;
}

static void
inbox_check(struct load *l, struct str text)
{
	char room[LOCAL_MOST];
	struct buf local = BUF_OF(room);
	struct domain *d;
	struct mailbox m;
	enum resident_kind kind;

	if (text.n > INBOX_MOST ||
	    mailbox_parse(text, MAILBOX_UTF8, &m) != NULL) {
		inbox_problem(l, text, "is not a mail address");
		return;
	}
	d = inbox_domain(l, m.domain);
	if (d == NULL) {
		inbox_problem(l, text, "is not in an own domain; reports are "
		    "taken where mail comes to us");
		return;
	}
	mailbox_local(&m, &local);
	kind = domain_resident(d, buf_str(&local)).kind;
	if (kind == RESIDENT_USER || kind == RESIDENT_ALIAS)
		inbox_problem(l, text, "is a user or an alias too; what comes "
		    "there would be read by nobody");
	else if (kind == RESIDENT_ROLE)
		inbox_problem(l, text, "is where people write to; take another "
		    "name");
	else if (kind == RESIDENT_REPORTS)
		inbox_problem(l, text, "stands there twice");
	else
		inbox_add(l, d, buf_str(&local));
}

/* A-labels, lower case. */
static void
about_check(struct load *l, struct str *name)
{
	if (domain_canonical(l->reader.arena, *name, name))
		return;
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, "reports.about"),
	    "'"STR_FMT"' is not a domain", STR_ARG(*name));
}

void
finish_reports(struct load *l)
{
	struct config *c = l->config;

	for (size_t i = 0; i < c->reports.inbox.n; i++)
		inbox_check(l, c->reports.inbox.v[i]);
	for (size_t i = 0; i < c->reports.about.n; i++)
		about_check(l, &c->reports.about.v[i]);
}
