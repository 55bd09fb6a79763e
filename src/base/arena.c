#include "base/arena.h"

#include "base/must.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* With what stands in front of it the first is 256 octets: what malloc has ready. */
enum { BLOCK_FIRST = 256 - 32, BLOCK_MOST = 16 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t fill, size;
	alignas(max_align_t) char bytes[];
};

_Static_assert(sizeof(struct arena_block) + BLOCK_FIRST == 256, "256");

struct arena_defer {
	struct arena_defer *next;
	void (*fn)(void *);
	void *arg;
};

void
arena_init(struct arena *a, size_t ceiling)
{
	*a = (struct arena){ .ceiling = ceiling };
}

void
arena_init_wiped(struct arena *a, size_t ceiling)
{
	*a = (struct arena){ .ceiling = ceiling, .is_wiped = true };
}

void
arena_expect(struct arena *a, size_t size)
{
	must(a->blocks == NULL);
	a->first = size;
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->blocks,
		a->blocks == NULL ? 0 : a->blocks->fill, a->defers };
}

void
arena_back(struct arena *a, struct arena_mark m)
{
	struct arena_block *b;

	while (a->defers != m.defers) {
		struct arena_defer *d = a->defers;

		must(d != NULL);
		a->defers = d->next;
		d->fn(d->arg);
	}
	while ((b = a->blocks) != m.block) {
		must(b != NULL);
		a->blocks = b->next;
		a->used -= b->size;
		if (a->is_wiped)
			explicit_bzero(b, sizeof *b + b->size);
		free(b);
	}
	if (b != NULL)
		b->fill = m.fill;
}

void
arena_clear(struct arena *a)
{
	arena_back(a, (struct arena_mark){ NULL, 0, NULL });
	must(a->used == 0);
}

static struct arena_block *
block_add(struct arena *a, size_t size)
{
	size_t room = a->used / 2 > BLOCK_FIRST ? a->used / 2 : BLOCK_FIRST;
	struct arena_block *b;

	if (a->used == 0 && a->first > 0)
		room = a->first;
	if (room > BLOCK_MOST)
		room = BLOCK_MOST;
	if (room < size)
		room = size;
	if (room > a->ceiling - a->used)
		room = a->ceiling - a->used;	/* the last block is smaller */
	if (room < size)
		return NULL;
	b = malloc(sizeof *b + room);
	if (b == NULL)
		return NULL;
	*b = (struct arena_block){ .next = a->blocks, .size = room };
	a->blocks = b;
	a->used += room;
	return b;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (b == NULL || b->size - b->fill < size)
		b = block_add(a, size);
	if (b == NULL)
		return NULL;
	p = b->bytes + b->fill;
	b->fill += size;
	return memset(p, 0, size);
}

bool
arena_has(const struct arena *a, size_t size)
{
	const struct arena_block *b = a->blocks;

	return (b != NULL && b->size - b->fill >= size) ||
	    a->ceiling - a->used >= size;
}

struct str
arena_copy(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (p == NULL)
		return STR_NONE;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

struct str
arena_lower(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return (struct str){ p, s.n };
}

struct str
arena_join(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);

	if (p == NULL)
		return STR_NONE;
	if (x.n > 0)
		memcpy(p, x.p, x.n);
	if (y.n > 0)
		memcpy(p + x.n, y.p, y.n);
	return (struct str){ p, x.n + y.n };
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = arena_alloc(a, (size_t)n + 1)) == NULL)
		return STR_NONE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){ p, (size_t)n };
}

const char *
arena_cstr(struct arena *a, struct str s)
{
	return arena_copy(a, s).p;
}

int
arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_defer *d = arena_new(a, struct arena_defer);

	if (d == NULL)
		return -1;
	*d = (struct arena_defer){ a->defers, fn, arg };
	a->defers = d;
	return 0;
}
