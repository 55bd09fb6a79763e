#include "app/report_day.h"

#include "base/err.h"
#include "base/must.h"
#include "store/eventread.h"
#include "wire/dmarc.h"
#include "wire/dmarc_report.h"
#include "wire/tls_rpt.h"

#include <time.h>

enum { NAMES_MOST = 16 * 1024 * 1024, EVENTS_AT_ONCE = 64,
	RECORD_MEMORY = 64 * 1024, ROWS_MEMORY = 16 * 1024 * 1024,
	FO_ROOM = 16 };

/* ---- days ---- */

struct day_text
day_print(int64_t day)
{
	time_t t = (time_t)(day * DAY_SECONDS);
	struct day_text out = { "" };
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(out.text, sizeof out.text, "%Y-%m-%d", &tm);
	return out;
}

int64_t
day_parse(struct str text)
{
	struct tm tm = { .tm_isdst = 0 };
	struct str day, month, year = str_cut(&text, '-');
	uint64_t y, m, d;

	month = str_cut(&text, '-');
	day = text;
	if (year.n != 4 || month.n != 2 || day.n != 2 ||
	    !parse_u64(year, 9999, &y) || !parse_u64(month, 12, &m) ||
	    !parse_u64(day, 31, &d) || y < 1970 || m == 0 || d == 0)
		return -1;
	tm.tm_year = (int)y - 1900;
	tm.tm_mon = (int)m - 1;
	tm.tm_mday = (int)d;
	return (int64_t)timegm(&tm) / DAY_SECONDS;
}

/* ---- reading ---- */

/* Two servers must not report each other's reports for ever. */
static bool
event_is_of_report(const struct report_day *r, const struct event *e)
{
	const struct conf_strings *inbox = &r->conf->reports.inbox;
	struct str to = event_get_str(e, FIELD_recipient);

	for (size_t i = 0; i < inbox->n; i++)
		if (str_eq_icase(inbox->v[i], to))
			return true;
	return to.n > 0 && reporter_is(r->by, to);
}

static int
event_take(struct report_day *r, const struct event *e)
{
	if (r->kind == REPORT_OF_DMARC)
		return event_is_of_report(r, e) ? 0 :
		    dmarc_tally_take(&r->dmarc, e);
	tls_tally_take(&r->tls, e);
	return 0;
}

static yields int
events_take(struct report_day *r, struct eventread *in)
{
	int64_t end_us = (r->day + 1) * DAY_SECONDS * US_PER_SECOND;
	struct event e;
	unsigned n = 0;
	int rc;

	while ((rc = eventread_next(in, &e)) == 1 && e.at.us < end_us) {
		if (event_take(r, &e) != 0)
			return err_set("no memory to count the events of a day");
		if (++n % EVENTS_AT_ONCE == 0)
			fiber_yield();
	}
	return rc < 0 ? -1 : 0;
}

yields int
report_day_read(struct report_day *r, enum report_kind kind, int64_t day,
    const struct config *conf, const struct reporter *by, struct hash_key key)
{
	struct wall since = { day * DAY_SECONDS * US_PER_SECOND };
	struct eventread *in;
	struct str directory;
	int rc;

	*r = (struct report_day){ .kind = kind, .day = day, .by = by,
		.conf = conf };
	arena_init(&r->arena, NAMES_MOST);
	directory = arena_join(&r->arena, conf->spool.path, STR("/events"));
	dmarc_tally_init(&r->dmarc, key, DMARC_TALLY_MOST);
	tls_tally_init(&r->tls, key, TLS_TALLY_MOST);
	in = eventread_open(directory, since);
	if (in == NULL)
		return err_add("the events of %s", day_print(day).text);
	rc = events_take(r, in);
	eventread_close(in);
	if (kind == REPORT_OF_DMARC)
		r->dmarc_domains = dmarc_tally_domains(&r->dmarc, &r->arena,
		    &r->n);
	else
		r->tls_domains = tls_tally_domains(&r->tls, &r->arena, &r->n);
	return rc;
}

void
report_day_close(struct report_day *r)
{
	dmarc_tally_clear(&r->dmarc);
	tls_tally_clear(&r->tls);
	arena_clear(&r->arena);
}

/* ---- looking ---- */

struct str
report_day_name(const struct report_day *r, size_t i)
{
	must(i < r->n);
	return r->kind == REPORT_OF_DMARC ? r->dmarc_domains[i]->name :
	    r->tls_domains[i]->name;
}

uint64_t
report_day_count(const struct report_day *r, size_t i)
{
	must(i < r->n);
	return r->kind == REPORT_OF_DMARC ? r->dmarc_domains[i]->messages :
	    r->tls_domains[i]->sessions;
}

size_t
report_day_rows(const struct report_day *r, size_t i)
{
	must(i < r->n);
	return r->kind == REPORT_OF_DMARC ? r->dmarc_domains[i]->n_rows :
	    r->tls_domains[i]->n;
}

size_t
report_day_find(const struct report_day *r, struct str domain)
{
	size_t i = 0;

	while (i < r->n && !str_eq_icase(report_day_name(r, i), domain))
		i++;
	return i;
}

struct str
report_day_id(const struct report_day *r, size_t i, const struct reporter *by,
    struct arena *a)
{
	return arena_printf(a, "%s%s." STR_FMT "@" STR_FMT,
	    r->kind == REPORT_OF_TLS ? "tls." : "", day_print(r->day).text,
	    STR_ARG(report_day_name(r, i)), STR_ARG(by->domain));
}

/* ---- writing: DMARC ---- */

struct writing {
	struct report_day *of;
	size_t i;
	const struct reporter *by;
	struct report_sink *sink;
	struct arena arena;		/* emptied between pieces */
	struct buf piece;
};

static yields int
piece_give(struct writing *w)
{
	int rc;

	must(!w->piece.full);
	rc = w->sink->piece(w->sink, buf_str(&w->piece));
	w->piece.n = 0;
	fiber_yield();
	return rc;
}

static enum report_word
policy_word(enum dmarc_policy p)
{
	return report_word_of(str_of(dmarc_policy_name(p)), REPORT_IN_POLICY);
}

static struct str
fo_text(unsigned fo, struct buf *b)
{
	static const struct { unsigned bit; char letter; } letters[] = {
		{ DMARC_FO_0, '0' }, { DMARC_FO_1, '1' }, { DMARC_FO_D, 'd' },
		{ DMARC_FO_S, 's' } };

	for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
		if ((fo & letters[i].bit) != 0) {
			if (b->n > 0)
				buf_putc(b, ':');
			buf_putc(b, letters[i].letter);
		}
	return buf_str(b);
}

/* RFC 9990 3.1.1.5: "the discovered or default value"; the last record of the
 * day stands for all (3.1). */
static void
published_fill(struct dmarc_report *h, const struct tally_domain *d,
    struct buf *fo)
{
	struct dmarc_record p;

	must(dmarc_read(d->record, &p) == DMARC_RECORD);
	h->domain = d->name;
	h->discovery_method = REPORT_treewalk;
	h->p = policy_word(p.p);
	h->sp = policy_word(p.sp);
	h->np = policy_word(p.np);
	h->adkim = p.is_strict_dkim ? REPORT_s : REPORT_r;
	h->aspf = p.is_strict_spf ? REPORT_s : REPORT_r;
	h->testing = p.is_testing ? REPORT_y : REPORT_n;
	h->fo = fo_text(p.fo, fo);
}

static void
dmarc_head(struct writing *w)
{
	struct tally_domain *d = w->of->dmarc_domains[w->i];
	char room[FO_ROOM];
	struct buf fo = BUF_OF(room);
	struct dmarc_report h = { .org_name = w->by->organization,
		.email = w->by->from, .generator = STR("Nightmail"),
		.begin = w->of->day * DAY_SECONDS };

	h.end = h.begin + DAY_SECONDS - 1;
	if (w->by->contact.n > 0)
		h.extra_contact_info = w->by->contact;
	h.report_id = report_day_id(w->of, w->i, w->by, &w->arena);
	h.error = dmarc_tally_error(d, &w->arena);
	published_fill(&h, d, &fo);
	dmarc_report_begin(&w->piece, &h);
	arena_clear(&w->arena);
}

/* The next row; pieces go away half full, so that one more fits always. */
static yields int
dmarc_row(struct writing *w, const struct tally_row *row)
{
	struct dmarc_report_record record;
	bool fits = dmarc_tally_record(row, &w->arena, &record);

	if (fits)
		dmarc_report_record(&w->piece, &record);
	arena_clear(&w->arena);
	if (!fits)
		return err_set("no memory for a row of a report");
	return w->piece.n > w->piece.cap / 2 ? piece_give(w) : 0;
}

static yields int
dmarc_write(struct writing *w)
{
	struct tally_domain *d = w->of->dmarc_domains[w->i];
	struct tally_row **rows;
	struct arena a;
	int rc = 0;

	arena_init(&a, ROWS_MEMORY);
	rows = dmarc_tally_rows(d, &a);
	if (rows == NULL)
		rc = err_set("no memory for a report");
	else
		dmarc_head(w);
	for (size_t k = 0; rc == 0 && k < d->n_rows; k++)
		rc = dmarc_row(w, rows[k]);
	if (rc == 0) {
		dmarc_report_end(&w->piece);
		rc = piece_give(w);
	}
	arena_clear(&a);
	return rc;
}

/* ---- writing: TLS ---- */

static yields int
tls_policy_write(struct writing *w, struct tls_rpt_writer *out,
    const struct tls_tally_policy *p)
{
	struct tls_rpt_policy policy;
	int rc;

	if (!tls_tally_policy(w->of->tls_domains[w->i], p, &w->arena, &policy))
		return err_set("no memory for a report");
	tls_rpt_policy(out, &policy);
	arena_clear(&w->arena);
	rc = piece_give(w);
	for (struct tls_tally_failure *f = p->failures; rc == 0 && f != NULL;
	    f = f->next) {
		tls_rpt_failure(out, &f->is);
		rc = w->piece.n > w->piece.cap / 2 ? piece_give(w) : 0;
	}
	if (rc == 0)
		tls_rpt_policy_end(out);
	return rc;
}

static yields int
tls_write(struct writing *w)
{
	int64_t begin = w->of->day * DAY_SECONDS * US_PER_SECOND;
	struct tls_rpt head = { .organization = w->by->organization,
		.contact = w->by->from, .begin = { begin },
		.end = { begin + (DAY_SECONDS - 1) * US_PER_SECOND },
		.report_id = report_day_id(w->of, w->i, w->by, &w->arena) };
	struct tls_rpt_writer out;
	int rc = 0;

	tls_rpt_begin(&out, &w->piece, &head);
	arena_clear(&w->arena);
	for (struct tls_tally_policy *p = w->of->tls_domains[w->i]->policies;
	    rc == 0 && p != NULL; p = p->next)
		rc = tls_policy_write(w, &out, p);
	if (rc != 0)
		return rc;
	tls_rpt_end(&out);
	return piece_give(w);
}

yields int
report_day_write(struct report_day *r, size_t i, const struct reporter *by,
    struct report_sink *sink)
{
	struct writing w = { .of = r, .i = i, .by = by, .sink = sink };
	struct arena a;
	int rc = -1;

	must(i < r->n);
	arena_init(&a, 3 * DMARC_REPORT_PIECE);
	arena_init(&w.arena, RECORD_MEMORY);
	w.piece.cap = 2 * DMARC_REPORT_PIECE;
	w.piece.p = arena_alloc(&a, w.piece.cap);
	if (w.piece.p == NULL)
		(void)err_set("no memory for a report");
	else
		rc = r->kind == REPORT_OF_DMARC ? dmarc_write(&w) : tls_write(&w);
	arena_clear(&w.arena);
	arena_clear(&a);
	return rc;
}
