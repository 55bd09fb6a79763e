#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/zone.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT \
	"; a zone\n" \
	"$TTL 300\n" \
	"$ORIGIN Example.TEST.\n" \
	"@\t\tMX 10 mx1\r\n" \
	"\t60 IN\tMX 20 MX2.example.test.  ; second\n" \
	"mx1 IN 120 A 192.0.2.1\n" \
	"mx1 A 192.0.2.2\n" \
	"mx1 AAAA 2001:db8::1\n" \
	"mx1 SECURE\n" \
	"www CNAME mx1\n" \
	"www SECURE\n" \
	"half CNAME mx1\n" \
	"out CNAME elsewhere.test.\n" \
	"null MX 0 .\n" \
	"@ TXT \"v=spf1 \" \"a;b\\\"c\\092\\065\" bare\n" \
	"_25._tcp.mx1 TLSA 3 1 1 0aFf 10\n" \
	"_imaps._tcp SRV 0 1 993 mx1\n" \
	"@ CAA 128 issue \"ca.test; a=b\"\n" \
	"a.b.deep A 192.0.2.9\n" \
	"*.wild A 192.0.2.7\n" \
	"own.wild TXT \"mine\"\n" \
	"*.dead TIMEOUT\n" \
	"broken SERVFAIL\n" \
	"gone 7 NXDOMAIN\n" \
	"gone SECURE\n" \
	"loop1 CNAME loop2\n" \
	"loop2 CNAME loop1\n" \
	"$ORIGIN .\n" \
	"1.2.0.192.in-addr.arpa PTR mx1.example.test.\n" \
	"* A 192.0.2.99\n"

struct expect {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	bool secure;
	uint32_t ttl;
	size_t n;
	const char *canonical;
	const char *first;		/* of the first record */
};

static const struct expect expects[] = {
	{ "example.test", DNS_MX, DNS_FOUND, false, 60, 2, "example.test",
	    "10 mx1.example.test" },
	{ "EXAMPLE.test.", DNS_MX, DNS_FOUND, false, 60, 2, "example.test",
	    "10 mx1.example.test" },
	{ "example.test", DNS_TXT, DNS_FOUND, false, 300, 1, "example.test",
	    "v=spf1 a;b\"c\\Abare" },
	{ "example.test", DNS_A, DNS_NO_DATA, false, 300, 0, "example.test",
	    NULL },
	{ "mx1.example.test", DNS_A, DNS_FOUND, true, 120, 2,
	    "mx1.example.test", "192.0.2.1" },
	{ "mx1.example.test", DNS_AAAA, DNS_FOUND, true, 300, 1,
	    "mx1.example.test", "2001:db8::1" },
	{ "mx1.example.test", DNS_TXT, DNS_NO_DATA, true, 300, 0,
	    "mx1.example.test", NULL },
	{ "www.example.test", DNS_A, DNS_FOUND, true, 120, 2,
	    "mx1.example.test", "192.0.2.1" },
	{ "www.example.test", DNS_CNAME, DNS_FOUND, true, 300, 1,
	    "www.example.test", "mx1.example.test" },
	{ "half.example.test", DNS_A, DNS_FOUND, false, 120, 2,
	    "mx1.example.test", "192.0.2.1" },
	{ "null.example.test", DNS_MX, DNS_FOUND, false, 300, 1,
	    "null.example.test", "0 " },
	{ "_25._tcp.mx1.example.test", DNS_TLSA, DNS_FOUND, false, 300, 1,
	    NULL, "\003\001\001\012\377\020" },
	{ "_imaps._tcp.example.test", DNS_SRV, DNS_FOUND, false, 300, 1, NULL,
	    "mx1.example.test" },
	{ "example.test", DNS_CAA, DNS_FOUND, false, 300, 1, "example.test",
	    "\200\005issueca.test; a=b" },
	/* names that exist because of others (RFC 4592 2.2.2) */
	{ "deep.example.test", DNS_A, DNS_NO_DATA, false, 300, 0, NULL, NULL },
	{ "b.deep.example.test", DNS_A, DNS_NO_DATA, false, 300, 0, NULL, NULL },
	{ "c.deep.example.test", DNS_A, DNS_NO_NAME, false, 300, 0, NULL, NULL },
	{ "test", DNS_A, DNS_NO_DATA, false, 300, 0, NULL, NULL },
	/* wildcards */
	{ "x.wild.example.test", DNS_A, DNS_FOUND, false, 300, 1,
	    "x.wild.example.test", "192.0.2.7" },
	{ "y.x.wild.example.test", DNS_A, DNS_FOUND, false, 300, 1, NULL,
	    "192.0.2.7" },
	{ "own.wild.example.test", DNS_A, DNS_NO_DATA, false, 300, 0, NULL,
	    NULL },
	{ "x.own.wild.example.test", DNS_A, DNS_NO_NAME, false, 300, 0, NULL,
	    NULL },
	{ "anything", DNS_A, DNS_FOUND, false, 300, 1, NULL, "192.0.2.99" },
	{ "out.example.test", DNS_A, DNS_NO_NAME, false, 300, 0,
	    "elsewhere.test", NULL },
	/* words */
	{ "broken.example.test", DNS_A, DNS_TROUBLE, false, 0, 0, NULL, NULL },
	{ "gone.example.test", DNS_A, DNS_NO_NAME, true, 7, 0, NULL, NULL },
	{ "loop1.example.test", DNS_A, DNS_TROUBLE, false, 0, 0, NULL, NULL },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND, false, 300, 1, NULL,
	    "mx1.example.test" },
};

static void
record_print(const struct dns_record *r, enum dns_type type, char *to, size_t n)
{
	if (type == DNS_MX)
		snprintf(to, n, "%u " STR_FMT, r->preference, STR_ARG(r->name));
	else if (type == DNS_A || type == DNS_AAAA)
		snprintf(to, n, "%s", address_print(&r->address).text);
	else
		snprintf(to, n, STR_FMT, STR_ARG(r->name.p != NULL ? r->name :
		    r->data));
}

static void
answer_check(const struct expect *e, const struct dns_answer *got)
{
	char first[300];

	assert_int_equal(got->status, e->status);
	assert_int_equal(got->secure, e->secure);
	assert_int_equal(got->ttl, e->ttl);
	assert_int_equal(got->n, e->n);
	if (e->canonical != NULL)
		assert_true(str_eq(got->canonical, str_of(e->canonical)));
	if (e->first == NULL)
		return;
	record_print(&got->records[0], e->type, first, sizeof first);
	assert_string_equal(first, e->first);
}

static void
test_answers(void **state)
{
	struct zone z;
	struct arena a;

	(void)state;
	assert_int_equal(zone_read(&z, STR(TEXT)), 0);
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < sizeof expects / sizeof expects[0]; i++) {
		struct dns_answer got;

		assert_true(zone_answer(&z, str_of(expects[i].name),
		    expects[i].type, &a, &got));
		answer_check(&expects[i], &got);
	}
	arena_clear(&a);
	zone_clear(&z);
}

static void
test_silence(void **state)
{
	struct zone z;
	struct arena a;
	struct dns_answer got;

	(void)state;
	assert_int_equal(zone_read(&z, STR(TEXT)), 0);
	arena_init(&a, 1 << 20);
	assert_false(zone_answer(&z, STR("x.dead.example.test"), DNS_MX, &a,
	    &got));
	assert_true(zone_answer(&z, STR("dead.example.test"), DNS_MX, &a,
	    &got));
	assert_int_equal(got.status, DNS_NO_DATA);
	arena_clear(&a);
	zone_clear(&z);
}

static const struct { const char *text, *says; } refusals[] = {
	{ "a A 192.0.2.1\nb A 192.0.2\n", "line 2: not such an address: 192" },
	{ "a AAAA 192.0.2.1\n", "line 1: not such an address" },
	{ "a A ::1\n", "line 1: not such an address" },
	{ "a A\n", "line 1: no data: a" },
	{ "a A 192.0.2.1 2\n", "line 1: data of the wrong length" },
	{ "a\n", "line 1: no type: a" },
	{ "\n\n a A 192.0.2.1\n", "line 3: no owner yet" },
	{ "a DNAME b\n", "line 1: no such type: DNAME" },
	{ "a SRV 0 0 b\n", "line 1: data of the wrong length" },
	{ "a SRV 0 0 65536 b\n", "line 1: not a number" },
	{ "a servfail\n", "line 1: no such type: servfail" },
	{ "a SERVFAIL now\n", "line 1: data after a word" },
	{ "a \"A\" 192.0.2.1\n", "line 1: no type" },
	{ "a MX ten b\n", "line 1: not a preference: ten" },
	{ "a MX 65536 b\n", "line 1: not a preference" },
	{ "a MX 10\n", "line 1: data of the wrong length" },
	{ "a CNAME b\na A 192.0.2.1\n", "line 2: CNAME beside" },
	{ "a A 192.0.2.1\na CNAME b\n", "line 2: CNAME beside" },
	{ "a 2147483648 A 192.0.2.1\n", "line 1: not a TTL" },
	{ "$TTL\n", "line 1: one word must follow" },
	{ "$TTL x\n", "line 1: not a TTL" },
	{ "$INCLUDE x\n", "line 1: no such directive" },
	{ "$ORIGIN a..b\n", "line 1: not a name" },
	{ "a\\.b A 192.0.2.1\n", "line 1: not a name" },
	{ "a TXT \"open\n", "line 1: no end of string" },
	{ "a TXT \"end\\\n", "line 1: no end of string" },
	{ "a TXT \\256\n", "line 1: bad escape" },
	{ "a TXT \\1\n", "line 1: bad escape" },
	{ "a TLSA 3 1 1\n", "line 1: TLSA needs four parts" },
	{ "a TLSA 3 1 256 00\n", "line 1: not a number" },
	{ "a CAA 0 issue\n", "line 1: CAA needs flags, a tag and a value" },
	{ "a CAA 256 issue x\n", "line 1: not a number" },
	{ "a TLSA 3 1 1 0\n", "line 1: half an octet" },
	{ "a TLSA 3 1 1 0g\n", "line 1: not hexadecimal" },
};

static void
test_refusals(void **state)
{
	struct zone z;

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		assert_int_equal(zone_read(&z, str_of(refusals[i].text)), -1);
		assert_true(str_has_prefix_icase(str_of(err_text()),
		    str_of(refusals[i].says)));
	}
	err_clear();
}

/* n records, n - 1 octets in a label, a whole name of n octets. */
static void
test_limits(void **state)
{
	static char text[16000];
	struct zone z;
	struct arena a;
	struct dns_answer got;
	size_t n = 0;

	(void)state;
	arena_init(&a, 1 << 20);
	for (int i = 0; i < DNS_RECORDS; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "many A 192.0.2.%d\n", i % 256);
	assert_int_equal(zone_read(&z, (struct str){ text, n }), 0);
	assert_true(zone_answer(&z, STR("many"), DNS_A, &a, &got));
	assert_int_equal(got.n, DNS_RECORDS);
	zone_clear(&z);
	n += (size_t)snprintf(text + n, sizeof text - n, "many A 192.0.2.1\n");
	assert_int_equal(zone_read(&z, (struct str){ text, n }), 0);
	assert_true(zone_answer(&z, STR("many"), DNS_A, &a, &got));
	assert_int_equal(got.status, DNS_TROUBLE);
	zone_clear(&z);
	for (size_t k = 63; k <= 64; k++) {
		memset(text, 'a', k);
		n = k + (size_t)snprintf(text + k, sizeof text - k,
		    ".b A 192.0.2.1\n");
		assert_int_equal(zone_read(&z, (struct str){ text, n }),
		    k == 63 ? 0 : -1);
		if (k == 63)
			zone_clear(&z);
	}
	arena_clear(&a);
}

static void
test_full_arena(void **state)
{
	struct zone z;
	struct arena a;
	struct dns_answer got;

	(void)state;
	assert_int_equal(zone_read(&z, STR(TEXT)), 0);
	for (size_t room = 0; room < 600; room += 16) {
		arena_init(&a, room);
		assert_true(zone_answer(&z, STR("example.test"), DNS_MX, &a,
		    &got));
		assert_true(got.status == DNS_TROUBLE ||
		    (got.status == DNS_FOUND && got.n == 2));
		arena_clear(&a);
	}
	zone_clear(&z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_full_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
