/* probe_dns.c -- what the DNS says of a host: its TLSA records, its name. */
#include "base/err.h"
#include "cli/probe.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"
#include "trust/dane.h"

enum { TLSA_MOST = 32, TLSA_TEXT = 4096 };

/* ---- DANE ---- */

/* RFC 7672 2.2: the address must be secure, too, or nothing is. */
static yields bool
address_is_secure(struct probe *p, struct mono until)
{
	struct dns_answer a;

	dns_ask(p->host, p->at.family == ADDRESS_V4 ? DNS_A : DNS_AAAA,
	    p->arena, until, &a);
	return a.status == DNS_FOUND && a.secure;
}

static size_t
usable_take(struct probe *p, const struct dns_answer *a, struct tlsa *list)
{
	struct buf text = { .p = arena_alloc(p->arena, TLSA_TEXT),
		.cap = TLSA_TEXT };
	size_t n = 0;

	for (size_t i = 0; text.p != NULL && i < a->n && n < TLSA_MOST; i++) {
		struct tlsa one;

		if (!dane_read(a->records[i].data, &one))
			continue;
		if (text.n > 0)
			buf_put(&text, STR("; "));
		dane_print(&one, &text);
		if (dane_is_usable(&one))
			list[n++] = one;
	}
	p->dane_text = text.p == NULL ? STR_NONE : buf_str(&text);
	return n;
}

static void
records_take(struct probe *p, struct tls_demand *d, const struct dns_answer *a)
{
	struct tlsa *list = arena_alloc(p->arena, TLSA_MOST * sizeof *list);

	if (list == NULL)
		return;
	d->n_tlsa = usable_take(p, a, list);
	d->tlsa = list;
	p->dane = d->n_tlsa > 0 ? PROBE_DANE_FITS : PROBE_DANE_USELESS;
	if (d->n_tlsa == 0)
		probe_find(p, PROBE_HINT, "publish '3 1 1' of the key's SHA-256 "
		    "(RFC 7672 3.1)", "none of the TLSA records is of use to "
		    "mail: " STR_FMT, STR_ARG(p->dane_text));
}

/* Whether they fit is seen in the handshake; FITS until then. */
yields void
probe_dane_ask(struct probe *p, struct tls_demand *d)
{
	struct mono until = probe_patience(p);
	struct dns_answer a;
	struct address literal;

	if (address_parse(p->host, 0, &literal))
		return;
	dns_ask(arena_printf(p->arena, "_%u._tcp." STR_FMT, p->at.port,
	    STR_ARG(p->host)), DNS_TLSA, p->arena, until, &a);
	if (a.status == DNS_TROUBLE) {
		p->dane = PROBE_DANE_TROUBLE;
		probe_find(p, PROBE_TROUBLE, "servers that heed DANE send "
		    "nothing until the DNS answers: is the zone's signature "
		    "good?", "the TLSA records cannot be had: %s", err_text());
		err_clear();
	} else if (a.status == DNS_FOUND) {
		p->dane = PROBE_DANE_INSECURE;
		if (a.secure && address_is_secure(p, until))
			records_take(p, d, &a);
		else
			probe_find(p, PROBE_HINT, "sign the zone, or use a "
			    "resolver that validates (dns.forwarders)",
			    "there are TLSA records, but DNSSEC does not vouch "
			    "for them");
	}
}

/* ---- the address's name ---- */

static yields bool
name_leads_back(struct probe *p, struct str name, struct mono until)
{
	struct dns_answer a;

	dns_ask(name, p->at.family == ADDRESS_V4 ? DNS_A : DNS_AAAA, p->arena,
	    until, &a);
	for (size_t i = 0; a.status == DNS_FOUND && i < a.n; i++)
		if (address_eq_ip(&a.records[i].address, &p->at))
			return true;
	return false;
}

/* Mail from a host whose address has no name is refused in many places. */
yields void
probe_reverse(struct probe *p)
{
	struct mono until = probe_patience(p);
	struct dns_answer a;

	dns_ask(dns_reverse_name(&p->at, p->arena), DNS_PTR, p->arena, until,
	    &a);
	if (a.status == DNS_FOUND && a.n > 0) {
		p->ptr = a.records[0].name;
		for (size_t i = 0; i < a.n && !p->ptr_is_confirmed; i++)
			if (name_leads_back(p, a.records[i].name, until)) {
				p->ptr = a.records[i].name;
				p->ptr_is_confirmed = true;
			}
	}
	err_clear();
	if (address_is_loopback(&p->at) || p->ptr_is_confirmed)
		return;
	if (p->ptr.n == 0)
		probe_find(p, PROBE_HINT, "where this host sends mail too, have "
		    "its provider set a name for the address", "the address has "
		    "no name in the DNS (PTR)");
	else
		probe_find(p, PROBE_HINT, "give that name this address",
		    "the address's name, " STR_FMT ", does not lead back to it",
		    STR_ARG(p->ptr));
}
