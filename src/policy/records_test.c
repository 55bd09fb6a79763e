#include "policy/record_text.h"
#include "policy/test_conf.h"
#include "fiber/zone.h"

enum { ROOM = 32768 };

static struct arena a;

/* The lines that are no comments. */
static const char *
lines_of(struct str text)
{
	static char room[ROOM];
	struct buf b = BUF_OF(room);

	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		if (line.n > 0 && line.p[0] != ';')
			buf_printf(&b, STR_FMT "\n", STR_ARG(line));
	}
	buf_putc(&b, '\0');
	assert_false(b.full);
	return room;
}

static struct str
zone_of(const struct records_ask *ask, struct records *rs)
{
	struct buf b = { .p = arena_alloc(&a, ROOM), .cap = ROOM };

	assert_true(records_make(ask, &a, rs));
	records_put_zone(rs, &b);
	assert_false(b.full);
	return buf_str(&b);
}

/* What a name server makes of it is what was meant. */
static void
reads_back(const struct records *rs, struct str text)
{
	struct zone z;
	struct dns_answer got;

	assert_int_equal(zone_read(&z, text), 0);
	for (size_t i = 0; i < rs->n; i++) {
		const struct dns_entry *r = &rs->v[i];
		static char want[2048], has[2048];
		struct buf w = BUF_OF(want);
		bool is_there = false;

		if (r->is_elsewhere || r->unless.n > 0)
			continue;
		record_put_data(r, &w);
		assert_true(zone_answer(&z, r->name, r->type, &a, &got));
		for (size_t k = 0; k < got.n; k++) {
			struct buf h = BUF_OF(has);

			answer_put_data(&got.records[k], r->type, &h);
			is_there = is_there || str_eq(buf_str(&w), buf_str(&h));
		}
		if (!is_there)
			fail_msg("%.*s is not read back", (int)w.n, want);
	}
	zone_clear(&z);
}

static char long_key[512];

static const struct { const char *yaml; bool sends_nothing; const char *says; }
cases[] = {
	{ "hostname: mx.example.org\ndomains: { example.org: { users: [ a ] } }\n"
	    "dns: { addresses: [ 203.0.113.5, '2001:db8::5' ] }\n", false,
	    "example.org. MX 10 mx.example.org.\n"
	    "mx.example.org. A 203.0.113.5\n"
	    "mx.example.org. AAAA 2001:db8::5\n"
	    "example.org. TXT \"v=spf1 ip4:203.0.113.5 ip6:2001:db8::5 ~all\"\n"
	    "mx.example.org. TXT \"v=spf1 a -all\"\n"
	    "_dmarc.example.org. TXT \"v=DMARC1; p=none; "
	    "rua=mailto:postmaster@example.org\"\n"
	    "_mta-sts.example.org. TXT \"v=STSv1; id=d8c33c6d623a4a86;\"\n"
	    "mta-sts.example.org. CNAME mx.example.org.\n"
	    "_smtp._tls.example.org. TXT \"v=TLSRPTv1; "
	    "rua=mailto:postmaster@example.org\"\n" },
	/* sources, as far as others see them */
	{ "hostname: mx.example.org\ndomains: { example.org: { users: [ a ] } }\n"
	    "dns: { addresses: 203.0.113.5, mta_sts: none }\n"
	    "sources:\n"
	    "  a: { bind: [ 203.0.113.6, '2001:db8::6' ], ehlo: a.example.org }\n"
	    "  b: { bind: 203.0.113.7 }\n"
	    "  inner: { bind: 10.1.2.3, ehlo: i.example.org }\n", false,
	    "example.org. MX 10 mx.example.org.\n"
	    "mx.example.org. A 203.0.113.5\n"
	    "a.example.org. A 203.0.113.6\n"
	    "a.example.org. AAAA 2001:db8::6\n"
	    "example.org. TXT \"v=spf1 ip4:203.0.113.5 ip4:203.0.113.6 "
	    "ip6:2001:db8::6 ip4:203.0.113.7 ~all\"\n"
	    "mx.example.org. TXT \"v=spf1 a -all\"\n"
	    "_dmarc.example.org. TXT \"v=DMARC1; p=none; "
	    "rua=mailto:postmaster@example.org\"\n"
	    "_smtp._tls.example.org. TXT \"v=TLSRPTv1; "
	    "rua=mailto:postmaster@example.org\"\n" },
	/* the host is another domain's; one that relays; ports of users */
	{ "hostname: mx.example.net\ndomains: { example.org: { users: [ a ] } }\n"
	    "dns: { addresses: 203.0.113.5, spf: 'include:_spf.relay.example', "
	    "mta_sts: none, imap: 'imap.example.net:143' }\n"
	    "tls: { acme: { agree_tos: yes, challenge: http-01 } }\n"
	    "listen:\n  - { port: 80, role: acme }\n"
	    "  - { port: 587, role: submission }\n"
	    "  - { port: 465, role: submission, tls: implicit }\n"
	    "  - { port: 2587, role: submission }\n"
	    "  - { port: 25, role: mx }\n", false,
	    "example.org. MX 10 mx.example.net.\n"
	    "example.org. TXT \"v=spf1 ip4:203.0.113.5 "
	    "include:_spf.relay.example ~all\"\n"
	    "_dmarc.example.org. TXT \"v=DMARC1; p=none; "
	    "rua=mailto:postmaster@example.org\"\n"
	    "_smtp._tls.example.org. TXT \"v=TLSRPTv1; "
	    "rua=mailto:postmaster@example.org\"\n"
	    "_submission._tcp.example.org. SRV 0 1 587 mx.example.net.\n"
	    "_submissions._tcp.example.org. SRV 0 1 465 mx.example.net.\n"
	    "_imaps._tcp.example.org. SRV 0 1 143 imap.example.net.\n" },
	/* who does not know its address; CAA */
	{ "hostname: example.org\ndomains: { example.org: { users: [ a ] } }\n"
	    "dns: { mta_sts: none }\n"
	    "tls: { acme: { agree_tos: yes } }\n"
	    "listen: [ { port: 80, role: acme } ]\n", false,
	    "example.org. MX 10 example.org.\n"
	    "example.org. TXT \"v=spf1 a:example.org ~all\"\n"
	    "_dmarc.example.org. TXT \"v=DMARC1; p=none; "
	    "rua=mailto:postmaster@example.org\"\n"
	    "_smtp._tls.example.org. TXT \"v=TLSRPTv1; "
	    "rua=mailto:postmaster@example.org\"\n"
	    "example.org. CAA 0 issue \"letsencrypt.org\"\n" },
	{ "hostname: mx.example.org\n", true,
	    "example.org. MX 0 .\n"
	    "example.org. TXT \"v=spf1 -all\"\n"
	    "*._domainkey.example.org. TXT \"v=DKIM1; p=\"\n"
	    "_dmarc.example.org. TXT \"v=DMARC1; p=reject; sp=reject; "
	    "np=reject\"\n" },
};

static void
records_are_as_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct records *rs = arena_new(&a, struct records);
		struct records_ask ask = { .domain = STR("example.org"),
			.sends_nothing = cases[i].sends_nothing,
			.knows_keys = true, .knows_certificates = true };
		struct str zone;

		conf_begin();
		ask.config = conf_of(cases[i].yaml);
		assert_true(records_addresses(ask.config, &a, &ask.addresses));
		zone = zone_of(&ask, rs);
		assert_string_equal(lines_of(zone), cases[i].says);
		reads_back(rs, zone);
		config_free((struct config *)(uintptr_t)ask.config);
		conf_end();
	}
}

static void
keys_are_split(void **state)
{
	struct records *rs = arena_new(&a, struct records);
	struct record_key keys[] = {
		{ STR("s1"), { long_key, 400 }, RECORD_KEY_ACTIVE },
		{ STR("s2"), { long_key, 255 }, RECORD_KEY_NEXT },
		{ STR("s0"), { long_key, 256 }, RECORD_KEY_RETIRING } };
	struct records_ask ask = { .domain = STR("example.org"),
		.knows_keys = true, .keys = keys, .n_keys = 3,
		.knows_certificates = true };
	struct str zone;

	(void)state;
	memset(long_key, 'k', sizeof long_key);
	conf_begin();
	ask.config = conf_of("hostname: mx.example.org\n");
	zone = zone_of(&ask, rs);
	reads_back(rs, zone);
	assert_true(str_find_str(zone, STR("kkk\" \"k\"\n")) < zone.n);
	assert_true(str_find_str(zone, STR("s2._domainkey.example.org. TXT \"kk"))
	    < zone.n);
	config_free((struct config *)(uintptr_t)ask.config);
	conf_end();
}

static void
certificates_are_named(void **state)
{
	struct record_certificate shown[2] = { 0 };
	struct records *rs = arena_new(&a, struct records);
	struct records_ask ask = { .domain = STR("example.org"),
		.knows_keys = true, .knows_certificates = true,
		.is_signed = true, .certificates = shown, .n_certificates = 2 };
	EVP_PKEY *keys[2];
	struct str zone;

	(void)state;
	conf_begin();
	ask.config = conf_of("hostname: mx.example.org\n");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(certificate_make(STR("mx.example.org"),
		    (struct wall){ 0 }, &shown[i].cert, &keys[i]), 0);
	shown[1].is_renewed = true;
	zone = zone_of(&ask, rs);
	reads_back(rs, zone);
	assert_true(str_find_str(zone, STR("\n_25._tcp.mx.example.org. TLSA "
	    "3 1 1 ")) < zone.n);
	assert_true(str_find_str(zone, STR("\n;_25._tcp.mx.example.org. TLSA "
	    "3 1 1 ")) < zone.n);
	ask.is_signed = false;
	zone = zone_of(&ask, rs);
	assert_false(str_find_str(zone, STR("\n_25._tcp")) < zone.n);
	for (size_t i = 0; i < 2; i++) {
		certificate_free(&shown[i].cert);
		EVP_PKEY_free(keys[i]);
	}
	config_free((struct config *)(uintptr_t)ask.config);
	conf_end();
}

static void
addresses_are_public(void **state)
{
	static const struct { const char *text; bool is; } asked[] = {
		{ "203.0.113.5", true }, { "10.1.2.3", false },
		{ "172.15.255.255", true }, { "172.16.0.0", false },
		{ "192.168.1.1", false }, { "127.0.0.1", false },
		{ "100.64.0.1", false }, { "223.255.255.255", true },
		{ "224.0.0.1", false }, { "0.0.0.0", false },
		{ "2001:db8::1", true }, { "fe80::1", false },
		{ "fd00::1", false }, { "::1", false }, { "::", false } };

	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		struct address at;

		assert_true(address_parse(str_of(asked[i].text), 0, &at));
		assert_int_equal(address_is_public(&at), asked[i].is);
	}
}

static void
mistakes_are_told(void **state)
{
	static const struct { const char *yaml, *says; } wrong[] = {
		{ "dns: { imap: 'mail.example.org:0' }\n", "is not a host's name" },
		{ "dns: { imap: 'mail.example.org:65536' }\n",
		    "is not a host's name" },
		{ "dns: { imap: '-' }\n", NULL },
		{ "dns: { spf: 'include:' }\n", "'include:'" },
		{ "dns: { spf: 'mx ip4:1.2.3' }\n", "is not an address" },
		{ "dns: { spf: 'mx -all' }\n", "before the record's own all" },
		{ "dns: { spf: 'redirect=x.example' }\n",
		    "before the record's own all" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct config *c;

		conf_begin();
		c = conf_try(wrong[i].yaml);
		if (wrong[i].says == NULL) {
			assert_non_null(c);
			config_free(c);
		} else {
			assert_null(c);
			if (strstr(conf_said(true), wrong[i].says) == NULL)
				fail_msg("%s: %s", wrong[i].yaml,
				    conf_said(true));
		}
		conf_end();
	}
}

static int
arena_begin(void **state)
{
	(void)state;
	arena_init(&a, 1 << 22);
	return 0;
}

static int
arena_end(void **state)
{
	(void)state;
	arena_clear(&a);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_as_told),
		cmocka_unit_test(keys_are_split),
		cmocka_unit_test(certificates_are_named),
		cmocka_unit_test(addresses_are_public),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, arena_begin, arena_end);
}
