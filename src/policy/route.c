#include "policy/route.h"

#include "base/must.h"
#include "policy/config.h"

static bool
patterns_have(const struct conf_strings *patterns, struct str domain)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (domain_fits(patterns->v[i], domain))
			return true;
	return patterns->n == 0;
}

bool
route_rule_has_rcpt(const struct route_rule *rule, struct str domain)
{
	return patterns_have(&rule->rcpt_domain, domain);
}

/* The null sender has no domain: only <> and * are it. */
bool
route_rule_has_sender(const struct route_rule *rule, struct str domain)
{
	const struct conf_strings *patterns = &rule->sender_domain;

	if (domain.n > 0)
		return patterns_have(patterns, domain);
	for (size_t i = 0; i < patterns->n; i++)
		if (str_eq(patterns->v[i], STR("<>")) ||
		    str_eq(patterns->v[i], STR("*")))
			return true;
	return patterns->n == 0;
}

/* Others say only which pool. */
static bool
route_rule_says_where(const struct route_rule *rule)
{
	return rule->relay != NULL || rule->discard.n > 0 || rule->refuse.n > 0;
}

static const struct route_rule *
rule_find(const struct config *c, struct str sender, struct str domain)
{
	struct str from = mailbox_domain(sender);

	for (size_t i = 0; i < c->n_routes; i++) {
		const struct route_rule *rule = &c->routes[i];

		if (route_rule_says_where(rule) &&
		    route_rule_has_rcpt(rule, domain) &&
		    route_rule_has_sender(rule, from))
			return rule;
	}
	return NULL;
}

static void
route_to_relay(struct route *r, const struct relay *relay)
{
	r->kind = relay->by_mx ? ROUTE_RELAY_MX : ROUTE_RELAY_HOST;
	r->relay = relay;
}

static void
route_by_rule(struct route *r, const struct route_rule *rule)
{
	r->rule = rule->name;
	if (rule->relay != NULL) {
		route_to_relay(r, rule->relay);
	} else if (rule->discard.n > 0) {
		r->kind = ROUTE_DISCARD;
		r->why = verdict_make(DELIVERED, 250, "2.0.0",
		    "Discarded by rule "STR_FMT": "STR_FMT,
		    STR_ARG(rule->name), STR_ARG(rule->discard));
	} else {
		r->kind = ROUTE_REFUSED;
		r->why = verdict_make(FAILED, 550, "5.7.1", STR_FMT,
		    STR_ARG(rule->refuse));
	}
}

/* A mailbox here, or onward to where the domain's mail goes. */
static void
route_home(struct route *r, const struct domain *d, const struct mailbox *m)
{
	char local[LOCAL_MOST];
	struct buf b = BUF_OF(local);
	const struct transport *by;
	struct resident who;

	mailbox_local(m, &b);
	who = domain_resident(d, buf_str(&b));
	by = domain_transport(d, who.user);
	r->home = d;
	r->kind = ROUTE_LOCAL;
	r->user = who.user;
	r->by = who.user == NULL ? NULL : by;
	must(who.detail.n <= sizeof r->detail);
	r->has_detail = who.detail.p != NULL;
	r->detail_n = (unsigned char)who.detail.n;
	if (who.detail.n > 0)
		memcpy(r->detail, who.detail.p, who.detail.n);
	if (who.kind == RESIDENT_REPORTS) {
		r->kind = ROUTE_REPORTS;
		return;
	}
	/* An alias that names itself means the user; expand() followed others. */
	if (d->relay_to != NULL && who.kind != RESIDENT_NONE)
		route_to_relay(r, d->relay_to);
	else if (by->lmtp != NULL && (who.user != NULL ||
	    who.kind == RESIDENT_RELAYED))
		route_to_relay(r, by->lmtp);
	else if (who.user == NULL && who.kind != RESIDENT_ROLE) {
		r->kind = ROUTE_REFUSED;
		r->why = verdict_make(FAILED, 550, "5.1.1",
		    "<"STR_FMT">: User unknown", STR_ARG(m->text));
	}
}

struct route
route_find(const struct config *c, struct str sender, struct str rcpt)
{
	struct route r = { .kind = ROUTE_RELAY_MX };
	const struct route_rule *rule;
	const struct domain *d;
	struct mailbox m;

	if (mailbox_parse(rcpt, MAILBOX_UTF8, &m) != NULL) {
		r.kind = ROUTE_REFUSED;
		r.why = verdict_make(FAILED, 501, "5.1.3",
		    "<"STR_FMT">: That is not a recipient's address",
		    STR_ARG(rcpt));
		return r;
	}
	r.domain = m.domain;
	d = config_domain(c, m.domain);
	if (d != NULL) {
		route_home(&r, d, &m);
		return r;
	}
	rule = rule_find(c, sender, m.domain);
	if (rule != NULL)
		route_by_rule(&r, rule);
	return r;
}

struct str
route_detail(const struct route *r)
{
	return (struct str){ r->detail, r->detail_n };
}

