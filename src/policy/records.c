#include "policy/records.h"

#include "base/hash.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/net.h"
#include "policy/pool.h"
#include "trust/fitness.h"
#include "wire/address.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { PORT_SMTP = 25, PORT_IMAPS = 993, MX_PREFERENCE = 10,
	STS_AGE_TESTING = 86400, STS_AGE_ENFORCE = 604800 };

struct making {
	const struct records_ask *ask;
	const struct config *config;
	struct arena *arena;
	struct records *out;
	struct str helo;		/* the name we say */
	bool has_room;
	struct dns_entry nowhere;		/* what there is no room for */
};

const char *
record_topic_title(enum record_topic t)
{
	static const char *const titles[] = {
#define TOPIC(name, people, word) [RECORD_##name] = people,
#include "policy/record_topic.def"
#undef TOPIC
	};

	must(t < RECORD_TOPICS);
	return titles[t];
}

const char *
record_topic_word(enum record_topic t)
{
	static const char *const words[] = {
#define TOPIC(name, people, word) [RECORD_##name] = word,
#include "policy/record_topic.def"
#undef TOPIC
	};

	must(t < RECORD_TOPICS);
	return words[t];
}

bool
name_is_within(struct str name, struct str domain)
{
	return str_eq_icase(name, domain) || (name.n > domain.n + 1 &&
	    name.p[name.n - domain.n - 1] == '.' &&
	    str_has_suffix_icase(name, domain));
}

/* ---- adding ---- */

static struct dns_entry *
record_add(struct making *m, enum record_topic topic, enum dns_type type,
    struct str name)
{
	struct records *out = m->out;
	struct dns_entry *r;

	if (name.p == NULL || out->n == RECORDS_MOST) {
		m->has_room = false;
		m->nowhere = (struct dns_entry){ .topic = topic };
		return &m->nowhere;
	}
	r = &out->v[out->n++];
	*r = (struct dns_entry){ .topic = topic, .type = type, .name = name,
		.is_elsewhere = !name_is_within(name, out->domain) };
	return r;
}

static struct dns_entry *
record_text(struct making *m, enum record_topic topic, struct str name,
    struct str text, const char *why)
{
	struct dns_entry *r = record_add(m, topic, DNS_TXT, name);

	if (text.p == NULL)
		m->has_room = false;
	r->value = text;
	r->why = str_of(why);
	return r;
}

static void
note_add(struct making *m, enum record_topic topic, struct str text)
{
	if (text.p == NULL || m->out->n_notes == RECORD_NOTES) {
		m->has_room = false;
		return;
	}
	m->out->notes[m->out->n_notes++] = (struct record_note){ topic, text };
}

static struct str
below(struct making *m, const char *label, struct str domain)
{
	return arena_printf(m->arena, "%s." STR_FMT, label, STR_ARG(domain));
}

/* ---- this machine ---- */

bool
address_is_public(const struct address *a)
{
	static const char *const closed[] = { "0.0.0.0/8", "10.0.0.0/8",
		"100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
		"172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15",
		"224.0.0.0/3" };
	struct network n;

	if (a->family == ADDRESS_V6)
		return (a->of.ip[0] & 0xe0) == 0x20;	/* RFC 4291 2.4 */
	if (a->family != ADDRESS_V4)
		return false;
	for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
		must(network_parse(str_of(closed[i]), &n));
		if (network_has(&n, a))
			return false;
	}
	return true;
}

static void
address_add(struct conf_addresses *out, size_t most, const struct address *a)
{
	for (size_t i = 0; i < out->n; i++)
		if (address_eq_ip(&out->v[i], a))
			return;
	if (out->n < most) {
		out->v[out->n] = *a;
		out->v[out->n++].port = 0;
	}
}

bool
records_addresses(const struct config *c, struct arena *a,
    struct conf_addresses *out)
{
	enum { MOST = 16 };

	*out = c->dns.addresses;
	if (out->n > 0)
		return true;
	out->v = arena_alloc(a, MOST * sizeof *out->v);
	if (out->v == NULL)
		return false;
	for (size_t i = 0; i < c->outbound.bind.n; i++)
		if (address_is_public(&c->outbound.bind.v[i]))
			address_add(out, MOST, &c->outbound.bind.v[i]);
	for (size_t i = 0; out->n == 0 && i < c->n_listeners; i++)
		for (size_t k = 0; k < c->listeners[i].at.n; k++)
			if (address_is_public(&c->listeners[i].at.v[k]))
				address_add(out, MOST,
				    &c->listeners[i].at.v[k]);
	return true;
}

static void
host_make(struct making *m, struct str name, const struct address *at,
    const char *why)
{
	struct dns_entry *r = record_add(m, RECORD_HOST,
	    at->family == ADDRESS_V4 ? DNS_A : DNS_AAAA, name);

	r->value = arena_copy(m->arena, str_of(address_print(at).text));
	r->why = str_of(why);
}

static void
hosts_make(struct making *m)
{
	const struct conf_addresses *list = &m->ask->addresses;
	struct source_address s;

	for (size_t i = 0; i < list->n; i++)
		host_make(m, m->config->hostname, &list->v[i],
		    "The host that takes and sends the mail.");
	for (size_t i = 0; source_address(m->config, i, &s); i++)
		if (!str_eq_icase(s.ehlo, m->config->hostname))
			host_make(m, s.ehlo, s.at,
			    "A source that mail leaves by, by its name in EHLO.");
	if (list->n == 0)
		note_add(m, RECORD_HOST, arena_printf(m->arena, STR_FMT
		    " needs an A record, and an AAAA record where there is "
		    "IPv6, with the address by which the Internet knows this "
		    "machine; it does not know that address itself: set "
		    "dns.addresses.", STR_ARG(m->config->hostname)));
}

/* What nobody but the owner of the address can set. */
static void
reverse_make(struct making *m, const struct address *at, struct str helo)
{
	struct dns_entry *r = record_add(m, RECORD_PTR, DNS_PTR,
	    dns_reverse_name(at, m->arena));

	r->value = helo;
	r->is_elsewhere = true;
	r->why = arena_printf(m->arena, "Ask the provider of the machine: "
	    "\"Please set the reverse DNS (PTR) of %s to " STR_FMT ".\"  Without "
	    "it many servers refuse mail from here.", address_print(at).text,
	    STR_ARG(helo));
}

static void
ptr_make(struct making *m)
{
	const struct conf_addresses *list = &m->ask->addresses;
	struct source_address s;

	for (size_t i = 0; i < list->n; i++)
		reverse_make(m, &list->v[i], m->helo);
	for (size_t i = 0; source_address(m->config, i, &s); i++)
		reverse_make(m, s.at, s.ehlo);
	if (list->n == 0)
		note_add(m, RECORD_PTR, arena_printf(m->arena, "Ask the provider "
		    "of the machine to set the reverse DNS (PTR) of its public "
		    "addresses to " STR_FMT ".", STR_ARG(m->helo)));
}

/* ---- mail comes ---- */

static void
mx_make(struct making *m)
{
	struct dns_entry *r = record_add(m, RECORD_MX, DNS_MX, m->out->domain);

	r->preference = MX_PREFERENCE;
	r->value = m->config->hostname;
	r->why = STR("Where mail for the domain goes.  A name with addresses, "
	    "never an address or an alias.");
}

/* ---- mail goes ---- */

static void
spf_put_address(struct buf *b, const struct address *at)
{
	buf_printf(b, " %s:%s", at->family == ADDRESS_V4 ? "ip4" : "ip6",
	    address_print(at).text);
}

static struct str
spf_print(struct making *m)
{
	const struct conf_addresses *list = &m->ask->addresses;
	struct source_address s;
	char room[2048];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "v=spf1");
	for (size_t i = 0; i < list->n; i++)
		spf_put_address(&b, &list->v[i]);
	for (size_t i = 0; source_address(m->config, i, &s); i++)
		spf_put_address(&b, s.at);
	if (list->n == 0)
		buf_printf(&b, " a:" STR_FMT, STR_ARG(m->config->hostname));
	if (m->config->dns.spf.n > 0)
		buf_printf(&b, " " STR_FMT, STR_ARG(m->config->dns.spf));
	buf_printf(&b, " ~all");
	m->has_room = m->has_room && !b.full;
	return arena_copy(m->arena, buf_str(&b));
}

static bool
rule_is_for_all(const struct route_rule *rule)
{
	if (rule->relay == NULL || rule->relay->by_mx || rule->relay->is_lmtp)
		return false;
	for (size_t i = 0; i < rule->rcpt_domain.n; i++)
		if (str_eq(rule->rcpt_domain.v[i], STR("*")))
			return true;
	return rule->rcpt_domain.n == 0;
}

bool
records_leave_by_relay(const struct config *c)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (rule_is_for_all(&c->routes[i]))
			return true;
	return false;
}

/* Whoever relays for us is who the receiver sees. */
static void
relay_note(struct making *m)
{
	for (size_t i = 0; i < m->config->n_routes; i++)
		if (rule_is_for_all(&m->config->routes[i]) &&
		    m->config->dns.spf.n == 0)
			note_add(m, RECORD_SPF, arena_printf(m->arena,
			    "Mail leaves by " STR_FMT " (" STR_FMT "): whoever "
			    "runs it tells which term the SPF record needs for "
			    "it, as include:NAME; set it as dns.spf.",
			    STR_ARG(m->config->routes[i].relay->text),
			    STR_ARG(m->config->routes[i].name)));
}

static void
spf_make(struct making *m)
{
	record_text(m, RECORD_SPF, m->out->domain, spf_print(m),
	    "Who may send with the domain's name.  ~all and not -all: some "
	    "receivers refuse at -all before they look at DKIM, and forwarded "
	    "mail has only that; with DMARC both are as strict.");
	if (!str_eq_icase(m->helo, m->out->domain))
		record_text(m, RECORD_SPF, m->helo, STR("v=spf1 a -all"),
		    "The name this server says in EHLO: reports of non-delivery "
		    "have no sender, and are judged by it.");
	relay_note(m);
}

static const char *
key_why(enum record_key_state state)
{
	switch (state) {
	case RECORD_KEY_NEXT:
		return "The next DKIM key: it is published before it signs, so "
		    "that every resolver knows it by then.";
	case RECORD_KEY_ACTIVE:
		break;
	case RECORD_KEY_RETIRING:
		return "The DKIM key before: it signs no more, but mail that it "
		    "signed is still on its way.";
	}
	return "The public half of the DKIM key that signs.  Longer than 255 "
	    "octets it is several strings in one record, which readers join "
	    "without a space between (RFC 6376 3.6.2.2).";
}

static void
dkim_make(struct making *m)
{
	for (size_t i = 0; i < m->ask->n_keys; i++)
		record_text(m, RECORD_DKIM, arena_printf(m->arena,
		    STR_FMT "._domainkey." STR_FMT,
		    STR_ARG(m->ask->keys[i].selector), STR_ARG(m->out->domain)),
		    m->ask->keys[i].text, key_why(m->ask->keys[i].state));
	if (!m->ask->knows_keys)
		note_add(m, RECORD_DKIM, STR("The DKIM keys are known to the "
		    "running server only, and it could not be asked."));
	else if (m->ask->n_keys == 0)
		note_add(m, RECORD_DKIM, STR("The domain has no DKIM key: its "
		    "mail is not signed."));
}

/* ---- reports ---- */

static struct str
records_report_to(const struct config *c, struct str domain, struct arena *a)
{
	for (size_t i = 0; i < c->reports.inbox.n; i++) {
		struct str at = c->reports.inbox.v[i];

		if (str_eq_icase(mailbox_domain(at), domain))
			return at;
	}
	if (c->reports.inbox.n > 0)
		return c->reports.inbox.v[0];
	return arena_printf(a, "postmaster@" STR_FMT, STR_ARG(domain));
}

/* RFC 9990 4: another domain must say that it wants them. */
static void
consent_make(struct making *m, struct str to)
{
	struct str domain = mailbox_domain(to);
	struct dns_entry *r;

	if (name_is_within(domain, m->out->domain) ||
	    name_is_within(m->out->domain, domain))
		return;
	r = record_text(m, RECORD_DMARC, arena_printf(m->arena, STR_FMT
	    "._report._dmarc." STR_FMT, STR_ARG(m->out->domain),
	    STR_ARG(domain)), STR("v=DMARC1;"),
	    "The reports go to another domain, which must say that it wants "
	    "them.");
	r->is_elsewhere = !name_is_within(domain, m->out->domain);
}

static void
dmarc_make(struct making *m)
{
	struct str to = records_report_to(m->config, m->out->domain, m->arena);

	record_text(m, RECORD_DMARC, below(m, "_dmarc", m->out->domain),
	    arena_printf(m->arena, "v=DMARC1; p=none; rua=mailto:" STR_FMT,
	    STR_ARG(to)), "What others do with mail that claims to be from here "
	    "and is not.  First p=none: reports come, and nothing is lost.  When "
	    "for some weeks they show only mail of yours that passes, "
	    "p=quarantine; then p=reject.");
	consent_make(m, to);
}

static void
tlsrpt_make(struct making *m)
{
	struct str to = records_report_to(m->config, m->out->domain, m->arena);

	record_text(m, RECORD_TLSRPT, below(m, "_smtp._tls", m->out->domain),
	    arena_printf(m->arena, "v=TLSRPTv1; rua=mailto:" STR_FMT,
	    STR_ARG(to)), "Others report once a day when TLS to this domain's "
	    "hosts does not come to be.");
}

/* ---- TLS ---- */

static struct str
sts_policy_print(const struct config *c, struct arena *a)
{
	bool enforces = c->dns.mta_sts == DNS_STS_ENFORCE;

	if (c->dns.mta_sts == DNS_STS_NONE)
		return STR("");
	return arena_printf(a, "version: STSv1\nmode: %s\nmx: " STR_FMT
	    "\nmax_age: %d\n", enforces ? "enforce" : "testing",
	    STR_ARG(c->hostname), enforces ? STS_AGE_ENFORCE : STS_AGE_TESTING);
}

struct str
sts_policy_id(struct str policy, struct arena *a)
{
	return arena_printf(a, "%016llx", (unsigned long long)hash_bytes(
	    (struct hash_key){ 8461, 8461 }, policy));
}

static void
sts_make(struct making *m)
{
	struct str policy = sts_policy_print(m->config, m->arena);
	struct dns_entry *r;

	m->out->sts_policy = policy;
	if (policy.n == 0) {
		m->has_room = m->has_room && policy.p != NULL;
		return;
	}
	record_text(m, RECORD_STS, below(m, "_mta-sts", m->out->domain),
	    arena_printf(m->arena, "v=STSv1; id=" STR_FMT ";",
	    STR_ARG(sts_policy_id(policy, m->arena))),
	    "Others fetch the policy by HTTPS, and again when the id is another: "
	    "then nobody between can make them send in clear text.");
	r = record_add(m, RECORD_STS, DNS_CNAME,
	    below(m, "mta-sts", m->out->domain));
	r->value = m->config->hostname;
	r->why = STR("Whoever serves https://mta-sts.DOMAIN/.well-known/"
	    "mta-sts.txt; this server does not, so a web server on the same "
	    "machine must, or the name must lead to another.");
}

struct str
tlsa_print_key(const struct certificate *c, struct arena *a)
{
	unsigned char hash[32], *der = NULL;
	unsigned n = 0;
	char room[80];
	struct buf b = BUF_OF(room);
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->leaf), &der);

	if (size <= 0 || EVP_Digest(der, (size_t)size, hash, &n, EVP_sha256(),
	    NULL) != 1)
		n = 0;
	OPENSSL_free(der);
	buf_printf(&b, "3 1 1 ");
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%02x", hash[i]);
	must(!b.full);
	return n == 0 ? STR_NONE : arena_copy(a, buf_str(&b));
}

static bool
tlsa_is_known(const struct records *out, struct str value)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].topic == RECORD_TLSA &&
		    str_eq(out->v[i].value, value))
			return true;
	return false;
}

static void
tlsa_add(struct making *m, const struct record_certificate *c)
{
	struct str value = tlsa_print_key(&c->cert, m->arena);
	struct dns_entry *r;

	if (value.p != NULL && tlsa_is_known(m->out, value))
		return;
	r = record_add(m, RECORD_TLSA, DNS_TLSA,
	    below(m, "_25._tcp", m->config->hostname));
	r->value = value;
	m->has_room = m->has_room && value.p != NULL;
	r->why = STR("The key of the certificate that is shown (DANE).  To "
	    "change the key, publish the new one's record beside this one, wait "
	    "twice the TTL, then change the key, then take this one away.");
	if (c->is_renewed)
		r->unless = STR("something writes the new record before each "
		    "renewal: the key is another each time");
	else if (!m->ask->is_signed)
		r->unless = STR("the host's zone is signed with DNSSEC: without "
		    "it nobody heeds it");
}

static void
tlsa_make(struct making *m)
{
	for (size_t i = 0; i < m->ask->n_certificates; i++)
		if (!m->ask->certificates[i].is_own && certificate_is_for(
		    m->ask->certificates[i].cert.leaf, m->config->hostname))
			tlsa_add(m, &m->ask->certificates[i]);
	if (!m->ask->knows_certificates)
		note_add(m, RECORD_TLSA, STR("The certificates are known to the "
		    "running server only, and it could not be asked."));
}

static struct str
acme_caa_name(struct str directory)
{
	static const struct { struct str host, name; } known[] = {
		{ STR_INIT("letsencrypt.org"), STR_INIT("letsencrypt.org") },
		{ STR_INIT("zerossl.com"), STR_INIT("sectigo.com") },
		{ STR_INIT("buypass.com"), STR_INIT("buypass.com") },
		{ STR_INIT("pki.goog"), STR_INIT("pki.goog") },
		{ STR_INIT("ssl.com"), STR_INIT("ssl.com") },
	};
	struct str rest = directory, host;

	(void)str_skip(&rest, STR("https://"));
	host = str_cut(&rest, '/');
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (name_is_within(host, known[i].host))
			return known[i].name;
	return STR("");
}

static void
caa_make(struct making *m)
{
	const struct conf_acme *acme = &m->config->tls.acme;
	struct str name = acme_caa_name(acme->directory);

	if (acme->agree != ACME_AGREED)
		return;
	if (name.n == 0) {
		note_add(m, RECORD_CAA, arena_printf(m->arena, "The authority at "
		    STR_FMT " says in its terms which name its CAA records have.",
		    STR_ARG(acme->directory)));
		return;
	}
	for (size_t i = 0; i < acme->names.n; i++) {
		struct dns_entry *r = record_add(m, RECORD_CAA, DNS_CAA,
		    acme->names.v[i]);

		r->tag = STR("issue");
		r->value = name;
		r->why = STR("Only this authority may make certificates for this "
		    "name and those below.");
	}
}

/* ---- programs of users ---- */

static bool
listener_is_open(const struct listener *l)
{
	for (size_t i = 0; i < l->at.n; i++)
		if (!address_is_loopback(&l->at.v[i]))
			return true;
	return false;
}

static void
client_add(struct making *m, const char *label, struct str host, unsigned port,
    const char *why)
{
	struct str name = below(m, label, m->out->domain);
	struct dns_entry *r;

	for (size_t i = 0; i < m->out->n; i++)
		if (m->out->v[i].topic == RECORD_CLIENTS &&
		    str_eq(m->out->v[i].name, name))
			return;
	r = record_add(m, RECORD_CLIENTS, DNS_SRV, name);
	r->weight = 1;
	r->port = port;
	r->value = host;
	r->why = str_of(why);
}

static void
imap_make(struct making *m)
{
	struct str host = m->config->dns.imap;
	size_t colon = str_find_last(host, ':');
	uint64_t port = PORT_IMAPS;

	if (host.n == 0)
		return;
	if (colon < host.n) {
		(void)parse_u64(str_sub(host, colon + 1, host.n), UINT16_MAX,
		    &port);
		host = str_sub(host, 0, colon);
	}
	client_add(m, "_imaps._tcp", host, (unsigned)port,
	    "Programs find by it where mail is read (RFC 6186).");
}

/* RFC 6186 3.1; RFC 8314 5.1. */
static void
clients_make(struct making *m)
{
	for (size_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener *l = &m->config->listeners[i];

		if (l->role != ROLE_SUBMISSION || !listener_is_open(l) ||
		    l->tls == TLS_OFF)
			continue;
		client_add(m, l->tls == TLS_IMPLICIT ? "_submissions._tcp" :
		    "_submission._tcp", m->config->hostname, (unsigned)l->port,
		    "Programs find by it where mail is sent (RFC 6186).");
	}
	imap_make(m);
}

/* ---- a domain without mail ---- */

static void
nothing_make(struct making *m)
{
	struct dns_entry *r = record_add(m, RECORD_MX, DNS_MX, m->out->domain);

	r->value = STR("");
	r->why = STR("The domain takes no mail (RFC 7505).");
	record_text(m, RECORD_SPF, m->out->domain, STR("v=spf1 -all"),
	    "Nobody sends with the domain's name.");
	record_text(m, RECORD_DKIM, below(m, "*._domainkey", m->out->domain),
	    STR("v=DKIM1; p="), "No key of it is good.");
	record_text(m, RECORD_DMARC, below(m, "_dmarc", m->out->domain),
	    STR("v=DMARC1; p=reject; sp=reject; np=reject"),
	    "What claims to be from here, or from below, is to be refused.");
}

bool
records_make(const struct records_ask *ask, struct arena *a,
    struct records *out)
{
	struct making m = { .ask = ask, .config = ask->config, .arena = a,
		.out = out, .has_room = true };

	*out = (struct records){ .domain = ask->domain,
		.sts_policy = STR("") };
	if (ask->sends_nothing) {
		nothing_make(&m);
		return m.has_room;
	}
	m.helo = ask->config->outbound.ehlo;
	mx_make(&m);
	hosts_make(&m);
	ptr_make(&m);
	spf_make(&m);
	dkim_make(&m);
	dmarc_make(&m);
	sts_make(&m);
	tlsrpt_make(&m);
	tlsa_make(&m);
	clients_make(&m);
	caa_make(&m);
	return m.has_room;
}
