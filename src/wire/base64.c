/*
 * The format: three octets are four letters of 6 bits, the highest first.  What
 * is left at the end is two letters and "==", or three and "=".  A line has 19
 * groups at most.
 */
#include "wire/base64.h"

#include "base/must.h"

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t
buf_room(const struct buf *b)
{
	return b->full ? 0 : b->cap - b->n;
}

/* held has n octets, the others are 0. */
static void
group_write(struct base64_writer *w, struct buf *out)
{
	uint32_t bits = (uint32_t)w->held[0] << 16 |
	    (uint32_t)w->held[1] << 8 | w->held[2];
	char group[4];

	must(w->n >= 1 && w->n <= 3);
	for (unsigned i = 0; i < 4; i++)
		group[i] = i <= w->n ? letters[bits >> (18 - 6 * i) & 63] : '=';
	buf_put(out, (struct str){ group, sizeof group });
	w->column += 4;
	w->n = 0;
	memset(w->held, 0, sizeof w->held);
	if (w->column == BASE64_LINE) {
		buf_put(out, STR("\r\n"));
		w->column = 0;
	}
}

bool
base64_put(struct base64_writer *w, struct str *in, struct buf *out)
{
	while (in->n > 0) {
		if (w->n == 2 && buf_room(out) < 6)
			return false;
		w->held[w->n++] = (unsigned char)in->p[0];
		*in = str_sub(*in, 1, in->n);
		if (w->n == 3)
			group_write(w, out);
	}
	return true;
}

bool
base64_end(struct base64_writer *w, struct buf *out)
{
	if (buf_room(out) < 6)
		return false;
	if (w->n > 0)
		group_write(w, out);
	if (w->column > 0)
		buf_put(out, STR("\r\n"));
	w->column = 0;
	return true;
}

/* ---- reading ---- */

static int
letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void
group_read(struct base64_reader *r, struct buf *out)
{
	uint32_t bits = r->bits << (6 * (4 - r->n));

	must(r->n <= 4);
	if (r->n == 1 || (r->n == 2 && (bits & 0xffff) != 0) ||
	    (r->n == 3 && (bits & 0xff) != 0))
		r->faults |= BASE64_CUT;
	for (unsigned i = 0; i + 1 < r->n; i++)
		buf_putc(out, (char)(bits >> (16 - 8 * i) & 0xff));
	r->bits = 0;
	r->n = 0;
}

static void
octet_read(struct base64_reader *r, char c, struct buf *out)
{
	int value = letter_value(c);

	if (c == '\r' || c == '\n' || c == ' ' || c == '\t')
		return;
	if (value < 0 && c != '=') {
		r->faults |= BASE64_JUNK;
		return;
	}
	if (r->has_ended) {
		if (c != '=')
			r->faults |= BASE64_MORE;
		return;
	}
	if (c == '=') {
		if (r->n < 2)
			r->faults |= BASE64_CUT;
		group_read(r, out);
		r->has_ended = true;
		return;
	}
	r->bits = r->bits << 6 | (uint32_t)value;
	if (++r->n == 4)
		group_read(r, out);
}

bool
base64_take(struct base64_reader *r, struct str *in, struct buf *out)
{
	while (in->n > 0) {
		if (buf_room(out) < 3)
			return false;
		octet_read(r, in->p[0], out);
		*in = str_sub(*in, 1, in->n);
	}
	return true;
}

bool
base64_close(struct base64_reader *r, struct buf *out)
{
	if (buf_room(out) < 3)
		return false;
	if (r->n > 0) {
		group_read(r, out);
		r->faults |= BASE64_CUT;
	}
	return true;
}

/* ---- at once ---- */

void
base64_encode(struct str in, struct buf *out)
{
	for (size_t at = 0; at < in.n; at += 3) {
		struct base64_writer w = { 0 };

		for (size_t i = at; i < in.n && w.n < 3; i++)
			w.held[w.n++] = (unsigned char)in.p[i];
		group_write(&w, out);
	}
}

bool
base64_decode(struct str in, struct buf *out)
{
	struct base64_reader r = { 0 };
	size_t letters_n = in.n;

	/* RFC 4954 4: white space is not of the alphabet either */
	while (letters_n > 0 && in.n - letters_n < 2 &&
	    in.p[letters_n - 1] == '=')
		letters_n--;
	for (size_t i = 0; i < letters_n; i++)
		if (letter_value(in.p[i]) < 0)
			return false;
	for (size_t i = 0; i < in.n && in.n % 4 == 0; i++)
		octet_read(&r, in.p[i], out);
	return in.n % 4 == 0 && r.faults == 0 && !out->full;
}
