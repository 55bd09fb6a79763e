#include "base/utf8.h"

/* RFC 3629 4, UTF8-octets = *( UTF8-char ): the second octet's range depends
 * on the first, the rest are UTF8-tail = %x80-BF. */
static bool
utf8_second_fits(unsigned char first, unsigned char second)
{
	unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	return second >= least && second <= most;
}

static size_t
utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t
utf8_next(struct str s, uint32_t *code)
{
	size_t n = s.n == 0 ? 0 : utf8_length((unsigned char)s.p[0]);
	uint32_t v;

	if (n == 0 || n > s.n)
		return 0;
	v = (unsigned char)s.p[0];
	if (n > 1) {
		v &= 0x7fu >> n;
		if (!utf8_second_fits((unsigned char)s.p[0],
		    (unsigned char)s.p[1]))
			return 0;
	}
	for (size_t i = 1; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (c & 0x3f);
	}
	*code = v;
	return n;
}

/* Controls, line and paragraph separators, direction marks, characters without
 * width, tags, and what is no character at all.  In order. */
static const struct { uint32_t from, to; } hidden[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c },
	{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
	{ 0x2060, 0x206f }, { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff },
	{ 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff },
};

bool
utf8_is_visible(uint32_t code)
{
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (code >= hidden[i].from && code <= hidden[i].to)
			return false;
	return (code & 0xfffe) != 0xfffe;
}

size_t
utf8_plain(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] <= '~')
		n++;
	return n;
}

void
utf8_put(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
		return;
	}
	if (c < 0x800)
		buf_putc(out, (char)(0xc0 | c >> 6));
	else if (c < 0x10000)
		buf_putc(out, (char)(0xe0 | c >> 12));
	else {
		buf_putc(out, (char)(0xf0 | c >> 18));
		buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
	}
	if (c >= 0x800)
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	buf_putc(out, (char)(0x80 | (c & 0x3f)));
}
