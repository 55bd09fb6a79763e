#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void
buf_put(struct buf *b, struct str s)
{
	if (b->full || s.n > b->cap - b->n) {
		b->full = true;
		return;
	}
	if (s.n > 0)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

void
buf_putc(struct buf *b, char c)
{
	buf_put(b, (struct str){ &c, 1 });
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->n;
	va_list ap;
	int n;

	if (b->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(b->p + b->n, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)		/* its NUL must fit too */
		b->full = true;
	else
		b->n += (size_t)n;
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_put(b, (struct str){ digits + at, sizeof digits - at });
}

static void
put_le(struct buf *b, uint64_t v, size_t n)
{
	char bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(v >> (8 * i) & 0xff);
	buf_put(b, (struct str){ bytes, n });
}

void
buf_le16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
buf_le32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_le64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}
