#include "wire/ber.h"

#include "base/must.h"

/* X.690 8.1.3: one octet below 128, else 0x80 | how many octets follow. */
enum { LONG_FORM = 0x80, LENGTH_OCTETS_MOST = 4, TAG_LONG = 0x1f };

/* The header: how many octets it has, 0 when they are not all there, -1 when it
 * is none. */
static int
header_read(struct str s, uint32_t *length)
{
	unsigned first, n;

	if (s.n >= 1 && ((unsigned char)s.p[0] & TAG_LONG) == TAG_LONG)
		return -1;
	if (s.n < 2)
		return 0;
	first = (unsigned char)s.p[1];
	*length = first;
	if (first < LONG_FORM)
		return 2;
	n = first & ~(unsigned)LONG_FORM;
	if (n == 0 || n > LENGTH_OCTETS_MOST)
		return -1;
	if (s.n < 2 + n)
		return 0;
	*length = 0;
	for (unsigned i = 0; i < n; i++)
		*length = *length << 8 | (unsigned char)s.p[2 + i];
	return (int)(2 + n);
}

int64_t
ber_length(struct str s, size_t most)
{
	uint32_t length = 0;
	int header = header_read(s, &length);

	if (header <= 0)
		return header;
	return length > most || (size_t)header > most - length ? -1 :
	    (int64_t)length + header;
}

bool
ber_take(struct str *s, unsigned char *tag, struct str *content)
{
	uint32_t length = 0;
	int header = header_read(*s, &length);

	if (header <= 0 || length > s->n - (size_t)header)
		return false;
	*tag = (unsigned char)s->p[0];
	*content = str_sub(*s, (size_t)header, length);
	*s = str_sub(*s, (size_t)header + length, s->n);
	return true;
}

bool
ber_take_tag(struct str *s, unsigned char tag, struct str *content)
{
	struct str rest = *s;
	unsigned char found;

	if (!ber_take(&rest, &found, content) || found != tag)
		return false;
	*s = rest;
	return true;
}

bool
ber_take_number(struct str *s, unsigned char tag, uint32_t *out)
{
	struct str rest = *s, octets;
	uint64_t n = 0;

	if (!ber_take_tag(&rest, tag, &octets) || octets.n == 0 ||
	    octets.n > 5 || (octets.p[0] & 0x80) != 0)
		return false;
	for (size_t i = 0; i < octets.n; i++)
		n = n << 8 | (unsigned char)octets.p[i];
	if (n > INT32_MAX)
		return false;
	*out = (uint32_t)n;
	*s = rest;
	return true;
}

/* ---- writing ---- */

static void
length_put(char *at, size_t n)
{
	at[0] = (char)(LONG_FORM | LENGTH_OCTETS_MOST);
	for (unsigned i = 0; i < LENGTH_OCTETS_MOST; i++)
		at[1 + i] = (char)(unsigned char)(n >> (24 - 8 * i));
}

/* The length is not known yet: it gets the room of the longest form, which RFC
 * 4511 5.1 allows. */
size_t
ber_open(struct buf *b, unsigned char tag)
{
	static const char room[1 + LENGTH_OCTETS_MOST];

	buf_putc(b, (char)tag);
	buf_put(b, (struct str){ room, sizeof room });
	return b->n;
}

void
ber_close(struct buf *b, size_t opened)
{
	if (b->full)
		return;
	must(opened <= b->n && opened > LENGTH_OCTETS_MOST);
	length_put(b->p + opened - 1 - LENGTH_OCTETS_MOST, b->n - opened);
}

void
ber_put(struct buf *b, unsigned char tag, struct str content)
{
	size_t at = ber_open(b, tag);

	buf_put(b, content);
	ber_close(b, at);
}

void
ber_put_number(struct buf *b, unsigned char tag, uint32_t n)
{
	char octets[5];
	size_t used = 0;

	/* The shortest form, and never one that reads as negative. */
	for (int shift = 32; shift >= 0; shift -= 8) {
		unsigned char o = (unsigned char)((uint64_t)n >> shift);
		bool next_is_high = shift >= 8 &&
		    ((uint64_t)n >> (shift - 8) & 0x80) != 0;

		if (used > 0 || o != 0 || next_is_high || shift == 0)
			octets[used++] = (char)o;
	}
	buf_putc(b, (char)tag);
	buf_putc(b, (char)used);
	buf_put(b, (struct str){ octets, used });
}

void
ber_put_boolean(struct buf *b, bool yes)
{
	buf_putc(b, BER_BOOLEAN);
	buf_putc(b, 1);
	buf_putc(b, yes ? (char)0xff : 0);
}
