/* Aggregate reports as anybody sends them: one octet of choices, then XML.
 * However it is cut, the same records are told and the same report, or it is
 * refused. */
#include "fuzz.h"
#include "wire/dmarc_report_read.h"

enum { TOLD = 64 * 1024 };

static struct arena arena;
static char one_room[TOLD], two_room[TOLD];

static int
record_tell(void *arg, const struct dmarc_report_record *r)
{
	struct buf *b = arg;

	must(r->source_ip.n > 0 && r->source_ip.n <= DMARC_READ_TEXT);
	must(r->n_dkim <= DMARC_REPORT_SIGNATURES &&
	    r->n_reasons <= DMARC_REPORT_REASONS);
	must(r->disposition < REPORT_WORDS && r->dkim_aligned < REPORT_WORDS &&
	    r->spf_aligned < REPORT_WORDS);
	buf_printf(b, STR_FMT " %llu %d %zu %zu " STR_FMT "\n",
	    STR_ARG(r->source_ip), (unsigned long long)r->count,
	    (int)r->disposition, r->n_dkim, r->n_reasons,
	    STR_ARG(r->header_from));
	return 0;
}

static struct str
told(struct str in, size_t at_once, struct buf b)
{
	struct dmarc_report_listener l = { record_tell, &b };
	struct dmarc_report_read *r;
	const struct dmarc_report *is;
	int rc = 0;

	arena_init(&arena, DMARC_READ_MEMORY);
	r = dmarc_report_read_begin(&arena, &l);
	must(r != NULL);
	for (; in.n > 0 && rc == 0; in = str_sub(in, at_once, in.n))
		rc = dmarc_report_read(r, str_sub(in, 0, at_once));
	is = dmarc_report_read_end(r);
	must(rc == 0 || is == NULL);
	if (is == NULL) {
		must(dmarc_report_read_why(r)[0] != '\0');
		b.n = 0;	/* what was told before is nobody's business */
		buf_printf(&b, "refused");
	} else {
		must(is->domain.n > 0 && is->report_id.n > 0);
		must(is->org_name.n + is->email.n > 0);
		buf_printf(&b, STR_FMT " " STR_FMT " %lld", STR_ARG(is->domain),
		    STR_ARG(is->report_id), (long long)is->begin);
	}
	arena_clear(&arena);
	return buf_str(&b);
}

FUZZ(in)
{
	size_t at_once = 1 + fuzz_choice(&in) % 61;
	struct str whole = told(in, in.n + 1, BUF_OF(one_room));
	struct str cut = told(in, at_once, BUF_OF(two_room));

	must(str_eq(whole, cut));
}
