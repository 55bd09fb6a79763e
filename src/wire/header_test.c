#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>

#include "wire/header.h"

enum { ROOM = 8192 };

/* A scan told as text: a line for each field, and what came of it. */
struct story {
	char text[ROOM], octets[ROOM];
	struct buf told, raw;
	struct header_scan scan;
	struct arena arena;
};

static void
story_begin(struct story *s)
{
	s->told = (struct buf){ .p = s->text, .cap = ROOM };
	s->raw = (struct buf){ .p = s->octets, .cap = ROOM };
	arena_init(&s->arena, HEADER_ARENA);
	header_begin(&s->scan, &s->arena);
}

static void
story_field(struct story *s, const struct field *f)
{
	struct buf *b = &s->told;

	buf_printf(b, "%u[" STR_FMT "][", f->known, STR_ARG(f->name));
	buf_put(b, f->value);
	buf_put(b, STR("]\n"));
	buf_put(&s->raw, f->raw);
}

static bool
story_step(struct story *s, enum header_step step, const struct field *f)
{
	if (step == HEADER_FIELD) {
		story_field(s, f);
		return true;
	}
	if (step == HEADER_END) {
		if (s->scan.has_empty_line)
			buf_put(&s->raw, STR("\r\n"));
		buf_put(&s->raw, f->raw);
		buf_printf(&s->told, "end empty %d junk %d lines %u octets "
		    "%zu\n", s->scan.has_empty_line, s->scan.ended_by_junk,
		    s->scan.lines, s->scan.octets);
	} else if (step != HEADER_MORE)
		buf_printf(&s->told, "step %d\n", (int)step);
	return false;
}

static void
story_push(struct story *s, struct str chunk)
{
	enum header_step was = s->scan.end, step;
	struct field f;

	if (was == HEADER_FIELD) {
		do
			step = header_next(&s->scan, &chunk, &f);
		while (story_step(s, step, &f));
		if (step == HEADER_MORE)
			assert_int_equal(chunk.n, 0);
	}
	buf_put(&s->raw, chunk);
}

static void
story_finish(struct story *s)
{
	struct field f;

	if (s->scan.end == HEADER_FIELD)
		while (story_step(s, header_finish(&s->scan, &f), &f))
			continue;
	assert_false(s->told.full || s->raw.full);
	arena_clear(&s->arena);
}

static void
tell(struct str in, size_t a, size_t b, struct story *s)
{
	story_begin(s);
	story_push(s, str_sub(in, 0, a));
	story_push(s, str_sub(in, a, b - a));
	story_push(s, str_sub(in, b, in.n));
	story_finish(s);
	if (s->scan.end == HEADER_END)
		assert_true(str_eq(buf_str(&s->raw), in));
}

/* Every cut in three tells the same story; so does octet by octet. */
static void
tells(struct str in, const char *want)
{
	static struct story s;

	for (size_t a = 0; a <= in.n; a++)
		for (size_t b = a; b <= in.n; b++) {
			tell(in, a, b, &s);
			if (!str_eq(buf_str(&s.told), str_of(want)))
				print_error("%zu %zu\n" STR_FMT, a, b,
				    STR_ARG(buf_str(&s.told)));
			assert_true(str_eq(buf_str(&s.told), str_of(want)));
		}
	story_begin(&s);
	for (size_t i = 0; i < in.n; i++)
		story_push(&s, str_sub(in, i, 1));
	story_finish(&s);
	assert_true(str_eq(buf_str(&s.told), str_of(want)));
}

static void
sections_come_apart(void **state)
{
	(void)state;
	tells(STR("A: b\r\n\r\nbody: x\r\n"),
	    "0[A][ b]\nend empty 1 junk 0 lines 2 octets 8\n");
	tells(STR("A: b\r\n c\r\n\td\r\nE:f\r\n\r\n"),
	    "0[A][ b\r\n c\r\n\td]\n0[E][f]\n"
	    "end empty 1 junk 0 lines 5 octets 21\n");
	tells(STR("\r\nbody"), "end empty 1 junk 0 lines 1 octets 2\n");
	tells(STR(""), "end empty 0 junk 0 lines 0 octets 0\n");
	tells(STR("A: b\r\n"),
	    "0[A][ b]\nend empty 0 junk 0 lines 1 octets 6\n");
	tells(STR("A: b"),
	    "0[A][ b]\nend empty 0 junk 0 lines 0 octets 4\n");
	tells(STR("A \t: b\r\n\r\n"),
	    "0[A][ b]\nend empty 1 junk 0 lines 2 octets 10\n");
	tells(STR("A:\r\n \r\n\r\n"),
	    "0[A][\r\n ]\nend empty 1 junk 0 lines 3 octets 9\n");
	tells(STR("A: b\rc\nd\r\n\r\n"),
	    "0[A][ b\rc\nd]\nend empty 1 junk 0 lines 2 octets 12\n");
	tells(STR("\xc3\xbc: b\r\n\r\n"),
	    "end empty 0 junk 1 lines 0 octets 0\n");
}

static void
junk_begins_the_body(void **state)
{
	(void)state;
	tells(STR("A: b\r\nhello world\r\nC: d\r\n"),
	    "0[A][ b]\nend empty 0 junk 1 lines 1 octets 6\n");
	tells(STR("hello\r\n"), "end empty 0 junk 1 lines 0 octets 0\n");
	tells(STR("hello"), "end empty 0 junk 1 lines 0 octets 0\n");
	tells(STR(" A: b\r\n\r\n"), "end empty 0 junk 1 lines 0 octets 0\n");
	tells(STR(": b\r\n\r\n"), "end empty 0 junk 1 lines 0 octets 0\n");
	tells(STR("From a Mon\r\nA: b\r\n"),
	    "end empty 0 junk 1 lines 0 octets 0\n");
	tells(STR("A: b\r\n\rC: d\r\n"),
	    "0[A][ b]\nend empty 0 junk 1 lines 1 octets 6\n");
	tells(STR("A\0: b\r\n"), "end empty 0 junk 1 lines 0 octets 0\n");
}

static void
names_are_known(void **state)
{
	static struct story s;
	struct str in = STR("received: a\r\nRECEIVED: b\r\nMessage-Id: <c@d>"
	    "\r\nFrom: e\r\nX-From: f\r\n\r\n");

	(void)state;
	tell(in, 20, 40, &s);
	assert_int_equal(s.scan.count[HEADER_RECEIVED], 2);
	assert_int_equal(s.scan.count[HEADER_MESSAGE_ID], 1);
	assert_int_equal(s.scan.count[HEADER_FROM], 1);
	assert_int_equal(s.scan.count[HEADER_DATE], 0);
	assert_int_equal(s.scan.count[HEADER_OTHER], 1);
	for (enum header_name h = 1; h < HEADER_NAMES; h++)
		assert_int_equal(header_known(str_of(header_text(h))), h);
	assert_int_equal(header_known(STR("")), HEADER_OTHER);
}

/* A long name without a colon is no name: RFC 5322 2.1.1. */
static void
name_length_has_an_edge(void **state)
{
	static char text[1100];
	static struct story s;

	(void)state;
	for (size_t n = HEADER_LINE_MOST - 2; n <= HEADER_LINE_MOST + 1; n++)
		for (size_t cut = n - 2; cut < n + 4; cut++) {
			bool fits = n < HEADER_LINE_MOST;

			memset(text, 'a', n);
			memcpy(text + n, ": b\r\n\r\n", 8);
			tell((struct str){ text, n + 7 }, cut, cut + 1, &s);
			assert_int_equal(s.scan.ended_by_junk, !fits);
			assert_int_equal(s.scan.count[HEADER_OTHER], fits);
		}
}

/* ---- limits ---- */

static enum header_step
scan_lines(size_t n_lines, size_t octets_each, size_t last, size_t chunk,
    struct header_scan *h)
{
	static char text[HEADER_OCTETS_MOST + 4096];
	struct buf b = BUF_OF(text);
	enum header_step step = HEADER_MORE;
	struct arena arena;
	struct field f;
	struct str in;

	for (size_t i = 0; i < n_lines; i++) {
		size_t n = i + 1 < n_lines ? octets_each : last;

		buf_put(&b, i == 0 ? STR("A:") : STR(" :"));
		for (size_t k = 4; k < n; k++)
			buf_putc(&b, 'x');
		buf_put(&b, STR("\r\n"));
	}
	buf_put(&b, STR("\r\nbody"));
	assert_false(b.full);
	arena_init(&arena, HEADER_ARENA);
	header_begin(h, &arena);
	for (in = buf_str(&b); in.n > 0 && step != HEADER_END;) {
		struct str c = str_sub(in, 0, chunk);

		in = str_sub(in, c.n, in.n);
		do
			step = header_next(h, &c, &f);
		while (step == HEADER_FIELD);
		if (step != HEADER_MORE)
			break;
	}
	arena_clear(&arena);
	return step;
}

static void
limits_hold_however_it_is_cut(void **state)
{
	static const size_t chunks[] = { SIZE_MAX, 16384, 1000, 77 };
	struct header_scan h;

	(void)state;
	for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
		/* One field of 256 KiB with the empty line behind it. */
		assert_int_equal(scan_lines(256, 1024, 1022, chunks[i], &h),
		    HEADER_END);
		assert_int_equal(h.octets, HEADER_OCTETS_MOST);
		assert_int_equal(scan_lines(256, 1024, 1023, chunks[i], &h),
		    HEADER_TOO_BIG);
		assert_int_equal(scan_lines(256, 1024, 1025, chunks[i], &h),
		    HEADER_TOO_BIG);
		/* 10,000 lines, the empty one among them. */
		assert_int_equal(scan_lines(HEADER_LINES_MOST - 1, 6, 6,
		    chunks[i], &h), HEADER_END);
		assert_int_equal(h.lines, HEADER_LINES_MOST);
		assert_int_equal(scan_lines(HEADER_LINES_MOST, 6, 6, chunks[i],
		    &h), HEADER_TOO_BIG);
	}
}

static void
a_full_arena_is_told(void **state)
{
	struct str part = STR("A: b"), rest = STR("c\r\n\r\n");
	struct header_scan h;
	struct arena arena;
	struct field f;

	(void)state;
	arena_init(&arena, 16);
	header_begin(&h, &arena);
	assert_int_equal(header_next(&h, &part, &f), HEADER_NO_MEMORY);
	assert_int_equal(header_next(&h, &rest, &f), HEADER_NO_MEMORY);
	assert_int_equal(header_finish(&h, &f), HEADER_NO_MEMORY);
	arena_clear(&arena);
}

/* A field that stands whole in its chunk is not copied. */
static void
whole_fields_are_slices(void **state)
{
	struct str in = STR("A: b\r\nC: d\r\n\r\n"), chunk = in;
	struct header_scan h;
	struct arena arena;
	struct field f;

	(void)state;
	arena_init(&arena, 16);
	header_begin(&h, &arena);
	assert_int_equal(header_next(&h, &chunk, &f), HEADER_FIELD);
	assert_ptr_equal(f.raw.p, in.p);
	assert_int_equal(header_next(&h, &chunk, &f), HEADER_FIELD);
	assert_ptr_equal(f.raw.p, in.p + 6);
	assert_int_equal(header_next(&h, &chunk, &f), HEADER_END);
	assert_int_equal(header_next(&h, &chunk, &f), HEADER_END);
	arena_clear(&arena);
}

/* ---- values ---- */

static void
values_unfold(void **state)
{
	static const char *const rows[][2] = {
		{ " a\r\n b\r\n\tc ", "a b\tc" },
		{ "", "" },
		{ " \r\n ", "" },
		{ "a\rb", "a\rb" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(out);

		field_unfold(str_of(rows[i][0]), &b);
		assert_true(str_eq(buf_str(&b), str_of(rows[i][1])));
	}
}

static void
message_ids_are_found(void **state)
{
	static const char *const rows[][2] = {
		{ " <a@b>", "a@b" },
		{ "\r\n <a@b> (c)", "a@b" },
		{ "<a@b> <c@d>", "a@b" },
		{ "a@b", NULL },
		{ "<a@b", NULL },
		{ "<>", NULL },
		{ "<a b>", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_true(str_eq(field_msgid(str_of(rows[i][0])),
		    str_of(rows[i][1])));
}

static void
machines_are_recognised(void **state)
{
	static const struct { const char *value; bool is_auto; } rows[] = {
		{ " no", false }, { " No (really)", false },
		{ "no; x=y", false }, { " auto-replied", true },
		{ "auto-generated; owner-email=\"a@b\"", true },
		{ "x-strange", true }, { "", false }, { "(no)", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(field_is_auto(str_of(rows[i].value)),
		    rows[i].is_auto);
}

/* ---- writing ---- */

#define W10 "abcdefghi "
#define W70 W10 W10 W10 W10 W10 W10 W10

static void
fields_are_written(void **state)
{
	static const struct { const char *name, *value, *want; } rows[] = {
		{ "A", "b", "A: b\r\n" },
		{ "A", "", "A: \r\n" },
		{ "A", " b \t", "A: b\r\n" },
		{ "Subject", W70 "1", "Subject: " W70 "\b\r\n 1\r\n" },
		/* 78 octets stay on a line, the 79th folds. */
		{ "Abcd", W70 "12", "Abcd: " W70 "12\r\n" },
		{ "Abcd", W70 "123",
		    "Abcd: " W70 "\b\r\n 123\r\n" },
		{ "A", "gr\xc3\xbc\xc3\x9f", "A: gr\xc3\xbc\xc3\x9f\r\n" },
		{ "A", "b\r\nC: d", NULL },
		{ "A", "b\r\n", NULL },
		{ "A", "b\nC: d", NULL },
		{ "A", "b\rC: d", NULL },
		{ "A", "b\x7f", NULL },
		{ "A", "b\xff", NULL },
		{ "", "b", NULL },
		{ "A:", "b", NULL },
		{ "A b", "b", NULL },
		{ "A\xc3\xbc", "b", NULL },
	};
	char out[512], want[512];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(out), w = BUF_OF(want);
		bool ok = header_put(&b, str_of(rows[i].name),
		    str_of(rows[i].value));

		assert_int_equal(ok, rows[i].want != NULL);
		/* \b in the table takes the space before it back. */
		for (const char *c = rows[i].want; c != NULL && *c != '\0';
		    c++)
			if (*c == '\b')
				w.n--;
			else
				buf_putc(&w, *c);
		assert_true(str_eq(buf_str(&b), buf_str(&w)));
	}
	assert_false(header_put(&BUF_OF(out), STR("A"), STR("b\0c")));
}

static void
words_have_an_edge(void **state)
{
	static char value[1000], out[1100];

	(void)state;
	memset(value, 'a', sizeof value);
	for (size_t n = 994; n <= 996; n++) {
		struct buf b = BUF_OF(out);

		assert_int_equal(header_put(&b, STR("A"),
		    (struct str){ value, n }), n <= HEADER_LINE_MOST - 3);
	}
	assert_false(header_put(&(struct buf){ .p = out, .cap = 4 }, STR("A"),
	    STR("b")));
}

/* What is written is one field, and the same when read. */
static void
writing_and_reading_agree(void **state)
{
	static struct story s;
	char out[1024], value[512], back[512];
	struct buf b = BUF_OF(out), v = BUF_OF(value);

	(void)state;
	for (int i = 0; i < 30; i++)
		buf_printf(&v, "word%d\t  <id%d@example.org>", i, i * i);
	assert_true(header_put(&b, STR("References"), str_sub(buf_str(&v), 0,
	    400)));
	tell(buf_str(&b), 10, 200, &s);
	assert_int_equal(s.scan.count[HEADER_REFERENCES], 1);
	assert_int_equal(s.scan.end, HEADER_END);
	assert_false(s.scan.ended_by_junk);
	v = BUF_OF(back);
	field_unfold(str_sub(buf_str(&b), 12, b.n), &v);
	assert_true(str_eq(buf_str(&v), (struct str){ value, 400 }));
}

/* Another library's table.  It takes what has no brackets, and white space inside
 * them; we call neither an id. */
static void
message_ids_agree(void **state)
{
	json_t *all = json_load_file("test/vectors/mime-stalwart/id.json", 0,
	    NULL);
	unsigned agreed = 0;

	(void)state;
	assert_int_equal(json_array_size(all), 11);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *row = json_array_get(all, i);
		const char *want = json_string_value(json_array_get(
		    json_object_get(row, "expected"), 0));
		struct str id = field_msgid(str_of(json_string_value(
		    json_object_get(row, "header"))));

		agreed += id.p == NULL ? want == NULL :
		    str_eq(id, str_of(want));
	}
	json_decref(all);
	assert_int_equal(agreed, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_come_apart),
		cmocka_unit_test(junk_begins_the_body),
		cmocka_unit_test(names_are_known),
		cmocka_unit_test(name_length_has_an_edge),
		cmocka_unit_test(limits_hold_however_it_is_cut),
		cmocka_unit_test(a_full_arena_is_told),
		cmocka_unit_test(whole_fields_are_slices),
		cmocka_unit_test(values_unfold),
		cmocka_unit_test(message_ids_are_found),
		cmocka_unit_test(message_ids_agree),
		cmocka_unit_test(machines_are_recognised),
		cmocka_unit_test(fields_are_written),
		cmocka_unit_test(words_have_an_edge),
		cmocka_unit_test(writing_and_reading_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
