/*
 * RFC 6533 3:
 *
 *	EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"	; "\x{...}"
 *	QCHAR = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e
 *
 * HEXPOINT is 2 to 6 digits, no surrogates, and never a character that could
 * stand for itself.
 */
#include "wire/unitext.h"

#include "base/utf8.h"

enum { HEX_DIGITS_LEAST = 2, HEX_DIGITS_MOST = 6, REPLACEMENT = 0xfffd };

static bool
stands_for_itself(uint32_t c)
{
	return c > ' ' && c < 0x7f && c != '\\' && c != '+' && c != '=';
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands between the braces. */
static bool
point_decode(struct str hex, struct buf *out)
{
	uint32_t c = 0;

	if (hex.n < HEX_DIGITS_LEAST || hex.n > HEX_DIGITS_MOST)
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		int v = hex_value(hex.p[i]);

		if (v < 0)
			return false;
		c = c << 4 | (uint32_t)v;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ||
	    stands_for_itself(c))
		return false;
	utf8_put(out, c);
	return true;
}

bool
unitext_decode(struct str s, struct buf *out)
{
	while (s.n > 0) {
		uint32_t c;
		size_t n = utf8_next(s, &c);

		if (n == 1 && str_skip(&s, STR("\\x{"))) {
			size_t end = str_find(s, '}');

			if (end == s.n || !point_decode(str_sub(s, 0, end),
			    out))
				return false;
			s = str_sub(s, end + 1, s.n);
			continue;
		}
		if (n == 0 || (n == 1 && !stands_for_itself(c)))
			return false;
		buf_put(out, str_sub(s, 0, n));
		s = str_sub(s, n, s.n);
	}
	return !out->full;
}

void
unitext_encode(struct str s, struct buf *out)
{
	while (s.n > 0) {
		uint32_t c = REPLACEMENT;
		size_t n = utf8_next(s, &c);

		if (n == 1 && stands_for_itself(c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "\\x{%02X}", n == 0 ?
			    (unsigned)REPLACEMENT : (unsigned)c);
		s = str_sub(s, n == 0 ? 1 : n, s.n);
	}
}
