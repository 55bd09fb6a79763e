/* The DNS as it should be, and broken in one place after the other. */
#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "policy/dns_check.h"
#include "policy/record_text.h"
#include "policy/test_conf.h"

enum { ZONE_ROOM = 65536 };

#define KEY "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define OTHER_KEY "v=DKIM1; k=ed25519; p=MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lsE="
#define POLICY_URL "https://mta-sts.example.org/.well-known/mta-sts.txt"

static const char yaml[] =
    "hostname: mx.example.org\n"
    "domains: { example.org: { users: [ a ] } }\n"
    "dns: { addresses: [ 203.0.113.5, '2001:db8::5' ], blocklists: bl.test, "
    "probe: big.test, imap: imap.example.org }\n"
    "tls: { acme: { agree_tos: yes } }\n"
    "listen:\n  - { port: 80, role: acme }\n"
    "  - { port: 587, role: submission }\n";

/* What is not in the domain's zone, and what DNSSEC vouches for. */
static const char elsewhere[] =
    "5.113.0.203.in-addr.arpa. PTR mx.example.org.\n"
    "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
    " PTR mx.example.org.\n"
    "2.0.0.127.bl.test. A 127.0.0.2\n"
    "big.test. MX 10 gw.big.test.\n"
    "gw.big.test. A 192.0.2.25\n"
    "example.org. SECURE\nmx.example.org. SECURE\n"
    "_25._tcp.mx.example.org. SECURE\n";

static struct arena a;
static struct config *config;
static struct record_certificate shown;
static struct record_key keys[3] = {
	{ STR_INIT("s1"), STR_INIT(KEY), RECORD_KEY_ACTIVE },
};
static struct records_ask asked;
static char zone[ZONE_ROOM], good[ZONE_ROOM];
static const char *policy_text;

/* ---- the cases ---- */

struct broken {
	const char *from, *to;		/* from NULL: another line */
	enum record_topic topic;
	enum finding_mark mark;
	const char *says, *mend;
};

static const struct broken brokens[] = {
	/* DNSSEC */
	{ "example.org. SECURE\n", "", RECORD_DNSSEC, MARK_HINT,
	    "the zone is not signed", "DS record" },
	/* MX */
	{ "example.org. MX 10 mx.example.org.\n", "", RECORD_MX, MARK_WRONG,
	    "there is no MX record", "example.org. MX 10 mx.example.org." },
	{ "MX 10 mx.example.org.\n", "MX 10 old.example.org.\n", RECORD_MX,
	    MARK_WRONG, "does not come to this server",
	    "example.org. MX 10 mx.example.org." },
	{ "MX 10 mx.example.org.\n", "MX 0 .\n", RECORD_MX, MARK_WRONG,
	    "the null MX", "example.org. MX 10 mx.example.org." },
	{ NULL, "example.org. MX 5 other.example.org.\n", RECORD_MX, MARK_HINT,
	    "only when others", "" },
	{ NULL, "example.org. MX 20 other.example.org.\n", RECORD_MX, MARK_WELL,
	    "when it does not answer to others", "" },
	/* the host */
	{ "mx.example.org. A 203.0.113.5\n", "mx.example.org. A 203.0.113.6\n",
	    RECORD_HOST, MARK_WRONG, "does not lead to this machine",
	    "mx.example.org. A 203.0.113.5" },
	{ "mx.example.org. AAAA 2001:db8::5\n", "", RECORD_HOST, MARK_WRONG,
	    "does not lead to this machine",
	    "mx.example.org. AAAA 2001:db8::5" },
	{ NULL, "mx.example.org. A 203.0.113.9\n", RECORD_HOST, MARK_HINT,
	    "that this machine does not know", "dns.addresses" },
	/* PTR */
	{ "5.113.0.203.in-addr.arpa. PTR mx.example.org.\n", "", RECORD_PTR,
	    MARK_WRONG, "the address has no name",
	    "ask the provider to set the reverse DNS (PTR) of 203.0.113.5 to "
	    "mx.example.org" },
	{ "5.113.0.203.in-addr.arpa. PTR mx.example.org.\n",
	    "5.113.0.203.in-addr.arpa. PTR other.test.\n", RECORD_PTR,
	    MARK_WRONG, "does not lead back", "ask the provider" },
	{ "5.113.0.203.in-addr.arpa. PTR mx.example.org.\n",
	    "5.113.0.203.in-addr.arpa. PTR other.test.\n"
	    "other.test. A 203.0.113.5\n", RECORD_PTR, MARK_HINT,
	    "another name than the one", "outbound.ehlo" },
	/* SPF */
	{ "example.org. TXT \"v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all\"\n",
	    "", RECORD_SPF, MARK_WRONG, "there is no SPF record",
	    "example.org. TXT \"v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all\"" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 ip4:203.0.113.7 -all", RECORD_SPF, MARK_WRONG,
	    "mail from 203.0.113.5 gets 'fail'", "example.org. TXT \"v=spf1 "
	    "ip4:203.0.113.5 ip6:2001:db8::5 ip4:203.0.113.7 -all\"" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all", "v=spf1 mx +all",
	    RECORD_SPF, MARK_WRONG, "lets everybody send", "~all" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all", "v=spf1 mx",
	    RECORD_SPF, MARK_HINT, "says nothing of who else", "~all" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all", "v=spf1 mx ptr ~all",
	    RECORD_SPF, MARK_HINT, "has ptr", "ip4:" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 mx include:gone.test ~all", RECORD_SPF, MARK_WRONG,
	    "include:gone.test leads to a domain without an SPF record", "" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 mx a:gone.test ~all", RECORD_SPF, MARK_HINT,
	    "1 of the record's look-ups is in vain", "take out" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 mx a:g1.test a:g2.test a:g3.test ~all", RECORD_SPF,
	    MARK_WRONG, "3 of the record's look-ups are in vain", "take out" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 mx mx mx mx mx mx mx mx mx ~all", RECORD_SPF, MARK_HINT,
	    "costs 9 look-ups of the 10", "ip4:" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 mx mx mx mx mx mx mx mx mx mx mx ~all", RECORD_SPF,
	    MARK_WRONG, "costs 11 look-ups of the 10", "ip4:" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all", "v=spf1 mx nonsense:x",
	    RECORD_SPF, MARK_WRONG, "in the record of example.org 'nonsense:x'",
	    "v=spf1 ip4:203.0.113.5" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 ip4:203.0.113 mx ~all", RECORD_SPF, MARK_WRONG,
	    "'ip4:203.0.113' is not an address, or a network", "v=spf1 ip4:203" },
	{ NULL, "example.org. TXT \"v=spf1 -all\"\n", RECORD_SPF, MARK_WRONG,
	    "more than one SPF record", "v=spf1 ip4:203.0.113.5" },
	{ "mx.example.org. TXT \"v=spf1 a -all\"\n", "", RECORD_SPF, MARK_HINT,
	    "the name said in EHLO has no SPF record",
	    "mx.example.org. TXT \"v=spf1 a -all\"" },
	{ "mx.example.org. TXT \"v=spf1 a -all\"\n",
	    "mx.example.org. TXT \"v=spf1 -all\"\n", RECORD_SPF, MARK_WRONG,
	    "by the name said in EHLO", "mx.example.org. TXT" },
	/* DKIM */
	{ "s1._domainkey.example.org. TXT \"" KEY "\"\n", "", RECORD_DKIM,
	    MARK_WRONG, "counts as unsigned", "s1._domainkey.example.org. TXT" },
	{ KEY, "v=DKIM1; k=ed25519; p=", RECORD_DKIM, MARK_WRONG,
	    "another key is published", "s1._domainkey.example.org. TXT" },
	{ KEY, "v=DKIM1; k=ed25519; h=sha1; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMl"
	    "rwIaaPcHURo=", RECORD_DKIM, MARK_WRONG, "not for SHA-256",
	    "s1._domainkey.example.org. TXT" },
	{ KEY, "v=DKIM1; k=ed25519; t=y; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIa"
	    "aPcHURo=", RECORD_DKIM, MARK_HINT, "only tested (t=y)",
	    "s1._domainkey.example.org. TXT" },
	{ NULL, "s1._domainkey.example.org. TXT \"v=DKIM1; p=\"\n", RECORD_DKIM,
	    MARK_WRONG, "several records", "s1._domainkey.example.org. TXT" },
	/* DMARC */
	{ "_dmarc.example.org. TXT \"v=DMARC1; p=none; "
	    "rua=mailto:postmaster@example.org\"\n", "", RECORD_DMARC,
	    MARK_WRONG, "there is no DMARC record",
	    "_dmarc.example.org. TXT \"v=DMARC1; p=none" },
	{ "p=none; rua=mailto:postmaster@example.org",
	    "p=reject; rua=mailto:x@reports.test", RECORD_DMARC, MARK_WRONG,
	    "reports do not go to reports.test",
	    "example.org._report._dmarc.reports.test. TXT \"v=DMARC1;\"" },
	{ "p=none; rua=mailto:postmaster@example.org", "p=reject",
	    RECORD_DMARC, MARK_HINT, "nobody gets the reports", "rua=mailto:" },
	{ "p=none; rua=mailto:postmaster@example.org",
	    "p=reject; rua=mailto:postmaster@example.org", RECORD_DMARC,
	    MARK_WELL, "asked to be refused", "" },
	{ "p=none; rua=mailto:postmaster@example.org",
	    "p=reject; t=y; rua=mailto:postmaster@example.org", RECORD_DMARC,
	    MARK_HINT, "one step weaker", "" },
	/* MTA-STS */
	{ "_mta-sts.example.org. TXT \"v=STSv1;", "_mta-sts.example.org. TXT "
	    "\"v=STSv2;", RECORD_STS, MARK_HINT, "there is no MTA-STS policy",
	    "_mta-sts.example.org. TXT \"v=STSv1; id=" },
	{ NULL, "_mta-sts.example.org. TXT \"v=STSv1; id=2;\"\n", RECORD_STS,
	    MARK_WRONG, "says nothing that counts", "_mta-sts.example.org. TXT" },
	{ "mta-sts.example.org. CNAME mx.example.org.\n", "", RECORD_STS,
	    MARK_WRONG, "the policy is not to be had", "certificate for "
	    "mta-sts.example.org" },
	/* TLS-RPT */
	{ "_smtp._tls.example.org. TXT \"v=TLSRPTv1; "
	    "rua=mailto:postmaster@example.org\"\n", "", RECORD_TLSRPT,
	    MARK_HINT, "nobody tells you",
	    "_smtp._tls.example.org. TXT \"v=TLSRPTv1;" },
	{ "v=TLSRPTv1; rua=mailto:", "v=TLSRPTv1; rua=", RECORD_TLSRPT,
	    MARK_WRONG, "says nothing that counts", "_smtp._tls.example.org." },
	/* SRV */
	{ "587 mx.example.org.\n", "588 mx.example.org.\n", RECORD_CLIENTS,
	    MARK_HINT, "led elsewhere",
	    "_submission._tcp.example.org. SRV 0 1 587 mx.example.org." },
	{ "_imaps._tcp.example.org. SRV 0 1 993 imap.example.org.\n", "",
	    RECORD_CLIENTS, MARK_HINT, "must be told",
	    "_imaps._tcp.example.org. SRV 0 1 993 imap.example.org." },
	/* CAA */
	{ "CAA 0 issue \"letsencrypt.org\"", "CAA 0 issue \"other.test\"",
	    RECORD_CAA, MARK_WRONG, "may make no certificate",
	    "mx.example.org. CAA 0 issue \"letsencrypt.org\"" },
	{ "CAA 0 issue \"letsencrypt.org\"",
	    "CAA 0 issue \"letsencrypt.org; accounturi=https://x.test/1\"",
	    RECORD_CAA, MARK_UNKNOWN, "names accounts", "" },
	{ "mx.example.org. CAA 0 issue \"letsencrypt.org\"\n", "", RECORD_CAA,
	    MARK_HINT, "any authority", "mx.example.org. CAA 0 issue" },
	/* DANE */
	{ "TLSA 3 1 1 ", "TLSA 3 1 1 00", RECORD_TLSA, MARK_HINT,
	    "none of the TLSA records can be used", "3 1 1" },
	{ "TLSA 3 1 1 ", "TLSA 3 0 1 ", RECORD_TLSA, MARK_WRONG,
	    "is not the one that the TLSA records name",
	    "_25._tcp.mx.example.org. TLSA 3 1 1 " },
	{ "_25._tcp.mx.example.org. SECURE\n", "", RECORD_TLSA, MARK_HINT,
	    "nobody heeds the TLSA records", "DNSSEC" },
	/* lists */
	{ NULL, "5.113.0.203.bl.test. A 127.0.0.2\n5.113.0.203.bl.test. A "
	    "127.0.0.10\n5.113.0.203.bl.test. TXT \"it sent spam\"\n",
	    RECORD_LISTED, MARK_WRONG, "203.0.113.5 is on bl.test: it sent spam",
	    "ask the list" },
	{ NULL, "5.113.0.203.bl.test. A 127.255.255.254\n", RECORD_LISTED,
	    MARK_HINT, "bl.test does not tell", "public resolver" },
	{ NULL, "5.113.0.203.bl.test. A 192.0.2.1\n", RECORD_LISTED, MARK_HINT,
	    "no codes of 127/8", "take it from" },
	{ NULL, "*.113.0.203.bl.test. A 127.0.0.2\n1.0.0.127.bl.test. A "
	    "127.0.0.2\n", RECORD_LISTED, MARK_HINT, "it lists everybody",
	    "take it from" },
	{ "2.0.0.127.bl.test. A 127.0.0.2\n", "", RECORD_LISTED, MARK_HINT,
	    "its own test address", "take it from" },
	{ NULL, "5.113.0.203.bl.test. SERVFAIL\n", RECORD_LISTED, MARK_UNKNOWN,
	    "bl.test does not answer", "" },
	/* port 25 */
	{ "gw.big.test. A 192.0.2.25\n", "gw.big.test. A 192.0.2.26\n",
	    RECORD_PORT, MARK_WRONG, "no connection to port 25 of gw.big.test",
	    "open port 25" },
	{ "big.test. MX 10 gw.big.test.\n", "", RECORD_PORT, MARK_UNKNOWN,
	    "no mail exchanger", "" },
	/* trouble is not absence */
	{ "_dmarc.example.org. TXT \"v=DMARC1; p=none; "
	    "rua=mailto:postmaster@example.org\"\n",
	    "_dmarc.example.org. SERVFAIL\n", RECORD_DMARC, MARK_UNKNOWN, "",
	    "" },
	{ "_smtp._tls.example.org. TXT \"v=TLSRPTv1; "
	    "rua=mailto:postmaster@example.org\"\n",
	    "_smtp._tls.example.org. SERVFAIL\n", RECORD_TLSRPT, MARK_UNKNOWN,
	    "the DNS does not answer", "" },
	{ "v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all",
	    "v=spf1 mx include:slow.test ~all\"\nslow.test. SERVFAIL\n"
	    "x.test. TXT \"", RECORD_SPF, MARK_UNKNOWN,
	    "the DNS does not tell all of the record", "" },
};

/* ---- the world ---- */

static void
zone_use(const struct broken *b)
{
	struct buf out = BUF_OF(zone);
	struct str text = str_of(good);
	size_t at = b == NULL || b->from == NULL ? text.n :
	    str_find_str(text, str_of(b->from));

	if (b != NULL && b->from != NULL && at == text.n)
		fail_msg("not in the zone: %s", b->from);
	buf_put(&out, str_sub(text, 0, at));
	if (b != NULL)
		buf_put(&out, str_of(b->to));
	if (at < text.n)
		buf_put(&out, str_sub(text, at + strlen(b->from), text.n));
	assert_false(out.full);
	if (sim_zone(buf_str(&out)) != 0)
		fail_msg("%.*s", (int)out.n, out.p);
}

static unsigned
policy_serve(const struct fetch_job *j, struct buf *head, struct buf *body)
{
	(void)j;
	buf_put(head, STR("Content-Type: text/plain\r\n"));
	buf_put(body, str_of(policy_text));
	return 200;
}

static const struct sim_web_page pages[] = {
	{ .url = POLICY_URL, .serve = policy_serve },
};

static yields bool
check(struct dns_report *out)
{
	struct dns_check_ask ask = { .records = asked,
		.deadline = in_ms(120 * 1000) };

	return dns_check(&ask, &a, out);
}

static yields struct net_end *
port_open(void)
{
	struct address at;
	struct net_end *l;

	assert_true(address_parse(STR("192.0.2.25"), 25, &at));
	assert_non_null(l = net_listen(&at));
	return l;
}

static void
report_show(const struct dns_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		fprintf(stderr, "%s %s %.*s: %.*s | %.*s | %.*s\n",
		    finding_mark_word(r->v[i].mark),
		    record_topic_word(r->v[i].topic), STR_ARG(r->v[i].name),
		    STR_ARG(r->v[i].says), STR_ARG(r->v[i].found),
		    STR_ARG(r->v[i].mend));
}

/* ---- the tests ---- */

static yields void
all_is_well(void *arg)
{
	struct dns_report *r = arena_new(&a, struct dns_report);
	struct net_end *l = port_open();

	(void)arg;
	zone_use(NULL);
	assert_true(check(r));
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].mark != MARK_WELL &&
		    r->v[i].topic != RECORD_DMARC) {
			report_show(r);
			fail();
		}
	assert_int_equal(r->marks[MARK_WRONG] + r->marks[MARK_UNKNOWN], 0);
	assert_true(r->marks[MARK_WELL] >= 16);
	net_close(l);
}

static bool
has(const struct dns_report *r, const struct broken *b)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].topic == b->topic && r->v[i].mark == b->mark &&
		    str_find_str(r->v[i].says, str_of(b->says)) <
		    r->v[i].says.n + (b->says[0] == '\0') &&
		    str_find_str(r->v[i].mend, str_of(b->mend)) <
		    r->v[i].mend.n + (b->mend[0] == '\0'))
			return true;
	return false;
}

static yields void
each_is_told(void *arg)
{
	struct net_end *l = port_open();

	(void)arg;
	for (size_t i = 0; i < sizeof brokens / sizeof *brokens; i++) {
		struct arena_mark m = arena_mark(&a);
		struct dns_report *r = arena_new(&a, struct dns_report);

		zone_use(&brokens[i]);
		assert_true(check(r));
		if (!has(r, &brokens[i])) {
			report_show(r);
			fail_msg("%zu: %s", i, brokens[i].says);
		}
		arena_back(&a, m);
	}
	net_close(l);
}

static yields void
policies_are_read(void *arg)
{
	static const struct { const char *text; struct broken is; } served[] = {
		{ "version: STSv1\nmode: enforce\nmx: *.other.org\n"
		    "max_age: 86400\n", { NULL, "", RECORD_STS, MARK_WRONG,
		    "does not name mx.example.org", "mx: mx.example.org" } },
		{ "version: STSv1\nmode: enforce\nmx: *.example.org\n"
		    "max_age: 86400\n", { NULL, "", RECORD_STS, MARK_WELL,
		    "names this server", "" } },
		{ "version: STSv1\nmode: none\nmax_age: 86400\n", { NULL, "",
		    RECORD_STS, MARK_HINT, "mode is none", "" } },
		{ "hello\n", { NULL, "", RECORD_STS, MARK_WRONG,
		    "the policy is not to be had", "serve there" } },
	};
	struct dns_report *r = arena_new(&a, struct dns_report);

	(void)arg;
	zone_use(NULL);
	for (size_t i = 0; i < sizeof served / sizeof *served; i++) {
		policy_text = served[i].text;
		assert_true(check(r));
		if (!has(r, &served[i].is)) {
			report_show(r);
			fail_msg("%zu", i);
		}
	}
}

static yields void
keys_have_states(void *arg)
{
	static const struct broken are[] = {
		{ NULL, "", RECORD_DKIM, MARK_HINT, "not published yet",
		    "s2._domainkey.example.org. TXT" },
		{ NULL, "", RECORD_DKIM, MARK_HINT, "is gone from the DNS",
		    "s0._domainkey.example.org. TXT" } };
	struct dns_report *r = arena_new(&a, struct dns_report);

	(void)arg;
	zone_use(NULL);
	keys[1] = (struct record_key){ STR("s2"), STR(OTHER_KEY),
		RECORD_KEY_NEXT };
	keys[2] = (struct record_key){ STR("s0"), STR(OTHER_KEY),
		RECORD_KEY_RETIRING };
	asked.n_keys = 3;
	assert_true(check(r));
	for (size_t i = 0; i < 2; i++)
		if (!has(r, &are[i])) {
			report_show(r);
			fail();
		}
	assert_int_equal(r->marks[MARK_UNKNOWN], 0);
	asked.n_keys = 0;
	asked.knows_keys = asked.knows_certificates = false;
	assert_true(check(r));
	assert_true(r->marks[MARK_UNKNOWN] == 2);
}

/* A domain that is not there; one that says that it has no mail; a DNS that does
 * not answer: nothing is wrong then. */
static yields void
others_are_told(void *arg)
{
	struct dns_report *r = arena_new(&a, struct dns_report);

	(void)arg;
	assert_int_equal(sim_zone(STR("x.test. A 192.0.2.1\n")), 0);
	assert_true(check(r));
	assert_int_equal(r->n, 1);
	assert_int_equal(r->v[0].mark, MARK_WRONG);
	assert_int_equal(sim_zone(STR("example.org. SERVFAIL\n")), 0);
	assert_true(check(r));
	assert_int_equal(r->n, 1);
	assert_int_equal(r->marks[MARK_UNKNOWN], 1);
	asked.sends_nothing = true;
	assert_int_equal(sim_zone(STR("example.org. MX 0 .\n"
	    "example.org. TXT \"v=spf1 -all\"\n_dmarc.example.org. TXT "
	    "\"v=DMARC1; p=reject; sp=reject; np=reject\"\n")), 0);
	assert_true(check(r));
	assert_int_equal(r->marks[MARK_WELL], 3);
	assert_int_equal(r->marks[MARK_WRONG], 0);
	assert_int_equal(sim_zone(STR("example.org. MX 0 .\n")), 0);
	assert_true(check(r));
	assert_int_equal(r->marks[MARK_WELL], 1);
	assert_int_equal(r->marks[MARK_WRONG], 2);
}

/* Others see the relay: what our own addresses are named, and whether SPF has
 * them, does not matter. */
static yields void
relays_are_seen(void *arg)
{
	struct dns_report *r = arena_new(&a, struct dns_report);

	(void)arg;
	assert_int_equal(sim_zone(STR("example.org. MX 10 mx.example.org.\n"
	    "mx.example.org. A 203.0.113.5\n"
	    "mx.example.org. AAAA 2001:db8::5\n"
	    "example.org. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
	    "s1._domainkey.example.org. TXT \"" KEY "\"\n"
	    "_dmarc.example.org. TXT \"v=DMARC1; p=reject; "
	    "rua=mailto:a@example.org\"\n")), 0);
	assert_true(check(r));
	if (r->marks[MARK_WRONG] != 0)
		report_show(r);
	assert_int_equal(r->marks[MARK_WRONG], 0);
	for (size_t i = 0; i < r->n; i++)
		assert_true(r->v[i].topic != RECORD_PTR &&
		    r->v[i].topic != RECORD_PORT &&
		    r->v[i].topic != RECORD_LISTED);
}

static const char *more_yaml = "";

static int
begin(void **state)
{
	struct records *rs;
	struct buf b = BUF_OF(good);
	EVP_PKEY *key;

	(void)state;
	conf_begin();
	arena_init(&a, 1 << 26);
	config = conf_of(arena_cstr(&a, arena_join(&a, str_of(yaml),
	    str_of(more_yaml))));
	assert_int_equal(certificate_make(STR("mx.example.org"),
	    (struct wall){ 0 }, &shown.cert, &key), 0);
	EVP_PKEY_free(key);
	asked = (struct records_ask){ .config = config,
		.domain = STR("example.org"), .is_signed = true,
		.knows_keys = true, .keys = keys, .n_keys = 1,
		.knows_certificates = true, .certificates = &shown,
		.n_certificates = 1, .addresses = config->dns.addresses };
	rs = arena_new(&a, struct records);
	assert_true(records_make(&asked, &a, rs));
	policy_text = arena_cstr(&a, rs->sts_policy);
	for (size_t i = 0; i < rs->n; i++)
		if (!rs->v[i].is_elsewhere && rs->v[i].unless.n == 0) {
			record_put_line(&rs->v[i], &b);
			buf_putc(&b, '\n');
		}
	buf_put(&b, str_of(elsewhere));
	buf_putc(&b, '\0');
	assert_false(b.full);
	sim_web(pages, 1);
	return 0;
}

static int
begin_relayed(void **state)
{
	more_yaml = "route: [ { relay: 'smtp://relay.test' } ]\n";
	return begin(state);
}

static int
end(void **state)
{
	(void)state;
	certificate_free(&shown.cert);
	config_free(config);
	arena_clear(&a);
	conf_end();
	return 0;
}

static void test_well(void **state) { (void)state; on_core(all_is_well); }
static void test_each(void **state) { (void)state; on_core(each_is_told); }
static void test_policy(void **s) { (void)s; on_core(policies_are_read); }
static void test_keys(void **state) { (void)state; on_core(keys_have_states); }
static void test_others(void **s) { (void)s; on_core(others_are_told); }

static void test_relay(void **s) { (void)s; on_core(relays_are_seen); }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_well, begin, end),
		cmocka_unit_test_setup_teardown(test_each, begin, end),
		cmocka_unit_test_setup_teardown(test_policy, begin, end),
		cmocka_unit_test_setup_teardown(test_keys, begin, end),
		cmocka_unit_test_setup_teardown(test_others, begin, end),
		cmocka_unit_test_setup_teardown(test_relay, begin_relayed, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
