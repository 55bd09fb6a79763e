#include "policy/finish.h"

#include "base/num.h"
#include "fiber/dns.h"
#include "policy/config.h"
#include "wire/spf.h"

enum { TERMS_MOST = 64 };

static void
dns_wrong(struct load *l, const char *key, const char *why, struct str what)
{
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, key), "'" STR_FMT "' %s",
	    STR_ARG(what), why);
}

/* host or host:port */
static void
imap_finish(struct load *l)
{
	struct str imap = l->config->dns.imap, host = imap;
	size_t colon = str_find_last(imap, ':');
	uint64_t port = 1;

	if (imap.n == 0)
		return;
	if (colon < imap.n)
		host = str_sub(imap, 0, colon);
	if (!dns_name_fits(host) || (colon < imap.n && (!parse_u64(
	    str_sub(imap, colon + 1, imap.n), UINT16_MAX, &port) || port == 0)))
		dns_wrong(l, "dns.imap", "is not a host's name, or one with :port "
		    "behind it", imap);
}

/* Behind "all", and behind a redirect, nothing is looked at: ours would not. */
static void
spf_finish(struct load *l)
{
	struct spf_term *terms = arena_alloc(l->reader.scratch,
	    TERMS_MOST * sizeof *terms);
	struct str text = l->config->dns.spf, record;
	const char *wrong;
	size_t n = 0;

	if (text.n == 0)
		return;
	record = arena_join(l->reader.scratch, STR("v=spf1 "), text);
	if (terms == NULL || record.p == NULL) {
		finish_is_full(l);
		return;
	}
	wrong = spf_read(record, terms, TERMS_MOST, &n);
	for (size_t i = 0; wrong == NULL && i < n; i++)
		if (terms[i].kind == SPF_ALL || terms[i].kind == SPF_REDIRECT)
			wrong = "must not stand here: these terms come before the "
			    "record's own all";
	if (wrong != NULL)
		dns_wrong(l, "dns.spf", wrong, text);
}

void
finish_dns(struct load *l)
{
	imap_finish(l);
	spf_finish(l);
}
