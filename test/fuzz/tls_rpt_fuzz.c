/* Reports of TLS as we write them: whatever the texts are, our own reader takes
 * them and is told of the same policy and failures; and a record that says where
 * such reports go names a part of itself. */
#include "fuzz.h"
#include "wire/tls_rpt_read.h"

static char room[TLS_RPT_PIECE];
static struct arena arena;

static int
policy_tell(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	size_t *told = arg;

	must(p->type == TLS_RPT_STS && p->n_strings <= 1 && p->n_mx_hosts <= 1);
	must(p->n_good == 5 && p->n_failed == 6);
	must((f == NULL) == (*told == 0));
	must(f == NULL || f->count == 3);
	++*told;
	return 0;
}

static void
report_write(struct buf *b, struct str text)
{
	struct tls_rpt head = { .organization = STR("mx"), .contact = text,
		.report_id = STR("1"), .begin = { 1000000 },
		.end = { 2000000 } };
	struct tls_rpt_policy p = { .type = TLS_RPT_STS,
		.domain = STR("a.example"), .strings = &text, .n_strings = 1,
		.mx_hosts = &text, .n_mx_hosts = 1, .n_good = 5, .n_failed = 6 };
	struct tls_rpt_failure f = { .result = STR("certificate-expired"),
		.sending_ip = text, .mx_host = text, .mx_helo = text,
		.mx_ip = text, .information = text, .reason = text,
		.count = 3 };
	struct tls_rpt_writer w;

	tls_rpt_begin(&w, b, &head);
	tls_rpt_policy(&w, &p);
	tls_rpt_failure(&w, &f);
	tls_rpt_failure(&w, &f);
	tls_rpt_policy_end(&w);
	tls_rpt_end(&w);
	must(!b->full);
}

FUZZ(in)
{
	size_t told = 0;
	struct tls_rpt_listener l = { policy_tell, &told };
	struct buf b = BUF_OF(room);
	struct str rua = STR_NONE;
	const char *why = NULL;
	struct tls_rpt out;

	/* a NUL in a text is what our reader takes from nobody */
	report_write(&b, str_sub(in, 0, str_find(str_sub(in, 0, 300), '\0')));
	arena_init(&arena, TLS_READ_MEMORY);
	must(tls_rpt_read(buf_str(&b), &arena, &l, &out, &why) == 0);
	must(told == 3 && str_eq(out.report_id, STR("1")));
	arena_clear(&arena);
	if (tls_rpt_rua(&in, 1, &rua))
		must(rua.n > 0 && fuzz_is_inside(rua, in));
}
