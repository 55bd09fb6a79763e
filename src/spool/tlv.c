#include "spool/tlv.h"

#include "base/must.h"
#include "base/num.h"

static void
tlv_put_head(struct buf *b, uint8_t tag, size_t n)
{
	must(n <= TLV_VALUE_MOST);
	buf_le32(b, (uint32_t)n << 8 | tag);
}

void
tlv_put(struct buf *b, uint8_t tag, struct str value)
{
	tlv_put_head(b, tag, value.n);
	buf_put(b, value);
}

void
tlv_put_some(struct buf *b, uint8_t tag, struct str value)
{
	if (value.n > 0)
		tlv_put(b, tag, value);
}

void
tlv_put_u64(struct buf *b, uint8_t tag, uint64_t v)
{
	char bytes[8];
	size_t n = 0;

	for (; v > 0; v >>= 8)
		bytes[n++] = (char)(v & 0xff);
	tlv_put(b, tag, (struct str){ bytes, n });
}

size_t
tlv_open(struct buf *b, uint8_t tag)
{
	size_t opened = b->n;

	tlv_put_head(b, tag, 0);
	return opened;
}

void
tlv_close(struct buf *b, size_t opened)
{
	struct buf head = { .p = b->p + opened, .cap = TLV_HEAD };
	size_t n;

	if (b->full)
		return;
	must(b->n >= opened + TLV_HEAD);
	n = b->n - opened - TLV_HEAD;
	tlv_put_head(&head, (uint8_t)b->p[opened], n);
}

enum tlv_result
tlv_next(struct str *bytes, struct tlv *out)
{
	uint32_t head;

	if (bytes->n == 0)
		return TLV_END;
	if (!take_le32(bytes, &head) ||
	    !take_bytes(bytes, head >> 8, &out->value))
		return TLV_BAD;
	out->tag = (uint8_t)(head & 0xff);
	return TLV_VALUE;
}

bool
tlv_is_native(uint8_t tag)
{
	static const bool known[TLV_MAY_SKIP * 2] = {
#define TAG(name, number) [number] = true,
#include "spool/tag.def"
#undef TAG
	};

	return tag >= TLV_MAY_SKIP || known[tag];
}

bool
tlv_u64(struct str value, uint64_t *out)
{
	uint64_t v = 0;

	if (value.n > 8)
		return false;
	for (size_t i = value.n; i-- > 0;)
		v = v << 8 | (unsigned char)value.p[i];
	*out = v;
	return true;
}
