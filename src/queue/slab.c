#include "queue/slab.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 64, ALIGN = 16, CHUNK_WORDS = 64 };

/* A set bit is a room in use. */
struct slab_chunk {
	struct link link;		/* in with_room, unless full */
	uint32_t first;			/* slot of rooms[0] */
	uint32_t n;
	uint64_t used[CHUNK_WORDS];
	_Alignas(ALIGN) char rooms[];
};

void
slab_init(struct slab *s, size_t size, uint32_t per_chunk)
{
	must(size > 0 && size < 1 << 16);
	must(per_chunk >= WORD && per_chunk <= WORD * CHUNK_WORDS);
	must((per_chunk & (per_chunk - 1)) == 0);
	*s = (struct slab){ .per_chunk = per_chunk };
	s->size = (size + ALIGN - 1) / ALIGN * ALIGN;
	list_init(&s->with_room);
}

void
slab_clear(struct slab *s)
{
	for (uint32_t i = 0; i < s->n_chunks; i++)
		free(s->chunks[i]);
	free(s->chunks);
	slab_init(s, s->size, s->per_chunk);
}

static size_t
chunk_size(const struct slab *s)
{
	return sizeof(struct slab_chunk) + s->per_chunk * s->size;
}

/* A place in chunks[] that holds none. */
static int
slab_place(struct slab *s, uint32_t *at)
{
	struct slab_chunk **chunks;
	uint32_t n = s->n_chunks;
	uint32_t more = n + n / 2 + 4;

	for (*at = 0; *at < n; (*at)++)
		if (s->chunks[*at] == NULL)
			return 0;
	if (more >= SLAB_NONE / s->per_chunk)
		return -1;
	chunks = realloc(s->chunks, more * sizeof(struct slab_chunk *));
	if (chunks == NULL)
		return -1;
	for (uint32_t i = n; i < more; i++)
		chunks[i] = NULL;
	s->memory += (more - n) * sizeof(struct slab_chunk *);
	s->chunks = chunks;
	s->n_chunks = more;
	return 0;
}

static struct slab_chunk *
slab_chunk_new(struct slab *s)
{
	struct slab_chunk *c;
	uint32_t at;

	if (slab_place(s, &at) != 0)
		return NULL;
	c = malloc(chunk_size(s));
	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof *c);
	c->first = at * s->per_chunk;
	s->chunks[at] = c;
	s->memory += chunk_size(s);
	list_push(&s->with_room, &c->link);
	return c;
}

static uint32_t
chunk_free_place(const struct slab_chunk *c)
{
	uint32_t w = 0;

	while (c->used[w] == UINT64_MAX)
		w++;
	return w * WORD + (uint32_t)__builtin_ctzll(~c->used[w]);
}

void *
slab_take(struct slab *s, uint32_t *slot)
{
	struct link *l = list_first(&s->with_room);
	struct slab_chunk *c;
	uint32_t i;
	char *room;

	c = l != NULL ? OWNER_OF(l, struct slab_chunk, link) :
	    slab_chunk_new(s);
	if (c == NULL)
		return NULL;
	i = chunk_free_place(c);
	must(i < s->per_chunk);
	c->used[i / WORD] |= UINT64_C(1) << i % WORD;
	if (++c->n == s->per_chunk)
		list_remove(&c->link);
	s->n++;
	*slot = c->first + i;
	room = c->rooms + i * s->size;
	memset(room, 0, s->size);
	return room;
}

static bool
chunk_has(const struct slab_chunk *c, uint32_t i)
{
	return (c->used[i / WORD] >> i % WORD & 1) != 0;
}

/* The last chunk with room stays, so that one thing coming and going at the
 * border of a chunk does not cost a malloc each time. */
static void
slab_chunk_end(struct slab *s, struct slab_chunk *c)
{
	if (list_first(&s->with_room) == &c->link &&
	    list_next(&s->with_room, &c->link) == NULL)
		return;
	list_remove(&c->link);
	s->chunks[c->first / s->per_chunk] = NULL;
	s->memory -= chunk_size(s);
	free(c);
}

void
slab_give(struct slab *s, uint32_t slot)
{
	struct slab_chunk *c;
	uint32_t i = slot % s->per_chunk;

	must(slot / s->per_chunk < s->n_chunks);
	c = s->chunks[slot / s->per_chunk];
	must(c != NULL && chunk_has(c, i));
	c->used[i / WORD] &= ~(UINT64_C(1) << i % WORD);
	if (c->n-- == s->per_chunk)
		list_push(&s->with_room, &c->link);
	s->n--;
	if (c->n == 0)
		slab_chunk_end(s, c);
}

void *
slab_at(const struct slab *s, uint32_t slot)
{
	struct slab_chunk *c;
	uint32_t i = slot % s->per_chunk;

	if (slot / s->per_chunk >= s->n_chunks)
		return NULL;
	c = s->chunks[slot / s->per_chunk];
	if (c == NULL || !chunk_has(c, i))
		return NULL;
	return c->rooms + i * s->size;
}

/* How far it is from place i to the next room in use, or to the chunk's end. */
static uint32_t
chunk_gap(const struct slab_chunk *c, uint32_t i, uint32_t per_chunk)
{
	uint32_t from = i;
	uint64_t word;

	if (c == NULL)
		return per_chunk - i;
	for (; i < per_chunk; i = (i / WORD + 1) * WORD) {
		word = c->used[i / WORD] >> i % WORD;
		if (word != 0)
			return i + (uint32_t)__builtin_ctzll(word) - from;
	}
	return per_chunk - from;
}

void *
slab_walk(const struct slab *s, uint32_t *slot, uint32_t *steps)
{
	uint32_t gap;
	void *room;

	while (*steps > 0 && *slot / s->per_chunk < s->n_chunks) {
		room = slab_at(s, *slot);
		(*steps)--;
		if (room != NULL)
			return room;
		gap = chunk_gap(s->chunks[*slot / s->per_chunk],
		    *slot % s->per_chunk, s->per_chunk);
		*slot += gap;
		*steps -= gap / WORD < *steps ? gap / WORD : *steps;
	}
	return NULL;
}
