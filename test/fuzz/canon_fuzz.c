/* Canonical forms: what comes in pieces is what the words of RFC 6376 3.4 make of
 * the whole, line by line. */
#include "fuzz.h"
#include "wire/canon.h"

static char made_room[64 * 1024], whole_room[64 * 1024], line_room[64 * 1024];

static void
buf_take(void *arg, struct str octets)
{
	buf_put(arg, octets);
}

/* ---- the whole at once ---- */

/* Runs of white space become one SP; at the end they go. */
static struct str
squeezed(struct str s)
{
	struct buf b = BUF_OF(line_room);

	for (size_t i = 0; i < s.n; i++) {
		bool is_space = s.p[i] == ' ' || s.p[i] == '\t';

		if (!is_space)
			buf_putc(&b, s.p[i]);
		else if (b.n == 0 || b.p[b.n - 1] != ' ')
			buf_putc(&b, ' ');
	}
	while (b.n > 0 && b.p[b.n - 1] == ' ')
		b.n--;
	return buf_str(&b);
}

static void
body_whole(enum canon canon, struct str s, struct buf *out)
{
	while (s.n > 0) {
		size_t n = str_find_str(s, STR("\r\n"));
		struct str line = str_sub(s, 0, n);

		if (canon == CANON_RELAXED)
			line = squeezed(line);
		buf_put(out, line);
		if (n < s.n)
			buf_put(out, STR("\r\n"));
		s = str_sub(s, n + 2, s.n);
	}
	while (str_has_suffix_icase(buf_str(out), STR("\r\n")))
		out->n -= 2;
	if (canon == CANON_SIMPLE || out->n > 0)
		buf_put(out, STR("\r\n"));
}

static void
field_whole(struct str raw, struct buf *out)
{
	static char unfolded[64 * 1024];
	struct buf b = BUF_OF(unfolded);
	struct str name = str_trim_wsp(str_cut(&raw, ':')), value;

	for (size_t i = 0; i < name.n; i++)
		buf_putc(out, ascii_lower(name.p[i]));
	buf_putc(out, ':');
	while (raw.n > 0) {
		size_t n = str_find_str(raw, STR("\r\n"));

		buf_put(&b, str_sub(raw, 0, n));
		raw = str_sub(raw, n + 2, raw.n);
	}
	value = squeezed(buf_str(&b));
	(void)str_skip(&value, STR(" "));
	buf_put(out, value);
	buf_put(out, STR("\r\n"));
}

/* ---- both ---- */

static void
check_body(enum canon canon, struct str in, size_t step)
{
	static struct canon_body b;
	struct buf made = BUF_OF(made_room), whole = BUF_OF(whole_room);
	struct str rest = in;

	canon_body_begin(&b, canon, (struct canon_sink){ buf_take, &made });
	while (rest.n > 0) {
		canon_body_put(&b, str_sub(rest, 0, step));
		rest = str_sub(rest, step, rest.n);
	}
	canon_body_end(&b);
	body_whole(canon, in, &whole);
	must(!made.full && !whole.full);
	must(str_eq(buf_str(&made), buf_str(&whole)));
	must(b.out.octets == made.n && made.n <= in.n + 2);
}

static void
check_field(struct str in)
{
	struct buf made = BUF_OF(made_room), whole = BUF_OF(whole_room);

	if (str_find(in, ':') == in.n || in.p[0] == ' ' || in.p[0] == '\t')
		return;
	canon_field(CANON_RELAXED, in, &made);
	field_whole(in, &whole);
	must(!made.full && str_eq(buf_str(&made), buf_str(&whole)));
	made.n = 0;
	canon_signature(CANON_SIMPLE, in, &made);
	must(made.n <= in.n);
	must(str_has_prefix_icase(in, str_sub(buf_str(&made), 0,
	    str_find(in, ':'))));
	made.n = 0;
	canon_signature(CANON_RELAXED, in, &made);
	must(made.n <= in.n);
}

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);

	if (in.n > sizeof made_room / 4)
		return;
	if (choice % 3 == 2) {
		if (in.n > 0)
			check_field(in);
	} else
		check_body(choice % 3 == 0 ? CANON_SIMPLE : CANON_RELAXED, in,
		    1 + choice / 3);
}
