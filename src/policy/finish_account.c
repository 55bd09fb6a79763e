#include "policy/account.h"
#include "policy/finish.h"
#include "policy/schema.h"

static const char *const quota_paths[ACCOUNT_MEASURES][2] = {
	[ACCOUNT_MESSAGES] = { "accounts.*.limits.messages_per_hour",
	    "accounts.*.limits.messages_per_day" },
	[ACCOUNT_RECIPIENTS] = { "accounts.*.limits.recipients_per_hour",
	    "accounts.*.limits.recipients_per_day" },
	[ACCOUNT_OCTETS] = { "accounts.*.limits.bytes_per_hour",
	    "accounts.*.limits.bytes_per_day" },
};

/* "none" was read as zero, which is what was not said. */
static void
rule_quotas(struct account_rule *rule)
{
	for (size_t i = 0; i < ACCOUNT_MEASURES; i++) {
		struct quota *q = &rule->rights.limits[i];

		if (q->hour == 0 && finish_place(rule->origins,
		    quota_paths[i][0]).line != 0)
			q->hour = QUOTA_NONE;
		if (q->day == 0 && finish_place(rule->origins,
		    quota_paths[i][1]).line != 0)
			q->day = QUOTA_NONE;
	}
}

/* What was given says so, be it nothing at all. */
static void
rule_said(struct account_rule *rule)
{
	static struct str nobody;

	rule->rights = rule->given;
	rule_quotas(rule);
	if (rule->given.from.n == 0)
		rule->rights.from.v = finish_place(rule->origins,
		    "accounts.*.from").line != 0 ? &nobody : NULL;
	if (rule->given.expires.us == 0 && finish_place(rule->origins,
	    "accounts.*.expires").line != 0)
		rule->rights.expires = WALL_NEVER;
}

/* False: no room. */
static bool
rule_add(struct load *l, struct account_rule *rule)
{
	struct config *c = l->config;
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	const struct account_rule *other;

	rule_said(rule);
	if (!account_key(rule->given.name, &key))
		return false;
	other = account_rule_find(c, buf_str(&key));
	if (other != NULL) {
		problem_add(l->reader.problems, PROBLEM_ERROR, rule->place,
		    "account '"STR_FMT"' stands in line %u already",
		    STR_ARG(rule->given.name), other->place.line);
		return true;
	}
	rule->given.name = arena_copy(l->reader.arena, rule->given.name);
	rule->rights.name = arena_copy(l->reader.arena, buf_str(&key));
	if (rule->given.name.p == NULL || rule->rights.name.p == NULL)
		return false;
	c->account_list[c->n_accounts++] = rule;
	if (str_eq(rule->rights.name, STR("*")))
		c->everyone = rule;
	return table_insert(&c->accounts, &rule->node,
	    account_rule_hash(rule->rights.name)) == 0;
}

static bool
tenant_add(struct load *l, struct tenant_rule *rule)
{
	struct config *c = l->config;

	rule->name = arena_copy(l->reader.arena, rule->name);
	if (rule->name.p == NULL)
		return false;
	c->tenant_list[c->n_tenants++] = rule;
	return table_insert(&c->tenants, &rule->node,
	    account_rule_hash(rule->name)) == 0;
}

static void
table_drop(void *arg)
{
	table_clear(arg);
}

static bool
accounts_list(struct load *l)
{
	struct config *c = l->config;
	struct arena *a = l->reader.arena;

	c->account_list = arena_alloc(a, l->n[SCOPE_account_rule] *
	    sizeof c->account_list[0]);
	c->tenant_list = arena_alloc(a, l->n[SCOPE_tenant_rule] *
	    sizeof c->tenant_list[0]);
	if (c->account_list == NULL || c->tenant_list == NULL ||
	    arena_defer(a, table_drop, &c->accounts) != 0 ||
	    arena_defer(a, table_drop, &c->tenants) != 0)
		return false;
	for (const struct load_member *m = l->members[SCOPE_account_rule];
	    m != NULL; m = m->next)
		if (!rule_add(l, m->member))
			return false;
	for (const struct load_member *m = l->members[SCOPE_tenant_rule];
	    m != NULL; m = m->next)
		if (!tenant_add(l, m->member))
			return false;
	return true;
}

void
finish_accounts(struct load *l)
{
	if (!accounts_list(l))
		finish_is_full(l);
}
