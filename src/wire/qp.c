/*
 * The format, as RFC 2045 6.7 has it:
 *
 *	"=" two hex digits in capitals	any octet
 *	octets 33-60, 62-126, SP, TAB	themselves, but no white space at the
 *					end of a line
 *	CRLF				a line end
 *	"=" CRLF			nothing: a soft break
 */
#include "wire/qp.h"

#include "base/must.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- writing ---- */

/* So much of a line is used, with room for the "=" of a soft break. */
static void
unit_put(struct qp_writer *w, struct str unit, struct buf *out)
{
	if (w->column + unit.n > QP_LINE - 1) {
		buf_put(out, STR("=\r\n"));
		w->column = 0;
	}
	if (w->column == 0 && unit.p[0] == '-')
		unit = STR("=2D");
	buf_put(out, unit);
	w->column += (unsigned)unit.n;
}

static void
octet_encode(struct qp_writer *w, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char unit[3] = { '=', digits[(unsigned char)c >> 4], digits[c & 15] };

	unit_put(w, (struct str){ unit, 3 }, out);
}

static void
held_put(struct qp_writer *w, bool as_it_is, struct buf *out)
{
	if (w->held == 0)
		return;
	if (as_it_is && w->held != '\r')
		unit_put(w, (struct str){ &w->held, 1 }, out);
	else
		octet_encode(w, w->held, out);
	w->held = 0;
}

static void
octet_put(struct qp_writer *w, char c, struct buf *out)
{
	if (c == '\n' && w->held == '\r') {
		buf_put(out, STR("\r\n"));
		*w = (struct qp_writer){ 0 };
		return;
	}
	held_put(w, c != '\r', out);
	if (is_blank(c) || c == '\r')
		w->held = c;
	else if (c > ' ' && c <= '~' && c != '=')
		unit_put(w, (struct str){ &c, 1 }, out);
	else
		octet_encode(w, c, out);
}

bool
qp_put(struct qp_writer *w, struct str *in, struct buf *out)
{
	while (in->n > 0) {
		/* two units, each with a soft break before it */
		if (out->full || out->cap - out->n < QP_ROOM)
			return false;
		octet_put(w, in->p[0], out);
		*in = str_sub(*in, 1, in->n);
	}
	return true;
}

bool
qp_end(struct qp_writer *w, struct buf *out)
{
	if (out->full || out->cap - out->n < QP_ROOM)
		return false;
	held_put(w, false, out);
	return true;
}

/* ---- reading ---- */

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
held_out(struct qp_reader *r, struct buf *out)
{
	buf_put(out, (struct str){ r->held, r->n });
	r->n = 0;
}

/* held[0] is "=".  False: c begins something new.  There may be white space
 * between "=" and the line end, which came on the way. */
static bool
escape_step(struct qp_reader *r, char c, struct buf *out)
{
	int high = r->n == 2 ? hex_value(r->held[1]) : -1;

	if (high >= 0 && hex_value(c) >= 0) {
		buf_putc(out, (char)(high << 4 | hex_value(c)));
		r->n = 0;
		return true;
	}
	if (high < 0 && c == '\n') {
		r->n = 0;		/* a soft break */
		return true;
	}
	if (high < 0 && r->n < sizeof r->held &&
	    r->held[r->n - 1] != '\r' && (is_blank(c) || c == '\r' ||
	    (r->n == 1 && hex_value(c) >= 0))) {
		r->held[r->n++] = c;
		return true;
	}
	r->faults |= QP_JUNK;
	held_out(r, out);
	return false;
}

/* White space, and perhaps a CR, is held: at the end of a line it is none of the
 * content.  False: c begins something new. */
static bool
blank_step(struct qp_reader *r, char c, struct buf *out)
{
	bool has_cr = r->held[r->n - 1] == '\r';

	if (has_cr && c == '\n') {
		r->n = 0;
		buf_put(out, STR("\r\n"));
		return true;
	}
	if (!has_cr && (is_blank(c) || c == '\r') && r->n < sizeof r->held) {
		r->held[r->n++] = c;
		return true;
	}
	held_out(r, out);
	return false;
}

static void
octet_take(struct qp_reader *r, char c, struct buf *out)
{
	if (r->n > 0 && (r->held[0] == '=' ? escape_step(r, c, out) :
	    blank_step(r, c, out)))
		return;
	must(r->n == 0);
	if (c == '=' || is_blank(c) || c == '\r') {
		r->held[r->n++] = c;
		return;
	}
	if (c < 0)
		r->faults |= QP_8BIT;
	buf_putc(out, c);
}

bool
qp_take(struct qp_reader *r, struct str *in, struct buf *out)
{
	while (in->n > 0) {
		if (out->full || out->cap - out->n < sizeof r->held + 1)
			return false;
		octet_take(r, in->p[0], out);
		*in = str_sub(*in, 1, in->n);
	}
	return true;
}

bool
qp_close(struct qp_reader *r, struct buf *out)
{
	must(r->n <= sizeof r->held);
	if (out->full || out->cap - out->n < sizeof r->held + 1)
		return false;
	if (r->n > 0 && r->held[0] == '=' && r->n > 1 &&
	    hex_value(r->held[1]) >= 0)
		r->faults |= QP_CUT;
	else if (r->n > 0 && (r->held[0] == '=' || is_blank(r->held[0])))
		r->n = 0;	/* a soft break, or blanks, at the very end */
	held_out(r, out);
	return true;
}
