/*
 * aliases(5): lines of
 *	name ":" [ target *( "," target ) ]
 *	target = address / "/" file / "|" command / ":include:" file
 *	       / DQUOTE any of these DQUOTE / "\" local-part
 * A line that begins with white space continues the one before.  Lines that are
 * empty or whose first character is "#" count for nothing wherever they stand.
 * A line's end separates targets as a comma does.  An included file is such a
 * list without a name.
 */
#include "wire/aliases.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct str
skip_blanks(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_sub(s, 1, s.n);
	return s;
}

/* A line that counts for nothing. */
static bool
is_void(struct str line)
{
	line = skip_blanks(line);
	return line.n == 0 || line.p[0] == '#' || line.p[0] == '\n';
}

void
aliases_begin(struct aliases *a, struct str file)
{
	*a = (struct aliases){ .rest = file, .next_line = 1 };
}

static struct str
take_line(struct aliases *a)
{
	a->next_line++;
	return str_cut(&a->rest, '\n');
}

/* Where the quoted string at the front ends, quotes included; 0: it does not. */
static size_t
quoted_length(struct str s)
{
	for (size_t i = 1; i < s.n && s.p[i] != '\n'; i++)
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	return 0;
}

/* Cut at the first c outside quotes; s.n when there is none. */
static size_t
find_outside(struct str s, char c)
{
	size_t i = 0, n;

	while (i < s.n && s.p[i] != c && s.p[i] != '\n') {
		n = s.p[i] == '"' ? quoted_length(str_sub(s, i, s.n)) : 1;
		i += n == 0 ? 1 : n;
	}
	return i < s.n ? i : s.n;
}

/* The lines that continue the one whose targets begin at `from'. */
static struct str
take_targets(struct aliases *a, const char *from)
{
	const char *end = a->rest.p;

	while (a->rest.n > 0 && (is_blank(a->rest.p[0]) ||
	    is_void(a->rest))) {
		take_line(a);
		end = a->rest.p;
	}
	return (struct str){ from, (size_t)(end - from) };
}

bool
aliases_next(struct aliases *a, struct alias *out)
{
	struct str line = STR_NONE;
	size_t colon;

	while (a->rest.n > 0 && is_void(line)) {
		a->line = a->next_line;
		line = take_line(a);
	}
	if (is_void(line))
		return false;
	*out = (struct alias){ .line = a->line, .name = str_trim(line) };
	if (is_blank(line.p[0])) {
		out->why = "continues nothing";
		return true;
	}
	colon = find_outside(line, ':');
	if (colon == line.n)
		out->why = "has no colon";
	else if ((out->name = str_trim(str_sub(line, 0, colon))).n == 0)
		out->why = "has no name";
	out->targets = take_targets(a, line.p + (colon < line.n ? colon + 1 :
	    line.n));
	return true;
}

/* White space, commas, and lines that count for nothing, off the front. */
static void
skip_between(struct str *s)
{
	bool at_line_start = false;

	while (s->n > 0) {
		*s = skip_blanks(*s);
		if (s->n == 0)
			return;
		if (s->p[0] == '#' && at_line_start) {
			str_cut(s, '\n');
			continue;
		}
		if (s->p[0] != ',' && s->p[0] != '\n')
			return;
		at_line_start = s->p[0] == '\n';
		*s = str_sub(*s, 1, s->n);
	}
}

/* "..." and nothing behind it: the inside is the target. */
static bool
take_quotes(struct str *text)
{
	if (text->n < 2 || text->p[0] != '"' ||
	    quoted_length(*text) != text->n)
		return false;
	*text = str_sub(*text, 1, text->n - 2);
	return true;
}

static bool
is_one_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] >= 0 && s.p[i] <= ' ') || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

/* The address may have a quoted local part, and spaces in it. */
static bool
is_address(struct str s)
{
	bool has_quotes = s.n > 0 && s.p[0] == '"';
	size_t n = has_quotes ? quoted_length(s) : 0;

	return (n > 0 || !has_quotes) && is_one_word(str_sub(s, n, s.n));
}

static enum alias_kind
target_kind(struct alias_target *t)
{
	if (str_skip(&t->text, STR("|")))
		return ALIAS_COMMAND;
	if (str_skip_icase(&t->text, STR(":include:")))
		return ALIAS_INCLUDE;
	if (t->text.n > 0 && t->text.p[0] == '/')
		return ALIAS_FILE;
	if (!t->quoted)
		t->is_final = str_skip(&t->text, STR("\\"));
	return t->quoted ? ALIAS_ADDRESS :
	    is_address(t->text) ? ALIAS_ADDRESS : ALIAS_BAD;
}

bool
alias_target(struct str *targets, struct alias_target *out)
{
	size_t n;

	skip_between(targets);
	if (targets->n == 0)
		return false;
	n = find_outside(*targets, ',');
	*out = (struct alias_target){ .text = str_trim(str_sub(*targets, 0,
	    n)) };
	*targets = str_sub(*targets, n, targets->n);
	out->quoted = take_quotes(&out->text);
	out->kind = target_kind(out);
	/* |"command" and :include:"file" */
	if (!out->quoted && out->kind != ALIAS_ADDRESS)
		out->quoted = take_quotes(&out->text);
	out->text = str_trim(out->text);
	if (out->text.n == 0)
		out->kind = ALIAS_BAD;
	return true;
}

struct str
alias_list(struct str file)
{
	while (file.n > 0 && is_void(file))
		str_cut(&file, '\n');
	return file;
}

void
alias_unquote(struct str raw, struct buf *out)
{
	take_quotes(&raw);
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		buf_putc(out, raw.p[i]);
	}
}
