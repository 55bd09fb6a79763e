#include "policy/advice.h"

#include "base/list.h"
#include "fiber/net.h"
#include "policy/account.h"
#include "policy/domain.h"
#include "policy/finish.h"
#include "policy/login.h"
#include "policy/problem.h"

enum { RECIPIENTS_LEAST = 100, V4_WIDE = 8, V6_WIDE = 16 };

#define DAY_NS (24 * 3600 * NS_PER_SECOND)

/* ---- who may relay ---- */

static void
advise_trusted(const struct config *c, struct problems *ps)
{
	struct place at = finish_place(c->origins, "trusted");

	for (size_t i = 0; i < c->trusted.n; i++) {
		const struct network *n = &c->trusted.v[i];
		unsigned wide = n->base.family == ADDRESS_V4 ? V4_WIDE :
		    V6_WIDE;
		struct address_text t = address_print(&n->base);

		if (n->bits == 0)
			problem_add(ps, PROBLEM_ERROR, at,
			    "'%s/0' trusts everybody: an open relay", t.text);
		else if (n->bits < wide)
			problem_add(ps, PROBLEM_WARNING, at,
			    "'%s/%u' is very wide: whoever is in it may send to "
			    "anybody", t.text, n->bits);
	}
}

static bool
trusts_others(const struct config *c)
{
	for (size_t i = 0; i < c->trusted.n; i++)
		if (!address_is_loopback(&c->trusted.v[i].base))
			return true;
	return false;
}

/* Some that the file names; the database is there when somebody is in it. */
static bool
knows_accounts(const struct config *c)
{
	for (size_t i = 0; i < login_sources_n; i++)
		if (!str_eq(login_sources[i].name, STR("database")) &&
		    login_sources[i].is_set(c))
			return true;
	return false;
}

static void
advise_submission(const struct config *c, struct problems *ps,
    const struct listener *s)
{
	if (s->role == ROLE_SUBMISSION && c->auth.database == AUTH_DATABASE_ON)
		problem_add(ps, PROBLEM_HINT, s->place,
		    "this machine may use this listener, and users of the "
		    "database; 'nightmail user add' makes them");
	else
		problem_add(ps, PROBLEM_HINT, s->place,
		    "only trusted networks may use this listener, and "
		    "those are this machine alone");
}

static void
advise_listeners(const struct config *c, struct problems *ps)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct listener *s = &c->listeners[i];

		if (s->role != ROLE_MX && s->role != ROLE_ACME && s->at.n > 0 &&
		    !address_is_loopback(&s->at.v[0]) && !trusts_others(c) &&
		    (s->role != ROLE_SUBMISSION || !knows_accounts(c)))
			advise_submission(c, ps, s);
	}
	if (c->n_listeners == 0)
		problem_add(ps, PROBLEM_WARNING,
		    finish_place(c->origins, "listen"), "there is no listener: "
		    "no mail comes in by SMTP");
}

/* ---- domains ---- */

static struct place
alias_at(struct str file, unsigned line)
{
	return (struct place){ .file = file, .line = line, .column = 1 };
}

static void
advise_target(const struct config *c, struct problems *ps,
    const struct domain *d, const struct alias_entry *e,
    const struct alias_to *alias_to)
{
	struct place at = alias_at(alias_to->file, alias_to->line);
	struct str target = alias_to->text;
	size_t sign = str_find_last(target, '@');
	const struct domain *to = sign == target.n ? d :
	    config_domain(c, str_sub(target, sign + 1, target.n));

	if (alias_to->kind == ALIAS_TO_TRANSPORT ||
	    alias_to->kind == ALIAS_TO_NOBODY || sign == 0)
		return;
	if (to != NULL && domain_resident(to, str_sub(target, 0, sign)).kind ==
	    RESIDENT_NONE)
		problem_add(ps, PROBLEM_WARNING, at,
		    "alias '"STR_FMT"' leads to '"STR_FMT"', and nobody in "
		    STR_FMT" has that name", STR_ARG(e->name), STR_ARG(target),
		    STR_ARG(to->name));
}

/* A name with a domain counts only where that domain reads the file. */
static void
advise_alias_domain(const struct config *c, struct problems *ps,
    const struct domain *d, const struct alias_entry *e)
{
	const struct domain *of = config_domain(c, e->domain);
	struct place at = alias_at(d->aliases->path, e->line);

	if (e->domain.n == 0 || of == d)
		return;
	if (of == NULL)
		problem_add(ps, PROBLEM_WARNING, at, "alias '"STR_FMT"' counts "
		    "for nothing: "STR_FMT" is not among the domains",
		    STR_ARG(e->name), STR_ARG(e->domain));
	else if (of->aliases != d->aliases)
		problem_add(ps, PROBLEM_WARNING, at, "alias '"STR_FMT"' counts "
		    "for nothing: "STR_FMT" does not read this file",
		    STR_ARG(e->name), STR_ARG(e->domain));
}

static void
advise_aliases(const struct config *c, struct problems *ps,
    const struct domain *d)
{
	struct table_walk w = { 0 };
	struct table_node *t;

	while ((t = table_walk(&d->aliases->entries, &w)) != NULL) {
		const struct alias_entry *e = OWNER_OF(t, struct alias_entry,
		    node);

		advise_alias_domain(c, ps, d, e);
		for (size_t i = 0; i < e->n; i++)
			advise_target(c, ps, d, e, &e->to[i]);
	}
}

static void
advise_domain(const struct config *c, struct problems *ps,
    const struct domain *d)
{
	bool is_empty = d->users == NULL && d->aliases == NULL &&
	    d->catch_all.n == 0 && d->relay_to == NULL &&
	    (d->transport == NULL || d->transport->lmtp == NULL);

	if (d->alias_of != NULL)
		return;
	if (is_empty)
		problem_add(ps, PROBLEM_WARNING, d->place,
		    "nobody has a mailbox in "STR_FMT
		    ": it has no users, aliases, catch_all or relay_to",
		    STR_ARG(d->name));
	/* Debian's own /etc/aliases names accounts that may not be there. */
	if (d->aliases != NULL && !d->is_implied)
		advise_aliases(c, ps, d);
}

static void
advise_names(const struct config *c, struct problems *ps)
{
	if (str_find(c->hostname, '.') == c->hostname.n)
		problem_add(ps, PROBLEM_HINT,
		    finish_place(c->origins, "hostname"),
		    "hostname '"STR_FMT"' has no dot: other servers will not "
		    "take it for a name", STR_ARG(c->hostname));
	if (finish_place(c->origins, "admin").line == 0)
		problem_add(ps, PROBLEM_HINT, (struct place){ .line = 0 },
		    "admin is not set: mail for postmaster is kept in "STR_FMT
		    " unless a user or alias has that name",
		    STR_ARG(c->deliver.admin));
}

/* ---- accounts ---- */

static void
advise_account(const struct config *c, struct problems *ps,
    const struct account_rule *rule)
{
	size_t at = str_find_last(rule->rights.name, '@');
	bool is_own = at < rule->rights.name.n && config_domain(c,
	    str_sub(rule->rights.name, at + 1, rule->rights.name.n)) != NULL;

	if (account_is_anybody(&rule->rights))
		problem_add(ps, rule == c->everyone ? PROBLEM_WARNING :
		    PROBLEM_HINT, finish_place(rule->origins,
		    "accounts.*.from"), rule == c->everyone ?
		    "every account may send as anybody: who steals one "
		    "password writes in everybody's name" :
		    "this account may send as anybody");
	else if (!is_own && rule != c->everyone &&
	    rule->rights.from.v == NULL && (c->everyone == NULL ||
	    c->everyone->rights.from.n == 0))
		problem_add(ps, PROBLEM_HINT, rule->place,
		    "'"STR_FMT"' is no address of an own domain: unless its "
		    "source says more, it may send as nobody without 'from'",
		    STR_ARG(rule->given.name));
}

/* ---- routes ---- */

static void
advise_rule_domains(const struct config *c, struct problems *ps,
    const struct route_rule *rule)
{
	for (size_t i = 0; i < rule->rcpt_domain.n; i++)
		if (config_domain(c, rule->rcpt_domain.v[i]) != NULL)
			problem_add(ps, PROBLEM_WARNING, rule->place,
			    "'"STR_FMT"' is an own domain and asks no route; "
			    "use its relay_to",
			    STR_ARG(rule->rcpt_domain.v[i]));
}

static void
advise_routes(const struct config *c, struct problems *ps)
{
	const struct route_rule *last = NULL;

	for (size_t i = 0; i < c->n_routes; i++) {
		const struct route_rule *rule = &c->routes[i];

		if (last != NULL)
			problem_add(ps, PROBLEM_WARNING, rule->place,
			    "this route is never reached: the one in line %u "
			    "matches always", last->place.line);
		else if (rule->rcpt_domain.n == 0 && rule->sender_domain.n == 0)
			last = rule;
		advise_rule_domains(c, ps, rule);
	}
}

/* ---- numbers ---- */

static void
advise_numbers(const struct config *c, struct problems *ps)
{
	if (c->limits.recipients < RECIPIENTS_LEAST)
		problem_add(ps, PROBLEM_WARNING,
		    finish_place(c->origins, "limits.recipients"),
		    "RFC 5321 4.5.3.1.8 wants 100 recipients at least");
	if (c->outbound.expire < 4 * DAY_NS)
		problem_add(ps, PROBLEM_HINT,
		    finish_place(c->origins, "outbound.expire"),
		    "RFC 5321 4.5.4.1 wants 4 to 5 days at least");
	if (c->outbound.port != 25)
		problem_add(ps, PROBLEM_HINT,
		    finish_place(c->origins, "outbound.port"),
		    "MX hosts listen on port 25");
	if (c->dns.zone.n > 0)
		problem_add(ps, PROBLEM_WARNING,
		    finish_place(c->origins, "dns.zone"),
		    "this file stands in for the whole DNS");
}

void
advice_give(const struct config *c, struct problems *ps)
{
	advise_trusted(c, ps);
	advise_listeners(c, ps);
	for (size_t i = 0; i < c->n_domains; i++)
		advise_domain(c, ps, c->domain_list[i]);
	advise_names(c, ps);
	for (size_t i = 0; i < c->n_accounts; i++)
		advise_account(c, ps, c->account_list[i]);
	advise_routes(c, ps);
	advise_numbers(c, ps);
}
