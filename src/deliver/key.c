#include "deliver/key.h"

#include "base/must.h"
#include "policy/domain.h"
#include "queue/key.h"
#include "wire/address.h"

/* Does any rule want to know this sender? */
static bool
sender_matters(const struct config *c, struct str sender_domain)
{
	for (size_t i = 0; i < c->n_routes; i++)
		for (size_t k = 0; k < c->routes[i].sender_domain.n; k++) {
			struct str want = c->routes[i].sender_domain.v[k];

			if (want.n > 0 && want.p[0] == '*')
				want = str_sub(want, 1, want.n);
			if (str_has_suffix_icase(sender_domain, want) ||
			    (sender_domain.n == 0 && str_eq(want, STR("<>"))))
				return true;
		}
	return false;
}

/* '|' may begin a mailbox, but a mailbox has an '@'. */
static bool
key_is_mailbox(struct str key)
{
	return str_find(key, '@') < key.n;
}

static bool
key_is_alias(struct str key)
{
	return key.n > 0 && key.p[0] == '|' && !key_is_mailbox(key);
}

static bool
domain_is_mixed(const struct domain *d)
{
	return d != NULL && d->users != NULL && d->users->has_transports;
}

/* Reports are taken one by one, and for a while. */
static bool
key_is_inbox(const struct config *c, struct str from, struct str address)
{
	return c->reports.inbox.n > 0 &&
	    route_find(c, from, address).kind == ROUTE_REPORTS;
}

struct str
key_make(const struct config *c, struct str sender,
    const struct recipient *rcpt, struct arena *a)
{
	struct str domain = mailbox_domain(rcpt->address);
	struct str from = mailbox_domain(sender);

	must(domain.n > 0 && domain.n <= KEY_MOST);
	if (rcpt->transport.p != NULL)
		return arena_join(a, STR("|"), arena_lower(a, domain));
	/* The configuration sees to it that such a domain leaves room. */
	if (rcpt->address.n <= KEY_MOST && (domain_is_mixed(config_domain(c,
	    domain)) || key_is_inbox(c, from, rcpt->address)))
		return arena_lower(a, rcpt->address);
	if (!sender_matters(c, from) || domain.n + 1 + from.n > KEY_MOST)
		return arena_lower(a, domain);
	domain = arena_printf(a, STR_FMT "!" STR_FMT, STR_ARG(domain),
	    STR_ARG(from));
	return domain.p == NULL ? STR_NONE : arena_lower(a, domain);
}

bool
key_has(struct str key, const struct recipient *rcpt)
{
	return key_is_for(key, rcpt->address, rcpt->transport.p != NULL);
}

/* Of a key without a sender's domain it is only known that no rule asks for it:
 * a domain that none can name. */
static struct str
key_sender(bool is_told, struct str domain, struct arena *a)
{
	if (!is_told)
		return STR("anybody@!");
	return domain.n == 0 ? STR_NONE :
	    arena_join(a, STR("postmaster@"), domain);
}

/* As most who live there. */
static struct route
route_of_own(const struct domain *d, struct str domain)
{
	struct route r = { .kind = ROUTE_LOCAL, .domain = domain, .home = d,
		.by = d->transport };

	if (d->transport->lmtp != NULL) {
		r.kind = ROUTE_RELAY_HOST;
		r.relay = d->transport->lmtp;
	}
	return r;
}

struct route
key_route(const struct config *c, struct str key, struct arena *a)
{
	bool is_told = str_find(key, '!') < key.n;
	const struct domain *d;
	struct str domain;

	if (key_is_mailbox(key))
		return route_find(c, key_sender(false, STR_NONE, a), key);
	if (key_is_alias(key))
		return (struct route){ .kind = ROUTE_LOCAL,
			.domain = str_sub(key, 1, key.n) };
	domain = str_cut(&key, '!');
	d = config_domain(c, domain);
	if (d != NULL && d->relay_to == NULL)
		return route_of_own(d, domain);
	return route_find(c, key_sender(is_told, key, a),
	    arena_join(a, STR("postmaster@"), domain));
}

bool
key_has_commands(struct str key, const struct route *r)
{
	return key_is_alias(key) || r->kind == ROUTE_REPORTS ||
	    (r->by != NULL && r->by->pipe != NULL);
}
