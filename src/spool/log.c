#include "spool/log.h"

#include "base/err.h"
#include "base/must.h"

#include <stdlib.h>

enum { LOG_GAP_MOST = 1 << 16 };	/* lost in a row; more is nonsense */

void
segment_free(struct segment *s)
{
	if (s == NULL)
		return;
	segment_close(s);
	free(s);
}

void
log_clear(struct log *l)
{
	for (size_t i = 0; i < l->n; i++)
		segment_free(l->segments[i]);
	free(l->segments);
	*l = (struct log){ .n = 0 };
}

struct segment *
log_find(const struct log *l, uint64_t number)
{
	if (number < l->first || number - l->first >= l->n)
		return NULL;
	return l->segments[number - l->first];
}

struct segment *
log_front(const struct log *l)
{
	must(l->n == 0 || l->segments[0] != NULL);
	return l->n == 0 ? NULL : l->segments[0];
}

struct segment *
log_last(const struct log *l)
{
	return l->n == 0 ? NULL : l->segments[l->n - 1];
}

static int
log_grow(struct log *l, size_t n)
{
	size_t cap = l->cap < 16 ? 16 : l->cap;
	struct segment **p;

	if (n <= l->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	p = realloc(l->segments, cap * sizeof(struct segment *));
	if (p == NULL)
		return -1;
	l->segments = p;
	l->cap = cap;
	return 0;
}

struct segment *
log_append(struct log *l, const struct segment *from)
{
	struct segment *s = malloc(sizeof *s);
	size_t gap;

	if (l->n == 0)
		l->first = from->number;
	must(from->number >= l->first + l->n);
	gap = (size_t)(from->number - l->first - l->n);
	if (gap > LOG_GAP_MOST)
		err_set("segment %llu stands too far from %llu",
		    (unsigned long long)from->number,
		    (unsigned long long)l->first);
	if (gap > LOG_GAP_MOST || s == NULL || log_grow(l, l->n + gap + 1) != 0) {
		free(s);
		return NULL;
	}
	*s = *from;
	for (; gap > 0; gap--)
		l->segments[l->n++] = NULL;
	l->segments[l->n++] = s;
	return s;
}

struct segment *
log_pop(struct log *l)
{
	struct segment *s = log_front(l);
	size_t gone = 1;

	must(s != NULL);
	while (gone < l->n && l->segments[gone] == NULL)
		gone++;
	must(gone <= l->n);
	l->n -= gone;
	l->first += gone;
	memmove(l->segments, l->segments + gone, l->n * sizeof(struct segment *));
	return s;
}

struct segment *
log_pop_last(struct log *l)
{
	struct segment *s = log_last(l);

	must(s != NULL);
	l->n--;
	while (l->n > 0 && l->segments[l->n - 1] == NULL)
		l->n--;
	return s;
}
