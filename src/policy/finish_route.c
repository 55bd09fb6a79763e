#include "policy/config.h"
#include "policy/finish.h"
#include "policy/pool.h"
#include "policy/schema.h"

static void
rule_check(struct load *l, const struct route_rule *rule)
{
	int actions = (rule->relay != NULL) + (rule->discard.n > 0) +
	    (rule->refuse.n > 0);

	if (actions == 0 && rule->pool.n == 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, rule->place,
		    "a route needs one of relay, discard and refuse, or a pool");
	else if (actions > 1)
		problem_add(l->reader.problems, PROBLEM_ERROR, rule->place,
		    "a route has one of relay, discard and refuse, not several");
	else if (actions == 1 && rule->tenant.n > 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, rule->place,
		    "if.tenant is for rules that have nothing but a pool: mail of "
		    "all tenants goes the same way");
	if (rule->pool.n > 0 && (rule->discard.n > 0 || rule->refuse.n > 0))
		problem_add(l->reader.problems, PROBLEM_ERROR, rule->place,
		    "mail that is not sent leaves by no pool");
}

static void
rule_pool(struct load *l, struct route_rule *rule)
{
	if (rule->pool.n == 0)
		return;
	rule->from = pool_named(l->config, rule->pool);
	if (rule->from == NULL)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(rule->origins, "route[].pool"),
		    "there is no pool '"STR_FMT"' in pools",
		    STR_ARG(rule->pool));
}

void
finish_routes(struct load *l)
{
	struct config *c = l->config;
	size_t n = l->n[SCOPE_route_rule];

	c->routes = arena_alloc(l->reader.arena, n * sizeof c->routes[0]);
	if (c->routes == NULL) {
		finish_is_full(l);
		return;
	}
	for (const struct load_member *m = l->members[SCOPE_route_rule];
	    m != NULL; m = m->next) {
		struct route_rule *rule = &c->routes[c->n_routes];

		*rule = *(const struct route_rule *)m->member;
		if (rule->name.n == 0)
			rule->name = arena_printf(l->reader.arena, "route[%zu]",
			    c->n_routes);
		c->n_routes++;
		rule_check(l, rule);
		rule_pool(l, rule);
		if (rule->relay != NULL)
			finish_relay(l, rule->relay, &rule->keys, rule->name,
			    rule->place);
		else
			finish_no_relay(l, &rule->keys, rule->place);
	}
}
