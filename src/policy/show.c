#include "policy/show.h"

#include "base/must.h"
#include "policy/account.h"
#include "policy/domain.h"
#include "policy/value.h"

enum { SHOW_LINE_MOST = 1024, SHOW_WIDTH = 72, SHOW_NOTE_AT = 44 };

static const struct str secret = STR_INIT("\xe2\x80\xb9secret\xe2\x80\xba");

static void
show_line(struct show_lines *out, const struct buf *b)
{
	out->line(out, buf_str(b));
}

static const struct origin *
origin_find(const struct origin *o, const struct schema *row)
{
	while (o != NULL && o->row != row)
		o = o->next;
	return o;
}

/* ---- one value ---- */

static void
show_value(struct buf *b, const struct schema *row, const void *base)
{
	const struct origin *const *origins = base;
	const struct origin *o = origin_find(*origins, row);

	if ((o != NULL && o->is_secret) || (schema_is_secret(row) &&
	    !value_is_absent(row, base)))
		buf_put(b, secret);
	else
		value_print(row, base, b);
}

/* "  size: 50M          # nightmail.yaml:12" */
static void
show_leaf(struct show_lines *out, const char *indent, const struct schema *row,
    const void *base)
{
	const struct origin *const *origins = base;
	const struct origin *o = origin_find(*origins, row);
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "%s"STR_FMT": ", indent, STR_ARG(schema_name(row)));
	show_value(&b, row, base);
	if (b.full) {			/* a list of ten thousand users */
		b.full = false;
		b.n = 0;
		buf_printf(&b, "%s# "STR_FMT": too long to show", indent,
		    STR_ARG(schema_name(row)));
	}
	while (b.n < SHOW_NOTE_AT && !b.full)
		buf_putc(&b, ' ');
	if (o == NULL)
		buf_put(&b, STR(" # default"));
	else
		buf_printf(&b, " # "STR_FMT":%u", STR_ARG(o->place.file),
		    o->place.line);
	show_line(out, &b);
}

/* What was neither set nor has a default needs no line; a comment says that it
 * is there to be set. */
static bool
leaf_is_shown(const struct schema *row, const void *base)
{
	const struct origin *const *origins = base;

	return row->kind == SCHEMA_KEY && row->type != TYPE_INCLUDE &&
	    (origin_find(*origins, row) != NULL ||
	    (!value_is_absent(row, base)));
}

/* ---- maps ---- */

/* Keys below path, then sections of them: two levels and no deeper. */
static void
show_keys(struct show_lines *out, const char *indent, struct str path,
    const void *base)
{
	for (const struct schema *row = schema_first(path); row != NULL;
	    row = schema_next(path, row))
		if (leaf_is_shown(row, base))
			show_leaf(out, indent, row, base);
}

static bool
section_has_leaf(struct str path, const void *base)
{
	for (const struct schema *row = schema_first(path); row != NULL;
	    row = schema_next(path, row))
		if (leaf_is_shown(row, base))
			return true;
	return false;
}

static void
show_head(struct show_lines *out, const char *indent, struct str name,
    const char *behind)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "%s"STR_FMT":%s", indent, STR_ARG(name), behind);
	show_line(out, &b);
}

static void
show_section(struct show_lines *out, const char *indent,
    const struct schema *section, const void *base)
{
	static const char deeper[] = "                ";
	const char *inner = deeper + sizeof deeper - 1 - strlen(indent) - 2;
	struct str path = str_of(section->path);

	must(strlen(indent) + 2 < sizeof deeper);
	show_head(out, indent, schema_name(section), "");
	show_keys(out, inner, path, base);
}

static void
show_member(struct show_lines *out, const char *head, struct str path,
    const void *base)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_put(&b, str_of(head));
	show_line(out, &b);
	show_keys(out, "    ", path, base);
	for (const struct schema *row = schema_first(path); row != NULL;
	    row = schema_next(path, row))
		if (row->kind == SCHEMA_SECTION &&
		    section_has_leaf(str_of(row->path), base))
			show_section(out, "    ", row, base);
}

static void
show_domains(struct show_lines *out, const struct config *c)
{
	char room[SHOW_LINE_MOST];

	show_head(out, "", STR("domains"), "");
	for (size_t i = 0; i < c->n_domains; i++) {
		const struct domain *d = c->domain_list[i];
		struct buf b = BUF_OF(room);

		if (d->is_implied) {
			buf_printf(&b, "  # "STR_FMT": implied",
			    STR_ARG(d->name));
			show_line(out, &b);
			continue;
		}
		if (d->alias_of != NULL) {
			buf_printf(&b, "  "STR_FMT": { alias_of: "STR_FMT" }",
			    STR_ARG(d->name), STR_ARG(d->alias_of->name));
			show_line(out, &b);
			continue;
		}
		buf_printf(&b, "  "STR_FMT":", STR_ARG(d->name));
		buf_putc(&b, '\0');
		show_member(out, room, STR("domains.*"), d);
	}
}

static void
show_transports(struct show_lines *out, const struct config *c)
{
	char room[SHOW_LINE_MOST];

	show_head(out, "", STR("transports"), c->n_transports == 0 ? " {}" : "");
	for (size_t i = 0; i < c->n_transports; i++) {
		struct buf b = BUF_OF(room);

		buf_printf(&b, "  "STR_FMT":", STR_ARG(c->transports[i].name));
		buf_putc(&b, '\0');
		show_member(out, room, STR("transports.*"), &c->transports[i]);
	}
}

static void
show_named(struct show_lines *out, struct str name, const char *path,
    const void *base)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_put(&b, STR("  "));
	value_print_text(name, &b);
	buf_put(&b, STR(":"));
	buf_putc(&b, '\0');
	show_member(out, room, str_of(path), base);
}

static void
show_accounts(struct show_lines *out, const struct config *c)
{
	show_head(out, "", STR("accounts"), c->n_accounts == 0 ? " {}" : "");
	for (size_t i = 0; i < c->n_accounts; i++)
		show_named(out, c->account_list[i]->given.name, "accounts.*",
		    c->account_list[i]);
}

static void
show_tenants(struct show_lines *out, const struct config *c)
{
	show_head(out, "", STR("tenants"), c->n_tenants == 0 ? " {}" : "");
	for (size_t i = 0; i < c->n_tenants; i++)
		show_named(out, c->tenant_list[i]->name, "tenants.*",
		    c->tenant_list[i]);
}

static void
show_sources(struct show_lines *out, const struct config *c)
{
	show_head(out, "", STR("sources"), c->n_sources == 0 ? " {}" : "");
	for (size_t i = 0; i < c->n_sources; i++)
		show_named(out, c->sources[i].name, "sources.*",
		    &c->sources[i]);
}

/* What stands below each is one value. */
static void
show_pools(struct show_lines *out, const struct config *c)
{
	const struct schema *row = schema_find(STR("pools.*.*"));
	char room[SHOW_LINE_MOST];

	show_head(out, "", STR("pools"), c->n_pools == 0 ? " {}" : "");
	for (size_t i = 0; i < c->n_pools; i++) {
		const struct pool_rule *p = &c->pools[i];
		struct buf b = BUF_OF(room);

		buf_put(&b, STR("  "));
		value_print_text(p->name, &b);
		buf_put(&b, STR(": "));
		value_print(row, p, &b);
		buf_printf(&b, " # "STR_FMT":%u", STR_ARG(p->place.file),
		    p->place.line);
		show_line(out, &b);
	}
}

static void
show_providers(struct show_lines *out, const struct config *c)
{
	show_head(out, "", STR("shaping"), c->n_providers == 0 ? " {}" : "");
	for (size_t i = 0; i < c->n_providers; i++)
		show_named(out, c->providers[i].name, "shaping.*",
		    &c->providers[i]);
}

static void
show_each(struct show_lines *out, const struct schema *section,
    const struct config *c)
{
	static const char item[] = "  -";

	if (str_eq(str_of(section->path), STR("accounts"))) {
		show_accounts(out, c);
	} else if (str_eq(str_of(section->path), STR("pools"))) {
		show_pools(out, c);
	} else if (str_eq(str_of(section->path), STR("sources"))) {
		show_sources(out, c);
	} else if (str_eq(str_of(section->path), STR("tenants"))) {
		show_tenants(out, c);
	} else if (str_eq(str_of(section->path), STR("domains"))) {
		show_domains(out, c);
	} else if (str_eq(str_of(section->path), STR("shaping"))) {
		show_providers(out, c);
	} else if (str_eq(str_of(section->path), STR("listen"))) {
		show_head(out, "", STR("listen"),
		    c->n_listeners == 0 ? " []" : "");
		for (size_t i = 0; i < c->n_listeners; i++)
			show_member(out, item, STR("listen[]"),
			    &c->listeners[i]);
	} else if (str_eq(str_of(section->path), STR("transports"))) {
		show_transports(out, c);
	} else {
		show_head(out, "", STR("route"), c->n_routes == 0 ? " []" : "");
		for (size_t i = 0; i < c->n_routes; i++)
			show_member(out, item, STR("route[]"), &c->routes[i]);
	}
}

static void
show_top_section(struct show_lines *out, const struct schema *section,
    const struct config *c)
{
	struct str path = str_of(section->path);
	const struct schema *first = schema_first(path);
	bool has_sections = false;

	if (first != NULL && first->kind == SCHEMA_EACH) {
		show_each(out, section, c);
		return;
	}
	for (const struct schema *row = first; row != NULL;
	    row = schema_next(path, row))
		has_sections |= row->kind == SCHEMA_SECTION;
	if (!has_sections && !section_has_leaf(path, c))
		return;
	show_section(out, "", section, c);
	for (const struct schema *row = first; row != NULL;
	    row = schema_next(path, row))
		if (row->kind == SCHEMA_SECTION)
			show_section(out, "  ", row, c);
}

void
show_config(const struct config *c, struct show_lines *out)
{
	show_keys(out, "", STR(""), c);
	for (const struct schema *row = schema_first(STR("")); row != NULL;
	    row = schema_next(STR(""), row))
		if (row->kind == SCHEMA_SECTION)
			show_top_section(out, row, c);
}

/* ---- differences ---- */

/* One struct of values on both sides; either may be NULL. */
static void
diff_leaf(struct show_lines *out, const struct schema *row, struct str path,
    const void *from, const void *to)
{
	char old[SHOW_LINE_MOST], new[SHOW_LINE_MOST];
	struct buf a = BUF_OF(old), b = BUF_OF(new);
	const char *mark = row->when == RESTART ? "! " : "";

	if (from != NULL && leaf_is_shown(row, from)) {
		buf_printf(&a, "%s- "STR_FMT": ", mark, STR_ARG(path));
		show_value(&a, row, from);
	}
	if (to != NULL && leaf_is_shown(row, to)) {
		buf_printf(&b, "%s+ "STR_FMT": ", mark, STR_ARG(path));
		show_value(&b, row, to);
	}
	if (a.n == b.n && (a.n == 0 || str_eq(
	    str_sub(buf_str(&a), strlen(mark) + 1, a.n),
	    str_sub(buf_str(&b), strlen(mark) + 1, b.n))))
		return;
	if (a.n > 0)
		show_line(out, &a);
	if (b.n > 0)
		show_line(out, &b);
}

/* Rows of this scope, under `name' instead of the pattern. */
static void
diff_scope(struct show_lines *out, enum schema_scope scope, struct str pattern,
    struct str name, const void *from, const void *to)
{
	for (size_t i = 0; i < schema_n; i++) {
		const struct schema *row = &schema_rows[i];
		char room[SHOW_LINE_MOST];
		struct buf b = BUF_OF(room);

		if (row->kind != SCHEMA_KEY || row->scope != scope)
			continue;
		buf_put(&b, name);
		buf_put(&b, str_sub(str_of(row->path), pattern.n, SIZE_MAX));
		diff_leaf(out, row, buf_str(&b), from, to);
	}
}

static void
diff_domain(struct show_lines *out, const struct domain *from,
    const struct domain *to)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "domains."STR_FMT,
	    STR_ARG(from != NULL ? from->name : to->name));
	diff_scope(out, SCOPE_domain, STR("domains.*"), buf_str(&b), from, to);
}

static void
diff_domains(struct show_lines *out, const struct config *from,
    const struct config *to)
{
	for (size_t i = 0; i < from->n_domains; i++)
		diff_domain(out, from->domain_list[i], domain_find(to,
		    from->domain_list[i]->name));
	for (size_t i = 0; i < to->n_domains; i++)
		if (domain_find(from, to->domain_list[i]->name) == NULL)
			diff_domain(out, NULL, to->domain_list[i]);
}

static void
diff_transport(struct show_lines *out, const struct transport *from,
    const struct transport *to)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "transports."STR_FMT,
	    STR_ARG(from != NULL ? from->name : to->name));
	diff_scope(out, SCOPE_transport, STR("transports.*"), buf_str(&b), from,
	    to);
}

static void
diff_transports(struct show_lines *out, const struct config *from,
    const struct config *to)
{
	for (size_t i = 0; i < from->n_transports; i++)
		diff_transport(out, &from->transports[i], transport_find(to,
		    from->transports[i].name));
	for (size_t i = 0; i < to->n_transports; i++)
		if (transport_find(from, to->transports[i].name) == NULL)
			diff_transport(out, NULL, &to->transports[i]);
}

static void
diff_provider(struct show_lines *out, const struct provider *from,
    const struct provider *to)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "shaping."STR_FMT,
	    STR_ARG(from != NULL ? from->name : to->name));
	diff_scope(out, SCOPE_provider, STR("shaping.*"), buf_str(&b), from,
	    to);
}

static const struct provider *
provider_called(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->n_providers; i++)
		if (str_eq(c->providers[i].name, name))
			return &c->providers[i];
	return NULL;
}

static void
diff_providers(struct show_lines *out, const struct config *from,
    const struct config *to)
{
	for (size_t i = 0; i < from->n_providers; i++)
		diff_provider(out, &from->providers[i], provider_called(to,
		    from->providers[i].name));
	for (size_t i = 0; i < to->n_providers; i++)
		if (provider_called(from, to->providers[i].name) == NULL)
			diff_provider(out, NULL, &to->providers[i]);
}

static void
diff_account(struct show_lines *out, const struct account_rule *from,
    const struct account_rule *to)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "accounts."STR_FMT,
	    STR_ARG(from != NULL ? from->given.name : to->given.name));
	diff_scope(out, SCOPE_account_rule, STR("accounts.*"), buf_str(&b),
	    from, to);
}

static void
diff_accounts(struct show_lines *out, const struct config *from,
    const struct config *to)
{
	for (size_t i = 0; i < from->n_accounts; i++)
		diff_account(out, from->account_list[i], account_rule_find(to,
		    from->account_list[i]->rights.name));
	for (size_t i = 0; i < to->n_accounts; i++)
		if (account_rule_find(from, to->account_list[i]->rights.name)
		    == NULL)
			diff_account(out, NULL, to->account_list[i]);
}

static void
diff_tenant(struct show_lines *out, const struct tenant_rule *from,
    const struct tenant_rule *to)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "tenants."STR_FMT,
	    STR_ARG(from != NULL ? from->name : to->name));
	diff_scope(out, SCOPE_tenant_rule, STR("tenants.*"), buf_str(&b), from,
	    to);
}

static void
diff_tenants(struct show_lines *out, const struct config *from,
    const struct config *to)
{
	for (size_t i = 0; i < from->n_tenants; i++)
		diff_tenant(out, from->tenant_list[i], tenant_rule_find(to,
		    from->tenant_list[i]->name));
	for (size_t i = 0; i < to->n_tenants; i++)
		if (tenant_rule_find(from, to->tenant_list[i]->name) == NULL)
			diff_tenant(out, NULL, to->tenant_list[i]);
}

static void
diff_listed(struct show_lines *out, enum schema_scope scope, const char *name,
    size_t i, const void *from, const void *to)
{
	char room[64], pattern_room[64];
	struct buf b = BUF_OF(room), pattern = BUF_OF(pattern_room);

	buf_printf(&pattern, "%s[]", name);
	buf_printf(&b, "%s[%zu]", name, i);
	diff_scope(out, scope, buf_str(&pattern), buf_str(&b), from, to);
}

void
show_diff(const struct config *from, const struct config *to,
    struct show_lines *out)
{
	diff_scope(out, SCOPE_config, STR(""), STR(""), from, to);
	diff_domains(out, from, to);
	diff_transports(out, from, to);
	diff_providers(out, from, to);
	diff_accounts(out, from, to);
	diff_tenants(out, from, to);
	for (size_t i = 0; i < from->n_listeners || i < to->n_listeners; i++)
		diff_listed(out, SCOPE_listener, "listen", i,
		    i < from->n_listeners ? &from->listeners[i] : NULL,
		    i < to->n_listeners ? &to->listeners[i] : NULL);
	for (size_t i = 0; i < from->n_routes || i < to->n_routes; i++)
		diff_listed(out, SCOPE_route_rule, "route", i,
		    i < from->n_routes ? &from->routes[i] : NULL,
		    i < to->n_routes ? &to->routes[i] : NULL);
}

/* ---- one key explained ---- */

static void
show_wrapped(struct show_lines *out, struct str text)
{
	char room[SHOW_WIDTH + 8];

	while (text.n > 0) {
		size_t n = text.n;
		struct buf b = BUF_OF(room);

		if (n > SHOW_WIDTH)
			for (n = SHOW_WIDTH; n > 1 && text.p[n] != ' '; n--)
				;
		buf_put(&b, STR("  "));
		buf_put(&b, str_trim(str_sub(text, 0, n)));
		show_line(out, &b);
		text = str_trim(str_sub(text, n, text.n));
	}
}

static void
show_type(struct show_lines *out, const struct schema *row)
{
	const char *examples = schema_type_examples(row->type);
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_put(&b, STR("  type:    "));
	if (schema_type_chooses(row->type))
		buf_put(&b, str_of(row->words));
	else if (examples != NULL)
		buf_printf(&b, "%s (%s)", schema_type_says(row->type),
		    examples);
	else
		buf_put(&b, str_of(schema_type_says(row->type)));
	if (row->words != NULL && !schema_type_chooses(row->type))
		buf_printf(&b, ", or %s", row->words);
	show_line(out, &b);
}

static void
show_facts(struct show_lines *out, const struct schema *row)
{
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	show_type(out, row);
	buf_printf(&b, "  default: %s",
	    row->fallback == NULL ? "none" : row->fallback);
	show_line(out, &b);
	b.n = 0;
	buf_put(&b, STR("  range:   "));
	if (value_range_print(row, &b))
		show_line(out, &b);
	out->line(out, row->when == RESTART ?
	    STR("  changes: at restart") : STR("  changes: at reload"));
}

static void
show_below(struct show_lines *out, const struct schema *row)
{
	struct str path = str_of(row->path);
	char room[SHOW_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_put(&b, STR("  keys:   "));
	for (const struct schema *k = schema_first(path); k != NULL;
	    k = schema_next(path, k))
		if (k->kind != SCHEMA_LATER)
			buf_printf(&b, " "STR_FMT, STR_ARG(schema_name(k)));
	show_line(out, &b);
}

bool
show_key(struct str key, struct show_lines *out)
{
	const struct schema *row = schema_find_loose(key);

	if (row == NULL)
		return false;
	if (row->kind == SCHEMA_SAME)
		row = schema_find(str_of(row->doc));
	must(row != NULL);
	out->line(out, str_of(row->path));
	if (row->kind == SCHEMA_LATER) {
		out->line(out, STR("  known but not in this version; without it,"));
		show_wrapped(out, str_of(row->doc));
		return true;
	}
	if (row->kind == SCHEMA_KEY)
		show_facts(out, row);
	else
		show_below(out, row);
	show_wrapped(out, str_of(row->doc));
	return true;
}
