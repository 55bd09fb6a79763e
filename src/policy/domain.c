#include "policy/domain.h"

bool
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
	for (size_t i = 0; i < local.n; i++)
		if (!ascii_is_alnum(local.p[i]) &&
		    str_find(others, local.p[i]) == others.n)
			return false;
	return true;
}

/* A user or alias of exactly this name.  An alias hides the user. */
static bool
resident_named(const struct domain *d, struct str local, struct resident *out)
{
	if (d->aliases != NULL)
		out->alias = alias_find(d->aliases, local);
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

struct resident
domain_resident(const struct domain *d, struct str local)
{
	struct resident found = { .kind = RESIDENT_NONE };

	if (resident_named(d, local, &found) ||
	    resident_detailed(d, local, &found))
		return found;
	found = (struct resident){ .kind = RESIDENT_NONE };
	if (d->relay_to != NULL && d->users == NULL && d->aliases == NULL)
		found.kind = RESIDENT_RELAYED;
	else if (local_is_role(local))
		found.kind = RESIDENT_ROLE;
	else if (d->catch_all.n > 0)
		found.kind = RESIDENT_CATCH_ALL;
	return found;
}
