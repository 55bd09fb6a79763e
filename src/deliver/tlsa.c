#include "deliver/tlsa.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"
#include "trust/dane.h"

enum { TEXT_MOST = 8 * 1024, BASES = 2 };

/* Where the records may hang. */
struct bases {
	size_t n;
	struct str names[BASES];
};

/*
 * RFC 7672 2.2.2: behind secure CNAMEs first the name that they lead to, then
 * the host's; where they lead out of what is signed the host's own, if at least
 * the first of them is secure.
 */
static yields int
bases_find(const struct site_host *h, struct arena *a, struct mono deadline,
    struct bases *out)
{
	bool is_alias = !str_eq_icase(h->name, h->canonical);
	struct dns_answer first;

	out->n = 0;
	if (h->secure && is_alias)
		out->names[out->n++] = h->canonical;
	if (h->secure) {
		out->names[out->n++] = h->name;
		return 0;
	}
	if (!is_alias)
		return 0;
	dns_ask(h->name, DNS_CNAME, a, deadline, &first);
	if (first.status == DNS_TROUBLE)
		return -1;
	if (first.status == DNS_FOUND && first.secure)
		out->names[out->n++] = h->name;
	return 0;
}

/* All are told, even those that nobody can read. */
static int
records_take(const struct dns_answer *a, struct arena *arena,
    struct tlsa_answer *out)
{
	size_t n = a->n < TLSA_MOST ? a->n : TLSA_MOST;
	struct tlsa *list = arena_alloc(arena, n * sizeof *list);
	struct buf b = { .p = arena_alloc(arena, TEXT_MOST),
		.cap = TEXT_MOST };

	if (list == NULL || b.p == NULL)
		return err_set("no memory");
	for (size_t i = 0; i < n; i++) {
		struct tlsa t;

		if (!dane_read(a->records[i].data, &t))
			continue;
		if (b.n > 0)
			buf_putc(&b, '\n');
		dane_print(&t, &b);
		if (dane_is_usable(&t))
			list[out->n++] = t;
	}
	out->list = list;
	out->text = buf_str(&b);
	out->status = out->n > 0 ? TLSA_FOUND : TLSA_USELESS;
	return 0;
}

/* 0: not here, or *out is. */
static yields int
base_ask(struct str base, uint16_t port, struct arena *a,
    struct mono deadline, struct tlsa_answer *out)
{
	struct str name = arena_printf(a, "_%u._tcp." STR_FMT, port,
	    STR_ARG(base));
	struct dns_answer answer;

	if (name.p == NULL)
		return err_set("no memory");
	if (!dns_name_fits(name))
		return 0;
	dns_ask(name, DNS_TLSA, a, deadline, &answer);
	if (answer.status == DNS_TROUBLE)
		return -1;
	if (answer.status != DNS_FOUND || !answer.secure)
		return 0;
	out->base = base;
	return records_take(&answer, a, out);
}

yields void
tlsa_find(const struct site *s, const struct site_host *h, uint16_t port,
    struct arena *a, struct mono deadline, struct tlsa_answer *out)
{
	struct bases bases;
	int rc = 0;

	*out = (struct tlsa_answer){ .status = TLSA_ABSENT };
	if (!s->mx_secure || h->n == 0)
		return;
	must(h->canonical.p != NULL);
	rc = bases_find(h, a, deadline, &bases);
	for (size_t i = 0; rc == 0 && out->status == TLSA_ABSENT &&
	    i < bases.n; i++)
		rc = base_ask(bases.names[i], port, a, deadline, out);
	if (rc != 0)
		out->status = TLSA_TROUBLE;
}
