#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/data.h"

enum { ROOM = 4096 };

/* All that one can see of a reading. */
struct seen {
	char content[ROOM];
	size_t n, rest;
	unsigned faults;
	bool ended, stopped;
	uint64_t longest;
};

static void
push(struct data_reader *r, struct str in, struct seen *s)
{
	struct str piece;

	while (data_read(r, &in, &piece)) {
		assert_true(s->n + piece.n <= ROOM);
		memcpy(s->content + s->n, piece.p, piece.n);
		s->n += piece.n;
	}
	assert_true(in.n == 0 || r->ended);
	s->rest += in.n;
}

/* Read `in' in pieces that end at the given places. */
static void
look(struct str in, bool normalize, const size_t *ends, size_t n_ends,
    struct seen *s)
{
	struct data_reader r;
	size_t at = 0;

	s->n = s->rest = 0;
	data_reader_init(&r, normalize);
	for (size_t i = 0; i < n_ends; i++) {
		push(&r, str_sub(in, at, ends[i] - at), s);
		at = ends[i];
	}
	push(&r, str_sub(in, at, in.n), s);
	s->faults = r.faults;
	s->ended = r.ended;
	s->stopped = r.stopped;
	s->longest = r.lines.longest;
	assert_int_equal(s->n, r.octets);
}

static void
same(const struct seen *a, const struct seen *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->content, b->content, a->n);
	assert_int_equal(a->rest, b->rest);
	assert_int_equal(a->faults, b->faults);
	assert_int_equal(a->ended, b->ended);
	assert_int_equal(a->stopped, b->stopped);
	assert_int_equal(a->longest, b->longest);
}

/* Whole, octet by octet, in two and in three at every place: all the same. */
static void
look_all_ways(struct str in, bool normalize, bool triples, struct seen *whole)
{
	static size_t ends[ROOM];
	static struct seen other;

	look(in, normalize, NULL, 0, whole);
	for (size_t i = 0; i < in.n; i++)
		ends[i] = i;
	look(in, normalize, ends, in.n, &other);
	same(whole, &other);
	for (size_t i = 0; i <= in.n; i++) {
		look(in, normalize, (size_t[]){ i }, 1, &other);
		same(whole, &other);
		for (size_t j = i; triples && j <= in.n; j++) {
			look(in, normalize, (size_t[]){ i, j }, 2, &other);
			same(whole, &other);
		}
	}
}

static void
is_canonical(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		assert_true(s.p[i] != '\0');
		if (s.p[i] == '\n')
			assert_true(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r' && i + 1 < s.n)
			assert_true(s.p[i + 1] == '\n');
	}
}

static void
contents_come_out(void **state)
{
	static const struct {
		struct str in, strict, normal;
		unsigned faults;
		size_t rest;
		bool ended;
	} rows[] = {
		{ STR_INIT(".\r\n"), STR_INIT(""), STR_INIT(""), 0, 0, true },
		{ STR_INIT("a\r\n.\r\nQUIT\r\n"), STR_INIT("a\r\n"),
		    STR_INIT("a\r\n"), 0, 6, true },
		{ STR_INIT("\r\n.\r\n"), STR_INIT("\r\n"), STR_INIT("\r\n"), 0,
		    0, true },
		{ STR_INIT("..\r\n.\r\n"), STR_INIT(".\r\n"),
		    STR_INIT(".\r\n"), 0, 0, true },
		{ STR_INIT(".a\r\n...\r\n.\r\n"), STR_INIT("a\r\n..\r\n"),
		    STR_INIT("a\r\n..\r\n"), 0, 0, true },
		{ STR_INIT("a.\r\n.\r\n"), STR_INIT("a.\r\n"),
		    STR_INIT("a.\r\n"), 0, 0, true },
		{ STR_INIT("a\r\n."), STR_INIT("a\r\n"), STR_INIT("a\r\n"), 0,
		    0, false },
		{ STR_INIT("a\nb\r\n.\r\n"), STR_INIT("a"),
		    STR_INIT("a\r\nb\r\n"), DATA_BARE_LF, 0, true },
		{ STR_INIT("a\rb\r\n.\r\n"), STR_INIT("a"),
		    STR_INIT("a b\r\n"), DATA_BARE_CR, 0, true },
		{ STR_INIT("a\r\r\n.\r\n"), STR_INIT("a"),
		    STR_INIT("a \r\n"), DATA_BARE_CR, 0, true },
		{ STR_INIT("a\0b\r\n.\r\n"), STR_INIT("a"), STR_INIT("a"),
		    DATA_NUL, 0, true },
		{ STR_INIT("\xc3\xbc\r\n.\r\n"), STR_INIT("\xc3\xbc\r\n"),
		    STR_INIT("\xc3\xbc\r\n"), DATA_8BIT, 0, true },
		/* After a bare LF a dot is content, and stays as it is. */
		{ STR_INIT("a\n..\r\n.\r\n"), STR_INIT("a"),
		    STR_INIT("a\r\n..\r\n"), DATA_BARE_LF, 0, true },
		{ STR_INIT("a\r\n.\n.\r\nb\r\n.\r\n"), STR_INIT("a\r\n"),
		    STR_INIT("a\r\n\r\n.\r\nb\r\n"), DATA_BARE_LF, 0, true },
		{ STR_INIT("a\r\n.\r.\r\n.\r\n"), STR_INIT("a\r\n"),
		    STR_INIT("a\r\n .\r\n"), DATA_BARE_CR, 0, true },
	};

	static struct seen s, n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		look_all_ways(rows[i].in, false, true, &s);
		look_all_ways(rows[i].in, true, true, &n);
		assert_true(str_eq((struct str){ s.content, s.n },
		    rows[i].strict));
		assert_true(str_eq((struct str){ n.content, n.n },
		    rows[i].normal));
		assert_int_equal(s.faults, rows[i].faults);
		assert_int_equal(s.rest, rows[i].rest);
		assert_int_equal(s.ended, rows[i].ended);
		assert_int_equal(n.faults, rows[i].faults);
	}
}

/* RFC 5321 4.1.1.4 told the long way round: where the data end. */
static size_t
end_of_data(struct str in)
{
	size_t at = str_find_str(in, STR("\r\n.\r\n"));

	if (str_has_prefix_icase(in, STR(".\r\n")))
		return 3;
	return at == in.n ? SIZE_MAX : at + 5;
}

/* Every string of up to seven octets over what matters. */
static void
every_short_string_agrees_with_the_law(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a', '\0' };
	static struct seen whole, byte;
	char text[7];

	(void)state;
	for (size_t n = 0; n <= sizeof text; n++) {
		size_t count = 1;

		for (size_t i = 0; i < n; i++)
			count *= sizeof alphabet;
		for (size_t k = 0; k < count; k++) {
			struct str in = { text, n };
			size_t v = k, end, ends[7] = { 0, 1, 2, 3, 4, 5, 6 };

			for (size_t i = 0; i < n; i++, v /= sizeof alphabet)
				text[i] = alphabet[v % sizeof alphabet];
			end = end_of_data(in);
			for (int normalize = 0; normalize < 2; normalize++) {
				look(in, normalize != 0, NULL, 0, &whole);
				look(in, normalize != 0, ends, n, &byte);
				same(&whole, &byte);
				assert_int_equal(whole.ended, end != SIZE_MAX);
				if (whole.ended)
					assert_int_equal(n - whole.rest, end);
				is_canonical((struct str){ whole.content,
				    whole.n });
			}
		}
	}
}

/* ---- the smuggling vectors ---- */

static size_t
unescape(struct str s, char *out)
{
	size_t n = 0;

	while (s.n > 0) {
		if (str_skip(&s, STR("\\r")))
			out[n++] = '\r';
		else if (str_skip(&s, STR("\\n")))
			out[n++] = '\n';
		else if (str_skip(&s, STR("\\x00")))
			out[n++] = '\0';
		else {
			out[n++] = s.p[0];
			s = str_sub(s, 1, s.n);
		}
	}
	return n;
}

static struct str
put_message(char *out, struct str sequence)
{
	size_t n = 0;

	memcpy(out, "Subject: x\r\n\r\ntext\r\n", 20);
	n += 20;
	n += unescape(sequence, out + n);
	memcpy(out + n, "MAIL FROM:<x@y>\r\nDATA\r\nbad\r\n", 29);
	n += 29;
	memcpy(out + n, "\r\n.\r\nNOOP\r\n", 11);
	return (struct str){ out, n + 11 };
}

/* What was read goes out again so that nothing in it can be read as an end of
 * data, by whatever rule the next hop takes lines. */
static void
goes_out_safely(const struct seen *s)
{
	static const char *const ends[] = { "\n.\n", "\n.\r\n", "\r.\r",
		"\r\n.\r\n", "\r.\n", "\n.\r", "\r.\r\n" };
	static char wire[2 * ROOM];
	struct buf b = BUF_OF(wire);
	struct str in = { s->content, s->n }, piece;
	struct data_writer w;

	data_writer_init(&w);
	while (data_write(&w, &in, &piece))
		buf_put(&b, piece);
	assert_false(w.broken);
	is_canonical(buf_str(&b));
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		assert_int_equal(str_find_str(buf_str(&b), str_of(ends[i])),
		    b.n);
}

static void
nothing_is_smuggled(void **state)
{
	FILE *f = fopen("test/vectors/smtp-smuggling/sequences.tsv", "r");
	char line[512], text[1024];
	static struct seen s, n;
	int cases = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		struct str row = str_trim(str_of(line)), in;

		if (row.n == 0 || row.p[0] == '#')
			continue;
		str_cut(&row, '\t');
		str_cut(&row, '\t');
		in = put_message(text, row);
		look_all_ways(in, false, true, &s);
		look_all_ways(in, true, true, &n);
		assert_true(s.ended && n.ended);
		assert_int_equal(s.rest, 6);
		assert_int_equal(n.rest, 6);
		assert_true((s.faults & ~(unsigned)DATA_8BIT) != 0);
		assert_true(s.stopped);
		assert_int_equal(n.stopped, (n.faults & DATA_NUL) != 0);
		goes_out_safely(&s);
		goes_out_safely(&n);
		cases++;
	}
	fclose(f);
	assert_int_equal(cases, 16);
}

/* ---- lengths, blocks ---- */

static void
lines_are_measured(void **state)
{
	static char text[3000];
	static struct seen s;

	(void)state;
	for (size_t n = 990; n < 1040; n++) {
		memset(text, 'a', n);
		memcpy(text + n, "\r\nb\r\n.\r\n", 9);
		look_all_ways((struct str){ text, n + 8 }, false, false, &s);
		assert_true(s.ended);
		assert_int_equal(s.longest, n);
		assert_int_equal(s.n, n + 5);
	}
	look(STR("..a\r\n.\r\n"), false, NULL, 0, &s);
	assert_int_equal(s.longest, 2);
	look(STR("abc\nd\r\n.\r\n"), true, NULL, 0, &s);
	assert_int_equal(s.longest, 3);
}

/* Random mixtures, longer than a block, in random pieces. */
static void
long_mixtures_hold(void **state)
{
	static const char *const words[] = { "\r\n", "\r\n.", "\n", "\r", ".",
		"word ", "\xc3\xbc", "\r\n\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaa" };
	static char text[3000];
	static struct seen a, c;
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct buf b = BUF_OF(text);
		size_t ends[8];
		bool plain = round % 2 == 0;

		while (b.n < 2500) {
			size_t w = (seed = seed * 1103515245u + 12345u) >> 16;

			w %= sizeof words / sizeof *words;
			if (!plain || (w != 2 && w != 3))
				buf_put(&b, str_of(words[w]));
		}
		for (size_t i = 0; i < 8; i++)
			ends[i] = b.n / 8 * i + (seed >> (i + 8)) % 100;
		look(buf_str(&b), true, NULL, 0, &a);
		look(buf_str(&b), true, ends, 8, &c);
		same(&a, &c);
		goes_out_safely(&a);
		look(buf_str(&b), false, NULL, 0, &a);
		look(buf_str(&b), false, ends, 8, &c);
		same(&a, &c);
	}
}

/* ---- writing ---- */

static struct str
written(struct str in, size_t split, char *room, size_t n, bool *broken)
{
	struct str parts[2] = { str_sub(in, 0, split), str_sub(in, split, in.n) };
	struct buf b = { .p = room, .cap = n };
	struct data_writer w;
	struct str piece;

	data_writer_init(&w);
	for (int i = 0; i < 2; i++)
		while (data_write(&w, &parts[i], &piece))
			buf_put(&b, piece);
	piece = data_write_end(&w);
	buf_put(&b, piece);
	*broken = w.broken;
	assert_int_equal(w.broken, piece.p == NULL);
	assert_int_equal(w.octets, b.n);
	return buf_str(&b);
}

static void
dots_are_stuffed(void **state)
{
	static const struct { struct str in, out; bool broken; } rows[] = {
		{ STR_INIT(""), STR_INIT(".\r\n"), false },
		{ STR_INIT("a\r\n"), STR_INIT("a\r\n.\r\n"), false },
		{ STR_INIT("a"), STR_INIT("a\r\n.\r\n"), false },
		{ STR_INIT(".\r\n"), STR_INIT("..\r\n.\r\n"), false },
		{ STR_INIT("."), STR_INIT("..\r\n.\r\n"), false },
		{ STR_INIT("..a\r\n.b\r\na.\r\n"),
		    STR_INIT("...a\r\n..b\r\na.\r\n.\r\n"), false },
		{ STR_INIT("\r\n"), STR_INIT("\r\n.\r\n"), false },
		{ STR_INIT("a\nb"), STR_INIT("a"), true },
		{ STR_INIT("a\rb"), STR_INIT("a"), true },
		{ STR_INIT("a\r"), STR_INIT("a"), true },
		{ STR_INIT("a\0b"), STR_INIT("a"), true },
		{ STR_INIT("\n"), STR_INIT(""), true },
	};
	char room[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t k = 0; k <= rows[i].in.n; k++) {
			bool broken;
			struct str out = written(rows[i].in, k, room,
			    sizeof room, &broken);

			assert_int_equal(broken, rows[i].broken);
			assert_true(str_eq(out, rows[i].out));
		}
}

/* What is written is read back the same. */
static void
writing_and_reading_agree(void **state)
{
	static const char alphabet[] = { '.', 'a', '\n' };
	static struct seen s;
	char text[16], room[64];

	(void)state;
	for (size_t k = 0; k < 2187; k++) {
		struct buf b = BUF_OF(text);
		size_t v = k;
		bool broken;
		struct str wire;

		for (int i = 0; i < 7; i++, v /= 3)
			buf_put(&b, alphabet[v % 3] == '\n' ? STR("\r\n") :
			    (struct str){ &alphabet[v % 3], 1 });
		wire = written(buf_str(&b), b.n / 2, room, sizeof room,
		    &broken);
		assert_false(broken);
		look(wire, false, NULL, 0, &s);
		assert_true(s.ended);
		assert_int_equal(s.faults, 0);
		assert_memory_equal(s.content, text, b.n);
		assert_true(s.n == b.n || s.n == b.n + 2);
	}
}

/* ---- chunks ---- */

/* Cut at one place; what stands there at the end, with what ended it. */
static void
look_chunks(struct str in, size_t cut, bool is_binary, struct seen *s)
{
	struct data_reader r;
	struct str end;

	s->n = s->rest = 0;
	data_reader_init_chunks(&r, false, is_binary);
	push(&r, str_sub(in, 0, cut), s);
	push(&r, str_sub(in, cut, in.n), s);
	end = data_read_end(&r);
	if (end.n > 0)
		memcpy(s->content + s->n, end.p, end.n);
	s->n += end.n;
	s->faults = r.faults & ~(unsigned)DATA_8BIT;
	s->ended = r.ended;
	s->stopped = r.stopped;
	s->longest = r.lines.longest;
	assert_int_equal(s->n, r.octets);
}

static bool
is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' ||
		    (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')) ||
		    (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')))
			return false;
	return true;
}

/* Where the header section of a binary message ends, or s.n. */
static size_t
header_end(struct str s)
{
	size_t at = str_find_str(s, STR("\r\n\r\n"));

	if (str_skip(&(struct str){ s.p, s.n }, STR("\r\n")))
		return 2;
	return at < s.n ? at + 4 : s.n;
}

static void
chunk_obeys(struct str s, size_t cut, bool is_binary)
{
	static struct seen seen;
	size_t judged = is_binary ? header_end(s) : s.n;
	bool is_open = judged == s.n && s.n > 0 &&
	    !(s.n >= 2 && memcmp(s.p + s.n - 2, "\r\n", 2) == 0);

	look_chunks(s, cut, is_binary, &seen);
	assert_true(seen.ended);
	assert_int_equal(seen.stopped, !is_text(str_sub(s, 0, judged)));
	assert_int_equal(seen.faults != 0, seen.stopped);
	if (seen.stopped)
		return;
	assert_int_equal(seen.n, s.n + (is_open ? 2 : 0));
	assert_memory_equal(seen.content, s.p, s.n);
	if (is_open)
		assert_memory_equal(seen.content + s.n, "\r\n", 2);
}

/* All strings of seven octets out of six, text and binary, cut everywhere. */
static void
every_short_chunk_agrees_with_the_law(void **state)
{
	static const char alphabet[] = { 'a', '.', '\r', '\n', '\0', '\xff' };
	char s[7];

	(void)state;
	for (size_t n = 0; n <= sizeof s; n++)
		for (size_t k = 0, most = 1; ; k++) {
			size_t v = k;

			for (size_t i = 0; i < n && k == 0; i++)
				most *= sizeof alphabet;
			if (k == most)
				break;
			for (size_t i = 0; i < n; i++, v /= sizeof alphabet)
				s[i] = alphabet[v % sizeof alphabet];
			chunk_obeys((struct str){ s, n }, k % (n + 1), false);
			chunk_obeys((struct str){ s, n }, k % (n + 1), true);
			chunk_obeys((struct str){ s, n }, n / 2, true);
		}
}

static void
chunks_are_forgiven_and_measured(void **state)
{
	static struct seen seen;
	struct data_reader r;

	(void)state;
	seen.n = seen.rest = 0;
	data_reader_init_chunks(&r, true, false);
	push(&r, STR("a\nbb\r\n.\r\n"), &seen);
	push(&r, STR(".c"), &seen);
	assert_true(str_eq(data_read_end(&r), STR("\r\n")));
	assert_false(r.stopped);
	assert_int_equal(r.lines.longest, 2);
	assert_int_equal(seen.n, sizeof("a\r\nbb\r\n.\r\n.c") - 1);
	assert_memory_equal(seen.content, "a\r\nbb\r\n.\r\n.c", seen.n);
	/* a forgiven end is one: nothing is added behind it */
	seen.n = 0;
	data_reader_init_chunks(&r, true, false);
	push(&r, STR("a\n"), &seen);
	assert_int_equal(data_read_end(&r).n, 0);
	assert_int_equal(seen.n, 3);
	assert_memory_equal(seen.content, "a\r\n", seen.n);
	/* a binary body has no lines */
	look_chunks(STR("x\r\n\r\n\0aaaaaaaaaaaaaaaaaaaa"), 3, true, &seen);
	assert_int_equal(seen.longest, 1);
	assert_int_equal(seen.n, 26);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_come_out),
		cmocka_unit_test(every_short_string_agrees_with_the_law),
		cmocka_unit_test(nothing_is_smuggled),
		cmocka_unit_test(lines_are_measured),
		cmocka_unit_test(long_mixtures_hold),
		cmocka_unit_test(dots_are_stuffed),
		cmocka_unit_test(writing_and_reading_agree),
		cmocka_unit_test(every_short_chunk_agrees_with_the_law),
		cmocka_unit_test(chunks_are_forgiven_and_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
