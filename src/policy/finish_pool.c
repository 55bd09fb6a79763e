#include "policy/config.h"
#include "policy/finish.h"
#include "policy/pool.h"
#include "policy/schema.h"

static void
source_check(struct load *l, const struct source_rule *s)
{
	const struct conf_addresses *b = &s->bind;

	if (b->n == 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, s->place,
		    "the source '"STR_FMT"' needs bind, an address of this "
		    "machine", STR_ARG(s->name));
	if (b->n == 2 && b->v[0].family == b->v[1].family)
		problem_add(l->reader.problems, PROBLEM_ERROR, s->place,
		    "the source '"STR_FMT"' has two addresses of one family; "
		    "make two sources of them", STR_ARG(s->name));
}

static bool
sources_list(struct load *l)
{
	struct config *c = l->config;

	c->sources = arena_alloc(l->reader.arena,
	    l->n[SCOPE_source_rule] * sizeof c->sources[0]);
	if (c->sources == NULL)
		return false;
	for (const struct load_member *m = l->members[SCOPE_source_rule];
	    m != NULL; m = m->next) {
		struct source_rule *s = &c->sources[c->n_sources++];

		*s = *(const struct source_rule *)m->member;
		s->name = arena_copy(l->reader.arena, s->name);
		if (s->name.p == NULL)
			return false;
		source_check(l, s);
	}
	return true;
}

static void
pool_check(struct load *l, const struct pool_rule *p)
{
	for (size_t i = 0; i < p->shares.n; i++) {
		const struct conf_share *s = &p->shares.v[i];

		if (source_named(l->config, s->source) == NULL)
			problem_add(l->reader.problems, PROBLEM_ERROR, s->place,
			    "there is no source '"STR_FMT"' in sources",
			    STR_ARG(s->source));
	}
}

static bool
pools_list(struct load *l)
{
	struct config *c = l->config;

	c->pools = arena_alloc(l->reader.arena,
	    l->n[SCOPE_pool_rule] * sizeof c->pools[0]);
	if (c->pools == NULL)
		return false;
	for (const struct load_member *m = l->members[SCOPE_pool_rule];
	    m != NULL; m = m->next) {
		struct pool_rule *p = &c->pools[c->n_pools++];

		*p = *(const struct pool_rule *)m->member;
		p->name = arena_copy(l->reader.arena, p->name);
		if (p->name.p == NULL)
			return false;
		pool_check(l, p);
	}
	return true;
}

void
finish_pools(struct load *l)
{
	if (!sources_list(l) || !pools_list(l))
		finish_is_full(l);
}
