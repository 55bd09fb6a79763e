#include "policy/pool.h"

#include "policy/records.h"
#include "policy/route.h"

const struct source_rule *
source_named(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->n_sources; i++)
		if (str_eq(c->sources[i].name, name))
			return &c->sources[i];
	return NULL;
}

bool
source_address(const struct config *c, size_t nth, struct source_address *out)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct source_rule *s = &c->sources[i];

		for (size_t k = 0; k < s->bind.n; k++) {
			if (!address_is_public(&s->bind.v[k]) || nth-- > 0)
				continue;
			out->at = &s->bind.v[k];
			out->ehlo = s->ehlo.n > 0 ? s->ehlo : c->outbound.ehlo;
			return true;
		}
	}
	return false;
}

const struct pool_rule *
pool_named(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (str_eq(c->pools[i].name, name))
			return &c->pools[i];
	return NULL;
}

static bool
tenant_fits(const struct route_rule *rule, struct str tenant)
{
	for (size_t i = 0; i < rule->tenant.n; i++)
		if (str_eq(rule->tenant.v[i], tenant))
			return true;
	return rule->tenant.n == 0;
}

static bool
sender_fits(const struct route_rule *rule, const struct pool_about *about)
{
	return rule->sender_domain.n == 0 || (about->knows_sender &&
	    route_rule_has_sender(rule, about->sender_domain));
}

const struct pool_rule *
pool_find(const struct config *c, const struct pool_about *about)
{
	for (size_t i = 0; i < c->n_routes; i++) {
		const struct route_rule *rule = &c->routes[i];

		if (rule->from != NULL && tenant_fits(rule, about->tenant) &&
		    route_rule_has_rcpt(rule, about->rcpt_domain) &&
		    sender_fits(rule, about))
			return rule->from;
	}
	return pool_named(c, STR("default"));
}
