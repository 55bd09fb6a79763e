#include "policy/finish.h"

#include "policy/domain.h"
#include "policy/schema.h"

/* How many ways of the three these values name. */
static int
transport_ways(const struct transport *t)
{
	return (t->maildir.n > 0) + (t->lmtp != NULL) + (t->pipe != NULL);
}

static void
transport_refuse(struct load *l, struct place at, const char *whose)
{
	problem_add(l->reader.problems, PROBLEM_ERROR, at,
	    "%s one of lmtp, maildir and pipe, not several", whose);
}

void
finish_transports(struct load *l)
{
	struct config *c = l->config;
	size_t n = l->n[SCOPE_transport];

	c->transports = arena_alloc(l->reader.arena, n * sizeof *c->transports);
	if (c->transports == NULL) {
		finish_is_full(l);
		return;
	}
	for (const struct load_member *m = l->members[SCOPE_transport];
	    m != NULL; m = m->next) {
		struct transport *t = &c->transports[c->n_transports++];

		*t = *(const struct transport *)m->member;
		t->name = arena_copy(l->reader.arena, t->name);
		if (t->name.p == NULL)
			finish_is_full(l);
		if (transport_ways(t) == 0)
			problem_add(l->reader.problems, PROBLEM_ERROR, t->place,
			    "a transport needs one of lmtp, maildir and pipe");
		else if (transport_ways(t) > 1)
			transport_refuse(l, t->place, "a transport has");
	}
}

/* The default of maildir gives way to what was written. */
void
finish_deliver_by(struct load *l)
{
	struct config *c = l->config;
	struct transport *by = &c->deliver.by;
	struct place maildir = finish_place(c->origins, "deliver.maildir");

	if (maildir.line == 0 && (by->lmtp != NULL || by->pipe != NULL))
		by->maildir = STR_NONE;
	if (transport_ways(by) > 1)
		transport_refuse(l, finish_place(c->origins, by->lmtp != NULL ?
		    "deliver.lmtp" : "deliver.pipe"), "'deliver' has");
}

/* The older spelling of deliver.maildir.  What was configured stays as it is,
 * for `config show'. */
static struct transport *
domain_maildir(struct load *l, struct domain *d)
{
	struct transport *by = arena_new(l->reader.arena, struct transport);

	if (by == NULL) {
		finish_is_full(l);
		return &d->deliver;
	}
	*by = d->deliver;
	if (by->maildir.n > 0)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(d->origins, "domains.*.maildir"),
		    "'maildir' and 'deliver.maildir' mean the same");
	by->maildir = d->maildir;
	return by;
}

void
finish_domain_by(struct load *l, struct domain *d)
{
	struct transport *by = d->maildir.n == 0 ? &d->deliver :
	    domain_maildir(l, d);

	if (transport_ways(by) > 1)
		transport_refuse(l, d->place, "a domain's 'deliver' has");
	if (d->relay_to != NULL && transport_ways(by) > 0)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(d->origins, "domains.*.relay_to"),
		    "mail for '"STR_FMT"' goes on by relay_to; what 'deliver' "
		    "says means nothing", STR_ARG(d->name));
	d->transport = transport_ways(by) > 0 ? by : &l->config->deliver.by;
}
