#include "spool/record.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/must.h"
#include "base/num.h"

/*
 * A record, little-endian, at a multiple of RECORD_ALIGN of its segment:
 *
 *	 0   4	magic "NM\0r": a body never holds NUL (SECURITY.md row 21), so
 *		no body can hold the beginning of a record
 *	 4   1	format version of the record, 1
 *	 5   1	type (record.def)
 *	 6   2	flags (enum record_flags)
 *	 8   4	payload length p
 *	12   4	body length b
 *	16   8	salt of the segment: random for each turn of its file, so that
 *		what an earlier turn left behind is not believed
 *	24   8	sequence: rises by every record of the spool
 *	32   8	message id; 0: none
 *	40   4	CRC-32C of the payload
 *	44   4	CRC-32C of the body
 *	48   4	settled: so many units of RECORD_ALIGN of this segment were on
 *		disk when the record was written; damage below was no torn write
 *	52   4	CRC-32C of octets 0 to 51
 *	56   p	payload: tag, length, value (tlv.h)
 *	56+p b	body, raw; absent in a sidecar's copy (RECORD_BODILESS)
 *		zeros up to a multiple of RECORD_ALIGN
 *
 * A record is whole when (1) the magic and version are ours, (2) the header's
 * sum is right, (3) the salt is its segment's, (4) its sequence is above that
 * of the record before it, (5) it ends within the segment and (6) the sums of
 * payload and body are right.  (3) and (4) are scan.c's affair.
 */
enum { RECORD_VERSION = 1, MAGIC_N = 4, SUMMED = 52 };

static const char magic[MAGIC_N] = { 'N', 'M', '\0', 'r' };

uint64_t
record_size(uint32_t payload_n, uint32_t body_n)
{
	uint64_t n = (uint64_t)RECORD_HEADER + payload_n + body_n;

	return (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

void
record_seal(const struct record *r, char *to)
{
	struct buf b = { .p = to, .cap = RECORD_HEADER };

	must(r->payload_n <= RECORD_PAYLOAD_MOST);
	must(r->body_n <= RECORD_BODY_MOST);
	buf_put(&b, (struct str){ magic, MAGIC_N });
	buf_putc(&b, RECORD_VERSION);
	buf_putc(&b, (char)r->type);
	buf_le16(&b, r->flags);
	buf_le32(&b, r->payload_n);
	buf_le32(&b, r->body_n);
	buf_le64(&b, r->salt);
	buf_le64(&b, r->sequence);
	buf_le64(&b, r->id);
	buf_le32(&b, r->payload_sum);
	buf_le32(&b, r->body_sum);
	buf_le32(&b, r->settled);
	must(b.n == SUMMED);
	buf_le32(&b, crc32c(0, buf_str(&b)));
	must(b.n == RECORD_HEADER && !b.full);
}

/* Cut the fields off a header whose sum is right. */
static void
record_take_fields(struct str s, struct record *r)
{
	uint16_t kind;

	s = str_sub(s, MAGIC_N, s.n);
	must(take_le16(&s, &kind));
	r->version = (uint8_t)kind;
	r->type = (uint8_t)(kind >> 8);
	must(take_le16(&s, &r->flags));
	must(take_le32(&s, &r->payload_n));
	must(take_le32(&s, &r->body_n));
	must(take_le64(&s, &r->salt));
	must(take_le64(&s, &r->sequence));
	must(take_le64(&s, &r->id));
	must(take_le32(&s, &r->payload_sum));
	must(take_le32(&s, &r->body_sum));
	must(take_le32(&s, &r->settled));
}

enum record_fault
record_read_header(struct str bytes, struct record *out)
{
	struct str sum_at = str_sub(bytes, SUMMED, bytes.n);
	uint32_t sum;

	*out = (struct record){ .type = 0 };
	if (!str_eq(str_sub(bytes, 0, MAGIC_N), (struct str){ magic, MAGIC_N }))
		return RECORD_NONE;
	if (bytes.n < RECORD_HEADER || !take_le32(&sum_at, &sum))
		return RECORD_SHORT;
	if (crc32c(0, str_sub(bytes, 0, SUMMED)) != sum)
		return RECORD_BAD_HEADER;
	record_take_fields(bytes, out);
	if (out->version != RECORD_VERSION ||
	    out->payload_n > RECORD_PAYLOAD_MOST || out->body_n > RECORD_BODY_MOST)
		return RECORD_BAD_HEADER;
	return RECORD_WHOLE;
}

enum record_fault
record_read_payload(struct str bytes, struct record *out)
{
	enum record_fault fault = record_read_header(bytes, out);

	if (fault != RECORD_WHOLE)
		return fault;
	if (bytes.n - RECORD_HEADER < out->payload_n)
		return RECORD_SHORT;
	out->payload = str_sub(bytes, RECORD_HEADER, out->payload_n);
	if (crc32c(0, out->payload) != out->payload_sum)
		return RECORD_BAD_PAYLOAD;
	return RECORD_WHOLE;
}

enum record_fault
record_read(struct str bytes, struct record *out)
{
	enum record_fault fault = record_read_payload(bytes, out);
	size_t before = (size_t)RECORD_HEADER + out->payload_n;

	if (fault != RECORD_WHOLE)
		return fault;
	if ((out->flags & RECORD_BODILESS) != 0)
		return RECORD_WHOLE;
	if (bytes.n - before < out->body_n)
		return RECORD_SHORT;
	out->body = str_sub(bytes, before, out->body_n);
	if (crc32c(0, out->body) != out->body_sum)
		return RECORD_BAD_BODY;
	return RECORD_WHOLE;
}

const char *
record_type_name(uint8_t type)
{
	static const char *const names[] = {
#define RECORD(name, number, says) [number] = #name,
#include "spool/record.def"
#undef RECORD
	};

	return type < sizeof names / sizeof *names ? names[type] : NULL;
}

const char *
record_fault_says(enum record_fault fault)
{
	static const char *const words[] = {
		[RECORD_WHOLE] = "whole",
		[RECORD_NONE] = "no record",
		[RECORD_SHORT] = "cut short",
		[RECORD_BAD_HEADER] = "damaged header",
		[RECORD_BAD_PAYLOAD] = "damaged payload",
		[RECORD_BAD_BODY] = "damaged body",
		[RECORD_STALE] = "of an earlier turn",
	};

	return words[fault];
}
