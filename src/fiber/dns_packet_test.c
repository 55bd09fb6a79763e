#include "base/buf.h"
#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/dns_packet.h"

/* Header: id 0, flags with the rcode, then the four counts. */
#define HEADER(rcode, questions, answers, authorities) \
	"\0\0\x81" rcode "\0" questions "\0" answers "\0" authorities "\0\0"
/* 12: "example.test" MX IN; "test" stands at 20 */
#define QUESTION "\7example\4test\0\0\x0f\0\1"
#define MX_MX1 "\xc0\x0c\0\x0f\0\1\0\0\1\x2c\0\x08\0\x0a\3mx1\xc0\x0c"
#define SOA "\xc0\x14\0\6\0\1\0\0\2\0\0\x18\xc0\x14\xc0\x14" \
	"\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x3c"

struct expect {
	struct str packet;
	enum dns_type type;
	int rc;
	enum dns_status status;
	uint32_t ttl;
	size_t n;
	const char *canonical, *name;
};

#define PACKET(...) STR_INIT(__VA_ARGS__)

static const struct expect expects[] = {
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION MX_MX1), DNS_MX, 0,
	    DNS_FOUND, 300, 1, "example.test", "mx1.example.test" },
	/* another type, class or owner is no answer */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION MX_MX1), DNS_A, 0,
	    DNS_NO_DATA, 0, 0, "example.test", NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x14\0\x0f\0\1\0\0\0\1\0\5\0\1\1x\0"), DNS_MX, 0,
	    DNS_NO_DATA, 0, 0, "example.test", NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x0f\0\3\0\0\0\1\0\5\0\1\1x\0"), DNS_MX, 0,
	    DNS_NO_DATA, 0, 0, "example.test", NULL },
	/* null MX, and a TTL with the first bit set */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x0f\0\1\x80\0\0\1\0\3\0\0\0"), DNS_MX, 0,
	    DNS_FOUND, 0, 1, "example.test", "" },
	/* an alias to A.Test, which has another MX */
	{ PACKET(HEADER("\x80", "\1", "\2", "\0") QUESTION
	    "\xc0\x0c\0\5\0\1\0\0\0\7\0\4\1A\xc0\x14"
	    "\1a\xc0\x14\0\x0f\0\1\0\0\0\x09\0\4\0\1\xc0\x14"), DNS_MX, 0,
	    DNS_FOUND, 7, 1, "a.test", "test" },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\5\0\1\0\0\0\7\0\2\xc0\x14"), DNS_CNAME, 0,
	    DNS_FOUND, 7, 1, "example.test", "test" },
	/* an alias to itself */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\5\0\1\0\0\0\7\0\2\xc0\x0c"), DNS_MX, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	/* denials: the least of 512 and 60 */
	{ PACKET(HEADER("\x83", "\1", "\0", "\1") QUESTION SOA), DNS_MX, 0,
	    DNS_NO_NAME, 60, 0, "example.test", NULL },
	{ PACKET(HEADER("\x80", "\1", "\0", "\1") QUESTION SOA), DNS_MX, 0,
	    DNS_NO_DATA, 60, 0, "example.test", NULL },
	{ PACKET(HEADER("\x82", "\1", "\0", "\0") QUESTION), DNS_MX, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	/* TXT, TLSA, A */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x10\0\1\0\0\0\1\0\6\2ab\0\1c"), DNS_TXT, 0,
	    DNS_FOUND, 1, 1, "example.test", "abc" },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x10\0\1\0\0\0\1\0\5\2ab\3c"), DNS_TXT, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x34\0\1\0\0\0\1\0\4\3\1\1a"), DNS_TLSA, 0,
	    DNS_FOUND, 1, 1, "example.test", "\3\1\1a" },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x34\0\1\0\0\0\1\0\3\3\1\1"), DNS_TLSA, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x21\0\1\0\0\0\1\0\x08\0\1\0\2\1\xd1\xc0\x14"), DNS_SRV, 0,
	    DNS_FOUND, 1, 1, "example.test", "test" },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x21\0\1\0\0\0\1\0\6\0\1\0\2\1\xd1"), DNS_SRV, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\1\1\0\1\0\0\0\1\0\5\1\2abc"), DNS_CAA, 0,
	    DNS_FOUND, 1, 1, "example.test", "\1\2abc" },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\1\1\0\1\0\0\0\1\0\5\1\4abc"), DNS_CAA, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\1\0\1\0\0\0\1\0\3\1\2\3"), DNS_A, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, 0,
	    DNS_FOUND, 1, 1, "example.test", NULL },
	/* pointers forward, to themselves, past the end */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x1e\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xff\xff\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	/* a dot and a blank inside a label */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x0f\0\1\0\0\0\1\0\7\0\1\3a.b\0"), DNS_MX, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x0f\0\1\0\0\0\1\0\7\0\1\3a b\0"), DNS_MX, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	/* bytes after the name in the data */
	{ PACKET(HEADER("\x80", "\1", "\1", "\0") QUESTION
	    "\xc0\x0c\0\x0f\0\1\0\0\0\1\0\6\0\1\1a\0a"), DNS_MX, -1,
	    DNS_FOUND, 0, 0, NULL, NULL },
	/* two questions */
	{ PACKET(HEADER("\x80", "\2", "\0", "\0") QUESTION QUESTION), DNS_MX,
	    -1, DNS_FOUND, 0, 0, NULL, NULL },
};

static void
packet_check(const struct expect *e)
{
	struct dns_answer got = { 0 };
	struct arena a;

	arena_init(&a, 65536);
	assert_int_equal(dns_packet_read(e->packet, STR("example.test"),
	    e->type, &a, &got), e->rc);
	if (e->rc == 0) {
		assert_int_equal(got.status, e->status);
		assert_int_equal(got.ttl, e->ttl);
		assert_int_equal(got.n, e->n);
		assert_true(str_eq(got.canonical, str_of(e->canonical)));
		if (e->name != NULL)
			assert_true(str_eq(got.records[0].name.p != NULL ?
			    got.records[0].name : got.records[0].data,
			    str_of(e->name)));
	}
	arena_clear(&a);
}

static void
test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof expects / sizeof expects[0]; i++)
		packet_check(&expects[i]);
}

/* Cut anywhere, one octet changed anywhere: refused or understood, and ASan
 * has nothing to say. */
static void
test_damage(void **state)
{
	struct dns_answer got;
	struct arena a;

	(void)state;
	for (size_t i = 0; i < sizeof expects / sizeof expects[0]; i++) {
		size_t n = expects[i].packet.n;
		char *copy = test_malloc(n);

		for (size_t k = 0; k < n * 8; k++) {
			memcpy(copy, expects[i].packet.p, n);
			copy[k / 8] = (char)((unsigned char)copy[k / 8] ^
			    1U << k % 8);
			arena_init(&a, 65536);
			(void)dns_packet_read((struct str){ copy, n },
			    STR("example.test"), expects[i].type, &a, &got);
			arena_clear(&a);
		}
		test_free(copy);
		for (size_t k = 0; k < n; k++) {
			copy = test_malloc(k + 1);
			memcpy(copy, expects[i].packet.p, k);
			arena_init(&a, 65536);
			(void)dns_packet_read((struct str){ copy, k },
			    STR("example.test"), expects[i].type, &a, &got);
			arena_clear(&a);
			test_free(copy);
		}
	}
}

/* n records are taken, one more is trouble. */
static void
test_many(void **state)
{
	static char packet[12 + (DNS_RECORDS + 1) * 16 + 32];
	struct dns_answer got;
	struct arena a;
	struct buf b = BUF_OF(packet);

	(void)state;
	buf_put(&b, STR(HEADER("\x80", "\1", "\1", "\0") QUESTION));
	packet[6] = 1;
	packet[7] = 0;
	for (int i = 0; i <= DNS_RECORDS; i++)
		buf_put(&b, STR("\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"));
	assert_false(b.full);
	arena_init(&a, 1 << 20);
	assert_int_equal(dns_packet_read(buf_str(&b), STR("example.test"),
	    DNS_A, &a, &got), 0);
	assert_int_equal(got.n, DNS_RECORDS);
	packet[7] = 1;
	assert_int_equal(dns_packet_read(buf_str(&b), STR("example.test"),
	    DNS_A, &a, &got), -1);
	arena_clear(&a);
	err_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
