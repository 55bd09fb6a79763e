#include "wire/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static uint32_t
octet_at(struct str s, size_t i)
{
	return i < s.n ? (unsigned char)s.p[i] : 0;
}

void
base64url_put(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t bits = octet_at(s, i) << 16 | octet_at(s, i + 1) << 8 |
		    octet_at(s, i + 2);
		size_t letters = s.n - i < 3 ? s.n - i + 1 : 4;

		for (size_t k = 0; k < letters; k++)
			buf_putc(b, alphabet[bits >> (18 - 6 * k) & 63]);
	}
}

static int
letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
base64url_read(struct str s, struct buf *out)
{
	uint32_t bits = 0;
	unsigned held = 0;

	if (s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int v = letter_value(s.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		buf_putc(out, (char)(bits >> held & 0xff));
	}
	return (bits & ((1u << held) - 1)) == 0 && !out->full;
}
