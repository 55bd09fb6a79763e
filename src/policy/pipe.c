/*
 * command = program *( 1*WSP word )
 * program = word			; begins with "/", no variable
 * word    = 1*( char / "\" octet / "'" *octet "'" / DQUOTE *inside DQUOTE /
 *           variable )
 * inside  = octet / "\" ( DQUOTE / "\" / "$" ) / variable
 * variable= "${" name "}"		; pipe.def
 */
#include "policy/pipe.h"

#include "base/must.h"
#include "base/near.h"
#include "policy/problem.h"
#include "policy/schema.h"

static const char *const var_names[PIPE_VARS] = {
#define PIPE_VAR(name_, doc_) [PIPE_##name_] = #name_,
#include "policy/pipe.def"
#undef PIPE_VAR
};

struct pipe_parser {
	struct pipe *pipe;
	struct arena *arena;
	struct str rest;
	struct buf literal;		/* the part that is being read */
	bool in_word, has_part;
	const char *why;
};

static const char no_memory[] = "there is no memory for it";

static bool
parser_fails(struct pipe_parser *p, const char *why)
{
	p->why = why;
	return false;
}

/* ---- parts and words ---- */

static bool
part_add(struct pipe_parser *p, enum pipe_var var, struct str text)
{
	struct pipe *to = p->pipe;

	if (to->n == PIPE_PARTS || (!p->has_part && to->n_words == PIPE_WORDS))
		return parser_fails(p, "it has too many words");
	if (to->n_words == 0 && !p->has_part &&
	    (var != PIPE_TEXT || text.n == 0 || text.p[0] != '/'))
		return parser_fails(p, "it must begin with the absolute path "
		    "of a program");
	if (to->n_words == 1 && p->has_part && var != PIPE_TEXT)
		return parser_fails(p, "the program's path is fixed; a "
		    "variable cannot be in it");
	to->n_words += !p->has_part;
	to->parts[to->n++] = (struct pipe_part){ var, !p->has_part, text };
	p->has_part = true;
	return true;
}

static bool
literal_end(struct pipe_parser *p)
{
	struct str text = arena_copy(p->arena, buf_str(&p->literal));

	p->literal.n = 0;
	return text.p == NULL ? parser_fails(p, no_memory) :
	    part_add(p, PIPE_TEXT, text);
}

static bool
word_end(struct pipe_parser *p)
{
	bool fine = !p->in_word || ((p->literal.n == 0 && p->has_part) ||
	    literal_end(p));

	p->in_word = p->has_part = false;
	return fine;
}

/* ---- what stands in a word ---- */

static bool
variable_is_unknown(struct pipe_parser *p, struct str name)
{
	size_t least = near_least(name);
	const char *near = NULL;

	for (size_t i = 0; i < PIPE_VARS; i++) {
		size_t d = near_distance(name, str_of(var_names[i]));

		if (d <= least) {
			near = var_names[i];
			least = d == 0 ? 0 : d - 1;
		}
	}
	if (near == NULL)
		return parser_fails(p, arena_printf(p->arena, "there is no "
		    "variable ${"STR_FMT"}", STR_ARG(name)).p);
	return parser_fails(p, arena_printf(p->arena, "there is no variable "
	    "${"STR_FMT"}; did you mean ${%s}?", STR_ARG(name), near).p);
}

static bool
variable_take(struct pipe_parser *p)
{
	size_t end = str_find(p->rest, '}');
	struct str name = str_sub(p->rest, 2, end - 2);

	if (p->rest.n < 2 || p->rest.p[1] != '{' || end == p->rest.n)
		return parser_fails(p, "a variable is written ${name}; for "
		    "the sign itself, write \\$");
	p->rest = str_sub(p->rest, end + 1, p->rest.n);
	if (p->literal.n > 0 && !literal_end(p))
		return false;
	for (unsigned i = 0; i < PIPE_VARS; i++)
		if (str_eq(name, str_of(var_names[i])))
			return part_add(p, (enum pipe_var)i, STR_NONE);
	return variable_is_unknown(p, name);
}

static bool
single_take(struct pipe_parser *p)
{
	struct str inside = str_sub(p->rest, 1, p->rest.n);
	size_t end = str_find(inside, '\'');

	if (end == inside.n)
		return parser_fails(p, "a ' has no second");
	buf_put(&p->literal, str_sub(inside, 0, end));
	p->rest = str_sub(inside, end + 1, inside.n);
	return true;
}

static void
octet_take(struct pipe_parser *p)
{
	buf_putc(&p->literal, p->rest.p[0]);
	p->rest = str_sub(p->rest, 1, p->rest.n);
}

static bool
double_take(struct pipe_parser *p)
{
	static const struct str special = STR_INIT("\"\\$");

	p->rest = str_sub(p->rest, 1, p->rest.n);
	while (p->rest.n > 0 && p->rest.p[0] != '"') {
		bool is_escape = p->rest.p[0] == '\\' && p->rest.n > 1 &&
		    str_find(special, p->rest.p[1]) < special.n;

		if (p->rest.p[0] == '$') {
			if (!variable_take(p))
				return false;
			continue;
		}
		if (is_escape)
			p->rest = str_sub(p->rest, 1, p->rest.n);
		octet_take(p);
	}
	if (p->rest.n == 0)
		return parser_fails(p, "a \" has no second");
	p->rest = str_sub(p->rest, 1, p->rest.n);
	return true;
}

/* Who writes these thinks of a shell. */
static bool
is_shells(char c)
{
	static const struct str all = STR_INIT("|&;<>()`*?[]~");

	return str_find(all, c) < all.n;
}

static bool
parser_step(struct pipe_parser *p)
{
	char c = p->rest.p[0];

	if (c == ' ' || c == '\t') {
		p->rest = str_sub(p->rest, 1, p->rest.n);
		return word_end(p);
	}
	p->in_word = true;
	if (c == '\'')
		return single_take(p);
	if (c == '"')
		return double_take(p);
	if (c == '$')
		return variable_take(p);
	if (is_shells(c))
		return parser_fails(p, arena_printf(p->arena, "no shell reads "
		    "it, and '%c' means nothing: quote it, or put it into a "
		    "script", c).p);
	if (c == '\\') {
		p->rest = str_sub(p->rest, 1, p->rest.n);
		if (p->rest.n == 0)
			return parser_fails(p, "nothing follows the \\");
	}
	octet_take(p);
	return true;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') ||
		    s.p[i] == 0x7f)
			return true;
	return false;
}

const char *
pipe_parse(struct pipe *out, struct str text, struct arena *a)
{
	char room[PIPE_MOST];
	struct pipe_parser p = { .pipe = out, .arena = a, .rest = text,
		.literal = BUF_OF(room) };

	*out = (struct pipe){ .text = arena_copy(a, text) };
	out->parts = arena_alloc(a, PIPE_PARTS * sizeof *out->parts);
	if (out->text.p == NULL || out->parts == NULL)
		return no_memory;
	if (text.n > PIPE_MOST || has_control(text))
		return text.n > PIPE_MOST ? "it is longer than 1000 octets" :
		    "it holds a control character";
	while (p.rest.n > 0)
		if (!parser_step(&p))
			return p.why == NULL ? no_memory : p.why;
	if (!word_end(&p))
		return p.why;
	must(!p.literal.full);
	return out->n_words == 0 ? "it is empty" : NULL;
}

/* ---- with a message's values ---- */

static struct str
word_join(const struct pipe *p, size_t first, size_t end,
    const struct str values[], struct arena *a)
{
	struct buf b = { .cap = 1 };

	for (size_t i = first; i < end; i++)
		b.cap += p->parts[i].var == PIPE_TEXT ? p->parts[i].text.n :
		    values[p->parts[i].var].n;
	b.p = arena_alloc(a, b.cap + 1);
	if (b.p == NULL)
		return STR_NONE;
	for (size_t i = first; i < end; i++)
		buf_put(&b, p->parts[i].var == PIPE_TEXT ? p->parts[i].text :
		    values[p->parts[i].var]);
	must(!b.full);
	return buf_str(&b);		/* the arena gives zeros */
}

static const char *
word_check(const struct pipe_part *first, struct str word, struct arena *a)
{
	if (has_control(word))
		return "an address holds a control character";
	if (first->var == PIPE_TEXT || word.n == 0 || word.p[0] != '-')
		return NULL;
	return arena_printf(a, "${%s} begins with '-', which a command would "
	    "take for an option", var_names[first->var]).p;
}

const char *
pipe_words(const struct pipe *p, const struct str values[PIPE_VARS],
    struct arena *a, const char *argv[])
{
	size_t n = 0;

	must(p->n_words > 0 && p->n_words <= PIPE_WORDS && p->parts[0].begins);
	for (size_t i = 0, end; i < p->n; i = end) {
		struct str word;
		const char *why;

		for (end = i + 1; end < p->n && !p->parts[end].begins; end++)
			;
		word = word_join(p, i, end, values, a);
		if (word.p == NULL)
			return no_memory;
		why = word_check(&p->parts[i], word, a);
		if (why != NULL)
			return why;
		argv[n++] = word.p;
	}
	must(n == p->n_words);
	argv[n] = NULL;
	return NULL;
}

/* ---- a value of the configuration ---- */

bool
pipe_read(struct value_reader *r, const struct schema *row,
    const struct node *n, struct pipe **out)
{
	struct pipe *p = arena_new(r->arena, struct pipe);
	const char *why;

	*out = NULL;
	if (p == NULL)
		return false;
	why = pipe_parse(p, n->text, r->arena);
	if (why != NULL) {
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "'"STR_FMT"' is not %s: %s", STR_ARG(n->text),
		    schema_type_says(row->type), why);
		return false;
	}
	*out = p;
	return true;
}
