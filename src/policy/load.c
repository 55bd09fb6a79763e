#include "policy/load.h"

#include "base/err.h"
#include "base/must.h"
#include "policy/account.h"
#include "policy/domain.h"
#include "policy/schema.h"
#include "policy/yaml.h"

enum { PATTERN_MOST = 128 };

/* A map that waits for its keys to be looked at. */
struct load_map {
	struct load_map *next;
	const struct node *node;
	struct str pattern;		/* "listen[]"; "" at the top */
	struct str name;		/* "listen[0]", as people read it */
	void *base;			/* where its values go */
};

/* First come, first served. */
struct load_queue {
	struct load *load;
	struct load_map *first, **last;
};

void
load_begin(struct load *l, struct config *c, struct value_reader r)
{
	*l = (struct load){ .config = c, .reader = r };
	for (size_t i = 0; i < SCHEMA_SCOPES; i++)
		l->last[i] = &l->members[i];
	yaml_begin(&l->yaml, r.scratch, r.problems);
}

void
load_end(struct load *l)
{
	yaml_end(&l->yaml);
}

static void
load_is_full(struct load *l, struct place at)
{
	problem_add(l->reader.problems, PROBLEM_ERROR, at,
	    "the configuration is too large");
}

static void
queue_map(struct load_queue *q, const struct node *n, struct str pattern,
    struct str name, void *base)
{
	struct load_map *m = arena_new(q->load->reader.scratch,
	    struct load_map);

	if (m == NULL || pattern.p == NULL || name.p == NULL) {
		load_is_full(q->load, n->at);
		return;
	}
	*m = (struct load_map){ NULL, n, pattern, name, base };
	*q->last = m;
	q->last = &m->next;
}

static struct str
join_path(struct load *l, struct str above, struct str key)
{
	return above.n == 0 ? key : arena_printf(l->reader.scratch,
	    STR_FMT"."STR_FMT, STR_ARG(above), STR_ARG(key));
}

/* ---- members: accounts, domains, listen, pools, route, shaping ... ---- */

static const size_t member_size[SCHEMA_SCOPES] = {
	[SCOPE_account_rule] = sizeof(struct account_rule),
	[SCOPE_config] = 0,
	[SCOPE_domain] = sizeof(struct domain),
	[SCOPE_listener] = sizeof(struct listener),
	[SCOPE_pool_rule] = sizeof(struct pool_rule),
	[SCOPE_provider] = sizeof(struct provider),
	[SCOPE_route_rule] = sizeof(struct route_rule),
	[SCOPE_source_rule] = sizeof(struct source_rule),
	[SCOPE_tenant_rule] = sizeof(struct tenant_rule),
	[SCOPE_transport] = sizeof(struct transport),
};

static void
member_begin(void *member, enum schema_scope scope, const struct node *n)
{
	struct account_rule *a = member;
	struct domain *d = member;
	struct listener *s = member;
	struct pool_rule *pool = member;
	struct provider *p = member;
	struct route_rule *r = member;
	struct source_rule *source = member;
	struct tenant_rule *tenant = member;
	struct transport *t = member;

	switch (scope) {
	case SCOPE_account_rule:
		a->place = n->key_at;
		a->given.name = n->key;
		break;
	case SCOPE_domain:
		d->place = n->key_at;
		d->name = n->key;
		break;
	case SCOPE_listener:
		s->place = n->at;
		break;
	case SCOPE_pool_rule:
		pool->place = n->key_at;
		pool->name = n->key;
		break;
	case SCOPE_provider:
		p->place = n->key_at;
		p->name = n->key;
		break;
	case SCOPE_route_rule:
		r->place = n->at;
		break;
	case SCOPE_source_rule:
		source->place = n->key_at;
		source->name = n->key;
		break;
	case SCOPE_tenant_rule:
		tenant->place = n->key_at;
		tenant->name = n->key;
		break;
	case SCOPE_transport:
		t->place = n->key_at;
		t->name = n->key;
		break;
	case SCOPE_config:
	case SCHEMA_SCOPES:
		must(false);
	}
}

static void *
load_member(struct load *l, enum schema_scope scope, const struct node *n)
{
	struct load_member *m = arena_new(l->reader.scratch,
	    struct load_member);
	void *member = arena_alloc(l->reader.arena, member_size[scope]);

	if (m == NULL || member == NULL ||
	    !value_defaults(&l->reader, scope, member)) {
		load_is_full(l, n->at);
		return NULL;
	}
	m->member = member;
	*l->last[scope] = m;
	l->last[scope] = &m->next;
	l->n[scope]++;
	member_begin(member, scope, n);
	return member;
}

/* ---- one key ---- */

static void
key_is_unknown(struct load *l, const struct load_map *m, const struct node *n,
    struct str name)
{
	const struct schema *near = schema_guess(m->pattern, n->key);
	struct str what, inner = n->key;

	what = str_cut(&inner, '.');
	if (m->pattern.n == 0 && inner.n > 0 && schema_find(n->key) != NULL) {
		problem_add(l->reader.problems, PROBLEM_ERROR, n->key_at,
		    "'"STR_FMT"' is written as "STR_FMT": { "STR_FMT": ... }",
		    STR_ARG(n->key), STR_ARG(what), STR_ARG(inner));
		return;
	}
	if (near == NULL) {
		problem_add(l->reader.problems, PROBLEM_ERROR, n->key_at,
		    "unknown key '"STR_FMT"'", STR_ARG(name));
		return;
	}
	what = schema_is_below(near, m->pattern) ? schema_name(near) :
	    str_of(near->path);
	problem_add(l->reader.problems, PROBLEM_ERROR, n->key_at,
	    "unknown key '"STR_FMT"'; did you mean '"STR_FMT"'?",
	    STR_ARG(name), STR_ARG(what));
}

static void
key_is_later(struct load *l, const struct schema *row, struct place at,
    struct str name)
{
	problem_add(l->reader.problems, PROBLEM_ERROR, at,
	    "'"STR_FMT"' is known but not in this version; without it, %s",
	    STR_ARG(name), row->doc);
}

/* "listen[].role=http", "route[].relay=smtps": by value or scheme. */
static bool
value_is_later(struct load *l, const struct schema *row, const struct node *n)
{
	char room[PATTERN_MOST];
	struct buf b = BUF_OF(room);
	struct str scheme = n->text, word;
	const struct schema *later;

	if (n->kind != NODE_TEXT || n->is_broken)
		return false;
	word = str_cut(&scheme, ':');
	buf_printf(&b, "%s="STR_FMT, row->path, STR_ARG(word));
	later = b.full ? NULL : schema_find(buf_str(&b));
	if (later == NULL)
		return false;
	key_is_later(l, later, n->at, n->text);
	return true;
}

static void
origin_add(struct load *l, void *base, const struct schema *row,
    const struct node *n, bool is_secret)
{
	struct origin **origins = base, *o;

	for (o = *origins; o != NULL; o = o->next)
		if (o->row == row) {
			problem_add(l->reader.problems, PROBLEM_ERROR,
			    n->key_at, "'%s' is set already in "STR_FMT":%u",
			    row->path, STR_ARG(o->place.file), o->place.line);
			return;
		}
	o = arena_new(l->reader.arena, struct origin);
	if (o == NULL) {
		load_is_full(l, n->at);
		return;
	}
	*o = (struct origin){ *origins, row, n->key_at, is_secret };
	*origins = o;
}

static void
key_value(struct load_queue *q, const struct load_map *m,
    const struct schema *row, const struct node *n, struct str name)
{
	struct load *l = q->load;
	bool is_secret;

	if (row->type == TYPE_INCLUDE || value_is_later(l, row, n))
		return;
	if (value_read(&l->reader, row, name, n, m->base, &is_secret))
		origin_add(l, m->base, row, n, is_secret);
}

static bool
key_is_kind(struct load *l, const struct node *n, enum node_kind kind,
    struct str name)
{
	if (n->is_broken)
		return false;
	if (n->kind == kind || (n->kind == NODE_TEXT && n->is_empty))
		return n->kind == kind;
	problem_add(l->reader.problems, PROBLEM_ERROR, n->key_at,
	    "'"STR_FMT"' must be a %s, not a %s", STR_ARG(name),
	    kind == NODE_MAP ? "map of keys" : "list",
	    n->kind == NODE_TEXT ? "text" :
	    n->kind == NODE_LIST ? "list" : "map");
	return false;
}

static const char *const member_says[SCHEMA_SCOPES] = {
	[SCOPE_account_rule] = "n account's", [SCOPE_domain] = " domain",
	[SCOPE_pool_rule] = " pool's", [SCOPE_provider] = " provider's",
	[SCOPE_source_rule] = " source's",
	[SCOPE_tenant_rule] = " tenant's", [SCOPE_transport] = " transport's",
};

static bool
member_is_named(struct load *l, enum schema_scope scope, const struct node *n)
{
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	struct str unused;
	bool is_fine;

	if (scope == SCOPE_domain)
		is_fine = domain_canonical(l->reader.scratch, n->key, &unused);
	else if (scope == SCOPE_account_rule)
		is_fine = account_key(n->key, &key);
	else
		is_fine = local_is_safe(n->key);
	if (!is_fine)
		problem_add(l->reader.problems, PROBLEM_ERROR, n->key_at,
		    "'"STR_FMT"' is not a%s name", STR_ARG(n->key),
		    member_says[scope]);
	return is_fine;
}

/* A map whose members have names: accounts, domains, pools ... */
static void
each_named(struct load_queue *q, const struct schema *row, const struct node *n,
    struct str name)
{
	const struct schema *any = schema_any(row);
	struct load *l = q->load;

	for (const struct node *d = n->first; d != NULL; d = d->next) {
		struct str path = join_path(l, name, d->key);
		struct load_map whole = { .base = NULL };
		void *member;

		if (!member_is_named(l, row->scope, d))
			continue;
		member = whole.base = load_member(l, row->scope, d);
		if (member != NULL && any != NULL)
			key_value(q, &whole, any, d, path);
		else if (member != NULL && key_is_kind(l, d, NODE_MAP, path))
			queue_map(q, d, str_of(row->path), path, member);
	}
}

/* A list of maps: listen, route. */
static void
each_listed(struct load_queue *q, const struct schema *row,
    const struct node *n, struct str name)
{
	struct load *l = q->load;
	size_t i = 0;

	l->has_listen |= row->scope == SCOPE_listener;
	for (const struct node *m = n->first; m != NULL; m = m->next) {
		struct str path = arena_printf(l->reader.scratch,
		    STR_FMT"[%zu]", STR_ARG(name), i++);
		void *member;

		if (m->is_broken)
			continue;
		if (m->kind != NODE_MAP) {
			problem_add(l->reader.problems, PROBLEM_ERROR, m->at,
			    "'"STR_FMT"' must be a map of keys, not a %s",
			    STR_ARG(path),
			    m->kind == NODE_TEXT ? "text" : "list");
			continue;
		}
		member = load_member(l, row->scope, m);
		if (member != NULL)
			queue_map(q, m, str_of(row->path), path, member);
	}
}

/* "tls: verify", "auth: cred:smart": one key of the section, without it. */
static const struct schema *
section_chief(const struct schema *row, const struct node *n)
{
	static const char *const names[] = { "level", "login" };
	char room[PATTERN_MOST];

	if (n->is_broken || n->kind != NODE_TEXT || n->is_empty)
		return NULL;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct buf b = BUF_OF(room);
		const struct schema *chief;

		buf_printf(&b, "%s.%s", row->path, names[i]);
		chief = b.full ? NULL : schema_find(buf_str(&b));
		if (chief != NULL && chief->kind == SCHEMA_KEY)
			return chief;
	}
	return NULL;
}

static void
key_section(struct load_queue *q, const struct load_map *m,
    const struct schema *row, const struct node *n, struct str name)
{
	const struct schema *each = schema_first(str_of(row->path));
	bool has_each = each != NULL && each->kind == SCHEMA_EACH;
	bool is_list = has_each &&
	    str_has_suffix_icase(str_of(each->path), STR("[]"));

	if (section_chief(row, n) != NULL) {
		key_value(q, m, section_chief(row, n), n, name);
		return;
	}
	if (value_is_later(q->load, row, n) || !key_is_kind(q->load, n,
	    is_list ? NODE_LIST : NODE_MAP, name))
		return;
	if (!has_each) {
		queue_map(q, n, str_of(row->path), name, m->base);
		return;
	}
	origin_add(q->load, m->base, row, n, false);
	if (is_list)
		each_listed(q, each, n, name);
	else
		each_named(q, each, n, name);
}

static void
load_key(struct load_queue *q, const struct load_map *m, const struct node *n)
{
	struct load *l = q->load;
	struct str name = join_path(l, m->name, n->key);
	struct str pattern = join_path(l, m->pattern, n->key);
	const struct schema *row = schema_find(pattern);

	if (n->is_broken)
		return;
	/* A key is one name, not a path. */
	if (row == NULL || str_find(n->key, '=') < n->key.n ||
	    str_find(n->key, '.') < n->key.n) {
		key_is_unknown(l, m, n, name);
		return;
	}
	switch (row->kind) {
	case SCHEMA_LATER:
		key_is_later(l, row, n->key_at, name);
		break;
	case SCHEMA_SAME:
		if (key_is_kind(l, n, NODE_MAP, name))
			queue_map(q, n, str_of(row->doc), name, m->base);
		break;
	case SCHEMA_KEY:
		key_value(q, m, row, n, name);
		break;
	case SCHEMA_SECTION:
		key_section(q, m, row, n, name);
		break;
	case SCHEMA_EACH:
		key_is_unknown(l, m, n, name);
		break;
	}
}

static void
load_tree(struct load *l, const struct node *root)
{
	struct load_queue q = { .load = l, .last = &q.first };

	queue_map(&q, root, STR(""), STR(""), l->config);
	for (; q.first != NULL; q.first = q.first->next)
		for (const struct node *n = q.first->node->first; n != NULL;
		    n = n->next)
			load_key(&q, q.first, n);
}

/* ---- files ---- */

static struct node *
file_parse(struct load *l, struct str path, struct place at)
{
	struct source_file file;

	if (!value_file(&l->reader, path, at, &file))
		return NULL;
	file.name = path;
	return yaml_parse(&l->yaml, &file);
}

static void
include_one(struct load *l, struct node *root, struct str path, struct place at)
{
	struct node *more = file_parse(l, path, at);
	struct node *nested;

	if (more == NULL)
		return;
	nested = yaml_get(&l->yaml, more, STR("include"));
	if (nested != NULL)
		problem_add(l->reader.problems, PROBLEM_ERROR, nested->key_at,
		    "an included file includes nothing");
	else
		yaml_merge(&l->yaml, root, more);
}

static bool
has_wildcards(struct str s)
{
	return str_find(s, '*') < s.n || str_find(s, '?') < s.n ||
	    str_find(s, '[') < s.n;
}

/* With its slash; "" when there is none. */
static struct str
directory_of(struct str path)
{
	size_t slash = str_find_last(path, '/');

	return slash == path.n ? STR("") : str_sub(path, 0, slash + 1);
}

static void
include_pattern(struct load *l, struct node *root, struct str main,
    const struct node *n)
{
	struct str pattern = n->text;
	struct str *paths;
	size_t count;

	if (n->is_broken || n->kind != NODE_TEXT || n->is_empty) {
		problem_add(l->reader.problems, PROBLEM_ERROR, n->at,
		    "'include' must be a list of paths");
		return;
	}
	if (pattern.p[0] != '/')
		pattern = arena_join(l->reader.scratch, directory_of(main),
		    pattern);
	if (!has_wildcards(pattern)) {
		include_one(l, root, pattern, n->at);
	} else if (l->reader.source->glob(l->reader.source, pattern,
	    l->reader.scratch, &paths, &count) != SOURCE_FOUND) {
		problem_add(l->reader.problems, PROBLEM_ERROR, n->at, "%s",
		    err_text());
	} else {
		for (size_t i = 0; i < count; i++)
			include_one(l, root, paths[i], n->at);
	}
}

static void
load_includes(struct load *l, struct node *root, struct str main)
{
	const struct node *n = yaml_get(&l->yaml, root, STR("include"));
	const struct schema *row = schema_find(STR("include"));

	if (n == NULL)
		return;
	if (n->kind != NODE_LIST) {
		include_pattern(l, root, main, n);
		return;
	}
	if (n->n > row->most)
		problem_add(l->reader.problems, PROBLEM_ERROR, n->key_at,
		    "these are %zu; there may be %llu", n->n,
		    (unsigned long long)row->most);
	for (const struct node *m = n->first; m != NULL; m = m->next)
		include_pattern(l, root, main, m);
}

void
load_file(struct load *l, struct str path)
{
	struct node *root = file_parse(l, path, (struct place){ .line = 0 });

	if (root == NULL)
		return;
	load_includes(l, root, path);
	load_tree(l, root);
}
