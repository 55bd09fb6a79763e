/*
 * The key of a row is all of it but the count: texts, each behind its length in
 * two octets, in this order:
 *
 *	source, disposition, dkim aligned, spf aligned, override, its comment,
 *	author, domain of the sender ("-": not known), SPF's domain, its result
 *	("": not asked), then for each signature domain, selector, result
 *
 * Rows and domains live in the arena `now'.  When it is full, what stays is
 * copied to the other one.
 */
#include "deliver/dmarc_tally.h"

#include "base/list.h"
#include "base/must.h"
#include "wire/authres.h"
#include "wire/dmarc.h"

#include <stdlib.h>

enum { KEY_MOST = 8 * 1024, TEXT_MOST = 255, COMMENT_MOST = 300,
	SIGNATURES_MOST = 32, SCRATCH = 256 * 1024 };

/* ---- what stands in an event ---- */

struct tally_signature { struct str domain, selector, result; };

struct tally_sight {
	struct str mail_domain, mail_result, helo_domain, helo_result;
	struct tally_signature signatures[SIGNATURES_MOST];
	size_t n;
	enum report_word dmarc;		/* pass, fail; absent: neither */
};

static struct str
after_at(struct str s)
{
	size_t at = str_find_last(s, '@');

	return at == s.n ? s : str_sub(s, at + 1, s.n);
}

static void
sight_spf(struct tally_sight *s, const struct authres_result *r)
{
	struct str mail = authres_get(r, "smtp", "mailfrom");
	struct str helo = authres_get(r, "smtp", "helo");

	if (mail.p != NULL) {
		s->mail_domain = after_at(mail);
		s->mail_result = r->result;
	} else if (helo.p != NULL) {
		s->helo_domain = helo;
		s->helo_result = r->result;
	}
}

static void
sight_dkim(struct tally_sight *s, const struct authres_result *r)
{
	struct str domain = authres_get(r, "header", "d");
	struct str selector = authres_get(r, "header", "s");

	if (s->n == SIGNATURES_MOST || domain.n == 0)
		return;
	s->signatures[s->n++] = (struct tally_signature){ domain,
		selector.p == NULL ? STR("") : selector, r->result };
}

static void
sight_take(struct tally_sight *s, const struct authres_result *r)
{
	if (str_eq(r->method, STR("spf")))
		sight_spf(s, r);
	else if (str_eq(r->method, STR("dkim")))
		sight_dkim(s, r);
	else if (str_eq(r->method, STR("dmarc")))
		s->dmarc = report_word_of(r->result, REPORT_IN_ALIGNED);
}

static void
sight_read(struct tally_sight *s, struct str results, struct arena *a)
{
	struct authres_result *r = arena_new(a, struct authres_result);
	struct authres list;

	authres_begin_list(&list, results, a);
	while (r != NULL && authres_next(&list, r) == AUTHRES_RESULT)
		sight_take(s, r);
}

/* RFC 9990 3.1.3: those that pass in strict, then in relaxed alignment, others
 * that pass, others.  What is below, or above, is most likely aligned. */
static unsigned
signature_rank(const struct tally_signature *g, struct str author)
{
	struct str domain = g->domain;

	if (!str_eq(g->result, STR("pass")))
		return 3;
	if (str_eq_icase(domain, author))
		return 0;
	if (domain.n < author.n) {
		struct str t = domain;

		domain = author;
		author = t;
	}
	return str_has_suffix_icase(domain, author) &&
	    domain.p[domain.n - author.n - 1] == '.' ? 1 : 2;
}

/* ---- the key ---- */

static void
key_put_text(struct buf *b, struct str s, size_t most)
{
	s = str_sub(s, 0, most);
	buf_le16(b, (uint16_t)s.n);
	buf_put(b, s);
}

/* Names and words are the same in any case. */
static void
key_put(struct buf *b, struct str s)
{
	s = str_sub(s, 0, TEXT_MOST);
	buf_le16(b, (uint16_t)s.n);
	for (size_t i = 0; i < s.n; i++)
		buf_putc(b, ascii_lower(s.p[i]));
}

static struct str
key_take(struct str *key)
{
	const unsigned char *p = (const unsigned char *)key->p;
	struct str s;

	must(key->n >= 2);
	s = str_sub(*key, 2, (size_t)(p[0] | p[1] << 8));
	*key = str_sub(*key, 2 + s.n, key->n);
	return s;
}

static bool
aligned_has(const struct event *e, struct str what)
{
	struct str words = event_get_str(e, FIELD_aligned);

	while (words.n > 0)
		if (str_eq(str_cut(&words, ' '), what))
			return true;
	return false;
}

static struct str
pass_or_fail(bool passes)
{
	return passes ? STR("pass") : STR("fail");
}

/* RFC 9990 Appendix A: "pass" is no action, "passing DMARC w/enforcing policy". */
static struct str
disposition_of(const struct event *e, const struct tally_sight *s)
{
	struct str d = event_get_str(e, FIELD_disposition);
	struct str policy = event_get_str(e, FIELD_policy);

	if (report_word_of(d, REPORT_IN_ACTION) == REPORT_ABSENT)
		d = STR("none");
	return str_eq(d, STR("none")) && s->dmarc == REPORT_pass &&
	    policy.n > 0 && !str_eq(policy, STR("none")) ? STR("pass") : d;
}

/* RFC 9990 3.1.1.9: where alignment fails and what was done is not what the
 * policy asks, there must be a reason. */
static struct str
override_of(const struct event *e, const struct tally_sight *s)
{
	struct str o = event_get_str(e, FIELD_override);

	if (o.n > 0)
		return report_word_of(o, REPORT_IN_OVERRIDE) == REPORT_ABSENT ?
		    STR("other") : o;
	return s->dmarc == REPORT_fail && event_get_str(e, FIELD_policy).n > 0 &&
	    !str_eq(event_get_str(e, FIELD_policy),
	    event_get_str(e, FIELD_disposition)) ? STR("local_policy") :
	    STR("");
}

/* A null sender's identity is postmaster of HELO (RFC 7208 2.4). */
static void
key_spf(struct buf *b, const struct event *e, const struct tally_sight *s)
{
	struct str sender = event_get_str(e, FIELD_sender);
	bool is_helo = s->mail_domain.p == NULL && sender.n == 0;

	key_put(b, sender.p == NULL ? STR("-") : after_at(sender));
	key_put(b, is_helo ? s->helo_domain : s->mail_domain);
	key_put(b, is_helo ? s->helo_result : s->mail_result);
}

static void
key_write(struct buf *b, const struct event *e, const struct tally_sight *s)
{
	struct str author = event_get_str(e, FIELD_author);

	key_put(b, event_get_str(e, FIELD_client));
	key_put(b, disposition_of(e, s));
	key_put(b, pass_or_fail(aligned_has(e, STR("dkim"))));
	key_put(b, pass_or_fail(aligned_has(e, STR("spf"))));
	key_put(b, override_of(e, s));
	key_put_text(b, event_get_str(e, FIELD_override).n > 0 ?
	    event_get_str(e, FIELD_text) : STR(""), COMMENT_MOST);
	key_put(b, author);
	key_spf(b, e, s);
	for (unsigned rank = 0; rank <= 3; rank++)
		for (size_t i = 0; i < s->n; i++) {
			if (signature_rank(&s->signatures[i], author) != rank ||
			    b->cap - b->n < 3 * (TEXT_MOST + 2))
				continue;
			key_put(b, s->signatures[i].domain);
			key_put(b, s->signatures[i].selector);
			key_put(b, s->signatures[i].result);
		}
}

/* ---- domains and rows ---- */

void
dmarc_tally_init(struct dmarc_tally *t, struct hash_key key, size_t memory)
{
	must(memory >= DMARC_TALLY_LEAST);
	*t = (struct dmarc_tally){ .key = key, .memory = memory };
	arena_init(&t->arenas[0], memory);
	arena_init(&t->arenas[1], memory);
	arena_init(&t->scratch, SCRATCH);
}

void
dmarc_tally_clear(struct dmarc_tally *t)
{
	table_clear(&t->domains);
	table_clear(&t->rows);
	arena_clear(&t->arenas[0]);
	arena_clear(&t->arenas[1]);
	arena_clear(&t->scratch);
}

struct tally_domain *
dmarc_tally_find(const struct dmarc_tally *t, struct str name)
{
	struct table_node *k = table_find(&t->domains,
	    hash_bytes(t->key, name));

	while (k != NULL && !str_eq(OWNER_OF(k, struct tally_domain,
	    node)->name, name))
		k = table_again(k);
	return k == NULL ? NULL : OWNER_OF(k, struct tally_domain, node);
}

static struct tally_row *
row_find(const struct dmarc_tally *t, const struct tally_domain *d,
    struct str key, uint64_t hash)
{
	struct table_node *k = table_find(&t->rows, hash);

	while (k != NULL) {
		struct tally_row *r = OWNER_OF(k, struct tally_row, node);

		if (r->domain == d && str_eq(r->key, key))
			return r;
		k = table_again(k);
	}
	return NULL;
}

/* The last record counts (RFC 9990 3.1); one that changes all the time takes the
 * place of its largest form once. */
static int
record_keep(struct arena *a, struct tally_domain *d, struct str record)
{
	if (str_eq(d->record, record))
		return 0;
	if (record.n > d->record_room) {
		char *p = arena_alloc(a, record.n);

		if (p == NULL)
			return -1;
		d->record_at = p;
		d->record_room = record.n;
	}
	if (record.n > 0)
		memcpy(d->record_at, record.p, record.n);
	d->record = (struct str){ d->record_at, record.n };
	return 0;
}

/* NULL: the arena is full. */
static struct tally_domain *
domain_add(struct dmarc_tally *t, struct str name, struct str record)
{
	struct arena *a = &t->arenas[t->now];
	struct tally_domain *d = arena_new(a, struct tally_domain);

	if (d == NULL)
		return NULL;
	d->name = arena_copy(a, name);
	d->is_late = t->has_lost_domains;
	return d->name.p == NULL || record_keep(a, d, record) != 0 ||
	    table_insert(&t->domains, &d->node, hash_bytes(t->key, name)) != 0 ?
	    NULL : d;
}

static struct tally_row *
row_add(struct dmarc_tally *t, struct tally_domain *d, struct str key,
    uint64_t hash)
{
	struct arena *a = &t->arenas[t->now];
	struct tally_row *r = arena_new(a, struct tally_row);

	if (r == NULL)
		return NULL;
	r->key = arena_copy(a, key);
	r->domain = d;
	if (r->key.p == NULL || table_insert(&t->rows, &r->node, hash) != 0)
		return NULL;
	r->next = d->rows;
	d->rows = r;
	d->n_rows++;
	return r;
}

/* The rows of a domain must not be those of another with the same key. */
static uint64_t
row_hash(const struct dmarc_tally *t, struct str domain, struct str key)
{
	return hash_bytes(t->key, key) ^ hash_u64(t->key,
	    hash_bytes(t->key, domain));
}

/* ---- when memory is used up ---- */

/* Rows are ordered by their count, those with the same by chance. */
static uint64_t
row_weight(const struct tally_row *r)
{
	uint64_t count = r->count > UINT32_MAX ? UINT32_MAX : r->count;

	return count << 32 | r->node.hash >> 32;
}

static int
weight_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Rows that are heavier stay.  -1: no memory. */
static int
weight_middle(struct dmarc_tally *t, uint64_t *middle)
{
	uint64_t *list = arena_alloc(&t->arenas[1 - t->now],
	    (t->rows.n + 1) * sizeof *list);
	struct table_walk walk = { 0 };
	struct table_node *k;
	size_t n = 0;

	if (list == NULL)
		return -1;
	while ((k = table_walk(&t->rows, &walk)) != NULL)
		list[n++] = row_weight(OWNER_OF(k, struct tally_row, node));
	qsort(list, n, sizeof *list, weight_order);
	*middle = list[n / 2];
	arena_clear(&t->arenas[1 - t->now]);
	return 0;
}

/* Into the arena `now', which has room for half of what there was. */
static int
domain_move(struct dmarc_tally *t, const struct tally_domain *old,
    uint64_t middle)
{
	struct tally_domain *d = NULL;
	uint64_t lost = old->lost;

	for (const struct tally_row *r = old->rows; r != NULL; r = r->next) {
		struct tally_row *copy;

		if (row_weight(r) <= middle) {
			lost += r->count;
			continue;
		}
		if (d == NULL && (d = domain_add(t, old->name,
		    old->record)) == NULL)
			return -1;
		copy = row_add(t, d, r->key, r->node.hash);
		if (copy == NULL)
			return -1;
		copy->count = r->count;
	}
	if (d == NULL) {
		t->lost += old->messages;
		t->has_lost_domains = t->has_lost_domains || old->messages > 0;
		return 0;
	}
	d->is_late = old->is_late;
	d->messages = old->messages;
	d->lost = lost;
	return 0;
}

static int
rows_thin(struct dmarc_tally *t)
{
	struct table old = t->domains;
	struct table_walk walk = { 0 };
	struct table_node *k;
	uint64_t middle;
	int rc = 0;

	if (weight_middle(t, &middle) != 0)
		return -1;
	t->now = 1 - t->now;
	t->domains = (struct table){ 0 };
	table_clear(&t->rows);
	t->rows = (struct table){ 0 };
	while (rc == 0 && (k = table_walk(&old, &walk)) != NULL)
		rc = domain_move(t, OWNER_OF(k, struct tally_domain, node),
		    middle);
	table_clear(&old);
	arena_clear(&t->arenas[1 - t->now]);
	t->has_lost_domains = t->has_lost_domains || rc != 0;
	return rc;
}

/* ---- taking ---- */

/* -1: the arena is full. */
static int
row_count(struct dmarc_tally *t, const struct event *e, struct str key)
{
	struct str name = event_get_str(e, FIELD_domain);
	struct str record = event_get_str(e, FIELD_policy_text);
	struct tally_domain *d = dmarc_tally_find(t, name);
	uint64_t hash = row_hash(t, name, key);
	struct tally_row *r;

	if (d == NULL && (d = domain_add(t, name, record)) == NULL)
		return -1;
	if (record_keep(&t->arenas[t->now], d, record) != 0)
		return -1;
	r = row_find(t, d, key, hash);
	if (r == NULL && (r = row_add(t, d, key, hash)) == NULL)
		return -1;
	r->count++;
	d->messages++;
	return 0;
}

/* RFC 9990 3.4: who has no rua does not ask.  Without a result there is nothing
 * to report. */
static bool
is_reported(const struct event *e)
{
	struct dmarc_record record;

	return e->type == EVENT_checked &&
	    event_get_str(e, FIELD_domain).n > 0 &&
	    event_get_str(e, FIELD_client).n > 0 &&
	    event_get_str(e, FIELD_author).n > 0 &&
	    dmarc_read(event_get_str(e, FIELD_policy_text), &record) ==
	    DMARC_RECORD && record.rua.n > 0;
}

int
dmarc_tally_take(struct dmarc_tally *t, const struct event *e)
{
	struct arena *a = &t->scratch;
	struct arena_mark before = arena_mark(a);
	struct tally_sight *s;
	struct buf key = { .cap = KEY_MOST };
	int rc = -1;

	if (!is_reported(e))
		return 0;
	s = arena_new(a, struct tally_sight);
	key.p = arena_alloc(a, KEY_MOST);
	if (s != NULL && key.p != NULL) {
		sight_read(s, event_get_str(e, FIELD_results), a);
		key_write(&key, e, s);
		must(!key.full);
		rc = s->dmarc == REPORT_ABSENT ? 0 :
		    row_count(t, e, buf_str(&key));
		if (rc != 0 && rows_thin(t) == 0)
			rc = row_count(t, e, buf_str(&key));
	}
	arena_back(a, before);
	return rc;
}

/* ---- looking ---- */

static int
domain_order(const void *a, const void *b)
{
	const struct tally_domain *const *x = a, *const *y = b;

	if ((*x)->messages != (*y)->messages)
		return (*x)->messages > (*y)->messages ? -1 : 1;
	return str_order((*x)->name, (*y)->name);
}

struct tally_domain **
dmarc_tally_domains(const struct dmarc_tally *t, struct arena *a, size_t *n)
{
	struct tally_domain **list = NULL;
	struct table_walk walk = { 0 };
	struct table_node *k;

	*n = 0;
	if (t->domains.n > 0)
		list = arena_alloc(a, t->domains.n * sizeof *list);
	if (list == NULL)
		return NULL;
	while ((k = table_walk(&t->domains, &walk)) != NULL) {
		list[*n] = OWNER_OF(k, struct tally_domain, node);
		*n += list[*n]->n_rows > 0;
	}
	qsort(list, *n, sizeof *list, domain_order);
	return list;
}

static int
row_order(const void *a, const void *b)
{
	const struct tally_row *const *x = a, *const *y = b;

	if ((*x)->count != (*y)->count)
		return (*x)->count > (*y)->count ? -1 : 1;
	return str_order((*x)->key, (*y)->key);
}

struct tally_row **
dmarc_tally_rows(const struct tally_domain *d, struct arena *a)
{
	struct tally_row **list = arena_alloc(a, d->n_rows * sizeof *list);
	size_t n = 0;

	must(d->n_rows > 0);
	if (list == NULL)
		return NULL;
	for (struct tally_row *r = d->rows; r != NULL; r = r->next)
		list[n++] = r;
	must(n == d->n_rows);
	qsort(list, n, sizeof *list, row_order);
	return list;
}

static bool
record_dkim(struct str key, struct arena *a, struct dmarc_report_record *out)
{
	struct dmarc_report_dkim *list;

	if (key.n == 0)
		return true;
	list = arena_alloc(a, SIGNATURES_MOST * sizeof *list);
	out->dkim = list;
	for (; list != NULL && key.n > 0; out->n_dkim++) {
		must(out->n_dkim < SIGNATURES_MOST);
		list->domain = key_take(&key);
		list->selector = key_take(&key);
		list->result = report_word_of(key_take(&key), REPORT_IN_DKIM);
		if (list->result == REPORT_ABSENT)
			list->result = REPORT_neutral;
		list++;
	}
	return out->dkim != NULL;
}

static bool
record_spf(struct str domain, struct str result, struct arena *a,
    struct dmarc_report_record *out)
{
	struct dmarc_report_spf *spf;

	if (result.n == 0)
		return true;
	out->spf = spf = arena_new(a, struct dmarc_report_spf);
	if (spf == NULL)
		return false;
	*spf = (struct dmarc_report_spf){ domain, REPORT_mfrom,
		report_word_of(result, REPORT_IN_SPF), STR_NONE };
	if (spf->result == REPORT_ABSENT)
		spf->result = REPORT_none;
	return true;
}

bool
dmarc_tally_record(const struct tally_row *r, struct arena *a,
    struct dmarc_report_record *out)
{
	struct str key = r->key, word, comment, domain;
	struct dmarc_report_reason *reason;

	*out = (struct dmarc_report_record){ .count = r->count };
	out->source_ip = key_take(&key);
	out->disposition = report_word_of(key_take(&key), REPORT_IN_ACTION);
	out->dkim_aligned = report_word_of(key_take(&key), REPORT_IN_ALIGNED);
	out->spf_aligned = report_word_of(key_take(&key), REPORT_IN_ALIGNED);
	word = key_take(&key);
	comment = key_take(&key);
	if (word.n > 0) {
		out->reasons = reason = arena_new(a,
		    struct dmarc_report_reason);
		if (reason == NULL)
			return false;
		out->n_reasons = 1;
		reason->type = report_word_of(word, REPORT_IN_OVERRIDE);
		reason->comment = comment.n > 0 ? comment : STR_NONE;
	}
	out->header_from = key_take(&key);
	out->envelope_from = key_take(&key);
	if (str_eq(out->envelope_from, STR("-")))
		out->envelope_from = STR_NONE;
	domain = key_take(&key);
	return record_spf(domain, key_take(&key), a, out) &&
	    record_dkim(key, a, out);
}

struct str
dmarc_tally_error(const struct tally_domain *d, struct arena *a)
{
	if (d->lost > 0)
		return arena_printf(a, "Of %llu messages %llu are not in this "
		    "report: they came from too many sources, and of those "
		    "with the fewest messages not all could be counted.",
		    (unsigned long long)d->messages,
		    (unsigned long long)d->lost);
	return d->is_late ? STR("Some messages may be missing: mail came in "
	    "the name of too many domains to count all of it.") : STR_NONE;
}
