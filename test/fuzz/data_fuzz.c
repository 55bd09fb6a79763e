/* DATA: only CRLF.CRLF ends it, every split gives the same, what comes out is
 * canonical, and what is written comes back. */
#include "fuzz.h"
#include "wire/data.h"

enum { ROOM = 64 * 1024 };

struct seen {
	char text[2 * ROOM];
	struct buf out;
	struct data_reader r;
	size_t rest;
};

static struct seen whole, split, wire, back;

static void
push(struct seen *s, struct str in)
{
	struct str piece;

	while (data_read(&s->r, &in, &piece))
		buf_put(&s->out, piece);
	must(in.n == 0 || s->r.ended);
	s->rest += in.n;
}

static void
begin(struct seen *s, bool normalize)
{
	s->out = BUF_OF(s->text);
	s->rest = 0;
	data_reader_init(&s->r, normalize);
}

/* In pieces whose lengths grow out of the seed. */
static void
push_pieces(struct seen *s, struct str in, unsigned seed)
{
	while (in.n > 0) {
		size_t n = 1 + seed % 7;

		seed = seed * 1103515245u + 12345u;
		n = seed >> 28 == 0 ? 1500 : n;
		push(s, str_sub(in, 0, n));
		in = str_sub(in, n, in.n);
	}
}

static void
check_same(const struct seen *a, const struct seen *b)
{
	must(str_eq(buf_str(&a->out), buf_str(&b->out)));
	must(a->rest == b->rest && a->r.ended == b->r.ended);
	must(a->r.faults == b->r.faults && a->r.stopped == b->r.stopped);
	must(a->r.lines.longest == b->r.lines.longest);
	must(a->r.octets == a->out.n);
}

/* RFC 5321 4.1.1.4, the long way round. */
static void
check_end(const struct seen *s, struct str in)
{
	size_t at = str_find_str(in, STR("\r\n.\r\n"));
	struct str front = in;
	size_t end = str_skip(&front, STR(".\r\n")) ? 3 :
	    at == in.n ? 0 : at + 5;

	must(s->r.ended == (end > 0));
	must(!s->r.ended || in.n - s->rest == end);
}

static void
check_round(struct str content, unsigned seed)
{
	struct data_writer w;
	struct str piece, end, in = content;

	begin(&wire, false);
	begin(&back, false);
	data_writer_init(&w);
	while (data_write(&w, &in, &piece))
		buf_put(&wire.out, piece);
	end = data_write_end(&w);
	if (w.broken) {			/* a CR whose LF never came */
		must(content.p[content.n - 1] == '\r');
		return;
	}
	buf_put(&wire.out, end);
	must(!wire.out.full && w.octets == wire.out.n);
	push_pieces(&back, buf_str(&wire.out), seed);
	must(back.r.ended && back.rest == 0 && !back.r.stopped);
	must(str_eq(str_sub(buf_str(&back.out), 0, content.n), content));
	must(back.out.n <= content.n + 2);
}

FUZZ(in)
{
	unsigned seed = fuzz_choice(&in);
	bool normalize = (seed & 1u) != 0;

	if (in.n > ROOM)
		return;
	begin(&whole, normalize);
	push(&whole, in);
	begin(&split, normalize);
	push_pieces(&split, in, seed);
	check_same(&whole, &split);
	check_end(&whole, in);
	must(fuzz_is_canonical(buf_str(&whole.out)));
	must(normalize || whole.r.stopped ==
	    ((whole.r.faults & ~(unsigned)DATA_8BIT) != 0));
	check_round(buf_str(&whole.out), seed);
}
