/* Chunks of BDAT: every split gives the same; a text comes out canonical, and
 * unchanged but for the end of its last line; of a binary message only the header
 * section is judged. */
#include "fuzz.h"
#include "wire/data.h"

enum { ROOM = 64 * 1024 };

struct seen {
	char text[2 * ROOM];
	struct buf out;
	struct data_reader r;
};

static struct seen whole, split;

static void
push(struct seen *s, struct str in)
{
	struct str piece;

	while (data_read(&s->r, &in, &piece))
		buf_put(&s->out, piece);
	must(in.n == 0 && !s->r.ended);
}

static void
begin(struct seen *s, bool normalize, bool is_binary)
{
	s->out = BUF_OF(s->text);
	data_reader_init_chunks(&s->r, normalize, is_binary);
}

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
end(struct seen *s)
{
	buf_put(&s->out, data_read_end(&s->r));
	must(s->r.ended && !s->out.full && s->r.octets == s->out.n);
}

/* How much of it is lines. */
static size_t
judged(struct str in, bool is_binary)
{
	size_t at = str_find_str(in, STR("\r\n\r\n"));
	struct str rest = in;

	if (!is_binary)
		return in.n;
	if (str_skip(&rest, STR("\r\n")))
		return 2;
	return at == in.n ? in.n : at + 4;
}

FUZZ(in)
{
	unsigned seed = fuzz_choice(&in);
	bool normalize = (seed & 1u) != 0, is_binary = (seed & 2u) != 0;
	size_t lines = judged(in, is_binary);

	if (in.n > ROOM)
		return;
	begin(&whole, normalize, is_binary);
	push(&whole, in);
	end(&whole);
	begin(&split, normalize, is_binary);
	push_pieces(&split, in, seed);
	end(&split);
	must(whole.r.stopped == split.r.stopped);
	must(whole.r.in_body == split.r.in_body);
	if (whole.r.stopped)
		return;
	must(str_eq(buf_str(&whole.out), buf_str(&split.out)));
	must(whole.r.lines.longest == split.r.lines.longest);
	if (!is_binary)
		must(fuzz_is_canonical(buf_str(&whole.out)));
	if (normalize)
		return;
	must(fuzz_is_canonical(str_sub(buf_str(&whole.out), 0, lines)));
	must(whole.out.n == in.n || whole.out.n == in.n + 2);
	must(str_eq(str_sub(buf_str(&whole.out), 0, in.n), in));
}
