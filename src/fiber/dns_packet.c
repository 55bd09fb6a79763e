/*
 * A message (RFC 1035 4.1), all numbers big-endian:
 *
 *	0	2	id
 *	2	2	flags; rcode in the last four bits
 *	4	8	how many questions, answers, authorities, additionals
 *	12		questions:	name, type 2, class 2
 *			records:	name, type 2, class 2, ttl 4, n 2, data n
 *
 * A name is labels (length 1..63, octets) ended by length 0 or by a pointer
 * (two octets, 11 in the first two bits) to an earlier place of the message.
 */
#include "fiber/dns_packet.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/net.h"

enum { HEADER = 12, CHAIN_MOST = 16, TYPE_SOA = 6, CLASS_IN = 1,
	RCODE_NXDOMAIN = 3, RECORDS_MOST = 4096 };

struct packet {
	const unsigned char *p;
	size_t n, at;
	unsigned answers, authorities;
	size_t answers_at;
};

struct packet_name { size_t n; char text[DNS_NAME_MOST + 1]; };

struct packet_record {
	struct packet_name name;
	unsigned type, class;
	uint32_t ttl;
	size_t data_at, data_n;
};

static bool
packet_u16(struct packet *k, unsigned *out)
{
	must(k->at <= k->n);
	if (k->n - k->at < 2)
		return false;
	*out = (unsigned)k->p[k->at] << 8 | k->p[k->at + 1];
	k->at += 2;
	return true;
}

static bool
packet_u32(struct packet *k, uint32_t *out)
{
	unsigned high, low;

	if (!packet_u16(k, &high) || !packet_u16(k, &low))
		return false;
	*out = (uint32_t)high << 16 | low;
	return true;
}

static bool
name_put(struct packet_name *name, const unsigned char *label, size_t n)
{
	must(name->n < sizeof name->text);
	if (n > 63 || name->n + n + 1 > DNS_NAME_MOST - 1)
		return false;
	if (name->n > 0)
		name->text[name->n++] = '.';
	for (size_t i = 0; i < n; i++) {
		/* a dot inside a label would change the name as text */
		if (label[i] == '.')
			return false;
		name->text[name->n++] = ascii_lower((char)label[i]);
	}
	return true;
}

/* RFC 1035 4.1.4.  Pointers go back only, so this ends. */
static bool
packet_name(struct packet *k, struct packet_name *name)
{
	size_t at = k->at, least = k->at;
	bool has_jumped = false;

	must(k->at <= k->n);
	name->n = 0;
	for (;;) {
		size_t n;

		if (at >= k->n)
			return false;
		n = k->p[at++];
		if (n >= 0xc0) {
			if (at >= k->n)
				return false;
			n = (n & 0x3f) << 8 | k->p[at++];
			if (!has_jumped)
				k->at = at;
			has_jumped = true;
			if (n >= least)
				return false;
			at = least = n;
		} else if (n == 0) {
			break;
		} else {
			if (n > k->n - at || !name_put(name, k->p + at, n))
				return false;
			at += n;
		}
	}
	if (!has_jumped)
		k->at = at;
	return dns_name_fits((struct str){ name->text, name->n });
}

static bool
packet_record(struct packet *k, struct packet_record *r)
{
	unsigned n;

	if (!packet_name(k, &r->name) || !packet_u16(k, &r->type) ||
	    !packet_u16(k, &r->class) || !packet_u32(k, &r->ttl) ||
	    !packet_u16(k, &n) || n > k->n - k->at)
		return false;
	/* RFC 2181 8: the first bit makes it zero */
	if (r->ttl > INT32_MAX)
		r->ttl = 0;
	r->data_at = k->at;
	r->data_n = n;
	k->at += n;
	must(k->at <= k->n);
	return true;
}

static bool
name_is(const struct packet_name *name, struct str what)
{
	return str_eq((struct str){ name->text, name->n }, what);
}

/* A name that fills the data from its `skip'th octet on. */
static bool
data_name(const struct packet *k, const struct packet_record *r, size_t skip,
    struct arena *a, struct str *out)
{
	struct packet inside = { .p = k->p, .n = k->n,
		.at = r->data_at + skip };
	struct packet_name name;

	if (r->data_n < skip || !packet_name(&inside, &name) ||
	    inside.at != r->data_at + r->data_n)
		return false;
	*out = arena_copy(a, (struct str){ name.text, name.n });
	return out->p != NULL;
}

static bool
data_address(const struct packet *k, const struct packet_record *r,
    struct address *out)
{
	size_t n = r->type == DNS_A ? 4 : 16;

	must(r->data_at + r->data_n <= k->n);
	if (r->data_n != n)
		return false;
	out->family = r->type == DNS_A ? ADDRESS_V4 : ADDRESS_V6;
	memcpy(out->of.ip, k->p + r->data_at, n);
	return true;
}

/* RFC 1035 3.3.14: character-strings, joined. */
static bool
data_txt(const struct packet *k, const struct packet_record *r,
    struct arena *a, struct str *out)
{
	char *to = arena_alloc(a, r->data_n + 1);
	size_t at = r->data_at, end = r->data_at + r->data_n, fill = 0;

	must(end <= k->n);
	if (to == NULL || r->data_n == 0)
		return false;
	while (at < end) {
		size_t n = k->p[at++];

		if (n > end - at)
			return false;
		memcpy(to + fill, k->p + at, n);
		fill += n;
		at += n;
	}
	*out = (struct str){ to, fill };
	return true;
}

static uint16_t
data_u16(const struct packet *k, const struct packet_record *r, size_t at)
{
	must(at + 2 <= r->data_n && r->data_at + r->data_n <= k->n);
	return (uint16_t)(k->p[r->data_at + at] << 8 | k->p[r->data_at + at + 1]);
}

static bool
packet_data(const struct packet *k, const struct packet_record *r,
    struct arena *a, struct dns_record *out)
{
	*out = (struct dns_record){ 0 };
	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		return data_address(k, r, &out->address);
	case DNS_CNAME:
	case DNS_PTR:
		return data_name(k, r, 0, a, &out->name);
	case DNS_MX:
		if (r->data_n < 3)
			return false;
		out->preference = data_u16(k, r, 0);
		return data_name(k, r, 2, a, &out->name);
	case DNS_SRV:
		/* RFC 2782: priority, weight, port, target */
		if (r->data_n < 7)
			return false;
		out->preference = data_u16(k, r, 0);
		out->weight = data_u16(k, r, 2);
		out->port = data_u16(k, r, 4);
		return data_name(k, r, 6, a, &out->name);
	case DNS_TXT:
		return data_txt(k, r, a, &out->data);
	case DNS_TLSA:
		/* RFC 6698 2.1: three octets, then what must not be empty */
		if (r->data_n < 4)
			return false;
		out->data = arena_copy(a, (struct str){
		    (const char *)k->p + r->data_at, r->data_n });
		return out->data.p != NULL;
	case DNS_CAA:
		/* RFC 8659 4.1: flags, the tag's length, tag, value */
		if (r->data_n < 2 || k->p[r->data_at + 1] > r->data_n - 2)
			return false;
		out->data = arena_copy(a, (struct str){
		    (const char *)k->p + r->data_at, r->data_n });
		return out->data.p != NULL;
	default:
		return false;
	}
}

static bool
packet_open(struct packet *k, struct str packet, unsigned *rcode)
{
	struct packet_name name;
	unsigned flags, questions, type, class, skipped;

	*k = (struct packet){ .p = (const unsigned char *)packet.p,
		.n = packet.n, .at = 2 };
	if (packet.n < HEADER || !packet_u16(k, &flags) ||
	    !packet_u16(k, &questions) || !packet_u16(k, &k->answers) ||
	    !packet_u16(k, &k->authorities) || !packet_u16(k, &skipped))
		return false;
	*rcode = flags & 15;
	if (questions > 1 || k->answers > RECORDS_MOST ||
	    k->authorities > RECORDS_MOST)
		return false;
	if (questions == 1 && (!packet_name(k, &name) ||
	    !packet_u16(k, &type) || !packet_u16(k, &class)))
		return false;
	k->answers_at = k->at;
	return true;
}

static void
ttl_lower(struct dns_answer *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

/*
 * One walk over the answers about `name'.  How many were of the type; an alias
 * found instead is put in *alias.  -1: malformed.
 */
static int
packet_walk(struct packet *k, struct str name, enum dns_type type,
    struct arena *a, struct dns_answer *out, struct str *alias)
{
	struct packet_record r;
	int n = 0;

	*alias = STR_NONE;
	k->at = k->answers_at;
	for (unsigned i = 0; i < k->answers; i++) {
		if (!packet_record(k, &r))
			return err_set("malformed DNS answer");
		if (r.class != CLASS_IN || !name_is(&r.name, name))
			continue;
		if (r.type == DNS_CNAME && type != DNS_CNAME) {
			if (!data_name(k, &r, 0, a, alias))
				return err_set("malformed CNAME");
			ttl_lower(out, r.ttl);
		}
		if (r.type != (unsigned)type)
			continue;
		ttl_lower(out, r.ttl);
		if (n == DNS_RECORDS)
			return err_set("more than %d records", DNS_RECORDS);
		if (out->records != NULL &&
		    !packet_data(k, &r, a, &out->records[n]))
			return err_set("malformed record in a DNS answer");
		n++;
	}
	return n;
}

/* RFC 2308 5: the lesser of the SOA's TTL and its last field. */
static int
packet_deny(struct packet *k, struct dns_answer *out)
{
	struct packet_record r;
	uint32_t ttl = 0;

	for (unsigned i = 0; i < k->authorities; i++) {
		struct packet inside = *k;

		if (!packet_record(k, &r))
			return err_set("malformed DNS authority");
		inside.at = r.data_at + r.data_n - 4;
		if (r.type != TYPE_SOA || r.data_n < 22 ||
		    !packet_u32(&inside, &ttl))
			continue;
		ttl = ttl < r.ttl ? ttl : r.ttl;
	}
	ttl_lower(out, ttl);
	return 0;
}

int
dns_packet_read(struct str packet, struct str name, enum dns_type type,
    struct arena *a, struct dns_answer *out)
{
	struct packet k;
	struct str alias;
	unsigned rcode;
	int n, hops = 0;

	out->ttl = UINT32_MAX;
	out->n = 0;
	out->records = NULL;
	if (!packet_open(&k, packet, &rcode))
		return err_set("malformed DNS message");
	if (rcode != 0 && rcode != RCODE_NXDOMAIN)
		return err_set("rcode %u", rcode);
	while ((n = packet_walk(&k, name, type, a, out, &alias)) == 0 &&
	    alias.p != NULL) {
		name = alias;
		if (++hops > CHAIN_MOST)
			return err_set("too many CNAMEs");
	}
	if (n < 0)
		return -1;
	out->canonical = arena_copy(a, name);
	if (n == 0) {
		out->status = rcode == 0 ? DNS_NO_DATA : DNS_NO_NAME;
		return packet_deny(&k, out);
	}
	out->records = arena_alloc(a, (size_t)n * sizeof *out->records);
	if (out->records == NULL || out->canonical.p == NULL)
		return err_set("no room for DNS records");
	out->n = (size_t)n;
	out->status = DNS_FOUND;
	return packet_walk(&k, name, type, a, out, &alias) == n ? 0 : -1;
}
