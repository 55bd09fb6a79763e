#include "wire/xtext.h"

/* RFC 3461 4: xchar = any CHAR between "!" and "~" except "+" and "=";
 *	hexchar = "+" 2(%x30-39 / %x41-46) */
static bool
is_xchar(char c)
{
	return c > ' ' && c <= '~' && c != '+' && c != '=';
}

static int
hex_upper(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One character off the front: its octet, or -1. */
static int
take_char(struct str *s)
{
	int c, high, low;

	if (is_xchar(s->p[0])) {
		c = (unsigned char)s->p[0];
		*s = str_sub(*s, 1, s->n);
		return c;
	}
	if (s->p[0] != '+' || s->n < 3)
		return -1;
	high = hex_upper(s->p[1]);
	low = hex_upper(s->p[2]);
	*s = str_sub(*s, 3, s->n);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool
xtext_decode(struct str s, struct buf *out)
{
	while (s.n > 0) {
		int c = take_char(&s);

		if (c < 0)
			return false;
		buf_putc(out, (char)c);
	}
	return !out->full;
}

void
xtext_encode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_xchar(s.p[i]))
			buf_putc(out, s.p[i]);
		else
			buf_printf(out, "+%02X", (unsigned char)s.p[i]);
}
