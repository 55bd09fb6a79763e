/* The message that carries a report: whatever the names are, no line is without its
 * CRLF or longer than 998 octets, From and Subject stand there once, and what was
 * packed is in it. */
#include "fuzz.h"
#include "wire/header.h"
#include "wire/report_mail.h"

static char room[64 * 1024];
static struct arena arena;

static void
header_holds(struct str text)
{
	struct header_scan scan;
	struct field f;

	arena_init(&arena, HEADER_ARENA);
	header_begin(&scan, &arena);
	while (header_next(&scan, &text, &f) == HEADER_FIELD)
		;
	must(scan.has_empty_line && !scan.ended_by_junk);
	must(scan.count[HEADER_FROM] == 1 && scan.count[HEADER_SUBJECT] == 1);
	must(scan.count[HEADER_TO] == 1 && scan.count[HEADER_DATE] == 1);
	must(scan.count[HEADER_MESSAGE_ID] == 1);
	must(scan.count[HEADER_BCC] == 0 && scan.count[HEADER_CC] == 0);
	arena_clear(&arena);
}

static void
lines_hold(struct str text)
{
	must(fuzz_is_canonical(text));
	while (text.n > 0)
		must(str_cut(&text, '\n').n <= 999);
}

FUZZ(in)
{
	struct report_mail m = { .from = STR("reports@mx.example"),
		.to = { STR_INIT("a@b.example") }, .n_to = 1,
		.domain = STR("a.example"), .submitter = STR("mx.example"),
		.report_id = STR("2026-11-20.a.example@mx.example"),
		.boundary = STR("=_boundary_1"), .begin = 1, .end = 86400 };
	struct base64_writer w = { 0 };
	struct buf b = BUF_OF(room);

	m.kind = fuzz_choice(&in) & 1 ? REPORT_OF_TLS : REPORT_OF_DMARC;
	m.organization = str_sub(in, 0, 200);
	if (report_domain_fits(str_sub(in, 200, in.n)))
		m.domain = str_sub(in, 200, in.n);
	report_mail_head(&b, &m);
	must(!b.full && b.n <= REPORT_MAIL_HEAD);
	must(report_mail_octets(&w, &in, &b));
	report_mail_end(&w, &b, &m);
	must(!b.full);
	header_holds(buf_str(&b));
	lines_hold(buf_str(&b));
}
