/* Reports within messages: one octet of choices, then a message; or an XML, a
 * JSON, fields alone, with a header of ours before them.  However it is cut, the
 * same report is in it, and as many records are told. */
#include "fuzz.h"
#include "wire/report_in.h"

enum { TOLD = 16 * 1024 };

static struct arena arena;
static char one_room[TOLD], two_room[TOLD];

static int
record_tell(void *arg, const struct dmarc_report_record *r)
{
	struct buf *b = arg;

	must(r->source_ip.n > 0 && r->n_dkim <= DMARC_REPORT_SIGNATURES &&
	    r->n_reasons <= DMARC_REPORT_REASONS);
	buf_printf(b, STR_FMT " %llu %d " STR_FMT "\n", STR_ARG(r->source_ip),
	    (unsigned long long)r->count, (int)r->disposition,
	    STR_ARG(r->header_from));
	return 0;
}

static int
policy_tell(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	struct buf *b = arg;

	must(p->n_strings <= TLS_READ_LIST && p->n_mx_hosts <= TLS_READ_LIST);
	buf_printf(b, STR_FMT " %llu " STR_FMT "\n", STR_ARG(p->domain),
	    (unsigned long long)p->n_good,
	    STR_ARG(f == NULL ? STR_NONE : f->result));
	return 0;
}

static void
told_forget(void *arg)
{
	struct buf *b = arg;

	b->n = 0;
	b->full = false;
}

static struct str
told(struct str head, struct str in, size_t at_once, struct buf b)
{
	struct report_in_listener l = { record_tell, policy_tell, told_forget,
		&b };
	struct report_in_read *r;
	const struct report_in *found;

	arena_init(&arena, REPORT_IN_MEMORY);
	r = report_in_begin(&arena, &l);
	must(r != NULL);
	report_in_take(r, head);
	for (; in.n > 0; in = str_sub(in, at_once, in.n))
		report_in_take(r, str_sub(in, 0, at_once));
	found = report_in_end(r);
	must(found->kind != REPORT_IN_BROKEN || found->why[0] != '\0');
	buf_printf(&b, "%d", (int)found->kind);
	arena_clear(&arena);
	return buf_str(&b);
}

FUZZ(in)
{
	static const struct str heads[] = { STR_INIT(""), STR_INIT("\r\n"),
	    STR_INIT("Content-Type: application/tlsrpt+json\r\n\r\n"),
	    STR_INIT("Content-Type: message/feedback-report\r\n\r\n") };
	unsigned choice = fuzz_choice(&in);
	struct str head = heads[choice & 3], whole;

	whole = told(head, in, in.n + 1, BUF_OF(one_room));
	must(str_eq(whole, told(head, in, 1 + (choice >> 2), BUF_OF(two_room))));
}
