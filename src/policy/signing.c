#include "policy/signing.h"

#include "policy/domain.h"

static bool
signing_is_also(const struct config *c, struct str domain)
{
	for (size_t i = 0; i < c->dkim.also.n; i++)
		if (str_eq(c->dkim.also.v[i], domain))
			return true;
	return false;
}

/* One of domains.*, or another name of it; not what only hostname implies. */
static bool
signing_is_own(const struct config *c, struct str domain)
{
	const struct domain *d = config_domain(c, domain);

	return d != NULL && !d->is_implied && d->dkim == DKIM_AUTO;
}

bool
signing_has_keys(const struct config *c, struct str domain)
{
	return c->outbound.dkim == DKIM_AUTO &&
	    str_eq(signing_domain(c, domain), domain);
}

/* The host's own mail is signed by the domain that it stands in, whose keys
 * somebody publishes: relaxed alignment takes that (RFC 9989 4.4.1). */
static struct str
signing_of_host(const struct config *c)
{
	struct str rest = c->hostname;

	while (str_find(rest, '.') < rest.n) {
		(void)str_cut(&rest, '.');
		if (signing_is_own(c, rest) || signing_is_also(c, rest))
			return rest;
	}
	return str_find(c->hostname, '.') < c->hostname.n ? c->hostname :
	    STR_NONE;
}

struct str
signing_domain(const struct config *c, struct str author)
{
	const struct domain *d = config_domain(c, author);

	if (c->outbound.dkim == DKIM_OFF || author.n == 0)
		return STR_NONE;
	if (d != NULL && !d->is_implied)
		return d->dkim == DKIM_AUTO ? author : STR_NONE;
	if (signing_is_also(c, author))
		return author;
	return str_eq(author, c->hostname) ? signing_of_host(c) : STR_NONE;
}
