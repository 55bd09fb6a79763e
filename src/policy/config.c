#include "policy/config.h"

#include "base/must.h"
#include "policy/advice.h"
#include "policy/account.h"
#include "policy/domain.h"
#include "policy/finish.h"
#include "policy/schema.h"
#include "policy/value.h"

/* ---- places outlive the files they are in: file and line, no excerpt ---- */

struct keeper {
	struct arena *arena;
	struct str from, kept;		/* the last file name */
};

static void
place_keep(struct keeper *k, struct place *at)
{
	at->line_text = STR_NONE;
	if (at->file.n == 0)
		return;
	if (at->file.p != k->from.p || at->file.n != k->from.n) {
		k->from = at->file;
		k->kept = arena_copy(k->arena, at->file);
	}
	at->file = k->kept;
}

static void
origins_keep(struct keeper *k, struct origin *o)
{
	for (; o != NULL; o = o->next)
		place_keep(k, &o->place);
}

static void
pools_keep(struct keeper *k, struct config *c)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		place_keep(k, &c->sources[i].place);
		origins_keep(k, c->sources[i].origins);
	}
	for (size_t i = 0; i < c->n_pools; i++) {
		struct pool_rule *p = &c->pools[i];

		place_keep(k, &p->place);
		origins_keep(k, p->origins);
		for (size_t m = 0; m < p->shares.n; m++)
			place_keep(k, &p->shares.v[m].place);
	}
}

static void
config_keep_places(struct config *c)
{
	struct keeper k = { .arena = &c->arena };

	origins_keep(&k, c->origins);
	pools_keep(&k, c);
	for (size_t i = 0; i < c->n_listeners; i++) {
		place_keep(&k, &c->listeners[i].place);
		origins_keep(&k, c->listeners[i].origins);
	}
	for (size_t i = 0; i < c->n_domains; i++) {
		struct domain *d = c->domain_list[i];

		place_keep(&k, &d->place);
		origins_keep(&k, d->origins);
	}
	for (size_t i = 0; i < c->n_transports; i++) {
		place_keep(&k, &c->transports[i].place);
		origins_keep(&k, c->transports[i].origins);
	}
	for (size_t i = 0; i < c->n_providers; i++) {
		place_keep(&k, &c->providers[i].place);
		origins_keep(&k, c->providers[i].origins);
	}
	for (size_t i = 0; i < c->n_routes; i++) {
		place_keep(&k, &c->routes[i].place);
		origins_keep(&k, c->routes[i].origins);
	}
	for (size_t i = 0; i < c->n_accounts; i++) {
		struct account_rule *r = c->account_list[i];

		place_keep(&k, &r->place);
		origins_keep(&k, r->origins);
	}
	for (size_t i = 0; i < c->n_tenants; i++) {
		struct tenant_rule *r = c->tenant_list[i];

		place_keep(&k, &r->place);
		origins_keep(&k, r->origins);
	}
}

static size_t
origins_count(const struct origin *o)
{
	size_t n = 0;

	for (; o != NULL; o = o->next)
		n++;
	return n;
}

struct config_extent
config_extent(const struct config *c)
{
	struct config_extent x = { .all = origins_count(c->origins) };

	for (size_t i = 0; i < c->n_listeners; i++)
		x.listeners += c->listeners[i].origins != NULL;
	for (size_t i = 0; i < c->n_domains; i++)
		x.domains += !c->domain_list[i]->is_implied ||
		    c->domain_list[i]->origins != NULL;
	x.all += x.listeners + x.domains + c->n_routes + c->n_transports +
	    c->n_providers;
	return x;
}

/* ---- loading ---- */

/* The configuration lives in its own arena. */
static struct config *
config_new(void)
{
	struct arena a;
	struct config *c;

	arena_init_wiped(&a, CONFIG_MOST);
	c = arena_new(&a, struct config);
	if (c == NULL)
		return NULL;
	c->arena = a;
	c->refs = 1;
	return c;
}

static void
config_fill(struct config *c, struct value_reader r, struct str path)
{
	struct load l;

	load_begin(&l, c, r);
	if (!value_defaults(&r, SCOPE_config, c))
		finish_is_full(&l);
	if (path.n > 0)
		load_file(&l, path);
	if (r.problems->counts[PROBLEM_ERROR] == 0)
		finish_config(&l);
	if (r.problems->counts[PROBLEM_ERROR] == 0)
		advice_give(c, r.problems);
	load_end(&l);
	config_keep_places(c);
}

struct config *
config_load(struct conf_source *source, struct str path, struct problems *ps)
{
	struct config *c = config_new();
	struct arena scratch;

	if (c == NULL) {
		problem_add(ps, PROBLEM_ERROR, (struct place){ .line = 0 },
		    "out of memory");
		return NULL;
	}
	arena_init_wiped(&scratch, CONFIG_MOST);
	config_fill(c, (struct value_reader){ &c->arena, &scratch, ps, source },
	    path);
	arena_clear(&scratch);
	if (ps->counts[PROBLEM_ERROR] == 0)
		return c;
	config_free(c);
	return NULL;
}

void
config_free(struct config *c)
{
	struct arena a = c->arena;

	must(c->refs <= 1);
	arena_clear(&a);
}

/* ---- questions ---- */

bool
networks_have(const struct conf_networks *networks, const struct address *a)
{
	for (size_t i = 0; i < networks->n; i++)
		if (network_has(&networks->v[i], a))
			return true;
	return false;
}

bool
config_trusts(const struct config *c, const struct address *client)
{
	return networks_have(&c->trusted, client);
}

