#include "policy/domain.h"

#include "base/hash.h"
#include "base/list.h"
#include "wire/idna.h"

static const struct hash_key no_key;	/* only the operator adds names */

uint64_t
domain_hash(struct str name)
{
	return hash_bytes(no_key, name);
}

const struct domain *
domain_find(const struct config *c, struct str name)
{
	struct table_node *t = table_find(&c->domains, domain_hash(name));

	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct domain, node)->name, name))
			return OWNER_OF(t, struct domain, node);
	return NULL;
}

const struct domain *
config_domain(const struct config *c, struct str name)
{
	char lower[DOMAIN_MOST];
	const struct domain *d;

	if (name.n > sizeof lower)
		return NULL;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	d = domain_find(c, (struct str){ lower, name.n });
	return d != NULL && d->alias_of != NULL ? d->alias_of : d;
}

bool
domain_knows_srs(const struct domain *d, struct str local)
{
	switch (domain_resident(d, local).kind) {
	case RESIDENT_USER:
	case RESIDENT_ALIAS:
	case RESIDENT_RELAYED:
	case RESIDENT_REPORTS:
		return true;
	case RESIDENT_NONE:
	case RESIDENT_CATCH_ALL:
	case RESIDENT_ROLE:
		break;
	}
	return false;
}

const struct transport *
transport_find(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->n_transports; i++)
		if (str_eq(c->transports[i].name, name))
			return &c->transports[i];
	return NULL;
}

const struct transport *
domain_transport(const struct domain *d, const struct user *u)
{
	return u != NULL && u->transport != NULL ? u->transport : d->transport;
}

bool
alias_target_is_place(struct str target)
{
	return target.n > 1 && (target.p[0] == '|' || (target.p[0] == '/' &&
	    target.p[target.n - 1] == '/'));
}

bool
domain_canonical(struct arena *arena, struct str s, struct str *out)
{
	char room[DOMAIN_MOST];
	struct buf b = BUF_OF(room);

	if (!idna_ascii(s, &b))
		return false;
	*out = arena_copy(arena, buf_str(&b));
	return out->p != NULL;
}

static bool
local_is_role(struct str local)
{
	return str_eq_icase(local, STR("postmaster")) ||
	    str_eq_icase(local, STR("abuse"));
}

bool
local_is_safe(struct str local)
{
	static const struct str others = STR_INIT("._+=-");

	if (local.n == 0 || local.p[0] == '.' || local.p[0] == '-')
		return false;
	while (local.n > 0) {
		size_t n = str_utf8_char(local);
		bool is_c1 = n == 2 && local.p[0] == '\xc2' &&
		    (unsigned char)local.p[1] < 0xa0;

		if (n == 0 || is_c1 || (n == 1 && !ascii_is_alnum(local.p[0]) &&
		    str_find(others, local.p[0]) == others.n))
			return false;
		local = str_sub(local, n, local.n);
	}
	return true;
}

/* A user or alias of exactly this name.  An alias hides the user. */
static bool
resident_named(const struct domain *d, struct str local, struct resident *out)
{
	if (d->aliases != NULL)
		out->alias = alias_find(d->aliases, local, d->name);
	if (d->users != NULL)
		out->user = user_find(d->users, local);
	if (out->alias != NULL)
		out->kind = RESIDENT_ALIAS;
	else if (out->user != NULL)
		out->kind = RESIDENT_USER;
	/* Mail for the superuser is the administrator's. */
	if (out->kind == RESIDENT_USER && out->user->has_uid &&
	    out->user->uid == 0)
		*out = (struct resident){ .kind = RESIDENT_ROLE };
	return out->kind != RESIDENT_NONE;
}

/* RFC 5233: the detail begins at the first separator; the longest user that
 * exists is looked for first, so "a-b-c" may be the user "a-b". */
static bool
resident_detailed(const struct domain *d, struct str local,
    struct resident *out)
{
	for (size_t i = local.n; i-- > 1;) {
		if (str_find(d->subaddress, local.p[i]) == d->subaddress.n)
			continue;
		if (resident_named(d, str_sub(local, 0, i), out)) {
			out->detail = str_sub(local, i + 1, local.n);
			return true;
		}
	}
	return false;
}

/* The next hop knows who lives there, and we do not. */
static bool
domain_is_open(const struct domain *d)
{
	return d->users == NULL && d->aliases == NULL &&
	    (d->relay_to != NULL || d->transport->lmtp != NULL);
}

static bool
domain_has_inbox(const struct domain *d, struct str local)
{
	for (size_t i = 0; i < d->inbox.n; i++)
		if (str_eq_icase(d->inbox.v[i], local))
			return true;
	return false;
}

struct resident
domain_resident(const struct domain *d, struct str local)
{
	struct resident found = { .kind = RESIDENT_NONE };

	if (domain_has_inbox(d, local))
		return (struct resident){ .kind = RESIDENT_REPORTS };
	if (resident_named(d, local, &found) ||
	    resident_detailed(d, local, &found))
		return found;
	found = (struct resident){ .kind = RESIDENT_NONE };
	if (domain_is_open(d))
		found.kind = RESIDENT_RELAYED;
	else if (local_is_role(local))
		found.kind = RESIDENT_ROLE;
	else if (d->catch_all.n > 0)
		found.kind = RESIDENT_CATCH_ALL;
	if (d->aliases != NULL && found.kind != RESIDENT_ROLE &&
	    (found.alias = alias_find(d->aliases, STR(""), d->name)) != NULL)
		found.kind = RESIDENT_CATCH_ALL;
	return found;
}

bool
domain_fits(struct str pattern, struct str domain)
{
	if (str_eq(pattern, STR("*")))
		return true;
	if (str_skip(&pattern, STR("*")))
		return domain.n > pattern.n &&
		    str_has_suffix_icase(domain, pattern);
	return str_eq_icase(pattern, domain);
}
