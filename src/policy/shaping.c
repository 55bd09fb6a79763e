#include "policy/shaping.h"

#include "policy/domain.h"

static bool
patterns_fit(const struct conf_strings *patterns, struct str name)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (domain_fits(patterns->v[i], name))
			return true;
	return false;
}

/* One host of somebody else's among them, and it is not that provider's. */
static bool
hosts_fit(const struct provider *p, const struct str *hosts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!patterns_fit(&p->mx, hosts[i]))
			return false;
	return n > 0;
}

const struct provider *
shaping_find(const struct config *c, struct str domain,
    const struct str *hosts, size_t n)
{
	for (size_t i = 0; i < c->n_providers; i++)
		if (patterns_fit(&c->providers[i].domains, domain) ||
		    hosts_fit(&c->providers[i], hosts, n))
			return &c->providers[i];
	return NULL;
}

const struct provider *
shaping_default(const struct config *c)
{
	for (size_t i = 0; i < c->n_providers; i++)
		if (str_eq(c->providers[i].name, STR(SHAPING_DEFAULT)))
			return &c->providers[i];
	return NULL;
}
