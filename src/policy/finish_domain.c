#include "policy/alias_set.h"
#include "policy/config.h"
#include "policy/finish.h"
#include "policy/schema.h"
#include "policy/user_set.h"
#include "wire/address.h"

/* What was read already, by its path: domains share files. */
struct sets {
	struct load *load;
	struct user_set *users;
	struct alias_set *aliases;
};

/* ---- users and aliases ---- */

/* Who could not be read was told of; else there was no memory, and half of them
 * must not be in force. */
static void
set_missing(struct load *l)
{
	if (l->reader.problems->counts[PROBLEM_ERROR] == 0)
		finish_is_full(l);
}

static void
domain_users(struct sets *s, struct domain *d)
{
	struct value_reader *r = &s->load->reader;
	const struct conf_strings *from = &d->users_from;
	struct place at = finish_place(d->origins, "domains.*.users");
	struct str path = from->n == 1 ? from->v[0] : STR("");
	struct user_set *set;
	bool is_file = str_skip(&path, STR("file:"));

	if (at.line == 0 && !d->is_implied)
		return;
	if (from->n == 1 && str_eq(path, STR("system")))
		path = STR("/etc/passwd (people)");
	else if (!is_file)
		path = STR_NONE;
	for (set = s->users; set != NULL && path.p != NULL; set = set->next)
		if (str_eq(set->path, path)) {
			d->users = set;
			return;
		}
	set = is_file ? user_set_file(r,
	    s->load->config, path, at) : path.p != NULL ?
	    user_set_system(r, path) : user_set_list(r, from, at);
	if (set == NULL) {
		set_missing(s->load);
		return;
	}
	set->next = s->users;
	s->users = set;
	d->users = set;
}

static void
domain_aliases(struct sets *s, struct domain *d)
{
	struct alias_set *set;

	if (d->aliases_from.n == 0)
		return;
	for (set = s->aliases; set != NULL; set = set->next)
		if (str_eq(set->path, d->aliases_from)) {
			d->aliases = set;
			return;
		}
	set = alias_set_file(&s->load->reader, d->aliases_from,
	    finish_place(d->origins, "domains.*.aliases"), d->is_implied);
	if (set == NULL) {
		set_missing(s->load);
		return;
	}
	set->next = s->aliases;
	s->aliases = set;
	d->aliases = set;
}

/* ---- names ---- */

static bool
domain_add(struct load *l, struct domain *d)
{
	struct config *c = l->config;
	const struct domain *other;

	if (!domain_canonical(l->reader.arena, d->name, &d->name))
		return false;
	other = domain_find(c, d->name);
	if (other != NULL) {
		problem_add(l->reader.problems, PROBLEM_ERROR, d->place,
		    "domain '"STR_FMT"' stands in line %u already",
		    STR_ARG(d->name), other->place.line);
		return true;
	}
	c->domain_list[c->n_domains++] = d;
	return table_insert(&c->domains, &d->node,
	    domain_hash(d->name)) == 0;
}

static void
domain_alias_of(struct load *l, struct domain *d)
{
	struct place at = finish_place(d->origins, "domains.*.alias_of");
	const struct domain *to = domain_find(l->config, d->alias_of_name);

	if (d->alias_of_name.n == 0)
		return;
	if (!d->is_implied && d->origins->next != NULL)
		problem_add(l->reader.problems, PROBLEM_ERROR, d->place,
		    "'"STR_FMT"' is alias_of another domain; its other keys "
		    "mean nothing", STR_ARG(d->name));
	if (to == NULL)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "'"STR_FMT"' is not among the domains",
		    STR_ARG(d->alias_of_name));
	else if (to->alias_of_name.n > 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "'"STR_FMT"' is an alias itself; name the domain it stands "
		    "for", STR_ARG(d->alias_of_name));
	else
		d->alias_of = to;
}

/* Where users are delivered in several ways the queue knows each by his whole
 * mailbox (deliver/key.h). */
static void
domain_check_length(struct load *l, const struct domain *d)
{
	enum { NAME_MOST = 190 };

	if (d->users != NULL && d->users->has_transports &&
	    d->name.n > NAME_MOST)
		problem_add(l->reader.problems, PROBLEM_ERROR, d->place,
		    "a domain whose users have transports of their own has a "
		    "name of at most %d octets", NAME_MOST);
}

static void
domain_check(struct load *l, struct domain *d)
{
	struct mailbox m;
	bool is_user = local_is_safe(d->catch_all);

	if (d->catch_all.n > 0 && !is_user &&
	    mailbox_parse(d->catch_all, MAILBOX_STRICT, &m) != NULL)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(d->origins, "domains.*.catch_all"),
		    "'"STR_FMT"' is neither a user nor a mail address",
		    STR_ARG(d->catch_all));
	else if (is_user && domain_resident(d, d->catch_all).kind !=
	    RESIDENT_USER && domain_resident(d, d->catch_all).kind !=
	    RESIDENT_ALIAS)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(d->origins, "domains.*.catch_all"),
		    "'"STR_FMT"' is not a user of "STR_FMT,
		    STR_ARG(d->catch_all), STR_ARG(d->name));
}

static void
domain_relay(struct load *l, struct domain *d)
{
	struct str by = arena_printf(l->reader.arena, "domains." STR_FMT,
	    STR_ARG(d->name));

	if (by.p == NULL) {
		finish_is_full(l);
		return;
	}
	if (d->relay_to != NULL)
		finish_relay(l, d->relay_to, &d->relay_keys, by, d->place);
	else
		finish_no_relay(l, &d->relay_keys, d->place);
}

/* ---- implied domains: hostname and localhost ---- */

static struct domain *
domain_imply(struct load *l, struct str name)
{
	struct domain *d = arena_new(l->reader.arena, struct domain);

	if (d == NULL || !value_defaults(&l->reader, SCOPE_domain, d))
		return NULL;
	d->name = name;
	d->is_implied = true;
	return d;
}

static bool
domains_imply(struct load *l)
{
	static struct str system_users = STR_INIT("system");
	struct config *c = l->config;
	struct domain *d;

	if (domain_find(c, c->hostname) == NULL) {
		d = domain_imply(l, c->hostname);
		if (d == NULL)
			return false;
		d->users_from = (struct conf_strings){ &system_users, 1 };
		d->aliases_from = STR("/etc/aliases");
		if (!domain_add(l, d))
			return false;
	}
	if (domain_find(c, STR("localhost")) == NULL) {
		d = domain_imply(l, STR("localhost"));
		if (d == NULL)
			return false;
		d->alias_of_name = c->hostname;
		if (domain_find(c, c->hostname)->alias_of_name.n > 0)
			d->alias_of_name = domain_find(c,
			    c->hostname)->alias_of_name;
		return domain_add(l, d);
	}
	return true;
}

static void
table_drop(void *arg)
{
	table_clear(arg);
}

static bool
domains_list(struct load *l)
{
	struct config *c = l->config;
	size_t most = l->n[SCOPE_domain] + 2;

	c->domain_list = arena_alloc(l->reader.arena,
	    most * sizeof c->domain_list[0]);
	if (c->domain_list == NULL ||
	    arena_defer(l->reader.arena, table_drop, &c->domains) != 0)
		return false;
	for (const struct load_member *m = l->members[SCOPE_domain]; m != NULL;
	    m = m->next)
		if (!domain_add(l, m->member))
			return false;
	return domains_imply(l);
}

void
finish_domains(struct load *l)
{
	struct config *c = l->config;
	struct sets sets = { .load = l };

	if (!domains_list(l)) {
		finish_is_full(l);
		return;
	}
	for (size_t i = 0; i < c->n_domains; i++)
		domain_alias_of(l, c->domain_list[i]);
	for (size_t i = 0; i < c->n_domains; i++) {
		struct domain *d = c->domain_list[i];

		if (d->alias_of_name.n > 0)
			continue;
		finish_domain_by(l, d);
		domain_relay(l, d);
		domain_users(&sets, d);
		domain_aliases(&sets, d);
		domain_check_length(l, d);
		if (l->reader.problems->counts[PROBLEM_ERROR] == 0)
			domain_check(l, d);
	}
}
