#include "wire/lex.h"

void
lex_skip_space(struct str *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t' ||
	    s->p[0] == '\r' || s->p[0] == '\n'))
		*s = str_sub(*s, 1, s->n);
}

/* RFC 5322 3.2.2: comment = "(" *([FWS] ccontent) [FWS] ")" */
size_t
lex_comment(struct str s)
{
	size_t depth = 0, i = 0;

	if (s.n == 0 || s.p[0] != '(')
		return 0;
	do {
		if (i >= s.n)
			return 0;
		if (s.p[i] == '(' && ++depth > LEX_COMMENT_DEPTH)
			return 0;
		if (s.p[i] == ')')
			depth--;
		if (s.p[i] == '\n' && !(i + 1 < s.n &&
		    (s.p[i + 1] == ' ' || s.p[i + 1] == '\t')))
			return 0;		/* no folding */
		i += s.p[i] == '\\' ? 2 : 1;
	} while (depth > 0);
	return i;
}

bool
lex_skip_cfws(struct str *s, struct str *comment)
{
	size_t n;

	for (;;) {
		lex_skip_space(s);
		if (s->n == 0 || s->p[0] != '(')
			return true;
		if ((n = lex_comment(*s)) == 0)
			return false;
		if (comment != NULL)
			*comment = str_sub(*s, 1, n - 2);
		*s = str_sub(*s, n, s->n);
	}
}

/* RFC 5322 3.2.4: DQUOTE *([FWS] qcontent) [FWS] DQUOTE, with obs-qtext and
 * obs-qp of 4.1: any octet may be quoted, a control character may stand. */
size_t
lex_quoted(struct str s)
{
	size_t i = 1;

	if (s.n == 0 || s.p[0] != '"')
		return 0;
	while (i < s.n && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i + 1 : 0;
}

size_t
lex_atom(struct str s)
{
	static const struct str marks = STR_INIT("!#$%&'*+-/=?^_`{|}~");
	size_t i = 0;

	while (i < s.n && (ascii_is_alnum(s.p[i]) || s.p[i] < 0 ||
	    str_find(marks, s.p[i]) < marks.n))
		i++;
	return i;
}

void
lex_unquote(struct str inside, struct buf *out)
{
	for (size_t i = 0; i < inside.n; i++) {
		if (inside.p[i] == '\r' && i + 1 < inside.n &&
		    inside.p[i + 1] == '\n') {
			i++;
			continue;
		}
		if (inside.p[i] == '\\' && i + 1 < inside.n)
			i++;
		buf_putc(out, inside.p[i]);
	}
}
