#include "wire/orcpt.h"

#include "base/utf8.h"
#include "wire/unitext.h"
#include "wire/xtext.h"

/*
 * RFC 3461 4.2: orcpt-parameter = "ORCPT=" addr-type ";" xtext
 * RFC 6533 3: of the type utf-8 it is not xtext but
 *	1*( QUCHAR / "\x{" HEXPOINT "}" )
 * where QUCHAR is UTF-8 beyond ASCII, or printable ASCII but SP, \, + and =.
 */
static const struct str utf8_type = STR_INIT("utf-8");

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
is_shown(struct str s)
{
	while (s.n > 0) {
		uint32_t c = 0;
		size_t n = utf8_next(s, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return false;
		s = str_sub(s, n, s.n);
	}
	return true;
}

static bool
take_unitext(struct str s, bool is_utf8, struct buf *out)
{
	size_t before = out->n;

	return (is_utf8 || str_is_ascii(s)) && unitext_decode(s, out) &&
	    is_shown(str_sub(buf_str(out), before, out->n));
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
		if (n == 1 || !is_utf8)
			unitext_encode(str_sub(orcpt, 0, n), out);
		else
			buf_put(out, str_sub(orcpt, 0, n));
		orcpt = str_sub(orcpt, n, orcpt.n);
	}
}
