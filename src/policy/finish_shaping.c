#include "policy/finish.h"
#include "policy/schema.h"
#include "policy/shaping.h"

static bool
name_is_word(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alpha(name.p[i]) && !ascii_is_digit(name.p[i]) &&
		    name.p[i] != '.' && name.p[i] != '-' && name.p[i] != '_')
			return false;
	return name.n > 0 && name.n <= 64;
}

/* A provider that is called like a domain is that domain. */
static void
provider_is_domain(struct load *l, struct provider *p)
{
	p->domains.v = arena_alloc(l->reader.arena, sizeof *p->domains.v);
	if (p->domains.v == NULL) {
		finish_is_full(l);
		return;
	}
	p->domains.v[0] = arena_lower(l->reader.arena, p->name);
	p->domains.n = 1;
}

static void
provider_check(struct load *l, struct provider *p)
{
	bool is_default = str_eq(p->name, STR(SHAPING_DEFAULT));
	bool is_named = p->mx.n > 0 || p->domains.n > 0;

	if (!name_is_word(p->name))
		problem_add(l->reader.problems, PROBLEM_ERROR, p->place,
		    "a provider's name has letters, digits, '.', '-' and '_', "
		    "at most 64");
	else if (is_default && is_named)
		problem_add(l->reader.problems, PROBLEM_ERROR, p->place,
		    "'shaping.default' is for all others: it has no mx and no "
		    "domains");
	else if (!is_default && !is_named &&
	    str_find(p->name, '.') < p->name.n)
		provider_is_domain(l, p);
	else if (!is_default && !is_named)
		problem_add(l->reader.problems, PROBLEM_ERROR, p->place,
		    "a provider needs mx or domains (or the name of a domain "
		    "as its own)");
}

void
finish_shaping(struct load *l)
{
	struct config *c = l->config;
	size_t n = l->n[SCOPE_provider];

	c->providers = arena_alloc(l->reader.arena, n * sizeof *c->providers);
	if (c->providers == NULL) {
		finish_is_full(l);
		return;
	}
	for (const struct load_member *m = l->members[SCOPE_provider];
	    m != NULL; m = m->next) {
		struct provider *p = &c->providers[c->n_providers++];

		*p = *(const struct provider *)m->member;
		p->name = arena_copy(l->reader.arena, p->name);
		if (p->name.p == NULL)
			finish_is_full(l);
		else
			provider_check(l, p);
	}
}
