#include "wire/phrase.h"

#include "base/must.h"
#include "wire/disposition.h"

enum { ROOM_AT_FIRST = 64 };

/* ---- plain text ---- */

/* RFC 5321 4.2.1: "550-" begins a line that is not the last, and "550 " the last
 * one; each perhaps with an enhanced code behind (RFC 2034 4).  How much of the
 * front that takes: a code alone in a text is left there. */
static size_t
continuation(struct str s)
{
	struct str rest = str_sub(s, 4, s.n);
	struct esc esc;
	bool has_esc;

	if (s.n < 4 || s.p[0] < '2' || s.p[0] > '5' ||
	    !ascii_is_digit(s.p[1]) || !ascii_is_digit(s.p[2]) ||
	    (s.p[3] != '-' && s.p[3] != ' '))
		return 0;
	has_esc = esc_take(&rest, &esc);
	if (!has_esc && (s.p[3] == ' ' || (s.n > 4 &&
	    ascii_is_digit(s.p[4]))))
		return 0;
	return s.n - rest.n;
}

static bool
is_gap(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

void
phrase_plain(struct str s, struct buf *out)
{
	bool begins = true;

	while (s.n > 0 && out->n < out->cap) {
		size_t n = begins ? continuation(s) : 0;

		begins = is_gap(s.p[0]) || n > 0;
		if (n == 0 && !begins)
			buf_putc(out, ascii_lower(s.p[0]));
		else if (n == 0 && out->n > 0 && out->p[out->n - 1] != ' ')
			buf_putc(out, ' ');
		s = str_sub(s, n > 0 ? n : 1, s.n);
	}
	while (out->n > 0 && out->p[out->n - 1] == ' ')
		out->n--;
}

/* ---- phrases ---- */

static unsigned
head_of(const char *p)
{
	uint32_t four;

	memcpy(&four, p, sizeof four);
	return four * 2654435761u >> 20;	/* Knuth's, 12 bits of it */
}

struct phrases *
phrases_new(struct arena *a)
{
	struct phrases *p = arena_new(a, struct phrases);

	if (p == NULL)
		return NULL;
	p->arena = a;
	p->n = 1;
	return p;
}

static bool
phrases_grow(struct phrases *p)
{
	size_t room = p->room == 0 ? ROOM_AT_FIRST : 2 * p->room;
	struct phrase *v;

	if (p->n < p->room)
		return true;
	v = arena_alloc(p->arena, room * sizeof *v);
	if (v == NULL)
		return false;
	if (p->v != NULL)
		memcpy(v, p->v, p->n * sizeof *v);
	p->v = v;
	p->room = room;
	return true;
}

int
phrases_add(struct phrases *p, struct str text, unsigned bit)
{
	char room[PHRASE_MOST + 1];
	struct buf plain = BUF_OF(room);
	struct phrase *one;
	unsigned head;

	if (text.n > 0 && is_gap(text.p[0]))
		buf_putc(&plain, ' ');
	phrase_plain(text, &plain);
	if (text.n > 0 && is_gap(text.p[text.n - 1]))
		buf_putc(&plain, ' ');
	if (plain.n < PHRASE_LEAST || plain.n > PHRASE_MOST ||
	    p->n > PHRASES_MOST || !phrases_grow(p))
		return -1;
	one = &p->v[p->n];
	head = head_of(plain.p);
	*one = (struct phrase){ arena_copy(p->arena, buf_str(&plain)), bit,
		p->heads[head] };
	if (one->text.p == NULL)
		return -1;
	must(head < PHRASE_HEADS);
	p->heads[head] = (uint16_t)p->n++;
	return 0;
}

void
phrases_find(const struct phrases *p, struct str s, uint64_t *bits)
{
	for (; s.n >= PHRASE_LEAST; s.p++, s.n--)
		for (unsigned i = p->heads[head_of(s.p)]; i != 0;
		    i = p->v[i].next) {
			const struct phrase *one = &p->v[i];

			if (one->text.n <= s.n && memcmp(one->text.p, s.p,
			    one->text.n) == 0)
				bits[one->bit / 64] |= (uint64_t)1 <<
				    one->bit % 64;
		}
}
