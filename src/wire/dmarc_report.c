#include "wire/dmarc_report.h"

#include "base/must.h"
#include "wire/xml.h"

static const struct {
	struct str name;
	unsigned places;
} words[REPORT_WORDS] = {
#define POLICY REPORT_IN_POLICY
#define ACTION REPORT_IN_ACTION
#define ALIGNED REPORT_IN_ALIGNED
#define ALIGNMENT REPORT_IN_ALIGNMENT
#define OVERRIDE REPORT_IN_OVERRIDE
#define DKIM REPORT_IN_DKIM
#define SPF REPORT_IN_SPF
#define SCOPE REPORT_IN_SCOPE
#define METHOD REPORT_IN_METHOD
#define TESTING REPORT_IN_TESTING
#define OVERRIDE_OLD REPORT_IN_OVERRIDE_OLD
#define SCOPE_OLD REPORT_IN_SCOPE_OLD
#define REPORT_WORD(name, places) [REPORT_##name] = { STR_INIT(#name), places },
#include "wire/dmarc_report.def"
#undef REPORT_WORD
};

const char *
report_word_name(enum report_word w)
{
	must(w > REPORT_ABSENT && w < REPORT_WORDS);
	return words[w].name.p;
}

enum report_word
report_word_of(struct str s, unsigned places)
{
	for (unsigned w = REPORT_ABSENT + 1; w < REPORT_WORDS; w++)
		if (str_eq_icase(s, words[w].name))
			return (words[w].places & places) != 0 ?
			    (enum report_word)w : REPORT_ABSENT;
	return REPORT_ABSENT;
}

bool
dmarc_report_fits(enum report_word w, unsigned places)
{
	return w > REPORT_ABSENT && w < REPORT_WORDS &&
	    (words[w].places & places) != 0;
}

static void
word_put(struct xml *x, const char *name, enum report_word w, unsigned place)
{
	must(dmarc_report_fits(w, place));
	xml_str(x, name, words[w].name);
}

static void
word_maybe(struct xml *x, const char *name, enum report_word w,
    unsigned place)
{
	if (w != REPORT_ABSENT)
		word_put(x, name, w, place);
}

/* RFC 9990 3.1.1.3, 3.1.1.4 */
static void
metadata_put(struct xml *x, const struct dmarc_report *r)
{
	xml_open(x, "report_metadata");
	xml_str(x, "org_name", r->org_name);
	xml_str(x, "email", r->email);
	xml_maybe(x, "extra_contact_info", r->extra_contact_info);
	xml_str(x, "report_id", r->report_id);
	xml_open(x, "date_range");
	xml_num(x, "begin", r->begin);
	xml_num(x, "end", r->end);
	xml_close(x);
	xml_maybe(x, "error", r->error);
	xml_maybe(x, "generator", r->generator);
	xml_close(x);
}

/* RFC 9990 3.1.1.5 */
static void
policy_put(struct xml *x, const struct dmarc_report *r)
{
	xml_open(x, "policy_published");
	xml_str(x, "domain", r->domain);
	word_maybe(x, "discovery_method", r->discovery_method,
	    REPORT_IN_METHOD);
	word_put(x, "p", r->p, REPORT_IN_POLICY);
	word_maybe(x, "sp", r->sp, REPORT_IN_POLICY);
	word_maybe(x, "np", r->np, REPORT_IN_POLICY);
	xml_maybe(x, "fo", r->fo);
	word_maybe(x, "adkim", r->adkim, REPORT_IN_ALIGNMENT);
	word_maybe(x, "aspf", r->aspf, REPORT_IN_ALIGNMENT);
	word_maybe(x, "testing", r->testing, REPORT_IN_TESTING);
	xml_close(x);
}

/* RFC 9990 3.1.1.2: "version" must have the value 1.0. */
void
dmarc_report_begin(struct buf *b, const struct dmarc_report *r)
{
	struct xml x;

	must(r->begin >= 0 && r->begin <= r->end);
	xml_begin(&x, b, "feedback", DMARC_REPORT_NAMESPACE);
	xml_str(&x, "version", STR("1.0"));
	metadata_put(&x, r);
	policy_put(&x, r);
}

/* RFC 9990 3.1.1.8, 3.1.1.9 */
static void
row_put(struct xml *x, const struct dmarc_report_record *r)
{
	must(r->n_reasons <= DMARC_REPORT_REASONS);
	xml_open(x, "row");
	xml_str(x, "source_ip", r->source_ip);
	xml_num(x, "count", (int64_t)r->count);
	xml_open(x, "policy_evaluated");
	word_put(x, "disposition", r->disposition, REPORT_IN_ACTION);
	word_put(x, "dkim", r->dkim_aligned, REPORT_IN_ALIGNED);
	word_put(x, "spf", r->spf_aligned, REPORT_IN_ALIGNED);
	for (size_t i = 0; i < r->n_reasons; i++) {
		xml_open(x, "reason");
		word_put(x, "type", r->reasons[i].type, REPORT_IN_OVERRIDE);
		xml_maybe(x, "comment", r->reasons[i].comment);
		xml_close(x);
	}
	xml_close(x);
	xml_close(x);
}

/* RFC 9990 3.1.1.11 to 3.1.1.13 */
static void
results_put(struct xml *x, const struct dmarc_report_record *r)
{
	must(r->n_dkim <= DMARC_REPORT_SIGNATURES);
	xml_open(x, "auth_results");
	for (size_t i = 0; i < r->n_dkim; i++) {
		xml_open(x, "dkim");
		xml_str(x, "domain", r->dkim[i].domain);
		xml_str(x, "selector", r->dkim[i].selector);
		word_put(x, "result", r->dkim[i].result, REPORT_IN_DKIM);
		xml_maybe(x, "human_result", r->dkim[i].human_result);
		xml_close(x);
	}
	if (r->spf != NULL) {
		xml_open(x, "spf");
		xml_str(x, "domain", r->spf->domain);
		word_maybe(x, "scope", r->spf->scope, REPORT_IN_SCOPE);
		word_put(x, "result", r->spf->result, REPORT_IN_SPF);
		xml_maybe(x, "human_result", r->spf->human_result);
		xml_close(x);
	}
	xml_close(x);
}

void
dmarc_report_record(struct buf *b, const struct dmarc_report_record *r)
{
	struct xml x;

	must(r->count > 0 && r->count <= INT64_MAX);
	xml_below(&x, b);
	xml_open(&x, "record");
	row_put(&x, r);
	xml_open(&x, "identifiers");
	xml_str(&x, "header_from", r->header_from);
	xml_maybe(&x, "envelope_from", r->envelope_from);
	xml_maybe(&x, "envelope_to", r->envelope_to);
	xml_close(&x);
	results_put(&x, r);
	xml_close(&x);
}

void
dmarc_report_end(struct buf *b)
{
	struct xml x;

	xml_below(&x, b);
	xml_end(&x, "feedback");
}
