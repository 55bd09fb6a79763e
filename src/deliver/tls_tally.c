#include "deliver/tls_tally.h"

#include "base/list.h"
#include "base/must.h"
#include "wire/report_mail.h"

#include <stdlib.h>

enum { REASON_MOST = 300, LINES_MOST = 128 };

/* ---- domains, policies, failures ---- */

void
tls_tally_init(struct tls_tally *t, struct hash_key key, size_t memory)
{
	*t = (struct tls_tally){ .key = key };
	arena_init(&t->arena, memory);
}

void
tls_tally_clear(struct tls_tally *t)
{
	table_clear(&t->domains);
	table_clear(&t->failures);
	arena_clear(&t->arena);
}

struct tls_tally_domain *
tls_tally_find(const struct tls_tally *t, struct str name)
{
	struct table_node *k = table_find(&t->domains,
	    hash_bytes(t->key, name));

	while (k != NULL && !str_eq(OWNER_OF(k, struct tls_tally_domain,
	    node)->name, name))
		k = table_again(k);
	return k == NULL ? NULL : OWNER_OF(k, struct tls_tally_domain, node);
}

static struct tls_tally_domain *
domain_get(struct tls_tally *t, struct str name)
{
	struct tls_tally_domain *d = tls_tally_find(t, name);

	if (d != NULL || (d = arena_new(&t->arena,
	    struct tls_tally_domain)) == NULL)
		return d;
	d->name = arena_copy(&t->arena, name);
	return d->name.p == NULL || table_insert(&t->domains, &d->node,
	    hash_bytes(t->key, name)) != 0 ? NULL : d;
}

/* Beyond TLS_TALLY_POLICIES, the first of its name stands for others. */
static struct tls_tally_policy *
policy_get(struct tls_tally *t, struct tls_tally_domain *d, struct str name,
    struct str text)
{
	struct tls_tally_policy *p;

	must(d->name.n > 0);
	for (p = d->policies; p != NULL; p = p->next)
		if (str_eq(p->name, name) && (str_eq(p->text, text) ||
		    d->n >= TLS_TALLY_POLICIES))
			return p;
	p = arena_new(&t->arena, struct tls_tally_policy);
	if (p == NULL)
		return NULL;
	p->name = arena_copy(&t->arena, name);
	p->text = arena_copy(&t->arena, text);
	if (p->name.p == NULL || p->text.p == NULL)
		return NULL;
	p->next = d->policies;
	d->policies = p;
	d->n++;
	return p;
}

static bool
failure_is(const struct tls_rpt_failure *a, const struct tls_rpt_failure *b)
{
	return str_eq(a->result, b->result) &&
	    str_eq(a->sending_ip, b->sending_ip) &&
	    str_eq(a->mx_host, b->mx_host) && str_eq(a->mx_ip, b->mx_ip) &&
	    str_eq(a->reason, b->reason);
}

static uint64_t
failure_hash(const struct tls_tally *t, const struct tls_tally_policy *p,
    const struct tls_rpt_failure *f)
{
	return hash_u64(t->key, (uint64_t)(uintptr_t)p) ^
	    hash_bytes(t->key, f->mx_host) ^
	    hash_u64(t->key, hash_bytes(t->key, f->mx_ip)) ^
	    hash_bytes(t->key, f->reason);
}

static bool
failure_keep(struct tls_tally *t, struct tls_rpt_failure *f)
{
	struct str *const texts[] = { &f->result, &f->sending_ip, &f->mx_host,
		&f->mx_ip, &f->reason };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if ((*texts[i] = arena_copy(&t->arena, *texts[i])).p == NULL)
			return false;
	return true;
}

/* What has no row is in the sum still. */
static void
failure_count(struct tls_tally *t, struct tls_tally_policy *p,
    const struct tls_rpt_failure *seen)
{
	uint64_t hash = failure_hash(t, p, seen);
	struct table_node *k = table_find(&t->failures, hash);
	struct tls_tally_failure *f;

	must(p->n <= TLS_TALLY_FAILURES);
	for (; k != NULL; k = table_again(k)) {
		f = OWNER_OF(k, struct tls_tally_failure, node);
		if (f->policy == p && failure_is(&f->is, seen)) {
			f->is.count++;
			return;
		}
	}
	f = p->n < TLS_TALLY_FAILURES ? arena_new(&t->arena,
	    struct tls_tally_failure) : NULL;
	if (f == NULL)
		return;
	f->policy = p;
	f->is = *seen;
	f->is.count = 1;
	if (!failure_keep(t, &f->is) ||
	    table_insert(&t->failures, &f->node, hash) != 0)
		return;
	f->next = p->failures;
	p->failures = f;
	p->n++;
}

/* ---- taking ---- */

/* "mx.example[192.0.2.1]:25" */
static void
relay_cut(struct str relay, struct tls_rpt_failure *f)
{
	size_t end;

	f->mx_host = str_cut(&relay, '[');
	end = str_find_last(relay, ']');
	f->mx_ip = str_sub(relay, 0, end == relay.n ? 0 : end);
}

void
tls_tally_take(struct tls_tally *t, const struct event *e)
{
	struct tls_rpt_failure f = {
		.result = event_get_str(e, FIELD_result),
		.sending_ip = event_get_str(e, FIELD_local),
		.reason = str_sub(event_get_str(e, FIELD_text), 0,
		    REASON_MOST) };
	struct tls_tally_domain *d;
	struct tls_tally_policy *p = NULL;

	if (e->type != EVENT_tls_session ||
	    !report_domain_fits(event_get_str(e, FIELD_domain)))
		return;			/* an address asks for nothing */
	d = domain_get(t, event_get_str(e, FIELD_domain));
	if (d != NULL)
		p = policy_get(t, d, event_get_str(e, FIELD_policy),
		    event_get_str(e, FIELD_policy_text));
	if (p == NULL) {
		t->lost++;
		return;
	}
	d->sessions++;
	if (f.result.n == 0) {
		p->good++;
		return;
	}
	p->failed++;
	relay_cut(event_get_str(e, FIELD_relay), &f);
	failure_count(t, p, &f);
}

/* ---- looking ---- */

static int
domain_order(const void *a, const void *b)
{
	const struct tls_tally_domain *const *x = a, *const *y = b;

	if ((*x)->sessions != (*y)->sessions)
		return (*x)->sessions > (*y)->sessions ? -1 : 1;
	return str_order((*x)->name, (*y)->name);
}

struct tls_tally_domain **
tls_tally_domains(const struct tls_tally *t, struct arena *a, size_t *n)
{
	struct tls_tally_domain **list = NULL;
	struct table_walk walk = { 0 };
	struct table_node *k;

	*n = 0;
	if (t->domains.n > 0)
		list = arena_alloc(a, t->domains.n * sizeof *list);
	if (list == NULL)
		return NULL;
	while ((k = table_walk(&t->domains, &walk)) != NULL) {
		list[*n] = OWNER_OF(k, struct tls_tally_domain, node);
		*n += list[*n]->sessions > 0;
	}
	qsort(list, *n, sizeof *list, domain_order);
	return list;
}

/* Lines that are not empty; with `only', what stands behind it. */
static bool
lines_take(struct str text, struct str only, struct arena *a,
    const struct str **out, size_t *n)
{
	struct str *list = arena_alloc(a, LINES_MOST * sizeof *list);

	*n = 0;
	*out = list;
	text = str_sub(text, 0, TLS_TALLY_TEXT);
	while (list != NULL && text.n > 0 && *n < LINES_MOST) {
		struct str line = str_trim(str_cut(&text, '\n'));

		if (!str_skip(&line, only))
			continue;
		line = str_trim(line);
		if (line.n > 0)
			list[(*n)++] = line;
	}
	return list != NULL;
}

/* RFC 8460 4.4: "mx-host" are the patterns of MTA-STS. */
bool
tls_tally_policy(const struct tls_tally_domain *d,
    const struct tls_tally_policy *p, struct arena *a,
    struct tls_rpt_policy *out)
{
	*out = (struct tls_rpt_policy){ .domain = d->name, .n_good = p->good,
		.n_failed = p->failed };
	if (!tls_rpt_type_of(p->name, &out->type))
		out->type = TLS_RPT_NO_POLICY;
	must(d->sessions >= p->good + p->failed);
	return lines_take(p->text, STR(""), a, &out->strings,
	    &out->n_strings) && (out->type != TLS_RPT_STS ||
	    lines_take(p->text, STR("mx:"), a, &out->mx_hosts,
	    &out->n_mx_hosts));
}
