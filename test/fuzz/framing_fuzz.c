/*
 * framing_fuzz.c -- DATA and BDAT beside a reading of the RFCs in twenty lines.
 *
 * Input: one octet of flags, one seed for the borders, then octets; in half of
 * the inputs each of them stands for a piece of text that framing is about.
 *
 * The reader must agree with the reference on where the data end, on whether
 * they are refused, on each octet of what comes out, and on the longest line,
 * wherever the octets are cut; the writer's octets are the reference's, and go
 * through the reader unchanged.
 */
#include "fuzz.h"
#include "wire/data.h"

enum { ROOM = 64 * 1024, FLAG_NORMALIZE = 1, FLAG_CHUNKS = 2, FLAG_BINARY = 4,
	FLAG_PIECES = 8, FLAG_TINY = 16 };

struct told {
	char text[2 * ROOM];
	struct buf out;
	uint64_t longest;
	size_t used;
	bool has_ended, is_refused;
};

static struct told wanted, got, wire, back;
static char made[ROOM];

static void
told_begin(struct told *t)
{
	t->out = BUF_OF(t->text);
	t->longest = t->used = 0;
	t->has_ended = t->is_refused = false;
}

/* ---- the reference, over the whole input ---- */

static bool
begins(struct str s, size_t i, const char *with)
{
	struct str rest = str_sub(s, i, s.n);

	return str_skip(&rest, str_of(with));
}

/*
 * RFC 5321 4.1.1.4: "<CRLF>.<CRLF>" ends the data, the first CRLF being the one
 * that ends the command.  4.5.2: a first dot before anything else is deleted.
 * 2.3.8: CR and LF stand only together.  Ours: who does not keep to that is
 * refused; or forgiven (normalize), and then no bare ending begins a line.
 */
static void
reference_data(struct told *t, struct str in, bool normalize)
{
	bool is_first = true;
	uint64_t line = 0;

	for (size_t i = 0; i < in.n; i++, t->used = i) {
		bool is_line = begins(in, i, "\r\n"), was_first = is_first;
		char c = in.p[i];

		is_first = is_line;
		if (was_first && begins(in, i, ".\r\n")) {
			t->used = i + 3;
			t->has_ended = true;
			return;
		}
		if (was_first && c == '.')
			continue;
		if (c == '\0' || (!normalize && !is_line &&
		    (c == '\n' || (c == '\r' && i + 1 < in.n))))
			t->is_refused = true;
		if (is_line || (c == '\n' && normalize)) {
			buf_put(&t->out, STR("\r\n"));
			t->longest = line > t->longest ? line : t->longest;
			line = 0;
			i += is_line;
		} else if (c != '\r' || i + 1 < in.n) {
			buf_putc(&t->out, c == '\r' ? ' ' : c);
			line++;
		}
	}
}

/* RFC 3030 2: no dots; 3: of BINARYMIME only the header section is lines.  A text
 * whose last line has no end gets one. */
static void
reference_chunks(struct told *t, struct str in, bool normalize, bool is_binary)
{
	size_t head = !is_binary ? in.n : begins(in, 0, "\r\n") ? 2 :
	    str_find_str(in, STR("\r\n\r\n")) + 4;
	bool is_open = false;

	head = head < in.n ? head : in.n;
	for (size_t i = 0; i < head; i++) {
		bool is_line = begins(str_sub(in, 0, head), i, "\r\n");
		char c = in.p[i];

		if (c == '\0' || (!normalize && !is_line &&
		    (c == '\n' || c == '\r')))
			t->is_refused = true;
		is_open = !is_line && (c != '\n' || !normalize);
		if (!is_open)
			buf_put(&t->out, STR("\r\n"));
		else if (c != '\r' || i + 1 < in.n)
			buf_putc(&t->out, c == '\r' ? ' ' : c);
		i += is_line;
	}
	buf_put(&t->out, str_sub(in, head, in.n));
	if (is_open && head == in.n)
		buf_put(&t->out, STR("\r\n"));
}

static void
reference_write(struct buf *out, struct str in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '.' && (i == 0 || in.p[i - 1] == '\n'))
			buf_putc(out, '.');
		buf_putc(out, in.p[i]);
	}
	if (in.n > 0 && in.p[in.n - 1] != '\n')
		buf_put(out, STR("\r\n"));
	buf_put(out, STR(".\r\n"));
}

/* ---- ours, in pieces ---- */

/* Borders: mostly short, sometimes as a network has them. */
static size_t
next_border(unsigned *seed, bool is_tiny)
{
	unsigned n;

	*seed = *seed * 1103515245u + 12345u;
	n = *seed >> 16;
	return is_tiny ? 1 : n % 8 == 0 ? 1 + n % 2048 : 1 + n % 9;
}

static void
read_pieces(struct told *t, struct data_reader *r, struct str in, unsigned seed,
    bool is_tiny)
{
	struct str piece, run;

	while (in.n > 0 && !r->ended) {
		piece = str_sub(in, 0, next_border(&seed, is_tiny));
		in = str_sub(in, piece.n, in.n);
		t->used += piece.n;
		while (data_read(r, &piece, &run))
			buf_put(&t->out, run);
		must(piece.n == 0 || r->ended);
		t->used -= piece.n;
	}
	if (r->is_chunked)
		buf_put(&t->out, data_read_end(r));
	t->has_ended = r->ended;
	t->is_refused = r->stopped;
	t->longest = r->lines.longest;
	must(r->octets == t->out.n || r->stopped);
}

static void
same(const struct told *a, const struct told *b)
{
	must(!a->out.full && !b->out.full);
	must(a->is_refused == b->is_refused);
	must(a->is_refused || str_eq(buf_str(&a->out), buf_str(&b->out)));
}

static void
check_data(struct str in, unsigned flags, unsigned seed)
{
	struct data_reader r;

	reference_data(&wanted, in, (flags & FLAG_NORMALIZE) != 0);
	data_reader_init(&r, (flags & FLAG_NORMALIZE) != 0);
	read_pieces(&got, &r, in, seed, (flags & FLAG_TINY) != 0);
	must(wanted.has_ended == got.has_ended);
	if (wanted.has_ended) {
		must(wanted.used == got.used);
		same(&wanted, &got);
		must(got.is_refused || got.longest == wanted.longest);
	}
}

static void
check_chunks(struct str in, unsigned flags, unsigned seed)
{
	bool normalize = (flags & FLAG_NORMALIZE) != 0;
	bool is_binary = (flags & FLAG_BINARY) != 0;
	struct data_reader r;

	data_reader_init_chunks(&r, normalize, is_binary);
	read_pieces(&got, &r, in, seed, (flags & FLAG_TINY) != 0);
	if (normalize && is_binary)
		return;		/* what forgiving makes of lines is not the RFC's */
	reference_chunks(&wanted, in, normalize, is_binary);
	same(&wanted, &got);
}

/* ---- outward and back ---- */

static void
check_round(struct str content, unsigned seed, bool is_tiny)
{
	struct data_writer w;
	struct data_reader r;
	struct str run, piece, in = content, end;

	told_begin(&wire);
	told_begin(&back);
	data_writer_init(&w);
	while (in.n > 0 && !w.broken) {
		piece = str_sub(in, 0, next_border(&seed, is_tiny));
		in = str_sub(in, piece.n, in.n);
		while (data_write(&w, &piece, &run))
			buf_put(&wire.out, run);
	}
	end = data_write_end(&w);
	must(w.broken == !fuzz_is_canonical(content) || (w.broken &&
	    content.p[content.n - 1] == '\r') || memchr(content.p, '\0',
	    content.n) != NULL);
	if (w.broken)
		return;
	buf_put(&wire.out, end);
	told_begin(&wanted);
	reference_write(&wanted.out, content);
	must(str_eq(buf_str(&wanted.out), buf_str(&wire.out)));
	data_reader_init(&r, false);
	read_pieces(&back, &r, buf_str(&wire.out), seed + 1, is_tiny);
	must(back.has_ended && back.used == wire.out.n);
	must(back.is_refused == (memchr(content.p, '\0', content.n) != NULL));
	if (!back.is_refused)
		must(str_eq(str_sub(buf_str(&back.out), 0, content.n), content)
		    && back.out.n <= content.n + 2);
}

static struct str
pieces_make(struct str in)
{
	static const struct str pieces[] = { STR_INIT("\r\n"), STR_INIT("\r"),
		STR_INIT("\n"), STR_INIT("."), STR_INIT("a"), STR_INIT("\0"),
		STR_INIT("\x80"), STR_INIT("\r\n.\r\n"), STR_INIT("\r\n."),
		STR_INIT("\r\n\r\n"), STR_INIT(".\r"), STR_INIT("b c") };
	struct buf b = BUF_OF(made);

	for (size_t i = 0; i < in.n; i++) {
		unsigned c = (unsigned char)in.p[i];

		/* a line that ends near where data_run() looks no further */
		for (unsigned k = 0; c >= 240 && k < 1008 + c % 16; k++)
			buf_putc(&b, 'x');
		buf_put(&b, pieces[c % (sizeof pieces / sizeof *pieces)]);
	}
	return buf_str(&b);
}

FUZZ(in)
{
	unsigned flags = fuzz_choice(&in), seed = fuzz_choice(&in);
	struct str text = flags & FLAG_PIECES ? pieces_make(in) : in;

	told_begin(&wanted);
	told_begin(&got);
	if (text.n > ROOM || text.n == 0)
		return;
	if (flags & FLAG_CHUNKS)
		check_chunks(text, flags, seed);
	else
		check_data(text, flags, seed);
	check_round(text, seed, (flags & FLAG_TINY) != 0);
}
