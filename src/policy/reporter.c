#include "policy/reporter.h"

#include "policy/domain.h"
#include "wire/address.h"

static bool
is_own(const struct config *c, struct str name)
{
	const struct domain *d = domain_find(c, name);

	return d != NULL && !d->is_implied;
}

/* The domain of admin, else the nearest own one above hostname, else that. */
static struct str
default_domain(const struct config *c)
{
	struct str name = mailbox_domain(c->admin);

	if (is_own(c, name))
		return name;
	for (name = c->hostname; name.n > 0; str_cut(&name, '.'))
		if (is_own(c, name))
			return name;
	return c->hostname;
}

bool
reporter_of(const struct config *c, struct arena *a, struct reporter *out)
{
	struct str from = c->reports.from, local, domain;

	*out = (struct reporter){ .organization = c->reports.organization,
		.contact = c->reports.contact };
	if (from.n == 0) {
		local = STR("postmaster");
		domain = default_domain(c);
	} else if (str_find(from, '@') == from.n) {
		local = from;
		domain = c->hostname;
	} else {
		domain = mailbox_domain(from);
		local = str_sub(from, 0, from.n - domain.n - 1);
	}
	if (!domain_canonical(a, domain, &out->domain))
		return false;
	out->from = arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(local),
	    STR_ARG(out->domain));
	if (out->organization.n == 0)
		out->organization = out->domain;
	return out->from.p != NULL;
}

bool
reporter_is(const struct reporter *r, struct str mailbox)
{
	return str_eq_icase(r->from, mailbox);
}
