/* Aggregate reports as we write them: whatever the texts are, our own reader takes
 * them, finds as many records, and words that are known. */
#include "fuzz.h"
#include "wire/dmarc_report_read.h"

static char room[2 * DMARC_REPORT_PIECE];
static struct arena arena;

static int
record_tell(void *arg, const struct dmarc_report_record *r)
{
	size_t *n = arg;

	must(r->count == 7 && r->n_dkim == 1 && r->n_reasons == 1);
	must(r->disposition == REPORT_none && str_eq(r->source_ip,
	    STR("192.0.2.1")));
	++*n;
	return 0;
}

FUZZ(in)
{
	struct str text = str_sub(in, 0, 1000);
	struct dmarc_report head = { .org_name = STR("mx"), .email = text,
		.report_id = STR("1"), .begin = 1, .end = 2, .error = text,
		.extra_contact_info = text, .generator = text,
		.domain = STR("a.example"), .p = REPORT_reject, .fo = text };
	struct dmarc_report_reason reason = { REPORT_local_policy, text };
	struct dmarc_report_dkim dkim = { text, text, REPORT_pass, text };
	struct dmarc_report_record record = { .source_ip = STR("192.0.2.1"),
		.count = 7, .disposition = REPORT_none, .dkim = &dkim,
		.dkim_aligned = REPORT_fail, .spf_aligned = REPORT_fail,
		.n_dkim = 1, .reasons = &reason, .n_reasons = 1,
		.header_from = text, .envelope_from = text };
	size_t n = 0;
	struct dmarc_report_listener l = { record_tell, &n };
	struct buf b = BUF_OF(room);
	struct dmarc_report_read *r;

	dmarc_report_begin(&b, &head);
	dmarc_report_record(&b, &record);
	dmarc_report_record(&b, &record);
	dmarc_report_end(&b);
	must(!b.full);
	arena_init(&arena, DMARC_READ_MEMORY);
	r = dmarc_report_read_begin(&arena, &l);
	must(r != NULL && dmarc_report_read(r, buf_str(&b)) == 0);
	must(dmarc_report_read_end(r) != NULL && n == 2);
	arena_clear(&arena);
}
