#include "wire/gzip.h"

#include "base/must.h"

#include <zlib.h>

/* 32 KiB of window (15 bits), and 16 more for a head and an end of gzip. */
enum { WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8, FIRST_ROOM = 16 * 1024,
	PIECE_MOST = 1 << 30 };

struct gzip {
	z_stream z;
	struct arena *arena;
	char *p;
	size_t n, cap, most;
	bool is_broken, is_over;
};

static void *
gzip_alloc(void *arena, unsigned n, unsigned size)
{
	return arena_alloc(arena, (size_t)n * size);
}

/* The arena gives it back. */
static void
gzip_free(void *arena, void *p)
{
	(void)arena, (void)p;
}

struct gzip *
gzip_new(struct arena *a, size_t most)
{
	struct gzip *g = arena_new(a, struct gzip);

	if (g == NULL)
		return NULL;
	g->arena = a;
	g->most = most;
	g->z = (z_stream){ .zalloc = gzip_alloc, .zfree = gzip_free,
		.opaque = a };
	return deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
	    WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK ? g : NULL;
}

static bool
gzip_grow(struct gzip *g)
{
	size_t cap = g->cap == 0 ? FIRST_ROOM : 2 * g->cap;
	char *p;

	if (cap > g->most)
		cap = g->most;
	p = cap > g->cap ? arena_alloc(g->arena, cap) : NULL;
	if (p == NULL)
		return false;
	if (g->n > 0)
		memcpy(p, g->p, g->n);
	g->p = p;
	g->cap = cap;
	return true;
}

/* All that was put so far, or with Z_FINISH the end. */
static void
gzip_work(struct gzip *g, int flush)
{
	int rc = Z_OK;

	while (!g->is_broken && rc == Z_OK &&
	    (g->z.avail_in > 0 || flush == Z_FINISH)) {
		if (g->n == g->cap && !gzip_grow(g)) {
			g->is_broken = true;
			break;
		}
		g->z.next_out = (unsigned char *)g->p + g->n;
		g->z.avail_out = (unsigned)(g->cap - g->n);
		rc = deflate(&g->z, flush);
		must(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
		g->n = g->cap - g->z.avail_out;
	}
}

void
gzip_put(struct gzip *g, struct str s)
{
	must(!g->is_over && s.n < PIECE_MOST);
	g->z.next_in = (unsigned char *)(uintptr_t)s.p;
	g->z.avail_in = (unsigned)s.n;
	gzip_work(g, Z_NO_FLUSH);
}

bool
gzip_end(struct gzip *g)
{
	must(!g->is_over);
	g->is_over = true;
	g->z.avail_in = 0;
	gzip_work(g, Z_FINISH);
	(void)deflateEnd(&g->z);
	return !g->is_broken;
}

struct str
gzip_octets(const struct gzip *g)
{
	must(g->is_over);
	return (struct str){ g->p, g->n };
}
