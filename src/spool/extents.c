#include "spool/extents.h"

#include "base/must.h"
#include "base/num.h"
#include "spool/record.h"
#include "spool/tlv.h"

void
extents_put(struct buf *b, const struct extent *e, size_t n)
{
	size_t opened;

	if (n == 0)
		return;
	opened = tlv_open(b, TAG_EXTENTS);
	for (size_t i = 0; i < n; i++) {
		buf_le64(b, e[i].segment == NULL ? 0 : e[i].segment->number);
		buf_le32(b, e[i].at);
		buf_le32(b, e[i].n);
	}
	tlv_close(b, opened);
}

int64_t
extents_count(struct str s)
{
	uint64_t segment;
	uint32_t at, n;

	if (s.n % EXTENT_BYTES != 0)
		return -1;
	for (struct str left = s; left.n > 0;) {
		must(take_le64(&left, &segment) && take_le32(&left, &at));
		must(take_le32(&left, &n));
		if (n > RECORD_BODY_MOST)
			return -1;
	}
	return (int64_t)(s.n / EXTENT_BYTES);
}

void
extents_take(struct str s, const struct log *l, struct extent *out)
{
	uint64_t segment;

	for (; s.n > 0; out++) {
		must(take_le64(&s, &segment) && take_le32(&s, &out->at));
		must(take_le32(&s, &out->n));
		out->segment = log_find(l, segment);
	}
}
