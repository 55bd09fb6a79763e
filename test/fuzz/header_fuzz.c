/* Header sections: however they are cut the same comes out, and all of it; what
 * is written is one field with the same words. */
#include "fuzz.h"
#include "wire/header.h"

enum { ROOM = 64 * 1024 };

struct story {
	char told_room[4 * ROOM], raw_room[2 * ROOM];
	struct buf told, raw;
	struct header_scan scan;
	struct arena arena;
};

static struct story whole, split;

static void
begin(struct story *s)
{
	s->told = BUF_OF(s->told_room);
	s->raw = BUF_OF(s->raw_room);
	arena_init(&s->arena, HEADER_ARENA);
	header_begin(&s->scan, &s->arena);
}

static void
take(struct story *s, enum header_step step, const struct field *f)
{
	if (step == HEADER_FIELD) {
		must(f->name.n > 0 && fuzz_is_inside(f->name, f->raw));
		must(fuzz_is_inside(f->value, f->raw));
		buf_put(&s->told, f->name);
		buf_putc(&s->told, '\0');
		buf_put(&s->told, f->value);
		buf_putc(&s->told, '\0');
	}
	if (step == HEADER_END && s->scan.has_empty_line)
		buf_put(&s->raw, STR("\r\n"));
	if (step == HEADER_FIELD || step == HEADER_END)
		buf_put(&s->raw, f->raw);
}

static void
push(struct story *s, struct str chunk)
{
	enum header_step step = HEADER_FIELD;
	struct field f;

	if (s->scan.end == HEADER_FIELD)
		do {
			step = header_next(&s->scan, &chunk, &f);
			take(s, step, &f);
		} while (step == HEADER_FIELD);
	buf_put(&s->raw, chunk);
}

static void
finish(struct story *s, struct str in)
{
	enum header_step step = HEADER_FIELD;
	struct field f;

	while (s->scan.end == HEADER_FIELD) {
		step = header_finish(&s->scan, &f);
		take(s, step, &f);
	}
	must(!s->told.full && !s->raw.full);
	must(s->scan.end != HEADER_NO_MEMORY);
	if (s->scan.end == HEADER_END)
		must(str_eq(buf_str(&s->raw), in));
	arena_clear(&s->arena);
}

static void
check_scan(struct str in, unsigned seed)
{
	struct str rest = in;

	begin(&whole);
	push(&whole, in);
	finish(&whole, in);
	begin(&split);
	while (rest.n > 0) {
		size_t n = 1 + (seed >> 16) % 19;

		seed = seed * 1103515245u + 12345u;
		push(&split, str_sub(rest, 0, n));
		rest = str_sub(rest, n, rest.n);
	}
	finish(&split, in);
	must(str_eq(buf_str(&whole.told), buf_str(&split.told)));
	must(whole.scan.end == split.scan.end);
	must(whole.scan.octets == split.scan.octets);
	must(whole.scan.lines == split.scan.lines);
	must(whole.scan.has_empty_line == split.scan.has_empty_line);
	must(whole.scan.ended_by_junk == split.scan.ended_by_junk);
}

static void
check_put(struct str in)
{
	static char out[3 * ROOM], back[3 * ROOM];
	struct buf b = BUF_OF(out), u = BUF_OF(back);
	struct str name = str_cut(&in, '\n'), s;

	if (!header_put(&b, name, in)) {
		must(b.n == 0);
		return;
	}
	must(fuzz_is_canonical(buf_str(&b)));
	begin(&whole);
	push(&whole, buf_str(&b));
	finish(&whole, buf_str(&b));
	must(whole.scan.end == HEADER_END && !whole.scan.ended_by_junk);
	s = str_sub(buf_str(&b), name.n + 1, b.n);
	field_unfold(s, &u);
	must(str_eq(buf_str(&u), str_trim(in)));
}

FUZZ(in)
{
	unsigned seed = fuzz_choice(&in);
	char out[64];
	struct buf b = BUF_OF(out);
	struct str id;

	if (in.n > ROOM)
		return;
	check_scan(in, seed);
	check_put(in);
	field_unfold(in, &b);
	id = field_msgid(in);
	must(fuzz_is_inside(id, in) && str_find(id, ' ') == id.n);
	field_is_auto(in);
}
