/*
 * Authentication-Results: whatever is in one, it is read or refused, and what is
 * read and written is read back the same.  Our authserv-id, however the input has
 * it written (cased, quoted, folded, commented, with a version), is known; and a
 * field that is held for another's has not got it, by a second way to read it.
 */
#include "fuzz.h"

#include "wire/authres.h"

static const struct str ours[] = {
	STR_INIT("mx.example.org"), STR_INIT("xn--mnchen-3ya.example"),
};

/* ---- ours, in as many forms as there are ---- */

static void
put_space(struct str *in, struct buf *out)
{
	static const char *const spaces[] = { "", " ", "\t", "\r\n ", " \r\n\t",
		"(c)", " (a (b) \\) c) ", "(\r\n mx.other ; \")", "()" };

	buf_put(out, str_of(spaces[fuzz_choice(in) %
	    (sizeof spaces / sizeof *spaces)]));
}

static void
put_id(struct str *in, struct buf *out)
{
	struct str id = ours[fuzz_choice(in) % 2];
	bool is_quoted = fuzz_choice(in) % 2 == 1;
	unsigned how;

	if (is_quoted)
		buf_putc(out, '"');
	for (size_t i = 0; i < id.n; i++) {
		how = fuzz_choice(in);
		if (is_quoted && how % 8 == 1)
			buf_putc(out, '\\');
		if (is_quoted && how % 8 == 2)
			buf_put(out, STR("\r\n "));
		buf_putc(out, (how & 16) != 0 && id.p[i] >= 'a' &&
		    id.p[i] <= 'z' ? (char)(id.p[i] - 'a' + 'A') : id.p[i]);
	}
	if (is_quoted)
		buf_putc(out, '"');
}

static void
check_ours(struct str in)
{
	static char room[64 * 1024];
	struct buf out = BUF_OF(room);

	put_space(&in, &out);
	put_id(&in, &out);
	put_space(&in, &out);
	if (fuzz_choice(&in) % 2 == 1) {
		buf_put(&out, STR(" 1"));
		put_space(&in, &out);
	}
	if (fuzz_choice(&in) % 8 != 0) {
		buf_putc(&out, ';');
		buf_put(&out, str_sub(in, 0, 32 * 1024));
	}
	must(!out.full);
	must(authres_claim(buf_str(&out), ours, 2) == AUTHRES_OURS);
}

/* ---- others', by another way ---- */

/* Comments, quotes, backslashes and white space go; up to the first ";" that
 * stands in none of them. */
static void
squeeze(struct str in, struct buf *out)
{
	size_t depth = 0;
	bool is_quoted = false;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '\\' && (depth > 0 || is_quoted) && ++i < in.n) {
			if (depth == 0)
				buf_putc(out, ascii_lower(in.p[i]));
		} else if (c == '"' && depth == 0)
			is_quoted = !is_quoted;
		else if (c == '(' && !is_quoted)
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == ';' && depth == 0 && !is_quoted)
			return;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' &&
		    c != '\n')
			buf_putc(out, ascii_lower(c));
	}
}

static void
check_others(struct str in)
{
	static char room[64 * 1024];
	struct buf out = BUF_OF(room);
	struct authres a;
	struct arena arena;

	if (authres_claim(in, ours, 2) != AUTHRES_THEIRS)
		return;
	squeeze(in, &out);
	for (size_t i = 0; i < 2; i++)
		must(!str_eq(buf_str(&out), ours[i]));
	arena_init(&arena, 1 << 20);
	must(authres_begin(&a, in, &arena));
	must(a.version == 1);
	arena_clear(&arena);
}

/* ---- results ---- */

static void
write_result(const struct authres_result *r, struct arena *arena,
    struct buf *out)
{
	const char *method = arena_cstr(arena, r->method);
	const char *result = arena_cstr(arena, r->result);

	must(method != NULL && result != NULL);
	authres_put(out, method, result, r->reason);
	for (size_t i = 0; i < r->n; i++)
		authres_put_property(out, arena_printf(arena, STR_FMT "."
		    STR_FMT, STR_ARG(r->properties[i].ptype),
		    STR_ARG(r->properties[i].name)).p, r->properties[i].value);
}

/* Everything that can be read, once more. */
static size_t
read_all(struct authres *a, struct arena *arena, struct buf *out)
{
	struct authres_result r;
	size_t n = 0;

	for (; authres_next(a, &r) == AUTHRES_RESULT; n++)
		write_result(&r, arena, out);
	must(authres_next(a, &r) == AUTHRES_END);
	return n;
}

static void
check_results(struct str in)
{
	static char first[256 * 1024], second[256 * 1024];
	struct buf one = BUF_OF(first), two = BUF_OF(second);
	struct authres a;
	struct arena arena;
	size_t n;

	arena_init(&arena, 16 << 20);
	if (authres_begin(&a, in, &arena)) {
		n = read_all(&a, &arena, &one);
		must(!one.full && str_is_printable(buf_str(&one)));
		authres_begin_list(&a, buf_str(&one), &arena);
		must(read_all(&a, &arena, &two) == n);
		must(str_eq(buf_str(&one), buf_str(&two)));
	}
	arena_clear(&arena);
}

FUZZ(in)
{
	check_ours(in);
	check_others(in);
	check_results(in);
}
