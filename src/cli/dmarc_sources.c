#include "cli/dmarc_sources.h"

#include "cli/own_address.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/dns.h"

#include <stdlib.h>

bool
dmarc_sources_begin(struct dmarc_sources *s, struct arena *a)
{
	*s = (struct dmarc_sources){ .arena = a,
		.list = arena_alloc(a, SOURCES_MOST * sizeof *s->list) };
	return s->list != NULL;
}

/* ---- adding up ---- */

static struct dmarc_source *
source_of(struct dmarc_sources *s, struct str text)
{
	struct dmarc_source *new;

	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->list[i].source, text))
			return &s->list[i];
	if (s->n == SOURCES_MOST)
		return NULL;
	new = &s->list[s->n];
	new->source = arena_copy(s->arena, text);
	if (new->source.p == NULL)
		return NULL;
	if (!address_parse(new->source, 0, &new->address))
		new->address.family = ADDRESS_NONE;
	s->n++;
	return new;
}

/* name is domain, or below it. */
static bool
name_is_below(struct str name, struct str domain)
{
	return str_eq_icase(name, domain) || (name.n > domain.n &&
	    name.p[name.n - domain.n - 1] == '.' &&
	    str_has_suffix_icase(name, domain));
}

/* "dkim=pass a.example/selector; spf=fail b.example": who did sign, and whose
 * signature in the domain's own name is broken. */
static void
results_look(struct dmarc_sources *s, struct dmarc_source *to,
    struct str results, struct str domain)
{
	while (results.n > 0) {
		struct str one = str_trim(str_cut(&results, ';'));
		struct str what = str_cut(&one, ' '), name = one;
		bool is_dkim = str_has_prefix_icase(what, STR("dkim="));
		bool has_passed = str_has_suffix_icase(what, STR("=pass"));

		name = str_cut(&name, '/');
		if (has_passed && !name_is_below(name, domain) &&
		    name.n > 0 && to->other.n == 0)
			to->other = arena_copy(s->arena, name);
		if (is_dkim && !has_passed && name_is_below(name, domain) &&
		    to->broken.n == 0)
			to->broken = arena_copy(s->arena, one);
	}
}

static bool
reason_is_forwarder(struct str reason)
{
	static const struct str words[] = { STR_INIT("forwarded"),
		STR_INIT("mailing_list"), STR_INIT("trusted_forwarder") };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_find_str(reason, words[i]) < reason.n)
			return true;
	return false;
}

bool
dmarc_sources_add(struct dmarc_sources *s, const struct dmarc_row *row,
    struct str domain)
{
	struct dmarc_source *to = source_of(s, row->source);
	bool dkim = str_eq(row->dkim, STR("pass"));
	bool spf = str_eq(row->spf, STR("pass"));

	if (to == NULL) {
		s->left_out += row->count;
		return s->n == SOURCES_MOST;
	}
	to->n += row->count;
	to->dkim += dkim ? row->count : 0;
	to->spf += spf ? row->count : 0;
	to->pass += dkim || spf ? row->count : 0;
	if (str_eq(row->disposition, STR("quarantine")))
		to->quarantined += row->count;
	else if (str_eq(row->disposition, STR("reject")))
		to->rejected += row->count;
	if (!dkim && !spf) {
		to->forwarded += reason_is_forwarder(row->reason) ? row->count :
		    0;
		results_look(s, to, row->results, domain);
	}
	return true;
}

/* ---- names ---- */

struct naming {
	struct dmarc_sources *sources;
	struct mono deadline;
	size_t next;
};

/* The name counts when it leads back to the address. */
static yields void
source_name(struct naming *t, struct dmarc_source *s, struct arena *a)
{
	struct dns_answer names, back;
	enum dns_type type = s->address.family == ADDRESS_V4 ? DNS_A : DNS_AAAA;

	dns_ask(dns_reverse_name(&s->address, a), DNS_PTR, a, t->deadline,
	    &names);
	for (size_t i = 0; names.status == DNS_FOUND && i < names.n && i < 3;
	    i++) {
		dns_ask(names.records[i].name, type, a, t->deadline, &back);
		for (size_t k = 0; back.status == DNS_FOUND && k < back.n; k++)
			if (address_eq_ip(&back.records[k].address,
			    &s->address)) {
				s->name = arena_copy(t->sources->arena,
				    names.records[i].name);
				return;
			}
	}
}

static yields void
naming_run(void *arg)
{
	struct naming *t = arg;
	struct arena a;

	while (t->next < t->sources->n && t->next < SOURCES_NAMED) {
		struct dmarc_source *s = &t->sources->list[t->next++];

		arena_init(&a, 256 * 1024);
		if (s->address.family != ADDRESS_NONE &&
		    mono_is_before(clock_mono(), t->deadline))
			source_name(t, s, &a);
		arena_clear(&a);
	}
}

/* Several ask at once: most of it is waiting. */
static yields void
naming_start(void *arg)
{
	struct naming *t = arg;

	t->deadline = mono_add(clock_mono(), SOURCES_SECONDS * NS_PER_SECOND);
	for (int i = 0; i < 7; i++)
		(void)fiber_go("names", naming_run, t);
	naming_run(t);
}

static void
ours_mark(struct dmarc_sources *s, const struct config *c)
{
	struct conf_addresses ours = { .n = 0 };

	if (c == NULL || !own_addresses(c, s->arena, &ours))
		return;
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < ours.n; k++)
			s->list[i].is_ours |= address_eq_ip(
			    &s->list[i].address, &ours.v[k]);
}

/* The last two labels of its name (three where those are short, as co.uk), else
 * its network. */
static struct str
source_group(struct dmarc_sources *s, const struct dmarc_source *one)
{
	struct str rest = one->name, host = one->name;
	size_t labels = 1;

	for (size_t i = 0; i < host.n; i++)
		labels += host.p[i] == '.';
	if (host.n == 0) {
		struct address net = address_network(&one->address);

		return one->address.family == ADDRESS_NONE ? one->source :
		    arena_printf(s->arena, "%s/%d", address_print(&net).text,
		    one->address.family == ADDRESS_V4 ? 24 : 64);
	}
	for (; labels > 2; labels--) {
		struct str top = rest, first;

		(void)str_cut(&top, '.');
		first = top;
		if (labels == 3 && str_cut(&first, '.').n <= 3)
			break;
		rest = top;
	}
	return rest;
}

static int
source_order(const void *a, const void *b)
{
	const struct dmarc_source *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n ? 1 : -1) :
	    str_order(x->source, y->source);
}

static int
group_order(const void *a, const void *b)
{
	const struct dmarc_source *x = a, *y = b;

	if (x->is_ours != y->is_ours)
		return x->is_ours ? -1 : 1;
	if (x->group_n != y->group_n)
		return x->group_n < y->group_n ? 1 : -1;
	if (!str_eq(x->group, y->group))
		return str_order(x->group, y->group);
	return source_order(a, b);
}

void
dmarc_sources_know(struct dmarc_sources *s, const struct config *c)
{
	struct naming t = { .sources = s };

	qsort(s->list, s->n, sizeof *s->list, source_order);
	ours_mark(s, c);
	(void)core_run_all(1, naming_start, &t);
	for (size_t i = 0; c != NULL && i < s->n; i++)
		s->list[i].is_ours |= str_eq_icase(s->list[i].name,
		    c->hostname);
}

void
dmarc_sources_sort(struct dmarc_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->list[i].group = source_group(s, &s->list[i]);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->n; k++)
			if (str_eq(s->list[i].group, s->list[k].group))
				s->list[i].group_n += s->list[k].n;
	qsort(s->list, s->n, sizeof *s->list, group_order);
}
