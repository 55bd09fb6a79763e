/* report_fuzz.c -- reports to domains: whatever stands in the events, what is
 * written parses, as XML by expat and as JSON by jansson, and says what was put in.
 */
#include "fuzz.h"

#include "base/must.h"
#include "deliver/dmarc_tally.h"
#include "deliver/tls_tally.h"
#include "wire/report_mail.h"

#include <expat.h>
#include <jansson.h>

static char room[2 * DMARC_REPORT_PIECE];

/* Lines of the input, one for each field. */
static void
field_put(struct event *e, enum event_field f, struct str *rest)
{
	struct str s = str_cut(rest, '\n');

	if (s.n > 0)
		event_str(e, f, s);
}

static void
checked_take(struct dmarc_tally *t, struct str rest)
{
	struct event e = event_make(EVENT_checked, (struct wall){ 1 }, 7);

	event_str(&e, FIELD_policy_text,
	    STR("v=DMARC1; p=reject; rua=mailto:a@b.example"));
	event_str(&e, FIELD_domain, STR("a.example"));
	field_put(&e, FIELD_client, &rest);
	field_put(&e, FIELD_author, &rest);
	field_put(&e, FIELD_sender, &rest);
	field_put(&e, FIELD_override, &rest);
	field_put(&e, FIELD_text, &rest);
	field_put(&e, FIELD_disposition, &rest);
	field_put(&e, FIELD_policy, &rest);
	field_put(&e, FIELD_aligned, &rest);
	event_str(&e, FIELD_results, rest);
	must(dmarc_tally_take(t, &e) == 0);
}

static void
xml_parses(struct str text)
{
	XML_Parser p = XML_ParserCreate(NULL);

	must(p != NULL && text.n < INT32_MAX);
	must(XML_Parse(p, text.p, (int)text.n, 1) == XML_STATUS_OK);
	XML_ParserFree(p);
}

static void
dmarc_fuzz(struct str s)
{
	struct dmarc_report head = { .org_name = s, .email = s, .report_id = s,
		.extra_contact_info = s, .error = s, .generator = s,
		.domain = str_sub(s, 0, 300), .fo = str_sub(s, 0, 10),
		.p = REPORT_none };
	struct dmarc_report_record record;
	struct dmarc_tally t;
	struct tally_domain *d;
	struct buf b = BUF_OF(room);
	struct arena a;

	arena_init(&a, 1 << 20);
	dmarc_tally_init(&t, (struct hash_key){ 1, 2 }, DMARC_TALLY_LEAST);
	checked_take(&t, s);
	dmarc_report_begin(&b, &head);
	d = dmarc_tally_find(&t, STR("a.example"));
	for (struct tally_row *r = d == NULL ? NULL : d->rows; r != NULL;
	    r = r->next) {
		must(dmarc_tally_record(r, &a, &record) && record.count == 1);
		dmarc_report_record(&b, &record);
	}
	dmarc_report_end(&b);
	must(!b.full);
	xml_parses(buf_str(&b));
	dmarc_tally_clear(&t);
	arena_clear(&a);
}

static void
tls_fuzz(struct str rest)
{
	struct event e = event_make(EVENT_tls_session, (struct wall){ 1 }, 0);
	struct tls_rpt head = { rest, rest, rest, { 0 }, { 1 } };
	struct tls_tally_domain *d;
	struct tls_rpt_policy policy;
	struct tls_rpt_writer w;
	struct buf b = BUF_OF(room);
	struct tls_tally t;
	struct arena a;
	json_t *j;

	arena_init(&a, 1 << 20);
	tls_tally_init(&t, (struct hash_key){ 1, 2 }, 1 << 20);
	event_str(&e, FIELD_domain, STR("a.example"));
	field_put(&e, FIELD_policy, &rest);
	field_put(&e, FIELD_result, &rest);
	field_put(&e, FIELD_relay, &rest);
	field_put(&e, FIELD_local, &rest);
	field_put(&e, FIELD_text, &rest);
	event_str(&e, FIELD_policy_text, rest);
	tls_tally_take(&t, &e);
	d = tls_tally_find(&t, STR("a.example"));
	must(d != NULL && d->policies != NULL && d->sessions == 1);
	must(tls_tally_policy(d, d->policies, &a, &policy));
	tls_rpt_begin(&w, &b, &head);
	tls_rpt_policy(&w, &policy);
	if (d->policies->failures != NULL)
		tls_rpt_failure(&w, &d->policies->failures->is);
	tls_rpt_policy_end(&w);
	tls_rpt_end(&w);
	must(!b.full);
	j = json_loadb(b.p, b.n, JSON_ALLOW_NUL, NULL);
	must(j != NULL);
	json_decref(j);
	tls_tally_clear(&t);
	arena_clear(&a);
}

FUZZ(in)
{
	in = str_sub(in, 0, 4096);
	dmarc_fuzz(in);
	tls_fuzz(in);
	(void)report_domain_fits(in);
}
