#include "wire/orcpt.h"

#include "wire/xtext.h"

/*
 * RFC 3461 4.2: orcpt-parameter = "ORCPT=" addr-type ";" xtext
 * RFC 6533 3: of the type utf-8 it is not xtext but
 *	1*( QUCHAR / "\x{" HEXPOINT "}" )
 * where QUCHAR is UTF-8 beyond ASCII, or printable ASCII but SP, \, + and =.
 */
static const struct str utf8_type = STR_INIT("utf-8");

enum { HEX_LEAST = 2, HEX_MOST = 6, CODE_MOST = 0x10ffff };

static bool
is_qchar(char c)
{
	return c > ' ' && c <= '~' && c != '+' && c != '=' && c != '\\';
}

static bool
is_type(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n > 0;
}

/* Controls, of ASCII and above, are no part of an address that is shown. */
static bool
code_is_fine(uint32_t c)
{
	return c >= 0x20 && (c < 0x7f || c > 0x9f) && c <= CODE_MOST &&
	    (c < 0xd800 || c > 0xdfff);
}

static void
code_put(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_putc(out, (char)(0xe0 | c >> 12));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_putc(out, (char)(0xf0 | c >> 18));
		buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

/* The character at the front of s, which is UTF-8 of n octets. */
static uint32_t
code_of(struct str s, size_t n)
{
	static const unsigned char head[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)s.p[0] & head[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	return c;
}

/* "\x{" HEXPOINT "}" off the front: HEXPOINT has two digits at least, and no 0
 * more than that needs. */
static bool
take_embedded(struct str *s, struct buf *out)
{
	uint32_t c = 0;
	struct str hex;

	if (!str_skip(s, STR("\\x{")) || str_find(*s, '}') == s->n)
		return false;
	hex = str_cut(s, '}');
	if (hex.n < HEX_LEAST || hex.n > HEX_MOST ||
	    (hex.n > HEX_LEAST && hex.p[0] == '0'))
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		char d = hex.p[i];

		if (!ascii_is_digit(d) && (d < 'A' || d > 'F'))
			return false;
		c = c << 4 | (uint32_t)(ascii_is_digit(d) ? d - '0' :
		    d - 'A' + 10);
	}
	if (!code_is_fine(c))
		return false;
	code_put(out, c);
	return true;
}

static bool
take_unitext(struct str s, bool is_utf8, struct buf *out)
{
	while (s.n > 0) {
		size_t n = str_utf8_char(s);

		if (s.p[0] == '\\') {
			if (!take_embedded(&s, out))
				return false;
			continue;
		}
		if (n == 0 || (n == 1 && !is_qchar(s.p[0])) ||
		    (n > 1 && (!is_utf8 || !code_is_fine(code_of(s, n)))))
			return false;
		buf_put(out, str_sub(s, 0, n));
		s = str_sub(s, n, s.n);
	}
	return !out->full;
}

bool
orcpt_read(struct str value, bool is_utf8, struct buf *out)
{
	bool has_semicolon = str_find(value, ';') < value.n;
	size_t n = value.n, before;
	struct str type = str_cut(&value, ';');

	if (!has_semicolon || !is_type(type) || value.n == 0 || n > ORCPT_MOST)
		return false;
	buf_put(out, type);
	buf_putc(out, ';');
	before = out->n;
	if (str_eq_icase(type, utf8_type) &&
	    take_unitext(value, is_utf8, out))
		return true;
	/* there are who write xtext behind utf-8 too */
	out->n = before;
	return xtext_decode(value, out) && str_is_printable(str_sub(
	    buf_str(out), before, out->n));
}

void
orcpt_write(struct str orcpt, bool is_utf8, struct buf *out)
{
	struct str type = str_cut(&orcpt, ';');

	buf_put(out, type);
	buf_putc(out, ';');
	if (!str_eq_icase(type, utf8_type)) {
		xtext_encode(orcpt, out);
		return;
	}
	while (orcpt.n > 0) {
		size_t n = str_utf8_char(orcpt);

		n = n == 0 ? 1 : n;
		if (n == 1 ? is_qchar(orcpt.p[0]) : is_utf8)
			buf_put(out, str_sub(orcpt, 0, n));
		else
			buf_printf(out, "\\x{%02X}",
			    (unsigned)code_of(orcpt, n));
		orcpt = str_sub(orcpt, n, orcpt.n);
	}
}
