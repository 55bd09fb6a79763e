#include "policy/about.h"


static bool
about_is_named(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->reports.about.n; i++)
		if (str_eq_icase(c->reports.about.v[i], name))
			return true;
	return false;
}

/* hostname and localhost are own domains that nobody named: a record may stand at
 * the first all the same. */
bool
about_us(const struct config *c, struct str domain)
{
	while (domain.n > 0) {
		if (config_domain(c, domain) != NULL ||
		    about_is_named(c, domain))
			return true;
		(void)str_cut(&domain, '.');
	}
	return false;
}
