/* The small words of header fields: lengths stay inside, quoting comes off. */
#include "fuzz.h"
#include "wire/lex.h"

FUZZ(in)
{
	size_t n = lex_quoted(in), c = lex_comment(in);
	static char room[1024 * 1024];
	struct buf b = BUF_OF(room);
	struct str s = in, comment = STR_NONE;

	must(n == 0 || (n >= 2 && n <= in.n && in.p[0] == '"' &&
	    in.p[n - 1] == '"'));
	must(c == 0 || (c >= 2 && c <= in.n && in.p[0] == '(' &&
	    in.p[c - 1] == ')'));
	must(lex_atom(in) <= in.n);
	if (lex_skip_cfws(&s, &comment)) {
		must(fuzz_is_inside(s, in) && fuzz_is_inside(comment, in));
		must(s.n == 0 || (s.p[0] != ' ' && s.p[0] != '('));
	}
	lex_unquote(in, &b);
	must(b.full || b.n <= in.n);
}
