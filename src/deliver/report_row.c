#include "deliver/report_row.h"

#include "base/must.h"
#include "wire/arf.h"
#include "wire/dmarc_report.h"
#include "wire/tls_rpt.h"

/* ---- texts ---- */

static bool
char_is_control(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];

	return first < 0x20 || first == 0x7f ||
	    (c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0);
}

bool
report_row_text_fits(struct str s)
{
	if (s.n > REPORT_TEXT)
		return false;
	while (s.n > 0) {
		size_t n = str_utf8_char(s);

		if (n == 0 || char_is_control(str_sub(s, 0, n)))
			return false;
		s = str_sub(s, n, s.n);
	}
	return true;
}

/* Controls become spaces, what is no UTF-8 '?'; what is too long is cut. */
static void
text_clean(struct buf *out, struct str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_char(s);

		if (out->n + (n == 0 ? 1 : n) > REPORT_TEXT)
			return;
		if (n == 0)
			buf_putc(out, '?');
		else if (char_is_control(str_sub(s, 0, n)))
			buf_putc(out, ' ');
		else
			buf_put(out, str_sub(s, 0, n));
		s = str_sub(s, n == 0 ? 1 : n, s.n);
	}
}

struct filling {
	struct report_row *row;
	struct arena *arena;
	bool is_full;
};

static void
text_set(struct filling *f, unsigned column, struct str s)
{
	size_t most = s.n < REPORT_TEXT ? s.n : REPORT_TEXT;
	struct buf b = { .p = arena_alloc(f->arena, most + 1), .cap = most };

	must(column < REPORT_COLUMNS);
	f->row->v[column].text = STR("");
	f->is_full |= b.p == NULL;
	if (b.p == NULL)
		return;
	text_clean(&b, str_trim(s));
	f->row->v[column].text = buf_str(&b);
}

static void
lower_set(struct filling *f, unsigned column, struct str s)
{
	struct str lower = arena_lower(f->arena, s);

	f->is_full |= lower.p == NULL;
	text_set(f, column, lower);
}

static void
word_set(struct filling *f, unsigned column, enum report_word word)
{
	must(column < REPORT_COLUMNS);
	f->row->v[column].text = word == REPORT_ABSENT ? STR("") :
	    str_of(report_word_name(word));
}

/* Something longer, made up of several. */
static struct buf
long_begin(struct filling *f)
{
	struct buf b = { .p = arena_alloc(f->arena, REPORT_TEXT),
		.cap = REPORT_TEXT };

	f->is_full |= b.p == NULL;
	if (b.p == NULL)
		b.cap = 0;
	return b;
}

static struct filling
filling_begin(struct report_row *row, struct arena *a)
{
	must(a != NULL);
	*row = (struct report_row){ 0 };
	for (size_t i = 0; i < REPORT_COLUMNS; i++)
		row->v[i].text = STR("");
	return (struct filling){ row, a, false };
}

static int
filling_end(const struct filling *f)
{
	return f->is_full ? -1 : 0;
}

/* ---- records of aggregate reports ---- */

static const char *
word_or(enum report_word word, const char *otherwise)
{
	return word == REPORT_ABSENT ? otherwise : report_word_name(word);
}

/* "dkim=pass a.example/s1; dkim=fail b.example; spf=pass c.example" */
static void
results_set(struct filling *f, const struct dmarc_report_record *r)
{
	struct buf b = long_begin(f);

	for (size_t i = 0; i < r->n_dkim; i++)
		buf_printf(&b, "%sdkim=%s "STR_FMT"%s"STR_FMT,
		    i == 0 ? "" : "; ", word_or(r->dkim[i].result, "none"),
		    STR_ARG(r->dkim[i].domain),
		    r->dkim[i].selector.n > 0 ? "/" : "",
		    STR_ARG(r->dkim[i].selector));
	if (r->spf != NULL)
		buf_printf(&b, "%sspf=%s "STR_FMT, b.n > 0 ? "; " : "",
		    word_or(r->spf->result, "none"), STR_ARG(r->spf->domain));
	text_set(f, REPORT_DMARC_results, buf_str(&b));
}

static void
reasons_set(struct filling *f, const struct dmarc_report_record *r)
{
	struct buf b = long_begin(f);

	for (size_t i = 0; i < r->n_reasons; i++) {
		const struct dmarc_report_reason *one = &r->reasons[i];

		if (one->type == REPORT_ABSENT && one->comment.n == 0)
			continue;
		buf_printf(&b, "%s%s", b.n > 0 ? "; " : "",
		    word_or(one->type, "other"));
		if (one->comment.n > 0)
			buf_printf(&b, " ("STR_FMT")", STR_ARG(one->comment));
	}
	text_set(f, REPORT_DMARC_reason, buf_str(&b));
}

int
report_row_record(struct report_row *row,
    const struct dmarc_report_record *r, struct arena *a)
{
	struct filling f = filling_begin(row, a);

	row->v[REPORT_DMARC_count].number = (int64_t)r->count;
	lower_set(&f, REPORT_DMARC_source, r->source_ip);
	word_set(&f, REPORT_DMARC_disposition, r->disposition);
	word_set(&f, REPORT_DMARC_dkim, r->dkim_aligned);
	word_set(&f, REPORT_DMARC_spf, r->spf_aligned);
	lower_set(&f, REPORT_DMARC_author, r->header_from);
	lower_set(&f, REPORT_DMARC_sender, r->envelope_from);
	lower_set(&f, REPORT_DMARC_recipient, r->envelope_to);
	reasons_set(&f, r);
	results_set(&f, r);
	return filling_end(&f);
}

/* ---- policies and failures of TLS ---- */

int
report_row_policy(struct report_row *row, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *t, struct arena *a)
{
	struct filling f = filling_begin(row, a);

	lower_set(&f, REPORT_TLS_domain, p->domain);
	text_set(&f, REPORT_TLS_policy, str_of(tls_rpt_type_name(p->type)));
	if (t == NULL) {
		row->v[REPORT_TLS_good].number = (int64_t)p->n_good;
		row->v[REPORT_TLS_failed].number = (int64_t)p->n_failed;
		return filling_end(&f);
	}
	row->v[REPORT_TLS_count].number = (int64_t)t->count;
	lower_set(&f, REPORT_TLS_result, t->result);
	lower_set(&f, REPORT_TLS_source, t->sending_ip);
	lower_set(&f, REPORT_TLS_mx_host, t->mx_host);
	lower_set(&f, REPORT_TLS_mx_address, t->mx_ip);
	text_set(&f, REPORT_TLS_reason, t->reason);
	text_set(&f, REPORT_TLS_information, t->information);
	return filling_end(&f);
}

/* ---- one failure ---- */

static void
signature_set(struct filling *f, const struct arf *r)
{
	struct str domain = r->text[ARF_DKIM_DOMAIN];
	struct str selector = r->text[ARF_DKIM_SELECTOR];
	struct buf b = long_begin(f);

	if (domain.n > 0)
		buf_printf(&b, STR_FMT"%s"STR_FMT, STR_ARG(domain),
		    selector.n > 0 ? "/" : "", STR_ARG(selector));
	lower_set(f, REPORT_FAILURE_signature, buf_str(&b));
}

int
report_row_feedback(struct report_row *row, const struct arf *r,
    struct arena *a)
{
	struct filling f = filling_begin(row, a);

	row->v[REPORT_FAILURE_count].number = (int64_t)r->incidents;
	if (r->arrived.us > 0)
		row->v[REPORT_FAILURE_arrived].number = r->arrived.us /
		    US_PER_SECOND;
	lower_set(&f, REPORT_FAILURE_source, r->source_ip);
	text_set(&f, REPORT_FAILURE_kind, r->auth_failure.n > 0 ?
	    r->auth_failure : r->type);
	text_set(&f, REPORT_FAILURE_delivery, r->delivery_result);
	text_set(&f, REPORT_FAILURE_failed, r->failed_dkim && r->failed_spf ?
	    STR("dkim spf") : r->failed_dkim ? STR("dkim") :
	    r->failed_spf ? STR("spf") : STR(""));
	text_set(&f, REPORT_FAILURE_sender, r->mail_from);
	text_set(&f, REPORT_FAILURE_recipient, r->rcpts.n > 0 ? r->rcpts.v[0] :
	    STR_NONE);
	signature_set(&f, r);
	text_set(&f, REPORT_FAILURE_author, r->from);
	text_set(&f, REPORT_FAILURE_subject, r->subject);
	text_set(&f, REPORT_FAILURE_message_id, r->message_id);
	text_set(&f, REPORT_FAILURE_results, r->results.n > 0 ?
	    r->results.v[0] : STR_NONE);
	return filling_end(&f);
}

/* ---- heads ---- */

static void
period_set(struct report_row *row, int64_t begins, int64_t ends)
{
	row->v[REPORT_HEAD_begins].number = begins < 0 ? 0 : begins;
	row->v[REPORT_HEAD_ends].number = ends < 0 ? 0 : ends;
}

static void
policy_word(struct buf *b, const char *tag, enum report_word word)
{
	if (word != REPORT_ABSENT)
		buf_printf(b, "%s%s=%s", b->n > 0 ? " " : "", tag,
		    report_word_name(word));
}

/* As in a record: "p=reject sp=none adkim=r aspf=s t=y" */
static void
head_dmarc(struct filling *f, const struct dmarc_report *d)
{
	struct buf b = long_begin(f);

	lower_set(f, REPORT_HEAD_domain, d->domain);
	text_set(f, REPORT_HEAD_organization, d->org_name.n > 0 ? d->org_name :
	    d->email);
	text_set(f, REPORT_HEAD_contact, d->email);
	text_set(f, REPORT_HEAD_report_id, d->report_id);
	text_set(f, REPORT_HEAD_error, d->error);
	period_set(f->row, d->begin, d->end);
	policy_word(&b, "p", d->p);
	policy_word(&b, "sp", d->sp);
	policy_word(&b, "np", d->np);
	policy_word(&b, "adkim", d->adkim);
	policy_word(&b, "aspf", d->aspf);
	policy_word(&b, "t", d->testing);
	text_set(f, REPORT_HEAD_policy, buf_str(&b));
}

static void
head_tls(struct filling *f, const struct tls_rpt *t)
{
	text_set(f, REPORT_HEAD_organization, t->organization.n > 0 ?
	    t->organization : t->contact);
	text_set(f, REPORT_HEAD_contact, t->contact);
	text_set(f, REPORT_HEAD_report_id, t->report_id);
	period_set(f->row, t->begin.us / US_PER_SECOND,
	    t->end.us / US_PER_SECOND);
}

/* RFC 5965 has no id of reports: the message's own stands for it.  Without a
 * domain it is about the one that signed, or should have. */
static void
head_feedback(struct filling *f, const struct report_in *in)
{
	const struct arf *r = &in->arf;
	int64_t at = r->arrived.us / US_PER_SECOND;

	lower_set(f, REPORT_HEAD_domain, r->domains.n > 0 ? r->domains.v[0] :
	    r->text[ARF_DKIM_DOMAIN]);
	text_set(f, REPORT_HEAD_organization, r->reporting_mta.n > 0 ?
	    r->reporting_mta : in->from);
	text_set(f, REPORT_HEAD_contact, in->from);
	text_set(f, REPORT_HEAD_report_id, in->message_id);
	period_set(f->row, at, at);
}

int
report_row_head(struct report_row *row, const struct report_in *in,
    struct arena *a)
{
	struct filling f = filling_begin(row, a);

	switch (in->kind) {
	case REPORT_IN_DMARC:
		head_dmarc(&f, &in->dmarc);
		break;
	case REPORT_IN_TLS:
		head_tls(&f, &in->tls);
		break;
	case REPORT_IN_FEEDBACK:
		head_feedback(&f, in);
		break;
	case REPORT_IN_NONE:
	case REPORT_IN_BROKEN:
		break;
	}
	return filling_end(&f);
}
