#include "policy/problem.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXTS_MOST = 256 * 1024, TEXT_ROOM = 1024 };

void
problems_init(struct problems *ps)
{
	*ps = (struct problems){ .n = 0 };
	arena_init(&ps->arena, TEXTS_MOST);
}

void
problems_clear(struct problems *ps)
{
	arena_clear(&ps->arena);
	problems_init(ps);
}

const char *
problem_level_name(enum problem_level level)
{
	static const char *const names[PROBLEM_LEVELS] = {
		[PROBLEM_ERROR] = "error",
		[PROBLEM_WARNING] = "warning",
		[PROBLEM_HINT] = "hint",
	};

	must(level < PROBLEM_LEVELS);
	return names[level];
}

/* By file in order of appearance, then by line, then by column. */
static bool
problem_is_before(const struct problem *a, const struct problem *b)
{
	if (!str_eq(a->at.file, b->at.file))
		return false;
	if (a->at.line != b->at.line)
		return a->at.line < b->at.line;
	return a->at.column < b->at.column;
}

static void
problem_insert(struct problems *ps, struct problem p)
{
	size_t i = ps->n++;

	for (; i > 0 && problem_is_before(&p, &ps->list[i - 1]); i--)
		ps->list[i] = ps->list[i - 1];
	ps->list[i] = p;
}

void
problem_add(struct problems *ps, enum problem_level level, struct place at,
    const char *fmt, ...)
{
	char text[TEXT_ROOM];
	va_list ap;
	int n;

	must(level < PROBLEM_LEVELS);
	ps->counts[level]++;
	if (ps->list == NULL)
		ps->list = arena_alloc(&ps->arena,
		    PROBLEMS_MOST * sizeof ps->list[0]);
	if (ps->list == NULL || ps->n == PROBLEMS_MOST)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	must(n >= 0);
	at.file = arena_copy(&ps->arena, at.file);
	at.line_text = arena_copy(&ps->arena, at.line_text);
	problem_insert(ps, (struct problem){ level, at,
	    arena_copy(&ps->arena, str_of(text)) });
}

/* What a terminal shows: no control characters of somebody's file. */
static void
put_visible(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_putc(out, c == '\t' ? ' ' : c < 0x20 || c == 0x7f ? '?' :
		    s.p[i]);
	}
}

static void
put_caret(struct buf *out, const struct place *at)
{
	for (unsigned i = 1; i < at->column; i++)
		buf_putc(out, ' ');
	buf_putc(out, '^');
	for (unsigned i = 1; i < at->width; i++)
		buf_putc(out, '~');
	buf_putc(out, '\n');
}

static void
problem_print(const struct problem *p, struct buf *out)
{
	if (p->at.file.n > 0) {
		put_visible(out, p->at.file);
		buf_putc(out, ':');
	}
	if (p->at.line > 0)
		buf_printf(out, "%u:%u:", p->at.line, p->at.column);
	if (p->at.file.n > 0 || p->at.line > 0)
		buf_putc(out, ' ');
	buf_printf(out, "%s: ", problem_level_name(p->level));
	put_visible(out, p->text);
	buf_putc(out, '\n');
	if (p->at.line == 0 || p->at.line_text.n == 0)
		return;
	put_visible(out, p->at.line_text);
	buf_putc(out, '\n');
	put_caret(out, &p->at);
}

void
problems_print(const struct problems *ps, struct buf *out)
{
	size_t found = 0;

	for (size_t i = 0; i < ps->n; i++)
		problem_print(&ps->list[i], out);
	for (size_t i = 0; i < PROBLEM_LEVELS; i++)
		found += ps->counts[i];
	if (found > ps->n)
		buf_printf(out, "(and %zu more)\n", found - ps->n);
}
