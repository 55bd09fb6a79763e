/* dns_check_host.c -- where mail comes to, and how others see this machine. */
#include "fiber/dns.h"
#include "fiber/net.h"
#include "policy/dns_check_own.h"

#include "base/err.h"
#include "fiber/clock.h"
#include "policy/pool.h"
#include "policy/records.h"
#include "trust/blocklist.h"

enum { ADDRESSES_MOST = 16, PORT_SMTP = 25, PORT_SECONDS = 15,
	HOSTS_TRIED = 3 };

/* ---- MX ---- */

static void
mx_judge(struct checking *c, const struct dns_entry *want,
    const struct dns_answer *got, struct finding *f)
{
	const struct dns_record *ours = NULL;
	bool is_first = true;

	for (size_t i = 0; i < got->n; i++)
		if (str_eq_icase(got->records[i].name, want->value))
			ours = &got->records[i];
	if (ours == NULL) {
		f->mark = MARK_WRONG;
		f->says = STR("mail for the domain does not come to this "
		    "server");
		f->mend = line_text(c, want);
		return;
	}
	for (size_t i = 0; i < got->n; i++)
		is_first = is_first &&
		    ours->preference <= got->records[i].preference;
	if (!is_first) {
		f->mark = MARK_HINT;
		f->says = STR("mail comes to this server only when others with a "
		    "lower preference do not answer");
	} else if (got->n > 1)
		f->says = STR("mail comes to this server, and when it does not "
		    "answer to others");
}

yields void
check_mx(struct checking *c)
{
	const struct dns_entry *want = record_wanted(c, RECORD_MX, DNS_MX);
	struct dns_answer got;
	struct finding *f;

	if (want == NULL || !check_ask(c, RECORD_MX, want->name, DNS_MX, &got))
		return;
	f = finding_add(c, RECORD_MX, MARK_WELL, want->name,
	    "mail comes to this server");
	f->expected = data_of(c, want);
	f->found = answer_text(c, &got, DNS_MX);
	if (got.n == 0) {
		f->mark = MARK_WRONG;
		f->says = STR("there is no MX record: mail goes to the domain's "
		    "own address, or nowhere");
		f->mend = line_text(c, want);
	} else if (got.n == 1 && got.records[0].name.n == 0) {
		f->mark = MARK_WRONG;
		f->says = STR("the null MX says that the domain takes no mail");
		f->mend = line_text(c, want);
	} else
		mx_judge(c, want, &got, f);
}

/* ---- A, AAAA ---- */

static bool
addresses_have(const struct conf_addresses *list, const struct address *a)
{
	for (size_t i = 0; i < list->n; i++)
		if (address_eq_ip(&list->v[i], a))
			return true;
	return false;
}

static bool
answer_has(const struct dns_answer *got, const struct address *a)
{
	for (size_t i = 0; i < got->n; i++)
		if (address_eq_ip(&got->records[i].address, a))
			return true;
	return false;
}

static void
host_judge(struct checking *c, const struct dns_answer *got,
    enum dns_type type, struct finding *f)
{
	enum address_family family = type == DNS_A ? ADDRESS_V4 : ADDRESS_V6;
	struct str lines = STR("");

	for (size_t i = 0; i < c->want->n; i++) {
		const struct dns_entry *r = &c->want->v[i];
		struct address at;

		if (r->topic != RECORD_HOST || r->type != type ||
		    !address_parse(r->value, 0, &at))
			continue;
		if (answer_has(got, &at))
			continue;
		lines = lines.n == 0 ? line_text(c, r) : arena_printf(c->arena,
		    STR_FMT "\n" STR_FMT, STR_ARG(lines),
		    STR_ARG(line_text(c, r)));
	}
	if (lines.n > 0) {
		f->mark = MARK_WRONG;
		f->says = STR("the host's name does not lead to this machine");
		f->mend = lines;
		return;
	}
	for (size_t i = 0; i < got->n; i++)
		if (got->records[i].address.family == family &&
		    !addresses_have(&c->ask->records.addresses,
		    &got->records[i].address)) {
			f->mark = MARK_HINT;
			f->says = STR("the host's name leads to an address, too, "
			    "that this machine does not know as its own");
			f->mend = STR("take it away, or add it to "
			    "dns.addresses");
		}
}

/* What the DNS says is all that is known of this machine. */
static void
addresses_adopt(struct checking *c, const struct dns_answer *got)
{
	struct conf_addresses *list = &c->addresses;
	struct address *more;

	if (c->ask->records.addresses.n > 0 || got->n == 0)
		return;
	more = arena_alloc(c->arena, ADDRESSES_MOST * sizeof *more);
	if (more == NULL)
		return;
	if (list->n > 0)
		memcpy(more, list->v, list->n * sizeof *more);
	list->v = more;
	for (size_t i = 0; i < got->n && list->n < ADDRESSES_MOST; i++)
		more[list->n++] = got->records[i].address;
}

static struct str
wanted_addresses(struct checking *c, enum dns_type type)
{
	struct str all = STR("");

	for (size_t i = 0; i < c->want->n; i++)
		if (c->want->v[i].topic == RECORD_HOST &&
		    c->want->v[i].type == type)
			all = all.n == 0 ? c->want->v[i].value :
			    arena_printf(c->arena, STR_FMT ", " STR_FMT,
			    STR_ARG(all), STR_ARG(c->want->v[i].value));
	return all;
}

static yields size_t
family_check(struct checking *c, enum dns_type type)
{
	struct str host = c->config->hostname;
	struct dns_answer got;
	struct finding *f;

	if (!check_ask(c, RECORD_HOST, host, type, &got))
		return 1;
	addresses_adopt(c, &got);
	if (got.n == 0 && record_wanted(c, RECORD_HOST, type) == NULL)
		return 0;
	f = finding_add(c, RECORD_HOST, MARK_WELL, host,
	    "the host's name leads to this machine");
	f->part = type == DNS_AAAA;
	f->expected = wanted_addresses(c, type);
	f->found = answer_text(c, &got, type);
	if (c->ask->records.addresses.n == 0)
		f->says = STR("the host's name leads there; this machine does "
		    "not know its public address itself (dns.addresses)");
	else
		host_judge(c, &got, type, f);
	if (got.n > 0 && !str_eq_icase(got.canonical, host)) {
		f->mark = MARK_WRONG;
		f->says = STR("the host's name is an alias (CNAME), and an MX "
		    "must not lead to one");
	}
	return 1;
}

yields void
check_host(struct checking *c)
{
	size_t n = family_check(c, DNS_A);

	n += family_check(c, DNS_AAAA);
	if (n == 0)
		finding_add(c, RECORD_HOST, MARK_WRONG, c->config->hostname,
		    "the host's name has no address: no mail comes here")->mend =
		    STR("an A record with the address by which the Internet "
		    "knows this machine");
}

/* ---- PTR ---- */

/* RFC 1912 2.1: and back. */
static yields bool
name_leads_back(struct checking *c, struct str name, const struct address *a)
{
	struct dns_answer got;

	quest_ask(&c->quest, name, a->family == ADDRESS_V4 ? DNS_A : DNS_AAAA,
	    c->arena, &got);
	err_clear();
	return answer_has(&got, a);
}

static yields void
names_judge(struct checking *c, const struct address *a, struct str helo,
    const struct dns_answer *got, struct finding *f)
{
	bool has_helo = false, leads_back = false;

	for (size_t i = 0; i < got->n && i < 4; i++) {
		bool is_helo = str_eq_icase(got->records[i].name, helo);

		if (name_leads_back(c, got->records[i].name, a)) {
			leads_back = true;
			has_helo = has_helo || is_helo;
		}
	}
	if (has_helo)
		return;
	f->mark = leads_back ? MARK_HINT : MARK_WRONG;
	f->says = leads_back ? STR("the address has another name than the one "
	    "that this server says in EHLO") : STR("the address's name does not "
	    "lead back to it: many servers refuse mail from it");
	f->mend = arena_printf(c->arena, "ask the provider to set the reverse "
	    "DNS (PTR) of %s to " STR_FMT "%s", address_print(a).text,
	    STR_ARG(helo), !leads_back ? "" : str_eq(helo, c->helo) ?
	    ", or set outbound.ehlo" : ", or set its source's ehlo");
}

static yields void
address_ptr_check(struct checking *c, const struct address *a, struct str helo)
{
	struct str name = arena_copy(c->arena, str_of(address_print(a).text));
	struct dns_answer got;
	struct finding *f;

	if (!check_ask(c, RECORD_PTR, dns_reverse_name(a, c->arena), DNS_PTR,
	    &got))
		return;
	f = finding_add(c, RECORD_PTR, MARK_WELL, name,
	    "the address has the name that this server says, and the name leads "
	    "back");
	f->expected = helo;
	f->found = answer_text(c, &got, DNS_PTR);
	if (got.n > 0) {
		names_judge(c, a, helo, &got, f);
		return;
	}
	f->mark = MARK_WRONG;
	f->says = STR("the address has no name: many servers refuse mail from "
	    "it");
	f->mend = arena_printf(c->arena, "ask the provider to set the reverse "
	    "DNS (PTR) of " STR_FMT " to " STR_FMT, STR_ARG(name),
	    STR_ARG(helo));
}

yields void
check_ptr(struct checking *c)
{
	struct source_address s;

	for (size_t i = 0; i < c->addresses.n; i++)
		address_ptr_check(c, &c->addresses.v[i], c->helo);
	for (size_t i = 0; source_address(c->config, i, &s); i++)
		address_ptr_check(c, s.at, s.ehlo);
}

/* ---- blocklists ---- */

static void
listing_tell(struct checking *c, struct str what, struct str list,
    const char *at, const struct blocklist_answer *a)
{
	struct finding *f;

	switch (a->verdict) {
	case BLOCKLIST_CLEAN:
	case BLOCKLIST_OTHER_FAMILY:
		finding_add(c, RECORD_LISTED, MARK_WELL, what, "%s is not on "
		    STR_FMT, at, STR_ARG(list));
		return;
	case BLOCKLIST_LISTED:
		f = finding_add(c, RECORD_LISTED, MARK_WRONG, what, "%s is on "
		    STR_FMT "%s" STR_FMT, at, STR_ARG(list), a->why.n > 0 ?
		    ": " : "", STR_ARG(a->why));
		f->found = a->codes;
		f->mend = STR("find out what was sent from here, end it, and then "
		    "ask the list to take the address off");
		return;
	case BLOCKLIST_REFUSES:
		f = finding_add(c, RECORD_LISTED, MARK_HINT, what, STR_FMT
		    " does not tell: " STR_FMT, STR_ARG(list), STR_ARG(a->why));
		f->found = a->codes;
		f->mend = STR("do not ask through a public resolver (leave "
		    "dns.forwarders out), or take it from dns.blocklists");
		return;
	case BLOCKLIST_BROKEN:
		f = finding_add(c, RECORD_LISTED, MARK_HINT, what, STR_FMT
		    " is of no use: " STR_FMT, STR_ARG(list), STR_ARG(a->why));
		f->found = a->codes;
		f->mend = STR("take it from dns.blocklists");
		return;
	case BLOCKLIST_SILENT:
		finding_add(c, RECORD_LISTED, MARK_UNKNOWN, what, STR_FMT
		    " does not answer: " STR_FMT, STR_ARG(list),
		    STR_ARG(a->why));
		return;
	}
}

static yields void
address_lists_check(struct checking *c, const struct address *at)
{
	struct address_text text = address_print(at);
	struct blocklist_answer a;

	for (size_t i = 0; address_is_public(at) &&
	    i < c->config->dns.blocklists.n; i++) {
		struct str list = c->config->dns.blocklists.v[i];

		if (list.n == 0)	/* none */
			continue;
		blocklist_ask(list, at, &c->quest, c->arena, &a);
		listing_tell(c, arena_printf(c->arena, "%s " STR_FMT, text.text,
		    STR_ARG(list)), list, text.text, &a);
	}
}

yields void
check_lists(struct checking *c)
{
	struct source_address s;

	for (size_t i = 0; i < c->addresses.n; i++)
		address_lists_check(c, &c->addresses.v[i]);
	for (size_t i = 0; source_address(c->config, i, &s); i++)
		address_lists_check(c, s.at);
}

/* ---- port 25, outwards ---- */

static yields bool
host_answers(struct checking *c, const struct address *to)
{
	const struct conf_addresses *bind = &c->config->outbound.bind;
	struct address at = *to, from = { .family = ADDRESS_NONE };
	struct mono until = mono_first(c->quest.deadline, mono_add(clock_mono(),
	    PORT_SECONDS * NS_PER_SECOND));
	struct net_end *end;

	for (size_t i = 0; i < bind->n; i++)
		if (bind->v[i].family == at.family)
			from = bind->v[i];
	at.port = PORT_SMTP;
	end = net_connect(&at, &from, until);
	if (end == NULL)
		return false;
	net_close(end);
	return true;
}

static yields bool
domain_answers(struct checking *c, struct str domain, struct str *host,
    bool *is_known)
{
	struct dns_answer hosts, got;
	const struct dns_record *best = NULL;

	*is_known = false;
	quest_ask(&c->quest, domain, DNS_MX, c->arena, &hosts);
	for (size_t i = 0; i < hosts.n; i++)
		if (best == NULL ||
		    hosts.records[i].preference < best->preference)
			best = &hosts.records[i];
	if (best == NULL)
		return false;
	*host = best->name;
	quest_ask(&c->quest, best->name, DNS_A, c->arena, &got);
	if (got.n == 0)
		quest_ask(&c->quest, best->name, DNS_AAAA, c->arena, &got);
	*is_known = got.n > 0;
	for (size_t i = 0; i < got.n && i < HOSTS_TRIED; i++)
		if (host_answers(c, &got.records[i].address))
			return true;
	return false;
}

yields void
check_port(struct checking *c)
{
	struct str domain = c->config->dns.probe, host = STR("");
	bool is_known, answers;

	if (domain.n == 0)
		return;
	answers = domain_answers(c, domain, &host, &is_known);
	if (answers)
		finding_add(c, RECORD_PORT, MARK_WELL, domain, STR_FMT
		    " answers: mail can leave", STR_ARG(host));
	else if (!is_known)
		finding_add(c, RECORD_PORT, MARK_UNKNOWN, domain,
		    "no mail exchanger of " STR_FMT " is known, so it was not "
		    "tried whether mail can leave", STR_ARG(domain));
	else
		finding_add(c, RECORD_PORT, MARK_WRONG, domain, "no connection "
		    "to port 25 of " STR_FMT " comes to be: mail does not leave "
		    "this machine", STR_ARG(host))->mend = STR("ask the provider "
		    "to open port 25 outwards, or send through a relay (route)");
	err_clear();
}
