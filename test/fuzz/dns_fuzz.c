/*
 * dns_fuzz.c -- what a resolver hands us, as records.
 *
 * Input: one octet for the type, one that says how it is made; then a message as
 * it is, or rows of which one is made: an octet for the section and the owner,
 * one for the type, one for the TTL, one for how long the data are, the data.
 * Names among the data can point into the question.
 *
 * Whatever it is: names that come out fit, records are no more than DNS_RECORDS,
 * what is told of denials has no records, the same message says the same twice.
 */
#include "fuzz.h"
#include "base/err.h"
#include "fiber/dns_packet.h"

enum { MADE_MOST = 8192 };

static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR, DNS_MX,
	DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA, DNS_CAA };
enum { TYPES = sizeof types / sizeof *types };

static char made[MADE_MOST];

static void
put_u16(struct buf *b, unsigned v)
{
	buf_putc(b, (char)(v >> 8));
	buf_putc(b, (char)v);
}

/* A row of the input becomes a record; owners are the question, a name below it,
 * or one that is said. */
static void
record_put(struct buf *b, struct str *in, unsigned section)
{
	unsigned type = fuzz_choice(in), ttl = fuzz_choice(in);
	unsigned n = fuzz_choice(in);
	struct str data = str_sub(*in, 0, n);

	*in = str_sub(*in, data.n, in->n);
	switch (section >> 4 & 3) {
	case 0:
		buf_put(b, STR("\xc0\x0c"));
		break;
	case 1:
		buf_put(b, STR("\1A\xc0\x0c"));
		break;
	case 2:
		buf_put(b, STR("\5other\4test\0"));
		break;
	default:
		buf_putc(b, (char)0xc0);
		buf_putc(b, (char)section);
		break;
	}
	put_u16(b, type < 200 ? types[type % TYPES] : type % 9);
	put_u16(b, 1);
	put_u16(b, 0);
	put_u16(b, ttl);
	put_u16(b, (unsigned)data.n);
	buf_put(b, data);
}

static struct str
message_make(struct str in, unsigned how)
{
	char answers[MADE_MOST], authorities[MADE_MOST];
	struct buf b = BUF_OF(made), some[2] = { BUF_OF(answers),
		BUF_OF(authorities) };
	unsigned counts[2] = { 0, 0 };

	while (in.n > 0) {
		unsigned section = fuzz_choice(&in), which = section % 8 == 0;

		record_put(&some[which], &in, section);
		counts[which]++;
	}
	put_u16(&b, 0);
	put_u16(&b, how >> 4 == 0 ? 0x8180 : 0x8180 | (how >> 4));
	put_u16(&b, 1);
	put_u16(&b, counts[0]);
	put_u16(&b, counts[1]);
	put_u16(&b, 0);
	buf_put(&b, STR("\7example\4test\0\0\1\0\1"));
	buf_put(&b, buf_str(&some[0]));
	buf_put(&b, buf_str(&some[1]));
	return buf_str(&b);
}

static void
record_check(const struct dns_record *r, enum dns_type type)
{
	must(dns_name_fits(r->name) || r->name.n == 0);
	for (size_t i = 0; i < r->name.n; i++)
		must(r->name.p[i] == ascii_lower(r->name.p[i]));
	must(type != DNS_A || r->address.family == ADDRESS_V4);
	must(type != DNS_AAAA || r->address.family == ADDRESS_V6);
	must(type != DNS_TLSA || r->data.n >= 4);
	must(type != DNS_CAA || r->data.n >= 2u + (unsigned char)r->data.p[1]);
}

static int
read_check(struct str packet, enum dns_type type, size_t room,
    struct dns_answer *out, struct arena *a)
{
	int rc;

	arena_init(a, room);
	rc = dns_packet_read(packet, STR("example.test"), type, a, out);
	if (rc == 0) {
		must(out->n <= DNS_RECORDS && out->status != DNS_TROUBLE);
		must((out->n > 0) == (out->status == DNS_FOUND));
		must(out->n == 0 || dns_name_fits(out->canonical));
		for (size_t i = 0; i < out->n; i++)
			record_check(&out->records[i], type);
	} else {
		must(err_text()[0] != '\0');
	}
	err_clear();
	return rc;
}

FUZZ(in)
{
	enum dns_type type = types[fuzz_choice(&in) % TYPES];
	unsigned how = fuzz_choice(&in);
	struct str packet = how & 1u ? message_make(in, how) : in;
	struct dns_answer first, again, small;
	struct arena a, b, c;
	int rc = read_check(packet, type, 1 << 20, &first, &a);

	must(read_check(packet, type, 1 << 20, &again, &b) == rc);
	must(rc != 0 || (first.n == again.n && first.ttl == again.ttl &&
	    str_eq(first.canonical, again.canonical)));
	(void)read_check(packet, type, 16u * (how >> 1), &small, &c);
	arena_clear(&a);
	arena_clear(&b);
	arena_clear(&c);
}
