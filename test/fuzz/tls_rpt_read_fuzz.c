/* Reports of TLS as anybody sends them: within the limits, each policy first
 * without a failure; or refused with a sentence. */
#include "fuzz.h"
#include "wire/tls_rpt_read.h"

static struct arena arena;

struct told { size_t n; bool has_policy; };

static int
policy_tell(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	struct told *t = arg;

	must(f == NULL || t->has_policy);
	t->has_policy = true;
	must(p->n_strings <= TLS_READ_LIST && p->n_mx_hosts <= TLS_READ_LIST);
	must(p->domain.n <= TLS_READ_TEXT);
	for (size_t i = 0; i < p->n_strings; i++)
		must(p->strings[i].n <= TLS_READ_TEXT);
	must(f == NULL || (f->result.n <= TLS_READ_TEXT &&
	    f->reason.n <= TLS_READ_TEXT));
	must(++t->n <= TLS_READ_FAILURES);
	return 0;
}

FUZZ(in)
{
	struct told t = { .n = 0 };
	struct tls_rpt_listener l = { policy_tell, &t };
	const char *why = NULL;
	struct tls_rpt out;
	int rc;

	arena_init(&arena, TLS_READ_MEMORY);
	rc = tls_rpt_read(in, &arena, &l, &out, &why);
	must(rc == 0 || (rc == -1 && why != NULL && why[0] != '\0'));
	if (rc == 0)
		must(out.organization.n <= TLS_READ_TEXT &&
		    out.report_id.n <= TLS_READ_TEXT);
	arena_clear(&arena);
}
